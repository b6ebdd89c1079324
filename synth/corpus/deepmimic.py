"""Reader of DeepMimic motions: JSON frames of quaternions (w x y z) on one fixed humanoid.

A frame is its duration in seconds, the root's position and rotation, then the joints' rotations; knees and elbows are
single angles about the model's z axis (its right). Durations differ between frames, so frames are placed by time.
The skeleton is `humanoid3d.txt` of DeepMimic (Peng et al. 2018, MIT): y up, facing +x, in metres.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from synth import rotation
from synth.corpus.capture import Capture, interpolate, numbers, read_text, to_z_up
from synth.errors import BadFile

# name, parent, attachment point in the parent's frame (metres), numbers a frame (4 quaternion, 1 hinge, 0 fixed)
_HUMANOID = (
    ("root", "", (0.0, 0.0, 0.0), 4),
    ("chest", "root", (0.0, 0.236151, 0.0), 4),
    ("neck", "chest", (0.0, 0.223894, 0.0), 4),
    ("right_hip", "root", (0.0, 0.0, 0.084887), 4),
    ("right_knee", "right_hip", (0.0, -0.421546, 0.0), 1),
    ("right_ankle", "right_knee", (0.0, -0.409870, 0.0), 4),
    ("right_shoulder", "chest", (-0.02405, 0.243870, 0.183110), 4),
    ("right_elbow", "right_shoulder", (0.0, -0.274788, 0.0), 1),
    ("left_hip", "root", (0.0, 0.0, -0.084887), 4),
    ("left_knee", "left_hip", (0.0, -0.421546, 0.0), 1),
    ("left_ankle", "left_knee", (0.0, -0.409870, 0.0), 4),
    ("left_shoulder", "chest", (-0.02405, 0.243870, -0.183110), 4),
    ("left_elbow", "left_shoulder", (0.0, -0.274788, 0.0), 1),
    ("neck_end", "neck", (0.0, 0.2775, 0.0), 0),
    ("right_wrist", "right_elbow", (0.0, -0.258947, 0.0), 0),
    ("left_wrist", "left_elbow", (0.0, -0.258947, 0.0), 0),
    ("right_ankle_end", "right_ankle", (0.1335, -0.05, 0.0), 0),
    ("left_ankle_end", "left_ankle", (0.1335, -0.05, 0.0), 0),
)
_WIDTH = 1 + 3 + sum(joint[3] for joint in _HUMANOID)


def read_deepmimic(path: str | Path, fps: float = 30.0) -> Capture:
    """The motion of a DeepMimic JSON file, sampled at `fps` (the file's own frames may differ in length).

    Raises BadFile with the frame for a damaged or foreign file.
    """
    try:
        content = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise BadFile(path, f"line {error.lineno}", error.msg, "a DeepMimic JSON motion") from None
    frames = content.get("Frames") if isinstance(content, dict) else None
    if not isinstance(frames, list) or not frames:
        raise BadFile(path, "Frames", "none", "a list of frames")
    rows = []
    for index, frame in enumerate(frames):
        if not isinstance(frame, list) or len(frame) != _WIDTH:
            found = f"{len(frame)} numbers" if isinstance(frame, list) else type(frame).__name__
            raise BadFile(path, f"Frames[{index}]", found, f"{_WIDTH} numbers (the 15-body humanoid)")
        rows.append(numbers([str(value) for value in frame], path, index + 1))
    values = np.array(rows)
    durations = values[:-1, 0]
    if len(values) > 1 and not (durations > 0).all():
        bad = int(np.argmin(durations))
        raise BadFile(path, f"Frames[{bad}] duration", durations[bad], "a positive number of seconds")

    times = np.concatenate([[0.0], np.cumsum(durations)])
    wanted = np.arange(int(np.floor(times[-1] * fps + 1e-6)) + 1) / fps
    names = [joint[0] for joint in _HUMANOID]
    parents = [names.index(joint[1]) if joint[1] else -1 for joint in _HUMANOID]
    offsets = np.array([joint[2] for joint in _HUMANOID])
    count = len(wanted)
    rotations = np.zeros((count, len(names), 3, 3))
    positions = np.zeros((count, len(names), 3))
    rest = np.zeros((len(names), 3))
    at = 4
    for j, (name, _, _, width) in enumerate(_HUMANOID):
        local = _local(values[:, at : at + width], path, name)
        local = rotation.slerp(times, local, wanted) if len(times) > 1 else local
        at += width
        if parents[j] < 0:
            positions[:, j] = interpolate(times, values[:, 1:4], wanted) if len(times) > 1 else values[:, 1:4]
            rotations[:, j] = local
            continue
        positions[:, j] = positions[:, parents[j]] + rotations[:, parents[j]] @ offsets[j]
        rotations[:, j] = rotations[:, parents[j]] @ local
        rest[j] = rest[parents[j]] + offsets[j]
    return to_z_up(names, parents, fps, positions, rotations, rest, path)


def _local(block: np.ndarray, path: str | Path, name: str) -> np.ndarray:
    """Rotations [T, 3, 3] of a joint from its quaternions [T, 4], hinge angles [T, 1] or nothing [T, 0]."""
    if block.shape[1] == 0:
        return np.broadcast_to(np.eye(3), (len(block), 3, 3))
    if block.shape[1] == 1:
        return rotation.axis_angle_to_matrix(block * np.array([0.0, 0.0, 1.0]))
    norms = np.linalg.norm(block, axis=1, keepdims=True)
    if (np.abs(norms - 1.0) > 0.5).any():  # the published files themselves are off by up to a tenth
        worst = float(norms.flat[np.abs(norms - 1.0).argmax()])
        raise BadFile(path, f"{name} quaternion", f"length {worst:.3f}", "unit quaternions w x y z")
    return rotation.quaternion_to_matrix(block / norms)
