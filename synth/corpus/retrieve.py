"""The retrieval generator: the library motion nearest in meaning to the prompt, played by other people in another room.

The baseline that every learned generator must beat, behind the same interface:

    made = RetrievalGenerator(room, body).generate("staff helps patient up", seed, seconds=10, fps=10)
    made.interaction, made.warning, made.rejected
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from os import PathLike
from typing import Any, Protocol

import numpy as np

from synth.body import BodyModel
from synth.body.shape import draw_person
from synth.corpus import matching, words
from synth.corpus.duration import Idle, at_rate, fit_duration
from synth.corpus.gate import Fault, faults_of
from synth.corpus.library import LibraryEntry, library
from synth.corpus.mirror import mirror
from synth.corpus.place import STANDS_FOR, NoPlace, Placement, place
from synth.corpus.readers.texts import mirror_text, sides_in
from synth.errors import BadOption, CareSynthError
from synth.interaction import Interaction, Meta
from synth.motion.actions import Actions, at_frames, measure_actions
from synth.motion.adapt import adapt
from synth.room import Furniture, Room
from synth.text import TextEncoder

TRIES = 8  # attempts for one clip before it is given up
ENOUGH = 4  # attempts after which one with small faults will do
_SIDED = re.compile(r"\b(left|right|(counter|anti)?.?clockwise)", re.IGNORECASE)  # "right after" may be either
IDLE_ID = "idle"  # stem of the library's motions of standing


class NothingFits(CareSynthError):
    """No attempt at a clip came out fit to be shown."""


@dataclass(frozen=True)
class Match:
    """Why a motion was chosen.

    Attributes:
        entry: its id in the library.
        caption: its caption nearest to the prompt, of those that are true of what was made of it (people, sides).
        similarity: cosine of prompt and caption, -1 to 1.
        score: similarity less what the caption contradicts; this ranks.
        interaction_class: of the taxonomy, or None.
        candidates: ids among which the draw was made.
        nearest: the nearest captions with their similarity.
    """

    entry: str
    caption: str
    similarity: float
    score: float
    interaction_class: str | None
    candidates: tuple[str, ...]
    nearest: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Generated:
    """What a generator returns.

    Attributes:
        interaction: in the room's world, as long and at the rate that was asked for, its actions measured.
        match: how the motion was chosen.
        warning: for the user, or None.
        rejected: attempts thrown away before this one.
        actions: the measured labels, by frame.
        faults: small faults that were let pass.
        generator: the one that made it, "retrieval" or "diffusion".
    """

    interaction: Interaction
    match: Match
    warning: str | None
    rejected: int
    actions: Actions
    faults: tuple[str, ...] = ()
    generator: str = "retrieval"

    def match_to_json(self) -> dict[str, Any]:
        """The match and the small faults as one JSON object."""
        return {**asdict(self.match), "faults": list(self.faults)}


class Generator(Protocol):
    """From a prompt to a motion in a room."""

    def generate(self, prompt: str, seed: np.random.SeedSequence, seconds: float, fps: float) -> Generated: ...


class RetrievalGenerator:
    """Nearest captions in the library.

    Args:
        room: where it happens.
        body: whose shapes are drawn.
        encoder: a `TextEncoder`, the folder of one, or None for the installed one.
        entries: the library; the packaged one by default.
        near: id of the furniture on or by which it is to happen; None: wherever there is room.

    Raises:
        Missing: the encoder or the library is not installed. BadOption: the room has no such furniture.
    """

    def __init__(
        self,
        room: Room,
        body: BodyModel,
        encoder: matching.Encoder | str | PathLike[str] | None = None,
        entries: Sequence[LibraryEntry] | None = None,
        near: str | None = None,
    ) -> None:
        ids = [piece.id for piece in room.furniture]
        if near is not None and near not in ids:
            raise BadOption("near", near, f"furniture of {room.name}: {', '.join(ids)}")
        self.room, self.body, self.near = room, body, near
        self.entries = tuple(library() if entries is None else entries)
        meaning = TextEncoder(encoder) if encoder is None or isinstance(encoder, (str, PathLike)) else encoder
        self._matcher = matching.Matcher(self.entries, meaning)

    def match(self, prompt: str) -> tuple[list[LibraryEntry], list[matching.Ranked], str | None]:
        """The entries to draw from, their ranks, and what the user should know about the choice.

        Raises:
            BadOption: the prompt is empty, or nothing in the library can happen in this room.
        """
        ranked = self._matcher.rank(prompt)
        possible = [r for r in ranked if not self.lacks(self.entries[r.index])]
        # a room without a bed shows the same from a chair rather than something else that happens near beds
        alike = [r for r in possible if matching.same(self.entries[r.index], self.entries[ranked[0].index])]
        possible = alike or possible
        if not possible:
            raise BadOption("--scene", self.room.name, "a room with the furniture that the library's motions need")
        warnings = []
        if ranked[0].similarity < matching.THRESHOLD:
            near = ", ".join(f'"{caption}" ({value:.2f})' for caption, value in nearest_captions(ranked))
            warnings.append(
                f'nothing in the motion library is close to "{prompt}": the best similarity is '
                f"{ranked[0].similarity:.2f}, below {matching.THRESHOLD:.2f}; the nearest known prompts are {near}"
            )
        drawn = matching.near_best(possible, self.entries)
        wanted = self.entries[ranked[0].index]
        if drawn[0].score < ranked[0].score - matching.MARGIN:
            warnings.append(
                f'{self.room.name} has no {self.lacks(wanted)} for "{ranked[0].caption}"; '
                f'made "{drawn[0].caption}" instead'
            )
        return [self.entries[r.index] for r in drawn], drawn, "; ".join(warnings) or None

    def lacks(self, entry: LibraryEntry) -> str | None:
        """The class of furniture that the entry needs and the room, or `near`, is nothing for, or None."""
        for cls in entry.furniture:
            pieces = self.room.of_class(*STANDS_FOR.get(cls, (cls,)))
            if not pieces or (self.near is not None and self.near not in [piece.id for piece in pieces]):
                return cls
        return None

    def generate(self, prompt: str, seed: np.random.SeedSequence, seconds: float, fps: float) -> Generated:
        """Make one motion.

        Args:
            prompt: what happens, in words.
            seed: everything drawn comes from it; equal seeds give equal motions.
            seconds, fps: of the result.

        Raises:
            BadOption: an empty prompt, seconds or fps that are not positive.
            NothingFits: no attempt came out fit to be shown; says what was wrong with the best.
        """
        for name, value in (("seconds", seconds), ("fps", fps)):
            if not (np.isfinite(value) and value > 0):
                raise BadOption(name, value, "a positive number")
        entries, ranks, warning = self.match(prompt)
        best: Generated | None = None
        reasons: list[str] = []
        for attempt in range(TRIES):
            # not seed.spawn(): that would count in the caller's object, and the next call would draw otherwise
            child = np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, attempt))
            rng = np.random.default_rng(child)
            # who was drawn first and failed is not asked again before all others
            order = np.random.default_rng(np.random.SeedSequence(seed.entropy, spawn_key=seed.spawn_key)).permutation(
                len(entries)
            )
            chosen = int(order[attempt % len(entries)])
            try:
                motion, actions, faults = self._attempt(entries[chosen], prompt, rng, seconds, fps)
            except NoPlace as error:
                reasons.append(str(error))
                continue
            made = Generated(
                interaction=motion,
                match=self.match_of(prompt, entries, ranks, chosen, motion.meta.captions),
                warning=warning,
                rejected=attempt,
                actions=actions,
                faults=tuple(fault.text for fault in faults),
            )
            if not faults:
                return made
            reasons += [fault.text for fault in faults if fault.grave]
            if not any(fault.grave for fault in faults) and (best is None or len(faults) < len(best.faults)):
                best = made
            if best is not None and attempt + 1 >= ENOUGH:
                return replace(best, rejected=attempt)
        if best is not None:
            return replace(best, rejected=TRIES - 1)
        raise NothingFits(
            f'{self.room.name}: no fitting motion for "{prompt}" in {TRIES} attempts; {reasons[0] if reasons else ""}'
        )

    def _attempt(
        self, entry: LibraryEntry, prompt: str, rng: np.random.Generator, seconds: float, fps: float
    ) -> tuple[Interaction, Actions, list[Fault]]:
        motion = entry.load()
        scene = self.set_up(motion, prompt, rng)
        placed = scene.placed
        adapted = adapt(placed.motion, placed.stage_map, scene.betas, self.body, scene.around, rng)
        core = adapted.meta.core or (0.0, adapted.seconds)
        whole = (core[1] - core[0]) * 0.8 <= seconds + 0.1 and placed.cut[1] - placed.cut[0] >= motion.seconds - 0.1
        rest = np.asarray(self.body.rest_joints(scene.betas), float)
        lasting = fit_duration(adapted, seconds, rng, rest, self.idle)
        made = at_rate(lasting, seconds, fps)
        meta = self.told(made.meta, entry, prompt, scene)
        made = replace(made, meta=meta)
        whole_rate = measure_actions(lasting, self.body, scene.around.furniture)
        actions = at_frames(whole_rate, lasting.fps, fps, made.frames)
        made = replace(made, meta=replace(meta, actions=actions.segments))
        return made, actions, faults_of(made, actions, scene.around, self.body, whole)

    def set_up(self, motion: Interaction, prompt: str, rng: np.random.Generator) -> SetUp:
        """Draw the people and the place of a motion of the library. Raises NoPlace."""
        roles = list(motion.meta.roles)
        if len(roles) == 1:  # a lone person is what the prompt says
            roles = [words.role_in(prompt) or roles[0]]
        genders = [words.gender_in(prompt, role, len(roles) == 1) for role in roles]
        people = tuple(Actor.draw(role, rng, self.body, gender) for role, gender in zip(roles, genders, strict=True))
        placed = self._placed(motion, prompt, rng)
        around = replace(self.room, furniture=standing(self.room, placed.motion))
        return SetUp(placed, tuple(roles), people, around)

    def _placed(self, motion: Interaction, prompt: str, rng: np.random.Generator) -> Placement:
        """The motion in the room, or its mirror image: where the prompt asks for the other side than the motion's
        captions tell, and where only that has a place, unless the prompt may mean a side."""
        asked, told = sides_in(prompt), sides_in(" ".join(motion.meta.captions))
        if asked and told and not asked & told:
            motion = mirror(motion, self.body)
        try:
            return place(motion, self.room, rng, self.body, self.near)
        except NoPlace as error:
            if _SIDED.search(prompt):
                raise
            try:
                return place(mirror(motion, self.body), self.room, rng, self.body, self.near)
            except NoPlace:
                raise error from None

    def told(self, meta: Meta, entry: LibraryEntry, prompt: str, scene: SetUp) -> Meta:
        """What is known of a motion before it is measured: words, people and room."""
        return replace(
            meta,
            text=prompt,
            captions=scene.fitting(scene.placed.motion.meta.captions),
            interaction_class=entry.interaction_class,
            roles=scene.roles,
            genders=tuple(person.gender for person in scene.people),
            ages=tuple(person.age for person in scene.people if person.age is not None),
            room=self.room.name,
            body_model=self.body.name,
            actions=(),
        )

    @cached_property
    def idle(self) -> Idle | None:
        """Real standing, for those who have walked and have time left."""
        for entry in self.entries:
            if entry.id.startswith(IDLE_ID) and entry.people == 1 and not entry.furniture:
                motion = entry.load()
                return Idle(motion.rotations()[0], motion.fps)
        return None

    def match_of(
        self, prompt: str, entries: Sequence[LibraryEntry], ranks: Sequence[matching.Ranked], chosen: int,
        captions: Sequence[str],
    ) -> Match:  # fmt: skip
        """Why entry `chosen` of those that `match` gave was taken; `captions` are left of what is made of it."""
        rank = ranks[chosen]
        caption = next((text for text in (rank.caption, mirror_text(rank.caption)) if text in captions), captions[0])
        return Match(
            entry=entries[chosen].id,
            caption=caption,
            similarity=rank.similarity,
            score=rank.score,
            interaction_class=entries[chosen].interaction_class,
            candidates=tuple(entry.id for entry in entries),
            nearest=tuple(nearest_captions(self._matcher.rank(prompt))),
        )


@dataclass(frozen=True)
class Actor:
    """A drawn person; ``age`` None where the body model cannot tell what its shapes mean."""

    betas: np.ndarray
    gender: str
    age: float | None

    @staticmethod
    def draw(role: str, rng: np.random.Generator, body: BodyModel, gender: str | None = None) -> Actor:
        """Somebody of that role, and of that gender where it is given and the body model knows genders."""
        if body.shape_table:
            person = draw_person(role, rng, body, gender)
            return Actor(person.betas, person.gender, round(person.age, 1))
        # an official SMPL model: its betas are standard deviations of its own population
        return Actor(np.clip(rng.normal(0, 0.8, 10), -2, 2).astype(np.float32), "neutral", None)


@dataclass(frozen=True)
class SetUp:
    """Where a motion happens and who is in it; `around`: the room less what moves in it."""

    placed: Placement
    roles: tuple[str, ...]
    people: tuple[Actor, ...]
    around: Room

    @property
    def betas(self) -> np.ndarray:
        """[P, 10]."""
        return np.stack([person.betas for person in self.people]).astype(np.float32)

    def fitting(self, captions: Sequence[str]) -> tuple[str, ...]:
        """Those captions that do not call somebody a woman who is a man; if none is left, the class's plain one."""
        cast = list(zip(self.roles, self.people, strict=True))

        def true(text: str) -> bool:
            said = [(words.gender_in(text, role, len(cast) == 1), person.gender) for role, person in cast]
            return all(gender in (None, known) or known == "neutral" for gender, known in said)

        return tuple(text for text in captions if true(text)) or tuple(captions[:1])


def standing(room: Room, motion: Interaction) -> tuple[Furniture, ...]:
    """The room's furniture less what the motion moves."""
    moved = {prop.id for prop in motion.props}
    return tuple(item for item in room.furniture if item.id not in moved)


def nearest_captions(ranked: Sequence[matching.Ranked], count: int = matching.SHOWN) -> list[tuple[str, float]]:
    """The best different captions with their similarity."""
    found: dict[str, float] = {}
    for item in sorted(ranked, key=lambda r: -r.similarity):
        found.setdefault(item.caption, item.similarity)
        if len(found) == count:
            break
    return list(found.items())
