"""Scripts of care: who holds whom where and when, who steps where, what is sat on; and their solution.

The vocabulary: a script is a list of named phases (approach, reach, grasp, support, lift, step, lower, let go), the
people's tracks, holds, feet, seats and looks. `solve` hands all of it to the one optimiser.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from synth.body import BodyModel
from synth.corpus.care.tracks import FeetPath, Track, along
from synth.interaction import ActionSegment, Contact, Interaction, Prop
from synth.motion import evidence
from synth.motion.contact import FootLock, LookAt
from synth.motion.fit import Prior, Problem, Report, Term, fit
from synth.motion.proxies import Proxies, points_of, proxies_of
from synth.motion.soles import carried_feet, detected_feet, planned_feet
from synth.motion.terms import Balance, JointLimits, KeyPose, Smoothness
from synth.room import Furniture
from synth.rotation import Array, axis_matrix, matrix_to_axis_angle
from synth.skeleton import JOINT

FPS = 20.0
PATIENT, STAFF = 0, 1


@dataclass(frozen=True)
class Phase:
    """A named stretch of the script, seconds."""

    name: str
    start: float
    end: float


@dataclass(frozen=True)
class Hold:
    """`person`'s spot touches `other`'s spot from `start` to `end` s; fingers bend by `bend` radians meanwhile."""

    person: int
    spot: str
    other: int
    other_spot: str
    start: float
    end: float
    bend: float | None = None  # by what is held, where nothing is said
    flat: bool = False  # the hand lies on a trunk with straight fingers, which would reach into it bent


@dataclass(frozen=True)
class Seat:
    """`person` sits on `furniture` (an id) from `start` to `end` seconds."""

    person: int
    furniture: str
    start: float
    end: float


@dataclass(frozen=True)
class PropHold:
    """`person`'s spot stays at the hold (`synth.rooms.props.HANDLES`) of the script's prop from `start` to `end` s;
    a hand's fingers `bend` (radians) around it."""

    person: int
    spot: str
    prop: str
    hold: str
    start: float
    end: float
    bend: float = 1.1


@dataclass(frozen=True)
class Lie:
    """`person`'s back (the spot "lower_back" or "upper_back") lies on `furniture` from `start` to `end` seconds."""

    person: int
    spot: str
    furniture: str
    start: float
    end: float


@dataclass(frozen=True)
class Touch:
    """`person`'s spot rests at a world point [3] of `furniture` (an id, or "floor") from `start` to `end` seconds."""

    person: int
    spot: str
    furniture: str
    at: tuple[float, float, float]
    start: float
    end: float


@dataclass(frozen=True)
class Kneel:
    """`person`'s knee ("left_knee" or "right_knee") is on the floor from `start` to `end` seconds."""

    person: int
    part: str
    start: float
    end: float


@dataclass(frozen=True)
class Actor:
    """One person of a script: body, initial track, and feet if these follow footsteps (else they are detected)."""

    betas: Array
    track: Track
    feet: FeetPath | None = None
    stride: float = 1.0  # the track's path was scaled by this (`Track.scaled_path`)
    captured: Track | None = None  # where plants are seen, for a track that goes another way (`tracks.on_course`)
    stands: bool = True  # False: carried, so that feet are never planted
    swings: bool = True  # False: feet that are not planted go where the track takes them
    still: bool = False  # True: the track is kept as it is, and others keep off it
    even: float = 1.0  # how much even movement counts; less for who is captured in a hurry


@dataclass(frozen=True)
class Script:
    """A whole interaction, before it is solved. Actors: patient, then staff, or one person alone."""

    name: str
    seconds: float
    phases: tuple[Phase, ...]
    actors: tuple[Actor, ...]
    holds: tuple[Hold, ...]
    furniture: tuple[Furniture, ...] = ()
    seats: tuple[Seat, ...] = ()
    balanced: tuple[tuple[int, float, float], ...] = ()  # (person, start, end): nobody holds this weight
    looks: tuple[tuple[int, float], ...] = (
        (0, 0.45),
        (1, 0.25),
    )  # (person, radians off the partner's eyes that are fine)
    facts: dict[str, str] = field(default_factory=dict)  # side, grip, ... for captions
    roles: tuple[str, ...] = ("patient", "staff")
    props: tuple[Prop, ...] = ()  # at FPS, over all frames
    prop_holds: tuple[PropHold, ...] = ()
    lies: tuple[Lie, ...] = ()
    touches: tuple[Touch, ...] = ()
    kneels: tuple[Kneel, ...] = ()
    actions: tuple[ActionSegment, ...] = ()
    core: tuple[float, float] | None = None  # seconds that show the action
    through: bool = False  # ways down and up go on through brief halts (`timing.retimed`)
    datasets: tuple[str, ...] = ()  # whose captures it starts from (`synth.corpus.takes.CREDITS`)

    @property
    def times(self) -> Array:
        return np.arange(round(self.seconds * FPS)) / FPS

    def phase(self, name: str) -> Phase:
        return next(phase for phase in self.phases if phase.name == name)


def part_of(spot: str) -> str:
    """The taxonomy's body part of a spot: "left_upper_arm_under" is "left_upper_arm"."""
    from synth.taxonomy import BODY_PARTS

    if spot.startswith("waist"):
        return "lower_back"
    if spot.endswith("elbow"):
        return spot.replace("elbow", "forearm")
    if spot.endswith("seat"):
        return "pelvis"
    if spot.endswith(("heel", "ball", "toes")):
        return f"{spot.split('_')[0]}_foot"
    return max((part for part in BODY_PARTS if spot.startswith(part)), key=len)


def contacts_of(script: Script) -> tuple[Contact, ...]:
    """The holds and seats as labels; the exact spots stay in the target, for the re-solve in a room."""
    listed = [
        Contact(
            hold.person, part_of(hold.spot),
            {"person": hold.other, "part": part_of(hold.other_spot), "spot": hold.other_spot, "own_spot": hold.spot},
            hold.start, hold.end,
        )
        for hold in script.holds
    ]  # fmt: skip
    listed += [Contact(s.person, "pelvis", {"object": s.furniture}, s.start, s.end) for s in script.seats]
    listed += [
        Contact(h.person, part_of(h.spot), {"object": h.prop, "spot": h.hold, "own_spot": h.spot}, h.start, h.end)
        for h in script.prop_holds
    ]
    listed += [Contact(t.person, part_of(t.spot), {"object": t.furniture}, t.start, t.end) for t in _laid(script)]
    listed += [Contact(k.person, k.part, {"object": "floor"}, k.start, k.end) for k in script.kneels]
    return tuple(listed)


def _laid(script: Script) -> list[Lie | Touch]:
    return [*script.lies, *script.touches]


def take_hold(tracks: Sequence[Track], script: Script) -> list[Track]:
    """Fingers bend around what they hold, opening 0.4 s before and after; where two palms meet the holding one turns up
    and the held one down, which is the way hands meet (from palm along palm the optimiser would not find it)."""
    result = list(tracks)
    for grip in script.prop_holds:
        if grip.spot.endswith("_hand"):
            share = np.clip(
                np.minimum((script.times - grip.start + 0.4) / 0.6, (grip.end + 0.5 - script.times) / 0.6), 0, 1
            )
            result[grip.person] = _hand(result[grip.person], grip.spot[:-5], share, bend=grip.bend)
    for hold in script.holds:
        if not hold.spot.endswith(("_hand", "_hand_flat")) or hold.person == hold.other:
            continue
        share = np.clip(
            np.minimum((script.times - hold.start + 0.4) / 0.6, (hold.end + 0.5 - script.times) / 0.6), 0, 1
        )
        own = hold.spot.split("_")[0]
        side, _, held = hold.other_spot.partition("_")
        result[hold.person] = _hand(result[hold.person], own, share, bend=_bend(hold))
        if held == "hand":
            result[hold.person] = _hand(result[hold.person], own, share, turn=-0.7)
            result[hold.other] = _hand(result[hold.other], side, share, bend=0.2, turn=0.7)
        elif held == "forearm_under":
            result[hold.other] = _hand(result[hold.other], side, share, turn=0.1)
    return result


def _bend(hold: Hold) -> float:
    """Radians that fingers bend around what they hold: rounder and they start out inside it, where it is no limb."""
    if hold.bend is not None:
        return hold.bend
    if hold.flat:
        return -0.25
    if any(word in hold.other_spot for word in ("back", "chest", "waist", "head", "shoulder")):
        return 0.2
    return 0.3 if "_hand" in hold.other_spot else 0.75


def _hand(track: Track, side: str, share: Array, bend: float = 0.0, turn: float = 0.0) -> Track:
    """Bend the fingers, and turn forearm and wrist about their axis by `turn` radians each (positive: palm down)."""
    rotmats = track.rotmats.copy()
    sign = 1.0 if side == "left" else -1.0
    if bend:
        rotmats[:, JOINT[f"{side}_hand"]] = axis_matrix("z", -sign * bend * share)
    if turn:
        elbow, wrist = JOINT[f"{side}_elbow"], JOINT[f"{side}_wrist"]
        flexed = np.linalg.norm(matrix_to_axis_angle(rotmats[:, elbow]), axis=-1)
        more = np.clip(1.15 - flexed, 0.0, 1.0) * share  # forearms come forward, so that the palms can lie level
        rotmats[:, elbow] = rotmats[:, elbow] @ axis_matrix("y", -sign * more) @ axis_matrix("x", turn * share)
        rotmats[:, wrist] = rotmats[:, wrist] @ axis_matrix("x", turn * share)
    return Track(track.pelvis, rotmats)


def solve(
    script: Script, body: BodyModel, steps: int = 190, proxies: Sequence[Proxies] | None = None
) -> tuple[Interaction, Report]:
    """Make the script's contacts, feet, seats and bodies true, in at most `steps` evaluations."""
    proxies = proxies or [proxies_of(body, actor.betas) for actor in script.actors]
    rest = torch.tensor(np.stack([item.rest_joints for item in proxies]), dtype=torch.float32)
    tracks = take_hold([actor.track for actor in script.actors], script)
    pelvis = torch.tensor(np.stack([track.pelvis for track in tracks]), dtype=torch.float32)
    transl = pelvis - rest[:, None, 0]
    rotmats = torch.tensor(np.stack([track.rotmats for track in tracks]), dtype=torch.float32)
    frames = transl.shape[1]
    times = script.times

    locks = [_feet(script, person, proxies, rest, transl, rotmats) for person in range(len(tracks))]
    held = evidence.holds(
        proxies,
        [
            (
                h.person,
                h.spot,
                h.other,
                h.other_spot,
                evidence.window(times, h.start, h.end),
                0.2 if h.flat else evidence.palm_turn(h.spot, h.other_spot),
            )
            for h in script.holds
        ],
    )
    heights = {"floor": evidence.seat_level(None)}
    carriers = {**{item.id: item for item in script.furniture}, **evidence.seats_of(script.props)}
    heights |= {name: evidence.seat_level(item.seat_height or 0.0) for name, item in carriers.items()}
    seated = evidence.seats(
        proxies, [(s.person, heights[s.furniture], evidence.window(times, s.start, s.end)) for s in script.seats]
    )
    back = torch.zeros(len(tracks), frames, 24)
    for name in ("spine1", "spine2", "spine3", "left_collar", "right_collar"):
        back[:, :, JOINT[name]] = 1.0
    back[:, :, JOINT["pelvis"]] = 0.8
    for name in ("left_hand", "right_hand"):
        back[:, :, JOINT[name]] = 1.0
    for name in ("left_wrist", "right_wrist"):
        back[:, :, JOINT[name]] = 0.3
    soft: list[Term] = [
        *[lock for pair in locks for lock in pair], *held, *seated, *_resting(script, proxies, heights),
        *evidence.kneeling(proxies, contacts_of(script), times),
        *[
            LookAt(points_of(proxies, [(who, "eyes")]), points_of(proxies, [(1 - who, "eyes")]), torch.ones(1, frames),
                   sigma=0.5, free=free)
            for who, free in script.looks
            if len(tracks) > 1
        ],
        KeyPose(rotmats, back, sigma=0.18, name="posture"),
        JointLimits(),
        *evidence.above_floor(proxies),
        Smoothness("acceleration", sigma=5.0, weight=torch.tensor([actor.even for actor in script.actors])),
    ]  # fmt: skip
    if script.balanced:
        soft.append(_balance(script, locks, frames))
    prior = Prior(
        rotation=0.5, translation=0.15, seconds=0.45, joints={JOINT["left_hand"]: 0.2, JOINT["right_hand"]: 0.2}
    )
    solid: list[Term] = [
        *evidence.apart(proxies, [(h.person, h.spot, h.other, h.other_spot) for h in script.holds if not h.flat]),
        *evidence.hands_out(proxies),
    ]
    users = {(s.person, s.furniture) for s in script.seats} | {(s.person, s.furniture) for s in script.lies}
    solid += evidence.furniture(proxies, script.furniture, users)
    users |= {(h.person, h.prop) for h in script.prop_holds}
    solid += evidence.rolling(proxies, script.props, FPS, times, users)
    still = tuple(actor.still for actor in script.actors)
    transl, rotmats, report = fit(Problem(rest, transl, rotmats, FPS, [*soft, *solid], prior, still), steps=steps)
    pose = matrix_to_axis_angle(rotmats.numpy().astype(float)).astype(np.float32)
    motion = Interaction(
        fps=FPS,
        transl=transl.numpy(),
        global_orient=pose[:, :, 0],
        body_pose=pose[:, :, 1:].reshape(len(tracks), frames, 69),
        betas=np.stack([actor.betas for actor in script.actors]).astype(np.float32),
        present=np.ones((len(tracks), frames), bool),
        props=script.props,
    )
    return motion, report


def _resting(script: Script, proxies: Sequence[Proxies], heights: Mapping[str, float]) -> list[Term]:
    """Hands on what moves, backs on beds, and hands, knees and feet on points of furniture and floor."""
    times, props = script.times, {prop.id: prop for prop in script.props}
    terms: list[Term] = []
    if script.prop_holds:
        ways = [evidence.hold_way(props[h.prop], h.hold, FPS, times) for h in script.prop_holds]
        windows = torch.stack([evidence.window(times, h.start, h.end) for h in script.prop_holds])
        points = points_of(proxies, [(h.person, h.spot) for h in script.prop_holds])
        terms.append(
            FootLock(points, torch.from_numpy(np.stack(ways).astype(np.float32)), windows, sigma=0.006, name="handles")
        )
    lies = [(s.person, s.spot, heights[s.furniture], evidence.window(times, s.start, s.end)) for s in script.lies]
    terms += evidence.rests(proxies, lies)
    if script.touches:
        at = torch.tensor([t.at for t in script.touches], dtype=torch.float32)[:, None].repeat(1, len(times), 1)
        windows = torch.stack([evidence.window(times, t.start, t.end) for t in script.touches])
        points = points_of(proxies, [(t.person, t.spot) for t in script.touches])
        terms.append(FootLock(points, at, windows, sigma=0.008, name="touches"))
    return terms


def _feet(
    script: Script,
    person: int,
    proxies: Sequence[Proxies],
    rest: torch.Tensor,
    transl: torch.Tensor,
    rotmats: torch.Tensor,
) -> list[FootLock]:
    feet, stride = script.actors[person].feet, script.actors[person].stride
    captured_way = script.actors[person].captured
    if not script.actors[person].stands:
        return []
    if captured_way is not None:
        return carried_feet(
            proxies, person, rest, captured_way.pelvis, captured_way.rotmats, script.actors[person].track, FPS
        )
    if feet is None:
        if stride == 1.0:
            return detected_feet(proxies, person, rest, transl, rotmats, FPS)
        # plants are seen in the walk as it was captured, then brought to the shorter steps
        shift = rest[person, 0].numpy()[:2]
        path = transl[person].numpy().astype(float)
        begin, end = path[0, :2], path[-1, :2]
        captured = transl.clone()
        captured[person, :, :2] = torch.from_numpy(along(path[:, :2], begin, end, 1 / stride)).float()
        (lock,) = detected_feet(proxies, person, rest, captured, rotmats, FPS)
        anchor = lock.anchor.numpy().astype(float)
        for heel in (0, 2):
            middle = 0.5 * (anchor[heel, :, :2] + anchor[heel + 1, :, :2])
            moved = along(middle, begin + shift, end + shift, stride)
            anchor[heel : heel + 2, :, :2] += moved - middle
        return [replace(lock, anchor=torch.from_numpy(anchor).float())]
    planned = planned_feet(proxies, person, feet.xy, feet.yaw, feet.lift, feet.planted)
    return planned if script.actors[person].swings else planned[:1]


def _balance(script: Script, locks: Sequence[Sequence[FootLock]], frames: int) -> Balance:
    """The supporting points: the middle of each planted foot (soles are listed heel, ball of left, then of right)."""
    a, b = torch.zeros(len(locks), frames, 3), torch.zeros(len(locks), frames, 3)
    window = torch.zeros(len(locks), frames)
    for person, pair in enumerate(locks):
        anchor, planted = pair[0].anchor, pair[0].window > 0
        middle = 0.5 * (anchor[0::2] + anchor[1::2])
        down = planted[0::2] | planted[1::2]
        a[person] = torch.where(down[0][:, None], middle[0], middle[1])
        b[person] = torch.where(down[1][:, None], middle[1], middle[0])
        for who, start, end in script.balanced:
            if who == person:
                window[person] += evidence.window(script.times, start, end) * down.any(0)
    return Balance(a, b, window)
