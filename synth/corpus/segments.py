"""Short pieces of captured motion by name: the raw material from which scripted care is made.

    segment("sit_to_stand", mocap_folder, body) -> Interaction

They read the capture collection, so they serve the library's build only; what users need ships in the library.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from synth.body import BodyModel, load_body
from synth.corpus.capture import Capture
from synth.corpus.retarget import LIBRARY_FPS, retarget
from synth.corpus.takes import load_take
from synth.errors import BadOption
from synth.interaction import Interaction


@dataclass(frozen=True)
class Piece:
    """`start` to `end` seconds of a recording; `reverse` runs it backwards."""

    file: str
    start: float = 0.0
    end: float | None = None
    reverse: bool = False


SEGMENTS: dict[str, Piece] = {
    "walk": Piece("cmu/amc/16_15.amc", 0.8, 3.6),
    "walk_slow": Piece("cmu/bvh-franciscovalentecastro/07_04.bvh"),
    "walk_old": Piece("cmu/bvh-franciscovalentecastro/07_05.bvh"),
    "walk_calm": Piece("cmu/amc/49_01.amc", 0.2, 5.3),
    "walk_soft": Piece("cmu/bvh-franciscovalentecastro/12_02.bvh", 0.2, 5.4),
    "walk_start": Piece("cmu/amc/16_32.amc"),
    "walk_stop": Piece("cmu/amc/16_34.amc"),
    "walk_long": Piece("deepmimic/humanoid3d_long_walk1.txt", 0.5, 12.0),
    "walk_back": Piece("cmu/bvh-franciscovalentecastro/26_01.bvh"),
    "sit_to_stand": Piece("cmu/amc/14_31.amc", 5.8, 8.6),
    "stand_to_sit": Piece("cmu/amc/14_31.amc", 0.4, 3.6),
    "sit": Piece("cmu/amc/14_31.amc", 3.0, 6.0),
    "bend_pick_up": Piece("soma/item_pick_up_standing_R_001__A410.bvh", 0.0, 3.2),
    "bend_deposit": Piece("hdm05/HDM_mm_depositFloorR_024_120.amc"),
    # Bends of other people, each to the floor and up.
    "bend_bk": Piece("hdm05/HDM_bk_depositFloorR_010_120.amc"),
    "bend_tr": Piece("hdm05/HDM_tr_depositFloorR_032_120.amc"),
    "bend_bd": Piece("hdm05/HDM_bd_depositFloorR_004_120.amc"),
    "squat_tr": Piece("hdm05/HDM_tr_squat1Reps_050_120.amc"),
    "bend_507": Piece("soma/small_light_one_hand_pick_up_front_low_002__A507.bvh"),
    "lie_down": Piece("hdm05/HDM_bd_lieDownFloor_001_120.amc"),
    "lie_down_mm": Piece("hdm05/HDM_mm_lieDownFloor_017_120.amc"),
    "lie_down_bk": Piece("hdm05/HDM_bk_lieDownFloor_005_120.amc"),
    "lie_down_dg": Piece("hdm05/HDM_dg_lieDownFloor_013_120.amc"),
    # Lying down is slow and controlled, so run backwards it is a believable way up.
    "get_up": Piece("hdm05/HDM_bd_lieDownFloor_001_120.amc", reverse=True),
    "get_up_bk": Piece("hdm05/HDM_bk_lieDownFloor_005_120.amc", reverse=True),
    "get_up_bk2": Piece("hdm05/HDM_bk_lieDownFloor_010_120.amc", reverse=True),
    "get_up_mm": Piece("hdm05/HDM_mm_lieDownFloor_016_120.amc", 0.3, reverse=True),
    "get_up_tr": Piece("hdm05/HDM_tr_lieDownFloor_020_120.amc", reverse=True),
    "get_up_face_down": Piece("deepmimic/humanoid3d_getup_facedown.txt"),
    "crawl": Piece("deepmimic/humanoid3d_crawl.txt"),
    "crouch": Piece("deepmimic/humanoid3d_getup_faceup.txt", 3.02, 3.75, reverse=True),
    "squat": Piece("hdm05/HDM_tr_squat1Reps_043_120.amc"),
    "reach_high": Piece("hdm05/HDM_dg_grabHighR_015_120.amc"),
    "idle": Piece("reactidle/000_genuine.bvh", 10.0, 20.0),
    # Standing about, each in a way of their own.
    "idle_folded": Piece("reactidle/003_genuine.bvh", 0.0, 9.0),
    "idle_still": Piece("reactidle/015_genuine.bvh", 0.0, 9.0),
    "idle_fidget": Piece("reactidle/007_genuine.bvh", 1.0, 10.0),
    "idle_hands": Piece("reactidle/008_genuine.bvh", 0.0, 9.0),
    "idle_chin": Piece("reactidle/002_genuine.bvh", 38.0, 47.0),
    # In a hurry.
    "run_stop": Piece("cmu/amc/16_57.amc"),
    "walk_fast": Piece("cmu/amc/16_21.amc"),
    # Arms that tell something.
    "gesture_both": Piece("cmu/amc/14_24.amc", 16.5, 22.0),
    "gesture_open": Piece("cmu/amc/14_24.amc", 0.5, 6.0),
    "gesture_point": Piece("cmu/amc/14_25.amc", 5.5, 12.0),
    "wave": Piece("soma/wave_R_001__A428.bvh", 0.0, 3.2),
    "shake_hands": Piece("cmu/bvh-414Group/18_01.bvh", 0.5, 7.2),
}


def segment(
    name: str,
    mocap: str | Path,
    body: BodyModel | None = None,
    betas: np.ndarray | None = None,
    fps: float = LIBRARY_FPS,
) -> Interaction:
    """One person's captured motion by name, retargeted to the body; starts over the origin and faces +x.

    Raises BadOption (with the known names) for an unknown name, Missing or BadFile for the recording.
    """
    if name not in SEGMENTS:
        raise BadOption("segment", name, f"one of {', '.join(sorted(SEGMENTS))}")
    shape = np.zeros(10) if betas is None else np.asarray(betas, float)
    piece = SEGMENTS[name]
    capture = _take(str(mocap), piece.file)
    start, end = piece.start, piece.end
    if piece.reverse:
        capture = capture.reversed()
        end = capture.seconds - piece.start
        start = 0.0 if piece.end is None else capture.seconds - piece.end
    return retarget(capture, body or load_body(), shape, fps, (start, end))


@lru_cache(maxsize=8)
def _take(mocap: str, file: str) -> Capture:
    return load_take(mocap, file)
