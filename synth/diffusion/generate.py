"""The learned generator: from a prompt to a motion in a room, behind the same interface as retrieval.

What the prompt means, which furniture it needs and where in the room that can happen is found as the retrieval
generator finds it (`synth.corpus.matching`, `synth.corpus.place`); the scenario's first frame is adapted to the people
who were drawn, and from there on the model makes the motion. What the gate refuses is made again, several at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path

import numpy as np

from synth.body import BodyModel, load_body
from synth.corpus.duration import FASTEST, at_rate, fit_duration
from synth.corpus.gate import LANDED, Fault, faults_of
from synth.corpus.library import LibraryEntry
from synth.corpus.matching import Ranked
from synth.corpus.place import NoPlace
from synth.corpus.retrieve import Generated, NothingFits, RetrievalGenerator
from synth.corpus.touch import held_props, measured_contacts
from synth.diffusion import packaged
from synth.diffusion.checkpoint import Model, load_model
from synth.diffusion.classifier import TrainedClassifier
from synth.diffusion.guidance import Rest
from synth.diffusion.pace import quickened
from synth.diffusion.polish import polished
from synth.diffusion.sample import LONGEST, SHORTEST, Sampling, Scenario, sample, without_labels
from synth.encoders import text_encoder
from synth.errors import BadOption, Missing
from synth.interaction import Interaction, Prop
from synth.motion.actions import Actions, at_frames, measure_actions
from synth.motion.adapt import adapt, settled
from synth.motion.fit import one_thread
from synth.motion.proxies import proxies_of
from synth.motion.quality import measure
from synth.room import Furniture, Room
from synth.rooms import load_room
from synth.rooms.props import is_furniture
from synth.rotation import Array, axis_angle_to_matrix, matrix_to_axis_angle, yaw_matrix
from synth.skeleton import facing_yaw
from synth.text import TextEncoder

ENOUGH = 3  # attempts after which one with small faults will do
ROUNDS, TOGETHER = 3, 4  # rounds of attempts for one motion, and attempts that are sampled together
NEAR = 2.0  # metres from somebody's way to the middle of furniture that may be touched
STANDS = 0.1  # metres: furniture on wheels that goes less far in a scenario stands there
OPENING = 0.3  # seconds of the placed motion that are adapted to the people: its first frame is what counts


@dataclass(frozen=True)
class Opening:
    """What a motion starts from, and what is known of how such a thing goes on: a scenario of the library in the room.

    Attributes:
        start: its first moments on the people drawn. around: the room less what moves in it.
        ends: where everybody's pelvis is at its end [P, 2], so that there is a way.
        caption: one of its captions.
        draft: all of it as the library has it, settled on these people and seats, at the length that is sampled: its
            props and contacts are asked for, and where `Sampling.strength` is below 1 the sampler starts from it.
        whole: whether the clip has room for all of the action.
    """

    start: Interaction
    around: Room
    ends: Array
    caption: str
    draft: Interaction
    whole: bool


class DiffusionGenerator:
    """Motions sampled from a trained model.

    Args:
        room: where it happens. body: whose shapes are drawn.
        encoder: a `TextEncoder`, the folder of one, or None for the installed one.
        model: a file that `synth train` wrote, a loaded one, or None for the packaged one.
        polish: whether what was sampled is made exact (`synth.diffusion.polish`).
        classifier: guides towards the prompt's class (`synth.diffusion.classifier.load_classifier`).
        near: id of the furniture on or by which it is to happen; None: wherever there is room.
        fallback: whether, where no attempt comes out fit to be shown, the library's own motion is taken instead, with a
            warning.

    Raises:
        Missing: no model is packaged or the encoder is not installed. BadFile: a model is damaged.
        BadOption: the classifier is another model's, or the room has no such furniture.
    """

    def __init__(
        self, room: Room, body: BodyModel, encoder: str | PathLike[str] | TextEncoder | None = None,
        model: Model | str | PathLike[str] | None = None, sampling: Sampling | None = None, polish: bool = True,
        classifier: TrainedClassifier | None = None, near: str | None = None, fallback: bool = False,
    ) -> None:  # fmt: skip
        self.room, self.body = room, body
        self.encoder = encoder if isinstance(encoder, TextEncoder) else TextEncoder(encoder)
        self.model = model if isinstance(model, Model) else load_model(found_model(model))
        named = self.model.config.encoder  # what the model reads; what is near in meaning is MiniLM's to tell
        self.words = self.encoder if named == "minilm" else text_encoder(named)
        self.sampling, self.polish = sampling or Sampling(), polish
        self.classifier, self.fallback = classifier, fallback
        if classifier is not None:
            classifier.must_fit(self.model)
        self._known = RetrievalGenerator(room, body, self.encoder, near=near)

    def generate(self, prompt: str, seed: np.random.SeedSequence, seconds: float, fps: float) -> Generated:
        """Make one motion. The same arguments as `RetrievalGenerator.generate`, and the same errors."""
        with one_thread():  # sums in another order would change the last bits
            made, reasons, tried = self._first_fit(self.attempts(prompt, seed, seconds, fps))
        if made is not None:
            return made
        refused = (
            f'{self.room.name}: no fitting motion for "{prompt}" in {tried} attempts; {reasons[0] if reasons else ""}'
        )
        if not self.fallback:
            raise NothingFits(refused)
        made = self._known.generate(prompt, seed, seconds, fps)
        warning = "; ".join(text for text in (made.warning, f"{refused}; took the library's motion instead") if text)
        return replace(made, warning=warning, rejected=made.rejected + tried)

    @staticmethod
    def _first_fit(
        attempts: Iterator[tuple[Generated, list[Fault]] | NoPlace],
    ) -> tuple[Generated | None, list[str], int]:
        """The first attempt without a fault, or the best of the first `ENOUGH` that may be shown; what was wrong with
        others, and how many were made."""
        best: Generated | None = None
        reasons: list[str] = []
        tried = 0
        for attempt in attempts:
            if isinstance(attempt, NoPlace):
                reasons.append(str(attempt))
                continue
            made, faults = attempt
            tried += 1
            reasons += [fault.text for fault in faults if fault.grave]
            light = not any(fault.grave for fault in faults)
            if light and (best is None or len(faults) < len(best.faults)):
                best = made
            if best is not None and (not best.faults or made.rejected + 1 >= ENOUGH):
                return replace(best, rejected=made.rejected), reasons, tried
        return None, reasons, tried

    def attempts(
        self, prompt: str, seed: np.random.SeedSequence, seconds: float, fps: float
    ) -> Iterator[tuple[Generated, list[Fault]] | NoPlace]:
        """All that `generate` would try, in order: what was made with all its faults, or why there is no place for it.

        Raises:
            BadOption: an empty prompt, seconds or fps that are not positive, a room without the furniture it takes.
        """
        for name, value in (("seconds", seconds), ("fps", fps)):
            if not (np.isfinite(value) and value > 0):
                raise BadOption(name, value, "a positive number")
        entries, ranks, warning = self.match(prompt)
        order = np.random.default_rng(np.random.SeedSequence(seed.entropy, spawn_key=seed.spawn_key)).permutation(
            len(entries)
        )
        tried = 0
        for number in range(ROUNDS):
            child = np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, number))
            rng = np.random.default_rng(child)
            chosen = int(order[number % len(entries)])
            try:
                opening = self._opening(entries[chosen], prompt, rng, seconds)
            except NoPlace as error:
                yield error
                continue
            match = self._known.match_of(prompt, entries, ranks, chosen, opening.start.meta.captions)
            for motion, actions, faults in self._round(opening, prompt, rng, child, seconds, fps):
                texts = tuple(fault.text for fault in faults)
                yield Generated(motion, match, warning, tried, actions, texts, "diffusion"), faults
                tried += 1

    def match(self, prompt: str) -> tuple[list[LibraryEntry], list[Ranked], str | None]:
        """The scenarios to draw from; see `RetrievalGenerator.match`."""
        return self._known.match(prompt)

    def _round(
        self, opening: Opening, prompt: str, rng: np.random.Generator, seed: np.random.SeedSequence, seconds: float,
        fps: float,
    ) -> Iterator[tuple[Interaction, Actions, list[Fault]]]:  # fmt: skip
        """Several motions from one place and cast; each is measured when it is asked for."""
        start, around, draft = opening.start, opening.around, opening.draft
        names = {str(item["id"]) for item in start.meta.stage}
        used = [piece for piece in around.furniture if piece.id in names]
        rough = draft if self.sampling.strength < 1 else None
        scenario = Scenario.in_room(start, prompt, around, used, opening.ends, rough)
        if rough is not None:  # what is made from noise alone keeps its own time
            scenario = replace(scenario, asked=rests_of(draft, start, self.body))
        words = self.words.tokens([prompt, opening.caption] * (TOGETHER // 2))
        made = sample(
            self.model, [scenario] * TOGETHER, words, draft.seconds, self.body, seed, self.sampling, self.classifier
        )
        rest = np.asarray(self.body.rest_joints(start.betas), float)
        seats = [piece for piece in around.furniture if piece.seat_height is not None]
        core = draft.meta.core
        for item in made:
            item = replace(item, motion=replace(item.motion, meta=replace(item.motion.meta, core=core)))
            motion = replace(item.motion, props=carried_along(draft.props, start, item.motion, rest))
            if self.polish:
                motion = polished(motion, self.body, around, nearby(motion, seats), item.stands, draft.meta.contacts)
            if draft.meta.interaction_class in LANDED:  # last, as it changes no distance; polishing costs some speed
                motion = quickened(motion, draft, rest)
            yield self._checked(motion, rng, opening, seconds, fps)

    def _opening(self, entry: LibraryEntry, prompt: str, rng: np.random.Generator, seconds: float) -> Opening:
        """The first moments of a scenario on the people drawn, and what is known of the rest. Raises NoPlace."""
        scene = self._known.set_up(entry.load(), prompt, rng)
        placed = scene.placed.motion
        core = placed.meta.core or (0.0, placed.seconds)
        length = float(np.clip(placed.seconds, SHORTEST, LONGEST))  # `fit_duration` makes of it what is asked for
        roughly = settled(placed, scene.placed.stage_map, scene.betas, self.body)
        draft = roughly.resample(self.model.fps).scale_time(length / placed.seconds)
        first = placed.window(0.0, max(OPENING, 2 / placed.fps))
        adapted = adapt(first, scene.placed.stage_map, scene.betas, self.body, scene.around, rng)
        start = without_labels(adapted)
        source = {
            "dataset": "caresynth-diffusion", "id": entry.id, "licence": entry.licence, "credit": entry.credit,
            "mirrored": bool(placed.meta.source.get("mirrored")),
        }  # fmt: skip
        meta = replace(self._known.told(start.meta, entry, prompt, scene), source=source)
        rest = np.asarray(self.body.rest_joints(scene.betas), float)
        return Opening(
            start=replace(start, meta=meta), around=scene.around, ends=draft.transl[:, -1, :2] + rest[:, 0, :2],
            caption=str(rng.choice(np.array(meta.captions))), draft=draft,
            whole=(core[1] - core[0]) * FASTEST <= seconds + 0.1,
        )  # fmt: skip

    def _checked(
        self, motion: Interaction, rng: np.random.Generator, opening: Opening, seconds: float, fps: float
    ) -> tuple[Interaction, Actions, list[Fault]]:
        around, rest = opening.around, np.asarray(self.body.rest_joints(motion.betas), float)
        lasting = fit_duration(motion, seconds, rng, rest, self._known.idle)
        made = at_rate(lasting, seconds, fps)
        actions = at_frames(measure_actions(lasting, self.body, around.furniture), lasting.fps, fps, made.frames)
        contacts = measured_contacts(made, self.body, around.furniture) + held_props(made, self.body)
        resting = tuple(contact for contact in contacts if "object" in contact.target)
        bare = replace(made, meta=replace(made.meta, contacts=resting))
        proxies = [proxies_of(self.body, shape) for shape in made.betas]
        # under the name that the gate knows from motions that were adapted to a room
        quality = {"adapt": measure(bare, proxies, nearby(made, around.furniture))}
        if self.polish:  # of the skins, which time changes nothing of
            quality["adapt"]["skin_depth"] = motion.meta.quality["adapt"]["skin_depth"]
        meta = replace(made.meta, actions=actions.segments, contacts=contacts, quality=quality)
        made = replace(made, meta=meta)
        return made, actions, faults_of(made, actions, around, self.body, opening.whole)


def rests_of(draft: Interaction, start: Interaction, body: BodyModel) -> tuple[Rest, ...]:
    """When who rests on which height in a scenario: where it begins with that, on that of its first frame."""
    first, later = (
        np.asarray(body.rest_joints(motion.betas), float)[:, 0, 2, None] + motion.transl[..., 2]
        for motion in (start, draft)
    )
    found = []
    for contact in draft.meta.contacts:
        when = (draft.times >= contact.start) & (draft.times <= contact.end)
        if contact.part != "pelvis" or contact.target.get("object") == "floor" or not when.any():
            continue
        height = first[contact.person, 0] if when[0] else np.median(later[contact.person, when])
        found.append(Rest(contact.person, contact.start, contact.end, float(height)))
    return tuple(found)


def carried_along(props: Sequence[Prop], start: Interaction, motion: Interaction, rest: np.ndarray) -> tuple[Prop, ...]:
    """Things at the motion's frames. What rolls in the scenario goes with whoever is nearest to it at the start, and
    keeps its place in that person's heading; what stands stays; what hands hold has the scenario's way for now.

    Args:
        props: as the scenario has them, from its first frame on. rest: rest joints [P, 24, 3].
    """
    found = []
    for prop in props:
        frames = np.minimum(np.arange(motion.frames), len(prop.transl) - 1)
        way = replace(prop, transl=prop.transl[frames], orient=prop.orient[frames])
        stands = float(np.ptp(prop.transl[:, :2], axis=0).max()) < STANDS
        found.append(way if stands or not is_furniture(prop.cls) else _pushed(prop, start, motion, rest))
    return tuple(found)


def _pushed(prop: Prop, start: Interaction, motion: Interaction, rest: np.ndarray) -> Prop:
    pelvis = rest[:, 0] + start.transl[:, 0]
    holder = int(np.linalg.norm(pelvis[:, :2] - np.asarray(prop.transl)[0, :2], axis=1).argmin())
    first, *_ = facing_yaw(axis_angle_to_matrix(start.global_orient[holder, :1]))
    yaw = np.unwrap(facing_yaw(axis_angle_to_matrix(motion.global_orient[holder])))
    local = yaw_matrix(-first) @ (np.asarray(prop.transl)[0] - pelvis[holder])
    way = rest[holder, 0] + motion.transl[holder]
    transl = way + np.stack([yaw_matrix(angle) @ local for angle in yaw])
    transl[:, 2] = prop.transl[0, 2]
    turned = np.stack([yaw_matrix(angle - first) for angle in yaw]) @ axis_angle_to_matrix(prop.orient[0])
    return replace(prop, transl=transl.astype(np.float32), orient=matrix_to_axis_angle(turned).astype(np.float32))


def nearby(motion: Interaction, furniture: Sequence[Furniture]) -> list[Furniture]:
    """The furniture that somebody comes near to."""
    low, high = motion.transl[..., :2].min((0, 1)) - NEAR, motion.transl[..., :2].max((0, 1)) + NEAR
    middles = [np.asarray(piece.box.center)[:2] for piece in furniture]
    return [p for p, at in zip(furniture, middles, strict=True) if ((at > low) & (at < high)).all()]


def found_model(model: str | PathLike[str] | None) -> Path:
    """The model's file: the one given, or the packaged one. Raises Missing where there is none."""
    path = Path(model) if model is not None else packaged.GENERATOR
    if model is None and not path.exists():
        raise Missing(
            "the trained model", "train one with `synth train` and give its file, or use --generator retrieval"
        )
    return path


def generate(
    prompt: str, room: Room | str, n: int = 1, seed: int = 0, seconds: float = 8.0, fps: float = 20.0,
    model: Model | str | PathLike[str] | None = None, sampling: Sampling | None = None,
) -> list[Interaction]:  # fmt: skip
    """Motions for a prompt in a room, from Python: `synth.generate("staff helps patient up", "ward_03", n=4)`.

    Args:
        room: a room, or the name or folder of one.
        n, seed: how many; motion k depends on the seed and k alone.
        model: a trained model or its file; None for the packaged one.

    Raises:
        BadOption, Missing, NothingFits: see `DiffusionGenerator`.
    """
    where = load_room(room) if isinstance(room, str) else room
    generator = DiffusionGenerator(where, load_body(), model=model, sampling=sampling)
    return [
        generator.generate(prompt, np.random.SeedSequence([seed, number]), seconds, fps).interaction
        for number in range(n)
    ]
