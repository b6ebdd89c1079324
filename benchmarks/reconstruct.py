"""How well people are recovered from made scenes whose truth is known: `python -m benchmarks.reconstruct --json`.

Interactions of the library are seen by care-home cameras (a corner, a wide lens with distortion, a fisheye under the
ceiling); their keypoints, furniture and, for `refined`, a regressor's estimates are made from the truth with noise.
`fit only` has no estimates: poses of other classes of the library are looked up. Bodies and cameras are given; for
`wrong focal` a camera whose focal length is off.
Also told: what is recovered of rooms and floors (`benchmarks.grounds`), and what the people cost, by frames and by
people. `--quick`: a minute.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmarks import grounds
from synth.body import BodyModel, load_body
from synth.camera import Camera, fisheye_matrix, look_at, pinhole_matrix
from synth.corpus.library import entry
from synth.interaction import Interaction
from synth.motion.fit import one_thread
from synth.motion.metrics import foot_slide
from synth.motion.proxies import proxies_of
from synth.motion.quality import state_of
from synth.reconstruct.keypoints import Observed, coco_points, projected
from synth.reconstruct.lifting import library_poses, lifted
from synth.reconstruct.people import Refined, posed, refined
from synth.reconstruct.projection import Optics
from synth.room import Furniture, furniture_from_json
from synth.rotation import Array, axis_angle_to_matrix

FPS = 10.0
MOTIONS = (
    "help_up_from_chair_01", "assist_walking_01", "walk_01", "fall_sideways_01", "help_up_from_bed_01",
    "assist_lie_down_01", "talk_at_bedside_01", "help_up_from_floor_01", "comfort_touch_01", "push_wheelchair_01",
)  # fmt: skip
CAMERAS = ("corner", "wide", "fisheye")
FOCAL = 0.05  # deviation of the focal length's logarithm, of `wrong_focal`
PIXELS, HIDDEN = 3.0, 0.15  # of keypoints: noise, and the share that is not annotated
SHAKE, LEAN = 0.12, 0.1  # radians a joint: noise from frame to frame, and what is wrong throughout
DEPTH, JITTER = 0.06, 0.03  # shares of the distance, the same
PLACE, RISE = 0.04, 0.02  # metres: of furniture on the plan, of its seat's height
SWAPPED = 0.1  # of the frames of pairs the estimate is the other person's


@dataclass(frozen=True)
class Made:
    """A scene: the truth, what a regressor and an annotator might say of it, and which estimates are of another."""

    truth: Interaction
    estimates: Interaction
    observed: Observed
    camera: Camera
    resting: np.ndarray
    furniture: tuple[Furniture, ...]
    swapped: np.ndarray


def camera_at(kind: str, middle: Array) -> Camera:
    """1280 x 720, about 4 m from `middle` [2], 2.4 m above the floor."""
    pose = look_at([middle[0] + 3.0, middle[1] - 2.4, 2.4], [middle[0], middle[1], 0.7])
    if kind == "fisheye":
        return Camera("fisheye", 1280, 720, fisheye_matrix(1280, 720, 170.0), np.zeros(4), pose)
    if kind == "wide":
        dist = np.array([-0.24, 0.05, 0.001, -0.001, 0.0])
        return Camera("brown_conrady", 1280, 720, pinhole_matrix(1280, 720, 95.0), dist, pose)
    return Camera("pinhole", 1280, 720, pinhole_matrix(1280, 720, 75.0), np.zeros(0), pose)


def made(name: str, kind: str, body: BodyModel, seed: int, seconds: float = 10.0) -> Made:
    """A library motion in front of a camera, with noise."""
    rng = np.random.default_rng([seed, CAMERAS.index(kind), MOTIONS.index(name)])
    truth = entry(name).load().resample(FPS)
    truth = truth.window(0.0, min(seconds, truth.seconds))
    camera = camera_at(kind, truth.transl.mean((0, 1))[:2])
    state = state_of(truth, [proxies_of(body, betas) for betas in truth.betas])
    pixels = projected(state, coco_points(body, truth.betas), Optics.of(camera), truth.people)
    shape = pixels.shape[:2]
    low, high = pixels.min(2), pixels.max(2)
    seen = (rng.random((*shape, 17)) > HIDDEN).astype(float)
    observed = Observed(
        FPS, pixels + PIXELS * rng.normal(size=pixels.shape), seen, np.concatenate((low, high - low), -1)
    )
    wrong = SHAKE * rng.normal(size=(*shape, 24, 3)) + LEAN * rng.normal(size=(shape[0], 1, 24, 3))
    away = DEPTH * rng.normal(size=(shape[0], 1, 1)) + JITTER * rng.normal(size=(*shape, 1))
    line = state.joints[:, :, 0].numpy() - camera.position
    transl, rotmats = truth.transl + away * line, truth.rotations() @ axis_angle_to_matrix(wrong)
    swapped = np.zeros(shape, bool)
    if truth.people == 2:
        swapped = rng.random(shape) < SWAPPED
        for p in range(2):
            transl[p, swapped[p]] = truth.transl[1 - p, swapped[p]] + 0.02 * rng.normal(size=(swapped[p].sum(), 3))
            rotmats[p, swapped[p]] = truth.rotations()[1 - p, swapped[p]]
    resting = np.zeros(shape, bool)
    for contact in truth.meta.contacts:
        if contact.part in ("pelvis", "lower_back", "upper_back") and "object" in contact.target:
            resting[contact.person] |= (truth.times >= contact.start - 0.5) & (truth.times <= contact.end + 0.5)
    furniture = tuple(_about(furniture_from_json(item, "stage", "stage"), rng) for item in truth.meta.stage)
    return Made(truth, posed(truth, transl, rotmats), observed, camera, resting, furniture, swapped)


def _about(piece: Furniture, rng: np.random.Generator) -> Furniture:
    """Furniture as a depth map tells it: its place and the height of its seat are not exact."""
    place, rise = PLACE * rng.normal(size=2), RISE * rng.normal()
    box = replace(piece.box, center=piece.box.center + np.append(place, 0.0))
    height = None if piece.seat_height is None else piece.seat_height + rise
    return replace(piece, box=box, seat_height=height)


def off_focal(camera: Camera, rng: np.random.Generator) -> Camera:
    """The camera as somebody believes it who is wrong about its focal length."""
    k = camera.K.copy()
    k[[0, 1], [0, 1]] *= np.exp(FOCAL * rng.normal())
    return replace(camera, K=k)


def errors(found: Interaction, truth: Interaction, body: BodyModel) -> dict[str, float]:
    """Millimetres over 22 joints: `mpjpe` with pelvises together, `world` as they are, `pair` of distances of pelvises;
    `slide` mm a frame, of feet that truly are on the floor, beyond the truth's."""
    proxies = [proxies_of(body, betas) for betas in truth.betas]
    a, b = (state_of(motion, proxies).joints.numpy()[:, :, :22] for motion in (found, truth))
    row = {
        "mpjpe": 1000 * np.linalg.norm((a - a[:, :, :1]) - (b - b[:, :, :1]), axis=-1).mean(),
        "world": 1000 * np.linalg.norm(a - b, axis=-1).mean(),
    }
    if truth.people == 2:
        apart = [np.linalg.norm(joints[0, :, 0] - joints[1, :, 0], axis=-1) for joints in (a, b)]
        row["pair"] = 1000 * np.abs(apart[0] - apart[1]).mean()
    whole = [state_of(motion, proxies).joints.numpy() for motion in (found, truth)]
    slides = [(foot_slide(a, FPS, of=b), foot_slide(b, FPS)) for a, b in zip(*whole, strict=True)]
    beyond = [a - b for a, b in slides if b > 0]  # whose feet are never on the floor does not count
    if beyond:
        row["slide"] = max(0.0, 1000 * float(np.mean(beyond)) / FPS)
    return {name: round(float(value), 1) for name, value in row.items()}


def run(motions: Sequence[str], cameras: Sequence[str], seed: int) -> dict[str, Any]:
    """A row a scene, and means."""
    body, rows, masks, rng = load_body(), [], np.zeros(3, int), np.random.default_rng(seed)
    for name in motions:
        cls = entry(name).interaction_class
        exemplars = library_poses(body, lambda other, cls=cls: other.interaction_class == cls)
        for kind in cameras:
            scene = made(name, kind, body, seed)
            with one_thread():
                begin = time.process_time()
                full = refined(scene.estimates, scene.observed, scene.camera, body, scene.resting, scene.furniture)
                middle = time.process_time()
                start = lifted(scene.observed, scene.camera, body, scene.truth.betas, exemplars)
                alone = refined(start, scene.observed, scene.camera, body, scene.resting, scene.furniture)
                end = time.process_time()
                blurred = refined(
                    scene.estimates, scene.observed, off_focal(scene.camera, rng), body, scene.resting, scene.furniture
                )
            masks += _masked(full, scene)
            rows.append(
                {"motion": name, "camera": kind, "people": scene.truth.people, "frames": scene.truth.frames,
                 "refined": errors(full.motion, scene.truth, body) | {"cpu_s": round(middle - begin, 1)},
                 "fit_only": errors(alone.motion, scene.truth, body) | {"cpu_s": round(end - middle, 1)},
                 "wrong_focal": errors(blurred.motion, scene.truth, body),
                 "estimates": errors(scene.estimates, scene.truth, body)}
            )  # fmt: skip
    kinds = ("estimates", "refined", "wrong_focal", "fit_only")
    keys = ("mpjpe", "world", "pair", "slide", "cpu_s")
    means = {kind: {key: _mean([row[kind].get(key) for row in rows]) for key in keys} for kind in kinds}
    hit, said, there = (int(value) for value in masks)
    masking = {"precision": round(hit / max(said, 1), 3), "recall": round(hit / max(there, 1), 3), "swapped": there}
    return {"scenes": rows, "mean": means, "masking": masking}


def costs(body: BodyModel, seed: int) -> dict[str, object]:
    """CPU seconds of the fit without estimates, for one person and two, of 50 and 100 frames; and by what factors twice
    the frames and twice the people cost more."""
    scene, cost = made("assist_walking_01", "corner", body, seed), {}
    exemplars = library_poses(body, lambda other: other.interaction_class == "assist_walking")
    for people in (1, 2):
        for frames in (50, 100):
            at = np.arange(frames) % scene.truth.frames  # forth, and again from the start
            seen = scene.observed
            observed = Observed(FPS, seen.keypoints[:people, at], seen.seen[:people, at], seen.boxes[:people, at])
            with one_thread():
                begin = time.process_time()
                start = lifted(observed, scene.camera, body, scene.truth.betas[:people], exemplars)
                refined(start, observed, scene.camera, body)
                cost[people, frames] = time.process_time() - begin
    return {
        "cpu_s": {f"{people} x {frames}": round(value, 1) for (people, frames), value in cost.items()},
        "twice_the_frames": round(cost[2, 100] / cost[2, 50], 2),
        "twice_the_people": round(cost[2, 100] / cost[1, 100], 2),
    }


def _masked(full: Refined, scene: Made) -> np.ndarray:
    """Frames rightly masked as another's, masked, and to be masked; of pairs."""
    if scene.truth.people < 2:
        return np.zeros(3, int)
    said = full.occluded.other
    return np.array([(said & scene.swapped).sum(), said.sum(), scene.swapped.sum()])


def _mean(values: Sequence[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return round(float(np.mean(there)), 1) if there else None


def main(arguments: Sequence[str] | None = None) -> None:
    """Print figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="all rows, as JSON")
    parser.add_argument("--quick", action="store_true", help="three scenes")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args(arguments)
    body = load_body()
    found = run(MOTIONS[:3], CAMERAS[:1], chosen.seed) if chosen.quick else run(MOTIONS, CAMERAS, chosen.seed)
    rooms, seeds = (range(1), 1) if chosen.quick else (range(len(grounds.ROOMS)), 3)
    found["rooms"] = [grounds.row(number, chosen.seed + more, body) for more in range(seeds) for number in rooms]
    found["cost"] = costs(body, chosen.seed)
    if chosen.json:
        json.dump(found, sys.stdout, indent=1)
        print()
        return
    for row in found["scenes"]:
        print(f"{row['motion']:24s} {row['camera']:8s} refined {row['refined']}  fit only {row['fit_only']}")
    for one in found["rooms"]:
        print(json.dumps(one))
    print("cost", json.dumps(found["cost"]))
    print("mean", json.dumps(found["mean"]), "masking", json.dumps(found["masking"]))


if __name__ == "__main__":
    main()
