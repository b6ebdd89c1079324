"""View, floor and steadiness of a fixed camera from its picture and its people: right where known, unsure where not."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from synth.body import load_body
from synth.camera import Camera, fisheye_matrix, look_at, pinhole_matrix
from synth.corpus.library import entry
from synth.errors import BadOption
from synth.motion.proxies import proxies_of
from synth.motion.quality import state_of
from synth.reconstruct import view as view_module
from synth.reconstruct.floor import Floor, NoFloor
from synth.reconstruct.keypoints import coco_points, projected
from synth.reconstruct.poles import LEVELS
from synth.reconstruct.projection import Optics
from synth.reconstruct.standing import TILTED, floor_from_people
from synth.reconstruct.steady import camera_motion
from synth.reconstruct.view import TRUSTED, estimated_view, segments_of, up_of
from synth.room import Box
from synth.rooms import load_room
from synth.rotation import axis_angle_to_matrix
from synth.skeleton import COCO_KEYPOINTS


def picture(name: str, camera: Camera, fine: int = 2) -> np.ndarray:
    """What a camera sees of a ward's shell and furniture: boxes whose sides have one shade each, uint8 [H, W, 3]."""
    room = load_room(name)
    low, high = room.floor.min(0), room.floor.max(0)
    shell = Box(np.array([*(low + high) / 2, room.height / 2]), np.array([*(high - low), room.height]))
    solids = [solid for piece in room.furniture for solid in piece.world_solids() if solid.size.min() > 0.05]
    big = camera.scaled(camera.width * fine, camera.height * fine)
    eye, rays = big.unproject(np.stack(np.meshgrid(np.arange(big.width), np.arange(big.height)), -1))
    rays = np.nan_to_num(rays, nan=1.0)
    generator = np.random.default_rng(len(name))
    shade, far = np.zeros(rays.shape[:2]), np.full(rays.shape[:2], np.inf)
    for index, box in enumerate([shell, *solids]):
        start, way = box.to_local(eye), box.to_local(rays + box.center)
        with np.errstate(divide="ignore", invalid="ignore"):
            sides = np.stack([(-box.size / 2 - start) / way, (box.size / 2 - start) / way])
        enter, leave = sides.min(0), sides.max(0)
        at, axis = (enter.max(-1), enter.argmax(-1)) if index else (leave.min(-1), leave.argmin(-1))
        hit = (at < leave.min(-1)) & (at > 0) & (at < far) if index else np.ones(at.shape, bool)
        face = 2 * axis + (np.take_along_axis(way, axis[..., None], -1)[..., 0] > 0)
        far, shade = np.where(hit, at, far), np.where(hit, generator.uniform(40, 220, 6)[face], shade)
    small = shade.reshape(camera.height, fine, camera.width, fine).mean((1, 3))
    return np.repeat(np.clip(small + generator.normal(0, 2, small.shape), 0, 255)[..., None], 3, -1).astype(np.uint8)


def angle(camera: Camera, up: np.ndarray) -> float:
    """Degrees between a direction in the camera's frame and the true up."""
    return float(np.rad2deg(np.arccos(np.clip(camera.world_from_camera[2, :3] @ up, -1, 1))))


@pytest.mark.parametrize("name", ["ward_03", "ward_05"])
@pytest.mark.parametrize("view", ["corner", "door"])
def test_up_is_found_through_any_known_lens(name, view):
    camera = load_room(name).camera(view).scaled(200, 150)
    found = up_of(picture(name, camera), camera)
    assert found is not None
    assert angle(camera, found.up) < 1.5
    assert angle(camera, found.up) < 4 * max(found.up_deviation, 0.2)
    assert found.confidence >= TRUSTED


def test_segments_end_where_the_picture_has_its_edges():
    off = []
    for edge in np.linspace(99.5, 100.5, 11):  # pixel centres have whole coordinates
        share = np.clip(np.arange(200) + 0.5 - edge, 0, 1)
        for row in (share, 1 - share):
            image = cv2.GaussianBlur(np.tile(60 + 120 * row, (150, 1)), (0, 0), 0.7).round().astype(np.uint8)
            off.append(segments_of(image)[0, :, 0].mean() - edge)
    assert np.mean(off) == pytest.approx(0, abs=0.05)


def test_of_two_focal_lengths_that_as_many_lines_agree_with_it_is_the_one_that_fits_them_better():
    camera, turn = load_room("ward_01").camera("corner").scaled(240, 180), np.eye(4)
    turn[:3, :3] = axis_angle_to_matrix(np.deg2rad([4.9, 0.5, -3.4]))
    camera = replace(camera, K=pinhole_matrix(240, 180, 91.2)).moved(camera.world_from_camera @ turn)
    found = estimated_view(picture("ward_01", camera))
    assert found is not None
    assert found.focal == pytest.approx(camera.K[0, 0], rel=0.03)  # the other is 15 % off


def test_confidence_does_not_hang_on_which_lines_are_drawn(monkeypatch):
    camera = load_room("ward_03").camera("corner").scaled(200, 150)
    image, found = picture("ward_03", camera), []
    for seed in range(5):
        monkeypatch.setattr(view_module, "SEED", seed)
        found.append(up_of(image, camera).confidence)
    assert np.ptp(found) < 0.05


def test_a_ceiling_camera_along_the_walls_does_not_pretend_to_know():
    camera = load_room("ward_03").camera("ceiling").scaled(200, 150)
    found = up_of(picture("ward_03", camera), camera)
    assert found is None or found.confidence < TRUSTED


@pytest.mark.parametrize(
    ("name", "fov", "roll"),
    [("ward_01", None, 0), ("ward_05", 70.0, 4.0), ("ward_02", 80.0, -5.0)],
)
def test_focal_length_and_up_of_an_unknown_camera(name, fov, roll):
    camera = load_room(name).camera("corner").scaled(320, 240)
    if fov is not None:
        camera = replace(camera, K=pinhole_matrix(320, 240, fov))
    turn = np.eye(4)
    turn[:3, :3] = axis_angle_to_matrix([0, 0, np.deg2rad(roll)])
    camera = camera.moved(camera.world_from_camera @ turn)
    image = picture(name, camera)
    found = estimated_view(image)
    assert found is not None
    assert found.confidence >= TRUSTED
    assert found.focal == pytest.approx(camera.K[0, 0], rel=0.05)
    assert angle(camera, found.up) < 1.5
    if roll <= 0:
        return
    # the same picture in a mirror is of a camera that is tilted the other way
    mirrored = estimated_view(np.ascontiguousarray(image[:, ::-1]))
    assert mirrored is not None
    assert mirrored.focal == pytest.approx(found.focal, rel=0.05)
    np.testing.assert_allclose(mirrored.up * [-1, 1, 1], found.up, atol=np.deg2rad(2))


def test_pictures_that_say_nothing_get_no_confident_answer():
    generator = np.random.default_rng(0)
    rows, columns = np.mgrid[:150, :200]
    stripes = (128 + 100 * np.sign(np.sin(columns / 4))).astype(np.uint8)
    bars = (128 + 60 * np.sign(np.sin(columns / 6)) + 60 * np.sign(np.sin(rows / 6))).clip(0, 255).astype(np.uint8)
    scribble = np.full((150, 200), 200, np.uint8)
    for _ in range(60):
        one, two = generator.integers(0, 150, (2, 2))
        cv2.line(scribble, one.tolist(), two.tolist(), int(generator.integers(0, 150)), 1, cv2.LINE_AA)
    for image in (np.full((150, 200, 3), 90, np.uint8), generator.integers(0, 255, (150, 200)).astype(np.uint8),
                  stripes, bars, scribble):  # fmt: skip
        found = estimated_view(image)
        assert found is None or found.confidence < TRUSTED


def test_lines_on_people_do_not_count_and_bad_input_is_named():
    camera = load_room("ward_01").camera("corner").scaled(160, 120)
    image = picture("ward_01", camera)
    mask = np.zeros(image.shape[:2], bool)
    mask[:, :80] = True
    middles = segments_of(image, mask).mean(1)
    assert len(middles) > 3
    assert (middles[:, 0] > 79).all()
    assert up_of(image, camera, ~np.zeros_like(mask)) is None
    for call in (
        lambda: segments_of(image / 255),
        lambda: segments_of(image, mask[1:]),
        lambda: up_of(image, camera.scaled(80, 60)),
    ):
        with pytest.raises(BadOption):
            call()


VIEWS = {
    "pinhole": Camera("pinhole", 1280, 720, pinhole_matrix(1280, 720, 75.0)),
    "brown_conrady": Camera(
        "brown_conrady", 1280, 720, pinhole_matrix(1280, 720, 95.0), np.array([-0.24, 0.05, 0.001, -0.001, 0.0])
    ),
    "fisheye": Camera("fisheye", 1280, 720, fisheye_matrix(1280, 720, 170.0), np.zeros(4)),
}
POSE = look_at([3.0, -2.4, 2.5], [0, 0, 0.7])


def posts(camera: Camera, places: np.ndarray, stature: float, noise: float, lying: bool = False):
    """Keypoints [T, 17, 2] and confidence of somebody straight at places [T, 2], upright or on the back on a bed."""
    points = np.full((len(places), 17, 3), np.nan)
    for name, share in LEVELS.items():
        for side, width in (("left", 0.1), ("right", -0.1)):
            column = COCO_KEYPOINTS.index(f"{side}_{name}")
            points[:, column, :2] = places + ([share * stature, width] if lying else [width, 0])
            points[:, column, 2] = 0.6 if lying else share * stature
    pixels = camera.project(points)[0]
    seen = camera.inside(pixels)
    return pixels + noise * np.random.default_rng(0).normal(size=pixels.shape), seen.astype(float)


TIMES = np.linspace(0, 2 * np.pi, 60)
WALK = np.stack([1.3 * np.cos(TIMES), 1.2 * np.sin(TIMES)], -1)


@pytest.mark.parametrize("model", VIEWS)
def test_the_floor_under_people_who_walk_about(model):
    camera = VIEWS[model].moved(POSE)
    walker = posts(camera, WALK, 1.65, 2.0)
    patient = posts(camera, np.tile([[-0.5, 0.6]], (60, 1)), 1.7, 2.0, lying=True)
    keypoints, seen = (np.stack(pair) for pair in zip(walker, patient, strict=True))
    floor = floor_from_people(keypoints, seen, camera)
    assert isinstance(floor, Floor)
    assert angle(camera, floor.normal) < 1.0
    assert floor.offset == pytest.approx(2.5, rel=0.02)
    assert floor.upright[0].mean() > 0.8
    assert not floor.upright[1].any()
    assert floor.statures[0] == pytest.approx(1.65, rel=0.02)
    assert np.isnan(floor.statures[1])
    # the scale is the one of the stature that is assumed
    taller = floor_from_people(keypoints, seen, camera, stature=1.80)
    assert taller.offset / floor.offset == pytest.approx(1.80 / 1.65, rel=0.03)


@pytest.mark.parametrize(("name", "model"), [("walk_01", "fisheye"), ("talk_at_bedside_01", "pinhole")])
def test_the_floor_under_recorded_motion_with_noise(name, model):
    body, motion = load_body(), entry(name).load().resample(5.0)
    middle = motion.transl.mean((0, 1))
    camera = VIEWS[model].moved(look_at([middle[0] + 3.0, middle[1] - 2.4, 2.4], [middle[0], middle[1], 0.7]))
    state = state_of(motion, [proxies_of(body, betas) for betas in motion.betas])
    pixels = projected(state, coco_points(body, motion.betas), Optics.of(camera), motion.people)
    generator = np.random.default_rng(1)
    pixels = pixels + 3.0 * generator.normal(size=pixels.shape)
    seen = (generator.random(pixels.shape[:3]) > 0.15).astype(float)
    up = camera.world_from_camera[2, :3]
    statures = [float(np.ptp(np.asarray(body.shaped(betas[None]))[0, :, 1])) for betas in motion.betas]
    floor = floor_from_people(pixels, seen, camera, up, 0.5, stature=float(np.mean(statures)))
    assert angle(camera, floor.normal) < 1.0
    assert floor.offset == pytest.approx(2.4, rel=0.05)
    # people alone are less sure, and say by how much
    alone = floor_from_people(pixels, seen, camera)
    assert angle(camera, alone.normal) < 2 * alone.tilt
    assert abs(np.log(alone.offset / 2.4)) < 2 * alone.height_deviation
    if name != "walk_01":  # one stands, one lies, and nobody moves
        assert alone.tilt > TILTED
        assert any("too few places" in words for words in alone.warnings)


def test_without_people_who_stand_there_is_no_floor():
    camera = VIEWS["pinhole"].moved(POSE)
    keypoints, seen = (array[None] for array in posts(camera, WALK, 1.65, 1.0))
    hidden = seen.copy()
    hidden[..., [COCO_KEYPOINTS.index("left_ankle")]] = 0
    with pytest.raises(NoFloor, match="0 poses with ankles"):
        floor_from_people(keypoints, hidden, camera)
    lying = posts(camera, WALK, 1.65, 1.0, lying=True)
    with pytest.raises(NoFloor):
        floor_from_people(lying[0][None], lying[1][None], camera, up=POSE[2, :3])
    for call in (
        lambda: floor_from_people(keypoints[0], seen[0], camera),
        lambda: floor_from_people(keypoints, seen[:, 1:], camera),
        lambda: floor_from_people(keypoints, seen, camera, up=(0, 0)),
        lambda: floor_from_people(keypoints, seen, camera, stature=-1.0),
    ):
        with pytest.raises(BadOption):
            call()


ROOM = picture("ward_02", load_room("ward_02").camera("corner").scaled(240, 180))


def film(shifts: np.ndarray, walker: bool = False, seed: int = 0) -> list[np.ndarray]:
    """The room seen by a camera that is shifted by pixels [T, 2], with noise and perhaps somebody who walks through."""
    generator = np.random.default_rng(seed)
    clothes = cv2.resize(generator.integers(0, 255, (12, 6, 3)).astype(np.uint8), (70, 140), interpolation=0)
    frames = []
    for number, shift in enumerate(shifts):
        matrix = np.concatenate([np.eye(2), np.asarray(shift, float)[:, None]], 1)
        frame = cv2.warpAffine(ROOM, matrix, (240, 180), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
        if walker:
            left = 6 + number * 10
            frame[30:170, left : left + 70] = clothes[:, : max(0, min(70, 240 - left))]
        noisy = frame + generator.normal(0, 3, frame.shape)
        frames.append(np.clip(noisy, 0, 255).astype(np.uint8))
    return frames


STILLS = np.zeros((16, 2))


def test_people_light_and_darkness_are_no_motion_of_the_camera():
    for frames in (film(STILLS), film(STILLS, walker=True)):
        found = camera_motion(frames)
        assert found.verdict == "still"
        assert np.nanmax(found.moved) < 0.3
        assert found.unseen == ()
    infrared = [
        frame if number < 8 else np.clip(40 + 0.6 * (frame.astype(float) ** 0.95), 0, 255).astype(np.uint8)
        for number, frame in enumerate(film(STILLS))
    ]
    assert camera_motion(infrared).verdict == "still"
    dark = [frame * (number not in (0, 5, 6)) for number, frame in enumerate(film(STILLS))]
    found = camera_motion([frame.astype(np.uint8) for frame in dark])
    assert found.verdict == "still"
    assert found.unseen == (0, 5, 6)
    assert np.isnan(found.moved[[0, 5, 6]]).all()
    assert camera_motion([np.zeros((90, 120, 3), np.uint8)] * 3).verdict == "unknown"
    # a part that cannot be compared with the rest is counted, so that nobody takes it for proven
    cut = [*film(STILLS)[:8], *(frame[::-1, ::-1] for frame in film(STILLS)[:8])]
    assert camera_motion(cut).pieces == 2


@pytest.mark.parametrize("walker", [False, True])
def test_shakes_and_pans_are_found_and_measured(walker):
    shake = STILLS.copy()
    shake[9] = 0.8, 0.6
    found = camera_motion(film(shake, walker))
    assert (found.verdict, found.worst) == ("shakes", 9)
    assert found.moved[9] == pytest.approx(1.0, abs=0.4 if walker else 0.1)
    assert camera_motion(film(STILLS + 0.1 * np.random.default_rng(0).normal(size=STILLS.shape))).verdict == "still"
    pan = np.linspace(0, 1, len(STILLS))[:, None] * [20.0, 0.0]
    found = camera_motion(film(pan, walker))
    assert found.verdict == "moves"
    np.testing.assert_allclose(found.moved, np.abs(pan[:, 0] - 10), atol=0.5)
    knocked = STILLS.copy()
    knocked[11:] = 3.0, 4.0
    assert camera_motion(film(knocked, walker)).verdict == "moves"


def test_a_frame_that_is_like_no_other_does_not_part_what_was_before_and_after():
    pushed = STILLS.copy()
    pushed[9:] = 3.0, 4.0
    frames = film(pushed)
    frames[8] = cv2.resize(np.random.default_rng(1).integers(0, 255, (18, 24, 3)).astype(np.uint8), (240, 180))
    found = camera_motion(frames)
    assert (found.verdict, found.pieces, found.unseen) == ("moves", 1, (8,))


def test_masks_help_and_wrong_kinds_of_images_are_named():
    frames = film(STILLS, walker=True)
    masks = np.zeros((16, 180, 240), bool)
    for number, mask in enumerate(masks):
        mask[25:175, max(0, number * 10) : number * 10 + 82] = True
    assert np.nanmax(camera_motion(frames, masks).moved) < 0.3
    for images, people in (
        ([], None),
        ([frames[0], frames[1][1:]], None),
        ([frames[0] / 255], None),
        (frames, masks[1:]),
    ):
        with pytest.raises(BadOption):
            camera_motion(images, people)
