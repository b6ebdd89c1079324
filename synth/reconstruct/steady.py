"""Does the camera move? Motion of the still picture over time, by tracked corners (Shi and Tomasi 1994, Lucas-Kanade).

Corners are spread evenly over the picture, so that a person, a television or a clock that is burnt into the picture is
outvoted by walls and furniture; what most of the picture does is the camera's motion: a similarity (shift, turn, zoom)
by RANSAC over the cells' votes. That nothing moves is believed first, if a good part of the picture says so.

Light: every picture is divided by its local contrast, which a dimmer or a switch to infrared changes less than the
edges. What still cannot be compared with the first picture is compared with the one before it, then with the first ones
of earlier parts of the video. Black and blurred frames say nothing: they are counted, not judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike

from synth.errors import BadOption
from synth.rotation import Array

STILL = 0.5  # pixels, or...
STILL_SHARE = 0.001  # ...of the width, whichever is more: what moves less is still; keypoints are worse than that
MOVES = 3.0  # times as far, for good: a camera that was turned or pushed, which has no one pose for the room
CELLS = (6, 8)  # rows and columns that vote
CORNERS = 6  # a cell
NEARBY = 1.5  # pixels within which votes agree
BACK = 1.0  # pixels within which a corner must be found again on the way back
LEAST = 8  # cells that have to vote
AGREE = 0.5  # of these, that have to agree on a motion
UNMOVED = 0.35  # of these that suffice to say that nothing moves: people may fill the rest
DARK = 12  # grey levels of mean below which, and
FLAT = 4.0  # of standard deviation below which a frame shows nothing
CONTRAST = 15  # pixels over which contrast is local, for pictures of 640
KEPT = 8  # parts of the video that a frame may be found to belong to
PERSIST = 0.1  # of the frames that a place has to be held to be no shake
GRID = np.array([[x, y] for x in (0.1, 0.5, 0.9) for y in (0.1, 0.5, 0.9)])  # of the picture, where motion is measured


@dataclass(frozen=True)
class Steadiness:
    """What the camera did.

    Frames are numbered as the images that were given, which may be some of a video's.

    Attributes:
        moved: [T] pixels by which the picture's worst part is off where it usually is; NaN where a frame says nothing.
        worst: the frame that is off most, 0 if none can be judged.
        verdict: "still"; "shakes": now and then off, and back; "moves": off for good, or for longer; "unknown": fewer
            than two frames can be compared.
        threshold: pixels up to which a camera is still.
        unseen: frames that are dark, blurred, or like no other.
        pieces: into how many parts the video falls that could not be compared with each other (a switched light). A
            motion between them is not seen.
    """

    moved: Array
    worst: int
    verdict: str
    threshold: float
    unseen: tuple[int, ...]
    pieces: int


def camera_motion(images: Sequence[ArrayLike], people_masks: ArrayLike | None = None) -> Steadiness:
    """Whether a camera stands still.

    Args:
        images: T arrays uint8 [H, W], or [H, W, 3] in RGB, of one size, in their order in time.
        people_masks: bool [T, H, W], what does not count. It works without, while people leave a third of the picture.

    Raises:
        BadOption: no images, of several kinds, or masks of another size.
    """
    frames = _checked(images)
    masks = None if people_masks is None else np.asarray(people_masks)
    if masks is not None and (masks.dtype != bool or masks.shape != (len(frames), *frames[0].shape[:2])):
        raise BadOption("people_masks", f"{masks.dtype} {masks.shape}", "booleans [T, H, W], as the images")
    height, width = frames[0].shape[:2]
    threshold = max(STILL, STILL_SHARE * width)
    poses: list[Array | None] = []  # similarity [2, 3] from a piece's first frame to each
    piece = np.zeros(len(frames), int)
    starts: list[_Seen] = []  # pieces' first pictures, that of the piece that was seen last at the front
    before: list[_Seen] = []  # the picture before, where it is no first one
    for index, frame in enumerate(frames):
        grey = _flattened(frame)
        if grey is None:
            poses.append(None)
            continue
        mask = None if masks is None else masks[index]
        for one in (*starts[:1], *before, *starts[1:]):
            step = _motion(one.grey, grey, one.mask, mask, threshold)
            if step is not None:
                before = [_Seen(grey, mask, _after(step, one.pose), one.piece)]
                poses.append(before[0].pose)
                piece[index] = one.piece
                starts.sort(key=lambda start: start.piece != piece[index])
                break
        else:
            starts.insert(0, _Seen(grey, mask, np.eye(2, 3), int(piece.max()) + 1 if starts else 0))
            before = []
            poses.append(starts[0].pose)
            piece[index] = starts[0].piece
            del starts[KEPT:]
    return _judged(poses, piece, width, height, threshold)


@dataclass(frozen=True)
class _Seen:
    """A picture that others are compared with.

    Attributes:
        grey: of `_flattened`. mask: bool [H, W], where people are, or None.
        pose: similarity [2, 3] from the first picture of its piece. piece: its number.
    """

    grey: np.ndarray
    mask: np.ndarray | None
    pose: Array
    piece: int


def _checked(images: Sequence[ArrayLike]) -> list[np.ndarray]:
    """As `camera_motion` wants them. Raises BadOption."""
    frames = [np.asarray(image) for image in images]
    if not frames:
        raise BadOption("images", "none", "at least one")
    for frame in frames:
        sized = frame.dtype == np.uint8 and frame.ndim in (2, 3) and frame.shape[2:] in ((), (3,))
        if not sized or frame.shape != frames[0].shape:
            raise BadOption("images", f"{frame.dtype} {frame.shape}", "uint8 [H, W] or [H, W, 3] of one size")
    return frames


def _flattened(frame: np.ndarray) -> np.ndarray | None:
    """The picture over its local contrast, uint8 [H, W]; None of a black or empty one."""
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) if frame.ndim == 3 else frame
    if grey.std() < (FLAT if grey.mean() < DARK else FLAT / 2):
        return None
    image = cv2.GaussianBlur(grey, (0, 0), 0.8).astype(np.float32)
    size = max(3.0, CONTRAST * grey.shape[1] / 640)
    centred = image - cv2.GaussianBlur(image, (0, 0), size)
    spread = np.sqrt(cv2.GaussianBlur(centred * centred, (0, 0), size))
    # Where there is nothing but noise, it is not to be blown up to the size of edges.
    return np.asarray(np.clip(127.5 + 50 * centred / (spread + 2.0 + 0.3 * spread.mean()), 0, 255).astype(np.uint8))


def _motion(
    start: np.ndarray, end: np.ndarray, away: np.ndarray | None, gone: np.ndarray | None, threshold: float
) -> Array | None:
    """The similarity [2, 3] from one flattened picture to another; None where too little agrees."""
    height, width = start.shape
    points, cells = _corners(start, away)
    if len(points) < LEAST:
        return None
    window = max(7, round(21 * width / 640) | 1)
    blank: Any = None  # its result's own place, which the stubs ask for
    options: Any = {"winSize": (window, window), "maxLevel": 4}
    there, found, _ = cv2.calcOpticalFlowPyrLK(start, end, points, blank, **options)
    again, back, _ = cv2.calcOpticalFlowPyrLK(end, start, there, blank, **options)
    good = (found[:, 0] > 0) & (back[:, 0] > 0) & (np.linalg.norm(again - points, axis=-1) < BACK)
    good &= ((there >= 0) & (there < [width, height])).all(-1)
    if gone is not None:
        x, y = np.clip(np.rint(np.where(good[:, None], there, 0)).astype(int), 0, [width - 1, height - 1]).T
        good &= ~gone[y, x]
    points, there, cells = points[good], there[good], cells[good]
    voters = len(np.unique(cells))
    if voters < LEAST:
        return None
    unmoved = np.linalg.norm(there - points, axis=-1) < threshold
    if _votes(unmoved, cells) >= UNMOVED * voters:
        # The motion is measured on these alone: it is far below a pixel, where a passer-by would still pull.
        points, there, cells = points[unmoved], there[unmoved], cells[unmoved]
        voters = len(np.unique(cells))
    pose, inside = cv2.estimateAffinePartial2D(
        points, there, method=cv2.RANSAC, ransacReprojThreshold=NEARBY, maxIters=2000, confidence=0.999
    )
    if pose is None or _votes(inside[:, 0] > 0, cells) < AGREE * voters:
        return None
    return np.asarray(pose, dtype=float)


def _votes(agree: np.ndarray, cells: np.ndarray) -> int:
    """Cells in which at least half of the corners agree."""
    return int(sum(agree[cells == cell].mean() >= 0.5 for cell in np.unique(cells)))


def _corners(image: np.ndarray, away: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Corners float32 [N, 2], a few of each cell, and their cells [N]."""
    height, width = image.shape
    rows, columns = np.linspace(0, height, CELLS[0] + 1).astype(int), np.linspace(0, width, CELLS[1] + 1).astype(int)
    apart = max(3, width // 100)
    free = None if away is None else np.where(away, 0, 255).astype(np.uint8)
    points, cells = [np.zeros((0, 2), np.float32)], [np.zeros(0, int)]
    for number, (row, column) in enumerate(np.ndindex(*CELLS)):
        part = slice(rows[row], rows[row + 1]), slice(columns[column], columns[column + 1])
        found = cv2.goodFeaturesToTrack(
            image[part], CORNERS, 0.05, apart, mask=None if free is None else np.ascontiguousarray(free[part])
        )
        if found is not None:
            points.append(found[:, 0] + np.array([columns[column], rows[row]], np.float32))
            cells.append(np.full(len(found), number))
    return np.ascontiguousarray(np.concatenate(points)), np.concatenate(cells)


def _after(second: Array, first: Array) -> Array:
    """Two similarities [2, 3], one after the other."""
    both = second[:, :2] @ first
    both[:, 2] += second[:, 2]
    return np.asarray(both)


def _judged(poses: list[Array | None], piece: np.ndarray, width: int, height: int, threshold: float) -> Steadiness:
    """How far the worst place of the picture is off its usual one, frame by frame, and what that amounts to."""
    known = np.array([pose is not None for pose in poses])
    grid = GRID * [width, height]
    at = np.full((len(poses), *grid.shape), np.nan)
    for index, pose in enumerate(poses):
        if pose is not None:
            at[index] = grid @ pose[:, :2].T + pose[:, 2]
    moved = np.full(len(poses), np.nan)
    held = 0.0
    alone = known.copy()
    for number in np.unique(piece[known]):
        mine = np.flatnonzero(known & (piece == number))
        if len(mine) < 2:
            continue
        alone[mine] = False
        off = at[mine] - np.median(at[mine], 0)
        moved[mine] = np.linalg.norm(off, axis=-1).max(-1)
        # A place held for longer, and none of a few frames only, is a new one.
        run = max(3, int(np.ceil(PERSIST * len(mine)))) if len(mine) > 4 else 1
        windows = np.lib.stride_tricks.sliding_window_view(off, run, axis=0)
        held = max(held, float(np.linalg.norm(np.median(windows, -1), axis=-1).max()))
    unseen = tuple(np.flatnonzero(~known | alone).tolist())
    pieces = len(np.unique(piece[known & ~alone]))
    if np.isnan(moved).all():
        return Steadiness(moved, 0, "unknown", threshold, unseen, pieces)
    worst = int(np.nanargmax(moved))
    verdict = "still" if moved[worst] <= threshold else "moves" if held > MOVES * threshold else "shakes"
    return Steadiness(moved, worst, verdict, threshold, unseen, pieces)
