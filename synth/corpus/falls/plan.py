"""What a scenario is: a person, a captured start, the event and the reflex, before anything is simulated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from synth.body import BodyModel, Person
from synth.corpus.falls.control import Pose, Reflex, mirror, stepping
from synth.corpus.falls.simulate import Event, Force
from synth.corpus.falls.start import FPS, Start, on_body
from synth.corpus.library import LibraryEntry, entry
from synth.corpus.source import Rejected
from synth.interaction import Interaction, single
from synth.motion.actions import measure_actions
from synth.room import Furniture
from synth.rotation import Array
from synth.skeleton import mirror_pose

SIDES = ("left", "right")


@dataclass(frozen=True)
class Plan:
    """One fall before its simulation.

    Attributes:
        start: the captured movement, in the stage's frame.
        frame: of the event in it.
        event, reflex: what goes wrong and what the muscles do.
        entry: the library motion.
        way: "forward", "backward", "sideways" where the class promises a direction, else "".
        furniture: what stands around.
        before: labels of what is done before the fall, each up to a second of the captured movement; where that is
            more than one thing, `before_fall` measures them on the capture.
        facts: for the captions.
        yaw: heading that directions refer to.
        earliest: first frame of the captured movement to show; `whole`: show all from there.
    """

    start: Start
    frame: int
    event: Event
    reflex: Reflex
    entry: LibraryEntry
    before: tuple[tuple[str, float], ...]
    yaw: float
    way: str = ""
    furniture: tuple[Furniture, ...] = ()
    facts: dict[str, str] = field(default_factory=dict)
    earliest: int = 0
    whole: bool = False


@dataclass(frozen=True)
class Scene:
    """Who falls, and the random numbers of this fall."""

    body: BodyModel
    person: Person
    rng: np.random.Generator

    def uniform(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def side(self) -> str:
        return SIDES[int(self.rng.integers(2))]

    def chance(self, share: float) -> bool:
        return bool(self.rng.uniform() < share)

    def captured(
        self, ids: Sequence[str], pace: tuple[float, float] = (0.95, 1.15), flip: bool | None = None
    ) -> tuple[LibraryEntry, Start]:
        """One of these library motions on the person's body, slowed by a factor from `pace`, mirrored half the time."""
        item = entry(ids[int(self.rng.integers(len(ids)))])
        motion = item.load().scale_time(self.uniform(*pace))
        if self.chance(0.5) if flip is None else flip:
            motion = mirrored(motion, self.body)
        return item, on_body(motion, self.body, self.person.betas, bool(item.furniture))

    def delay(self) -> float:
        """Seconds until the muscles react: later in old age."""
        return self.uniform(0.13, 0.24) + 0.0015 * max(self.person.age - 60.0, 0.0) * self.uniform(0.5, 1.5)

    def pose(self, pose: Pose, spread: float = 0.12) -> Pose:
        """The pose as this person takes it this time."""
        return {
            name: {axis: value + float(self.rng.normal(0, spread)) for axis, value in angles.items()}
            for name, angles in pose.items()
        }

    def reflex(self, pose: Pose, tone: tuple[float, float] = (0.3, 0.7), **more: object) -> Reflex:
        """A reflex into `pose` with a tone from this range."""
        made = Reflex(
            delay=self.delay(), tone=self.uniform(*tone), decay=self.uniform(0.1, 0.25), pose=self.pose(pose),
            blend=self.uniform(0.18, 0.32), settle=self.uniform(0.25, 0.6),
        )  # fmt: skip
        return replace(made, **more)  # type: ignore[arg-type]

    def limp(self, pose: Pose, **more: object) -> Reflex:
        """Fainting: the tone goes within a quarter of a second."""
        made = Reflex(
            delay=0.0, tone=self.uniform(0.015, 0.05), decay=self.uniform(0.12, 0.3), pose=self.pose(pose, 0.15),
            blend=self.uniform(0.2, 0.5), settle=0.3, rest_tone=0.015,
        )  # fmt: skip
        return replace(made, **more)  # type: ignore[arg-type]

    def step(self, way: str, side: str | None = None) -> tuple[str, Pose, Pose]:
        side, lifted, planted = stepping(side or self.side(), way)
        return side, self.pose(lifted, 0.08), self.pose(planted, 0.08)

    def push(self, way: tuple[float, float, float], speed: tuple[float, float], seconds: tuple[float, float]) -> Force:
        """A shove at the upper trunk."""
        return Force(("spine3", "spine2"), way, push=self.uniform(*speed), seconds=self.uniform(*seconds))

    def frame(self, start: Start, low: float, high: float) -> int:
        """A frame at a share of the movement between `low` and `high`."""
        return int(np.clip(round(self.uniform(low, high) * (start.frames - 1)), 2, start.frames - 2))

    def pick(self, frames: Array, earliest: int = 16) -> int:
        """One of these frames that leaves some of the movement to be seen before."""
        late = [int(f) for f in frames if f >= earliest]
        if not late:
            raise Rejected("the captured motion has no such moment")
        return late[int(self.rng.integers(len(late)))]


Scenario = Callable[[Scene], Plan]


@dataclass(frozen=True)
class Strategy:
    """One way to fall."""

    name: str
    interaction_class: str
    plan: Scenario


def before_fall(start: Start, frame: int, body: BodyModel, drop: str = "") -> tuple[tuple[str, float], ...]:
    """What a captured movement shows up to a frame, measured on the capture alone: (label, until seconds).

    A last action `drop` is left out: sitting down where no seat is belongs to the fall.
    """
    motion = single(FPS, start.transl, start.rotmats)
    motion = replace(motion, betas=start.betas[None].astype(np.float32))
    segments = measure_actions(motion, body, (start.seat,) if start.seat else ()).segments
    kept = [(s.label, s.end) for s in segments if s.start < frame / FPS - 0.05]
    return tuple(kept[:-1] if len(kept) > 1 and kept[-1][0] == drop else kept)


def sided(pose: Pose, side: str) -> Pose:
    """A pose given for a fall to the left, for this side."""
    return pose if side == "left" else mirror(pose)


def mirrored(motion: Interaction, body: BodyModel) -> Interaction:
    """One person's motion with left and right changed over (mirrored at the plane x = 0)."""
    rest = body.rest_joints(motion.betas[0]).astype(float)
    pelvis = (motion.transl[0] + rest[0]) * np.array([-1.0, 1.0, 1.0])
    return replace(
        single(motion.fps, pelvis - rest[0], mirror_pose(motion.rotations()[0]), motion.betas[0]), meta=motion.meta
    )
