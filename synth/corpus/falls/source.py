"""Falls as a source of the corpus: keys such as "trip_forward_003", each made from its key and seed alone."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from synth.body import BodyModel, draw_person, load_body
from synth.corpus.falls.captions import captions_of
from synth.corpus.falls.motion import Fall, fall
from synth.corpus.falls.plan import Plan, Scene, Strategy
from synth.corpus.falls.seated import SEATED
from synth.corpus.falls.standing import STANDING
from synth.corpus.falls.start import FPS, vertices
from synth.corpus.source import Licence, Rejected
from synth.corpus.stage import floor_contacts
from synth.errors import BadOption
from synth.interaction import ActionSegment, Contact, Interaction, Meta, single
from synth.motion.actions import measure_actions
from synth.motion.fit import one_thread
from synth.room import nearest

STRATEGIES: dict[str, Strategy] = {item.name: item for item in (*STANDING, *SEATED)}
CREDIT = "Simulated by CareSynth from captured movement."
DRAWS = 5  # draws of one item before it is given up


class FallSource:
    """`per_strategy` falls of each strategy.

    Args:
        per_strategy: items a strategy.
        only: names of strategies; all by default.
        body: the body model; the default one if not given.

    Raises:
        BadOption: no strategy has this name.
    """

    def __init__(self, per_strategy: int = 10, only: Sequence[str] = (), body: BodyModel | None = None) -> None:
        if not 1 <= per_strategy <= 1000:
            raise BadOption("falls.per_strategy", per_strategy, "1 to 1000")
        for name in only:
            if name not in STRATEGIES:
                raise BadOption("falls.only", name, nearest(name, STRATEGIES))
        self.per_strategy = per_strategy
        self.strategies = tuple(only) or tuple(STRATEGIES)
        self._body = body

    @property
    def name(self) -> str:
        return "falls"

    @property
    def licence(self) -> Licence:
        return Licence(
            "of the captured start motion, in each item's source", True,
            "Simulated by CareSynth with MuJoCo from captured movement (synth/corpus/library/CREDITS.md).",
        )  # fmt: skip

    def keys(self) -> Sequence[str]:
        return sorted(f"{name}_{index:03d}" for name in self.strategies for index in range(self.per_strategy))

    def make(self, key: str, seed: np.random.SeedSequence) -> Interaction:
        """One fall: the first plausible of `DRAWS` draws.

        Raises:
            BadOption: no such key.
            Rejected: no draw was plausible; says why the last one was not.
        """
        name, _, number = key.rpartition("_")
        if name not in STRATEGIES or not number.isdigit():
            raise BadOption("key", key, "one of the source's keys")
        for draw, child in enumerate(seed.spawn(DRAWS)):
            try:
                motion = make_fall(STRATEGIES[name], child, self._body, key)
                quality = motion.meta.quality | {"draws": draw + 1}
                return replace(motion, meta=replace(motion.meta, quality=quality))
            except Rejected as error:
                if draw == DRAWS - 1:
                    raise Rejected(f"{key}: {error}") from None
        raise AssertionError("unreachable")


def make_fall(
    strategy: Strategy, seed: np.random.SeedSequence, body: BodyModel | None = None, key: str = ""
) -> Interaction:
    """One draw of a strategy.

    Raises:
        Rejected: what came out is not a plausible fall of this kind.
    """
    body = body or load_body()
    rng = np.random.default_rng(seed)
    with one_thread():
        scene = Scene(body, draw_person("patient", rng, body), rng)
        plan = strategy.plan(scene)
        made = fall(scene, plan)
        motion = _interaction(strategy, scene, plan, made, key or strategy.name)
        _seen(motion, plan, body)
        return motion


def _seen(motion: Interaction, plan: Plan, body: BodyModel) -> None:
    """What is measured on the motion must end in a fall and what it leads to, or it teaches the wrong thing."""
    order = measure_actions(motion, body, plan.furniture).order(0)
    if not any(pair == ("fall", "fallen") for pair in itertools.pairwise(order)):
        raise Rejected(f"is seen as {', '.join(order[-3:])}")


def _interaction(strategy: Strategy, scene: Scene, plan: Plan, made: Fall, key: str) -> Interaction:
    person = scene.person
    seconds = len(made.transl) / FPS
    actions = _actions(plan, made, seconds)
    captions = captions_of(
        strategy.interaction_class, plan.facts, _before(plan, actions), person.gender, person.age, scene.rng,
        bool(made.rise),
    )  # fmt: skip
    skin = np.zeros((len(made.transl), len(scene.body.v_template), 3))
    skin[:, np.unique(scene.body.faces)] = vertices(scene.body, person.betas, made.rotmats, made.transl)
    contacts = (*_seat_contacts(plan, made), *floor_contacts(scene.body, skin, FPS))
    meta = Meta(
        text=captions[0],
        captions=captions,
        interaction_class=strategy.interaction_class,
        roles=("patient",),
        genders=(person.gender,),
        ages=(round(person.age, 1),),
        actions=actions,
        contacts=contacts,
        core=(max(0.0, made.onset - 0.8), min(seconds, made.settled + 0.8)),
        stage=tuple(piece.to_json() for piece in plan.furniture),
        source=_source(key, strategy, plan, made),
        quality={name: round(value, 4) for name, value in _figures(made).items()},
    )
    return single(FPS, made.transl, made.rotmats, person.betas, meta).validate(key)


def _figures(made: Fall) -> dict[str, float]:
    moments = ("event", "onset", "impact", "settled", "rest")
    up = {"gets_up": float(bool(made.rise))}
    return made.figures | {name: float(getattr(made, name)) for name in moments} | up


def _source(key: str, strategy: Strategy, plan: Plan, made: Fall) -> dict[str, str]:
    """Where it comes from: the start, and what moves it at rest and afterwards."""
    used = {item.credit: item.licence for item in (plan.entry, *made.sources)}
    return {
        "dataset": "caresynth-falls", "id": key, "strategy": strategy.name, "start": plan.entry.id,
        "licence": "; ".join(dict.fromkeys(used.values())), "credit": " ".join([CREDIT, *used]),
    }  # fmt: skip


def _before(plan: Plan, actions: Sequence[ActionSegment]) -> str:
    """What is done when the fall begins."""
    if plan.facts["cause"] in ("miss", "rise"):
        return "sit_down" if plan.facts["cause"] == "miss" else "stand_up"
    falls = next(i for i, segment in enumerate(actions) if segment.label == "fall")
    return actions[falls - 1].label if falls else "standing"


def _actions(plan: Plan, made: Fall, seconds: float) -> tuple[ActionSegment, ...]:
    """What was captured before, by the plan; the fall from the start of the descent until the body stops going down;
    then lying where it fell."""
    listed, begin = [], 0.0
    shift = plan.frame / FPS - made.event  # seconds of the captured motion that are not shown
    for label, until in plan.before:
        end = min(until - shift, made.onset)
        if end > begin + 1e-6:
            listed.append(ActionSegment(0, round(begin, 3), round(end, 3), label))
            begin = end
    if listed and made.onset > begin + 1e-6 and plan.facts["cause"] != "miss":
        listed[-1] = ActionSegment(0, listed[-1].start, round(made.onset, 3), listed[-1].label)
    begin = listed[-1].end if listed else 0.0
    settled = min(max(made.settled, made.impact), seconds - 0.3)
    listed.append(ActionSegment(0, begin, round(settled, 3), "fall"))
    listed.append(ActionSegment(0, round(settled, 3), round(seconds, 3), "fallen"))
    for label, until in made.rise:
        down = listed[-1]
        if label in ("lying", "fallen") and down.label == "fallen":
            listed[-1] = replace(down, end=round(until, 3))
        else:
            listed.append(ActionSegment(0, listed[-1].end, round(min(until, seconds), 3), label))
    return tuple(listed)


def _seat_contacts(plan: Plan, made: Fall) -> tuple[Contact, ...]:
    shift = plan.frame / FPS - made.event
    found = []
    for piece in plan.furniture:
        for a, b in plan.start.sat:
            start, end = max(a / FPS - shift, 0.0), min(b / FPS - shift, made.onset)
            if end > start + 0.1 and plan.facts.get("cause") != "miss":
                found.append(Contact(0, "pelvis", {"object": piece.id}, start, end))
    return tuple(found)
