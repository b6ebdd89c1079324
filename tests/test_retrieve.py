"""The retrieval generator: what a prompt finds, how long it lasts, what the gate lets through."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.retrieval import MEANT, NONSENSE, right
from synth.body import load_body
from synth.corpus import matching, retrieve, words
from synth.corpus.care.captions import PLAIN, captions_of
from synth.corpus.duration import Idle, at_rate, fit_duration
from synth.corpus.gate import content_faults, faults_of
from synth.corpus.library import LibraryEntry, library
from synth.corpus.place import NoPlace, place
from synth.errors import BadOption
from synth.interaction import ActionSegment, Contact, Interaction, Meta
from synth.motion.actions import measure_actions
from synth.room import Box
from synth.rooms import load_room
from synth.skeleton import forward_kinematics, upright

PAIRS = tuple(PLAIN)


def with_pairs():
    """The library; pairs that it lacks stand in with their captions (motions are not needed for matching)."""
    entries = list(library())
    rng = np.random.default_rng(0)
    for name in PAIRS:
        if not any(entry.interaction_class == name for entry in entries):
            seat = "bed" if name.endswith("bed") else "armchair"
            facts = {"grip": "hand_and_back", "seat": seat}
            entries.append(
                LibraryEntry(f"{name}_01", name, captions_of(name, facts, "female", rng), 2, Path("none"), "x", "x",
                             (0.0, 1.0), 1.0, (seat,) if "bed" in name or "chair" in name or "sit" in name else ())
            )  # fmt: skip
    return sorted(entries, key=lambda entry: entry.id)


@pytest.fixture(scope="module")
def body():
    return load_body()


@pytest.fixture(scope="module")
def ward():
    return load_room("ward_03")


@pytest.fixture(scope="module")
def entries():
    return with_pairs()


@pytest.fixture(scope="module")
def generator(ward, body, entries):
    return retrieve.RetrievalGenerator(ward, body, entries=entries)


# --- meaning ----------------------------------------------------------------------------------------------------------


def test_prompts_find_what_they_mean(generator):
    """>= 90 % of all, and every prompt about two people."""
    wrong = []
    for prompt, wanted in MEANT:
        best = generator._matcher.rank(prompt)[0]
        if not right(generator.entries[best.index], wanted):
            wrong.append((prompt, generator.entries[best.index].id))
            assert not any(pair in wanted for pair in PAIRS), wrong
    assert len(wrong) <= 0.1 * len(MEANT), wrong


def test_every_caption_finds_its_own_class(generator):
    for entry in generator.entries:
        for caption in entry.captions:
            best = generator.entries[generator._matcher.rank(caption)[0].index]
            assert matching._shows(best) == matching._shows(entry) or caption in best.captions, (caption, best.id)


def test_nonsense_is_answered_with_a_warning_that_helps(generator):
    for prompt in NONSENSE:
        _, _, warning = generator.match(prompt)
        assert warning, prompt
        assert "similarity" in warning
        assert warning.count('"') >= 6  # the prompt and some known ones


def test_what_is_known_gets_no_warning(generator):
    warned = [prompt for prompt, _ in MEANT if generator.match(prompt)[2]]
    assert len(warned) <= 1, warned


def test_empty_prompt_and_bad_numbers(generator):
    seed = np.random.SeedSequence(0)
    with pytest.raises(BadOption, match="prompt"):
        generator.generate("  ", seed, 4, 10)
    with pytest.raises(BadOption, match="seconds"):
        generator.generate("a person walks", seed, 0, 10)
    with pytest.raises(BadOption, match="fps"):
        generator.generate("a person walks", seed, 4, float("nan"))


def test_draws_vary_among_what_means_the_same(generator):
    drawn, _, _ = generator.match("a person walks")
    assert len(drawn) >= 4
    assert {entry.interaction_class for entry in drawn} == {"walk_alone"}


def test_a_room_without_a_bed_uses_what_it_has_and_says_so(ward, body, entries):
    bare = replace(ward, furniture=tuple(f for f in ward.furniture if f.cls != "bed"))
    generator = retrieve.RetrievalGenerator(bare, body, entries=entries)
    drawn, _, warning = generator.match("staff helps patient up from the bed")
    assert {entry.interaction_class for entry in drawn} <= {"help_up_from_chair", "help_up_from_floor"}
    assert "no bed" in warning
    drawn, _, warning = generator.match("staff helps patient up")
    assert warning is None
    assert all("bed" not in entry.furniture for entry in drawn)


def test_where_only_the_mirror_image_has_a_place_it_is_taken_unless_a_side_is_named(body):
    room = load_room("ward_01")  # its armchair has a wall on the side that this fall goes to
    fall = next(entry for entry in library() if entry.id == "fall_from_chair_01")
    generator = retrieve.RetrievalGenerator(room, body)
    motion, rng = fall.load(), np.random.default_rng(0)
    with pytest.raises(NoPlace):
        place(motion, room, rng, body)
    scene = generator.set_up(motion, "the lady collapses off her chair", rng)
    assert scene.placed.motion.meta.source["mirrored"]
    assert scene.placed.clearance > -0.1
    with pytest.raises(NoPlace):
        generator.set_up(motion, "the lady collapses off her chair to the left", rng)


def test_roles_are_read_from_the_prompt():
    assert words.role_in("the nurse walks") == "staff"
    assert words.role_in("an old man walks") == "patient"
    assert words.role_in("a person walks") is None
    assert words.role_in("nurse helps patient") is None
    assert words.people_in("nurse helps patient up") == 2
    assert words.people_in("the patient gets up alone") == 1
    for alone in ("a man sits down without anyone's help", "she rises unassisted", "he stands up, nobody helps him"):
        assert words.people_in(alone) == 1, alone
    assert words.people_in("a nurse helps without a word") == 2


@pytest.mark.parametrize(
    ("text", "patient", "staff"),
    [
        ("a nurse helps an old man up", "male", None),
        ("an aide gets a senior up and onto his feet", "male", None),
        ("caregiver pulls grandma out of her seat", "female", None),
        ("a male nurse helps the lady", "female", "male"),
        ("a man helps a woman up", None, None),
        ("staff helps patient up", None, None),
        ("the woman holds his hand", "female", None),
        ("a human being and the manager of the ward", None, None),
    ],
)
def test_words_tell_who_is_a_woman_and_who_a_man(text, patient, staff):
    assert words.gender_in(text, "patient", alone=False) == patient
    assert words.gender_in(text, "staff", alone=False) == staff


def test_who_is_drawn_is_who_was_asked_for(generator, entries):
    sitting = next(entry for entry in entries if entry.interaction_class == "sit_down_alone")
    for seed in range(6):
        scene = generator.set_up(sitting.load(), "an old man sits down", np.random.default_rng(seed))
        assert [person.gender for person in scene.people] == ["male"]
    drawn = {generator.set_up(sitting.load(), "a patient sits down", np.random.default_rng(seed)).people[0].gender
             for seed in range(12)}  # fmt: skip
    assert drawn == {"female", "male"}


def test_captions_are_true_of_people_and_sides(body):
    room = load_room("ward_06")
    generator = retrieve.RetrievalGenerator(room, body)
    prompt = "an elderly man falls to the left"
    ranks = {entry.id: rank for entry, rank in zip(*generator.match(prompt)[:2], strict=True)}
    sides = set()
    for number, entry in enumerate(entry for entry in library() if entry.interaction_class == "fall_sideways"):
        rng = np.random.default_rng(number)
        scene = generator.set_up(entry.load(), prompt, rng)
        told = generator.told(scene.placed.motion.meta, entry, prompt, scene)
        text = " ".join(told.captions)
        assert "right" not in text
        assert not [word for word in ("woman", "lady") if word in text]
        # which way the chest goes, seen by whoever falls
        motion = scene.placed.motion
        rest = np.asarray(body.rest_joints(motion.betas), float)
        joints, rotmats = forward_kinematics(motion.rotations(), rest[:, None], motion.transl)
        left = rotmats[0, 0, 0, :2, 0]
        sides.add(float(np.sign((joints[0, -1, 9, :2] - joints[0, 0, 9, :2]) @ left)))
        if entry.id in ranks:
            match = generator.match_of(prompt, [entry], [ranks[entry.id]], 0, told.captions)
            assert match.caption in told.captions
    assert sides == {1.0}  # SMPL's x points to the left


# --- making -----------------------------------------------------------------------------------------------------------


SEED = np.random.SeedSequence(3, spawn_key=(0, 0))


@pytest.fixture(scope="module")
def made(generator):
    return generator.generate("the nurse walks slowly", SEED, 5.0, 12.5)


def test_a_made_motion_is_whole_and_shows_the_prompt(made, body, ward):
    motion = made.interaction.validate()
    assert motion.fps == 12.5
    assert abs(motion.seconds - 5.0) <= 2 / 12.5
    assert motion.meta.roles == ("staff",)
    assert motion.meta.text == "the nurse walks slowly"
    assert motion.meta.source["licence"]
    assert "walk" in made.actions.order(0)
    assert motion.meta.actions == made.actions.segments
    assert ward.contains(motion.transl[0, :, :2] + body.rest_joints(motion.betas)[0, 0, :2]).all()
    assert made.match.similarity > matching.THRESHOLD
    assert made.match.entry in made.match.candidates


def test_equal_seeds_make_equal_motions(generator, made):
    again = generator.generate("the nurse walks slowly", SEED, 5.0, 12.5)
    np.testing.assert_array_equal(again.interaction.transl, made.interaction.transl)
    np.testing.assert_array_equal(again.interaction.body_pose, made.interaction.body_pose)
    np.testing.assert_array_equal(again.interaction.betas, made.interaction.betas)
    assert again.match == made.match


# --- duration ---------------------------------------------------------------------------------------------------------


def standing(frames=60, fps=20.0, speed=0.0, core=None, people=1):
    transl = np.zeros((people, frames, 3), np.float32)
    transl[..., 0] = np.arange(frames) / fps * speed
    transl[:, :, 1] = np.arange(people)[:, None]
    from synth.rotation import matrix_to_axis_angle

    orient = np.broadcast_to(matrix_to_axis_angle(upright(0.0)), (people, frames, 3)).astype(np.float32)
    return Interaction(
        fps, transl, orient, np.zeros((people, frames, 69), np.float32), np.zeros((people, 10), np.float32),
        np.ones((people, frames), bool),
        Meta(roles=("person",) * people, genders=("neutral",) * people, core=core,
             contacts=(Contact(0, "left_hand", {"object": "floor"}, 0.5, frames / fps),)),
    )  # fmt: skip


@pytest.mark.parametrize("seconds", [1.0, 2.4, 3.0, 3.3, 5.0, 12.0])
def test_duration_is_exact_and_continuous(seconds):
    motion = standing(speed=0.6, people=2)
    made = fit_duration(motion, seconds, np.random.default_rng(1))
    assert made.frames == round(seconds * 20)
    step = np.linalg.norm(np.diff(made.transl, axis=1), axis=-1).max()
    assert step < 0.6 / 20 * 1.26  # nobody jumps or hurries
    assert np.abs(np.diff(made.body_pose, axis=1)).max() < 0.02
    made.validate()


@pytest.mark.parametrize("fps", [8.0, 10.0, 12.5, 20.0, 24.0, 25.0, 30.0, 60.0])
def test_any_frame_rate_gives_as_many_frames_as_asked(fps):
    motion = fit_duration(standing(speed=0.6, people=2), 4.0, np.random.default_rng(1))
    made = at_rate(motion, 4.0, fps)
    assert (made.frames, made.fps) == (round(4 * fps), fps)
    step = np.linalg.norm(np.diff(made.transl, axis=1), axis=-1).max()
    assert step < 0.6 / fps * 1.26
    made.validate()


def test_core_is_kept_when_a_motion_is_cut():
    """With what leads up to it where there is time for that, alone where there is not."""
    motion = standing(frames=200, core=(6.0, 8.0), speed=0.5)
    for seconds, first, last in ((3.4, 5.4, 8.6), (2.0, 6.0, 8.0)):
        for seed in range(5):
            made = fit_duration(motion, seconds, np.random.default_rng(seed))
            x = made.transl[0, :, 0]
            assert x.min() <= 0.5 * first + 0.04  # where the motion is at `first` seconds ...
            assert x.max() >= 0.5 * last - 0.08  # ... and at `last`
        if seconds > 3:
            assert made.meta.core[1] - made.meta.core[0] == pytest.approx(2.0, abs=0.06)


def test_who_falls_is_not_slowed_down():
    motion = standing(speed=1.0)
    falling = replace(motion, meta=replace(motion.meta, interaction_class="fall_forward"))
    made = [fit_duration(falling, 1.2 * motion.seconds, np.random.default_rng(seed)) for seed in range(5)]
    way = motion.transl[0]
    for found in made:
        assert found.seconds == pytest.approx(1.2 * motion.seconds, abs=0.05)
        # as many frames as it had are on the way, the others at rest
        steps = np.linalg.norm(np.diff(found.transl[0], axis=0), axis=1)
        assert steps.max() == pytest.approx(np.linalg.norm(np.diff(way, axis=0), axis=1).max(), rel=1e-3)


def test_time_is_never_scaled_by_more_than_a_quarter():
    slow = fit_duration(standing(speed=1.0), 30.0, np.random.default_rng(0))
    fast = fit_duration(standing(frames=200, speed=1.0), 2.0, np.random.default_rng(0))
    assert np.diff(slow.transl[0, :40, 0]).max() * 20 >= 1 / 1.26
    assert np.diff(fast.transl[0, :, 0]).max() * 20 <= 1.26


def test_contacts_at_the_end_are_held_on():
    made = fit_duration(standing(), 6.0, np.random.default_rng(0))
    assert made.meta.contacts[0].end == pytest.approx(6.0)


def test_resting_on_after_the_end_keeps_feet_and_hands_above_the_floor(body, entries):
    """The last movement dies away; whom a foot or a seat carries stays on it."""
    for item in entries:
        if item.people < 2:
            continue
        motion = item.load()
        rest = np.asarray(body.rest_joints(motion.betas), float)
        longer = fit_duration(motion, motion.seconds + 4.0, np.random.default_rng(0), rest)
        heights = [
            forward_kinematics(m.rotations(), rest[:, None], m.transl)[0][..., 2].min() for m in (motion, longer)
        ]
        assert heights[1] > heights[0] - 0.005, item.id


def test_who_walked_comes_to_stand_on_the_floor(body):
    walk = next(entry for entry in library() if entry.id == "walk_01").load()
    rest = np.asarray(body.rest_joints(walk.betas), float)
    idle = next(entry for entry in library() if entry.id.startswith("idle")).load()
    made = fit_duration(walk, 8.0, np.random.default_rng(0), rest, Idle(idle.rotations()[0], idle.fps))
    actions = measure_actions(made, body)
    assert actions.order(0)[0] == "walk"
    assert actions.order(0)[-1] == "standing"
    room = load_room("ward_05")
    shifted = replace(made, transl=made.transl + np.array([*room.floor.mean(0), 0], np.float32))
    assert not [f for f in faults_of(shifted, actions, room, body) if "float" in f.text or "jerk" in f.text]


def test_who_is_pushed_does_not_rise_from_the_wheelchair_at_the_end(body):
    """High in it and on the way when the motion ends: it is the seat that carries, not the feet."""
    pushed = next(entry for entry in library() if entry.id == "push_wheelchair_01").load()
    patient = pushed.meta.roles.index("patient")
    high = pushed.transl.copy()
    high[patient, :, 2] += 0.05
    pushed = replace(pushed, transl=high).window(0.0, 4.0)
    rest = np.asarray(body.rest_joints(pushed.betas), float)
    idle = next(entry for entry in library() if entry.id.startswith("idle")).load()
    made = fit_duration(pushed, 8.0, np.random.default_rng(0), rest, Idle(idle.rotations()[0], idle.fps))
    assert np.ptp(made.transl[patient, :, 2]) < 0.02
    assert measure_actions(made, body).order(patient) == ("sitting",)


def test_who_slides_on_the_floor_does_not_stand_up_by_itself(body):
    fall = next(entry for entry in library() if entry.id == "fall_backward_01").load()
    rest = np.asarray(body.rest_joints(fall.betas), float)
    slide = np.zeros_like(fall.transl)
    slide[:, -10:, 0] = np.linspace(0, 0.6 * 10 / fall.fps, 10)  # 0.6 m/s at the end
    idle = next(entry for entry in library() if entry.id.startswith("idle")).load()
    moved = replace(fall, transl=fall.transl + slide)
    made = fit_duration(
        moved, fall.seconds * 1.25 + 2.0, np.random.default_rng(0), rest, Idle(idle.rotations()[0], idle.fps)
    )
    assert (made.transl[0, -10:, 2] + rest[0, 0, 2]).max() < 0.4


# --- gate -------------------------------------------------------------------------------------------------------------


def test_gate_finds_what_is_wrong(body, ward):
    entry = next(entry for entry in library() if entry.id == "walk_01")
    motion = entry.load()
    middle = np.array([*ward.floor.mean(0), 0.0], np.float32)
    motion = replace(motion, transl=motion.transl * np.array([0.1, 0.1, 1.0], np.float32) + middle)

    def faults(changed):
        return " ".join(f.text for f in faults_of(changed, measure_actions(changed, body), ward, body))

    wrong = replace(motion, meta=replace(motion.meta, interaction_class="sit_down_alone"))
    assert "should sit_down then sitting" in faults(wrong)
    assert "floats" in faults(replace(motion, transl=motion.transl + np.array([0, 0, 0.5], np.float32)))
    air = replace(motion, transl=motion.transl + np.array([0, 0, 0.5], np.float32))
    falls = replace(measure_actions(air, body), segments=(ActionSegment(0, 0.0, air.seconds, "fall"),))
    assert not [f for f in faults_of(air, falls, ward, body) if "floats" in f.text]  # who falls is carried by nothing
    assert "leaves the room" in faults(replace(motion, transl=motion.transl + np.array([50, 0, 0], np.float32)))
    rng = np.random.default_rng(0)
    noisy = replace(motion, body_pose=motion.body_pose + rng.normal(0, 0.5, motion.body_pose.shape).astype(np.float32))
    assert "jerks" in faults(noisy)
    lying = replace(measure_actions(air, body), segments=(ActionSegment(0, 0.0, air.seconds, "fallen"),))
    part = replace(motion, meta=replace(motion.meta, interaction_class="fall_backward"))
    assert "should fall, but" in " ".join(f.text for f in content_faults(part, lying, whole=False))
    torn = replace(motion, meta=replace(motion.meta, quality={"adapt": {"contact_mean": 0.2, "partner_depth": 0.0}}))
    assert "hands are 20 cm from what they hold" in faults(torn)
    deep = {"adapt": {"partner_depth": 0.01, "skin_depth": 0.08}}  # capsules know nothing of it, skins do
    assert "two bodies overlap by 8 cm" in faults(replace(motion, meta=replace(motion.meta, quality=deep)))


def test_who_is_helped_up_has_a_hand_on_them(body, ward):
    motion = next(entry for entry in library() if entry.id == "help_up_from_chair_01").load()

    def faults(changed):
        return " ".join(f.text for f in faults_of(changed, measure_actions(changed, body), ward, body) if f.grave)

    assert "hand is on the patient" not in faults(motion)
    late = tuple(replace(c, start=c.start + 2.4) for c in motion.meta.contacts)
    assert "nobody's hand is on the patient in" in faults(replace(motion, meta=replace(motion.meta, contacts=late)))
    low = motion.window(0.0, 4.0)
    assert "the patient gets from" in faults(low)


def test_who_sits_too_high_is_helped_up_from_a_high_bed_alone(body, ward):
    """0.65 m is the height to rise from, but for furniture whose seat is higher than that allows."""
    motion = next(entry for entry in library() if entry.id == "help_up_from_bed_01").load()
    patient = motion.meta.roles.index("patient")
    pelvis = motion.transl[patient, :, 2] + np.asarray(body.rest_joints(motion.betas), float)[patient, 0, 2]
    raised = replace(motion, transl=motion.transl + np.float32([0, 0, 0.72 - pelvis.min()]))
    low = raised.transl[patient, pelvis.argmin()]
    bed = replace(
        ward.of_class("bed")[0], seat_height=0.55, box=Box(np.array([*low[:2], 0.3]), np.array([1.0, 2.0, 0.6]))
    )

    def found(*furniture):
        room = replace(ward, furniture=furniture)
        return [f.text for f in faults_of(raised, measure_actions(raised, body), room, body) if "gets from" in f.text]

    assert found()
    assert not found(bed)
