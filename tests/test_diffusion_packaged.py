"""The models that ship: they load, they fit each other, and what they make shows what was asked for."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.classes import agrees, lift, lifted
from benchmarks.prompts import PROMPTS
from synth.body import load_body
from synth.corpus.gate import faults_of
from synth.diffusion import packaged
from synth.diffusion.checkpoint import load_model
from synth.diffusion.classifier import load_classifier
from synth.diffusion.config import read_train_config
from synth.diffusion.evaluator import load_evaluator
from synth.diffusion.generate import DiffusionGenerator
from synth.room import furniture_from_json
from synth.rooms import load_room

BODY = load_body()


def test_they_load_fit_each_other_and_are_small() -> None:
    model, classifier = load_model(packaged.GENERATOR), load_classifier(packaged.CLASSIFIER)
    classifier.must_fit(model)
    assert load_evaluator(packaged.EVALUATOR).fps == model.fps
    assert model.config == read_train_config("default")  # the command on the card made it
    files = [path for path in packaged.MODELS.iterdir() if path.suffix == ".safetensors"]
    assert sum(path.stat().st_size for path in files) < 40e6
    card = (packaged.MODELS / "README.md").read_text()
    assert all(path.name in card for path in files)


@pytest.mark.parametrize(
    ("prompt", "room", "name"),
    [
        ("a nurse helps an old man up from his chair", "ward_03", "help_up_from_chair"),
        ("an old lady falls backwards", "ward_05", "fall_backward"),
        ("the resident wanders along the corridor", "ward_04", "walk_alone"),
    ],
)
def test_a_motion_shows_what_was_asked_for(prompt: str, room: str, name: str) -> None:
    generator = DiffusionGenerator(load_room(room), BODY)
    made = generator.generate(prompt, np.random.SeedSequence(11), 8.0, 20.0)
    motion = made.interaction
    assert (made.generator, motion.meta.interaction_class, motion.frames) == ("diffusion", name, 160)
    assert agrees(motion, made.actions, name)
    assert not [fault for fault in faults_of(motion, made.actions, generator.room, BODY) if fault.grave]
    assert motion.meta.source["credit"]
    known = {piece.id: piece for piece in generator.room.furniture}
    for item in motion.meta.stage:
        piece = furniture_from_json(item, "stage", "stage")
        np.testing.assert_allclose(piece.box.center, known[piece.id].box.center, atol=1e-6)
    if name.startswith("help_up"):
        assert lifted(lift(motion, BODY))
        assert motion.meta.genders[motion.meta.roles.index("patient")] == "male"
        assert 0 <= motion.meta.quality["adapt"]["skin_depth"] < 0.05


def test_a_slip_is_a_fall_at_the_first_attempt() -> None:
    """As sampled it comes down at 1.5 m/s, which is lying down; the scenario's is at 2.3."""
    generator = DiffusionGenerator(load_room("ward_05"), BODY)
    seed = np.random.SeedSequence([3, 0, sorted(PROMPTS).index("slip_to_floor")])
    made, faults = next(generator.attempts("the lady slumps to the ground", seed, 8.0, 20.0))
    assert [segment.label for segment in made.actions.segments] == ["standing", "fall", "fallen"]
    assert not [fault for fault in faults if fault.grave]
