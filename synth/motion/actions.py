"""What each person does in each frame, MEASURED on the motion that was made, never copied from the prompt.

First the posture at rest (`synth.motion.posture`), then the way from one posture to the next (stand up, fall, ...),
then what people do on their feet (walk, jump). Everything is computed on a fixed time grid with speeds in metres a
second, so that the frame rate does not matter, and mapped back to the motion's own frames at the end.

Words (`taxonomy.json`; OmniFall's 16 classes):

- on the floor: "lying" after a controlled way down, "fallen" after a fall (sitting where one landed, too) and
  wherever nobody saw how it came about;
- on all fours: "crawl" while getting along, "kneeling" at rest (the posture says "crawling" for both);
- from lying to sitting, bending down to the floor and back: "other", OmniFall's word for what it does not name;
- a way up or down through brief halts (lying, kneeling, standing) is ONE transition with the name of where it leads.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from synth.interaction import ActionSegment, Contact, Interaction, Prop
from synth.motion import posture as pose
from synth.room import Furniture
from synth.rooms.props import piece_at, standing_piece
from synth.rotation import Array
from synth.skeleton import JOINT, forward_kinematics
from synth.taxonomy import ACTION_INDEX, ACTIONS, POSTURES

if TYPE_CHECKING:
    from synth.body import BodyModel

GRID = 20.0  # frames a second in which everything is measured
# A trunk that comes down faster than this is out of control: sitting and lying down stay below, falls go above
# (Bourke, O'Donovan, OLaighin 2008, Med. Eng. Phys. 30: 937-946, measured at the trunk on falls and daily activities).
FALL_SPEED = 1.3
FALL_SPEED_LOW = 0.92  # the same off a seat or a bed: half the height, hence the root of a half of the speed
CHANGING = 0.10  # m/s up or down at which head or pelvis is on its way (walking's bob is smoothed away, below 0.05)
# Seconds of stillness that make a posture more than a moment on the way, and seconds after which it counts even if
# the head keeps moving (leaning about on a chair). Kneeling, squatting and sitting on the floor are stations of
# nearly every way down or up, so they must last longer.
REST, LONG = 0.35, 1.2
ON_THE_WAY = {pose.KNEEL: 0.5, pose.FOURS: 0.5, pose.SQUAT: 0.4, pose.FLOOR_SEATED: 0.8}
LONG_ON_THE_WAY = 2.0
SOON = 0.6  # seconds after a new posture in which its way may still begin: trunks tilt before heads sink
AT_ONCE = 0.3  # seconds that suffice for being on one's feet, and for what the clip begins or ends with
WALK_ON, WALK_OFF = 0.22, 0.12  # m/s: slowest assisted walking 0.25-0.4; swaying on the spot stays below 0.12
WALK_WAY = 0.40  # metres: less than a step is not walking
STEP = 0.15  # metres that each foot gets along, or the body merely leans over standing feet
HALT = 0.45  # seconds of standing inside a walk that do not end it
FLIGHT = 0.045  # metres both feet are above the floor in a jump
TAKE_OFF = 0.8  # m/s upwards before it (stepping over something reaches 0.3)
BEND_TIME = 0.4  # seconds with the trunk down that are more than a nod
ONE_WAY = 0.05  # metres: a pelvis that dips less than this below where it comes from does not go down first
FALL_SLIDE = 0.8  # seconds after coming down in which a body still slides on from its fall
SHORTEST = 0.25  # seconds; shorter segments join a neighbour (not falls and jumps)

_REST_LABEL = {
    pose.UPRIGHT: "standing", pose.BENT: "standing", pose.SQUAT: "squatting", pose.KNEEL: "kneeling",
    pose.FOURS: "kneeling", pose.SEATED: "sitting", pose.FLOOR_SEATED: "sitting", pose.LYING: "lying",
    pose.UNCLEAR: "other",
}  # fmt: skip
_UP = (pose.UPRIGHT, pose.BENT)
_DOWN = (pose.LYING, pose.FLOOR_SEATED, pose.FOURS, pose.KNEEL)
_MOMENTARY = ("fall", "jump")


@dataclass(frozen=True)
class Actions:
    """Measured labels of P people over T frames.

    Attributes:
        frame_labels: [P, T] index into ``taxonomy.ACTIONS``; -1 where the person is absent.
        frame_postures: [P, T] index into ``taxonomy.POSTURES``; -1 in transitions, squatting and absence.
        segments: per person in order, tiling the frames in which the person is present; seconds.
    """

    frame_labels: np.ndarray
    frame_postures: np.ndarray
    segments: tuple[ActionSegment, ...]

    def shares(self, person: int) -> dict[str, float]:
        """Share of the present frames that each action takes."""
        found = self.frame_labels[person][self.frame_labels[person] >= 0]
        return {ACTIONS[i]: float((found == i).mean()) for i in np.unique(found)} if len(found) else {}

    def order(self, person: int) -> tuple[str, ...]:
        """The person's actions in the order of time, without immediate repeats."""
        labels = [s.label for s in self.segments if s.person == person]
        return tuple(a for i, a in enumerate(labels) if i == 0 or labels[i - 1] != a)


def at_frames(actions: Actions, own: float, fps: float, frames: int) -> Actions:
    """Labels by the frames of another rate, of what was measured at `own` frames a second.

    A video of few frames a second shows the same actions. Each frame has the label that holds at its time; the segments
    stay.
    """
    nearest = np.minimum((np.arange(frames) / fps * own + 1e-6).astype(int), actions.frame_labels.shape[1] - 1)
    return replace(
        actions, frame_labels=actions.frame_labels[:, nearest], frame_postures=actions.frame_postures[:, nearest]
    )


def measure_actions(motion: Interaction, body: BodyModel, furniture: Sequence[Furniture] = ()) -> Actions:
    """Label every person and frame of a motion.

    Args:
        motion: any frame rate.
        body: gives the rest joints for the motion's betas.
        furniture: of the room, in the motion's frame; without it, seats are told by balance alone. Props with a seat
            are added, whether they stand or roll.
    """
    rest = np.asarray(body.rest_joints(motion.betas), dtype=float)
    joints, _ = forward_kinematics(motion.rotations(), rest[:, None], motion.transl)
    aids = {item.id for item in furniture if item.cls == "walker"}
    aids |= {prop.id for prop in motion.props if prop.cls == "walker"}
    waiting = [item for item in map(standing_piece, motion.props) if item is not None]
    known, held = [*furniture, *waiting], motion.meta.contacts
    return measure_joints(joints, motion.fps, motion.present, known, held, aids, rolling_seats(motion.props))


def rolling_seats(props: Sequence[Prop]) -> list[pose.Rolling]:
    """The props with a seat that do not stand still."""
    found = []
    for prop in props:
        piece = piece_at(replace(prop, transl=0 * prop.transl, orient=0 * prop.orient))
        if piece.seat is not None and standing_piece(prop) is None:
            poses = prop.poses()
            yaw = np.unwrap(np.arctan2(poses[:, 1, 0], poses[:, 0, 0]))
            found.append(pose.Rolling(piece, yaw, poses[:, :2, 3]))
    return found


def measure_joints(
    joints: Array,
    fps: float,
    present: np.ndarray | None = None,
    furniture: Sequence[Furniture] = (),
    contacts: Sequence[Contact] = (),
    aids: Collection[str] = (),
    rolling: Sequence[pose.Rolling] = (),
) -> Actions:
    """The same from SMPL joints [P, T, 24, 3] in world metres; ``aids`` are the ids of walking aids, ``rolling`` seats
    that move, where they are in the frames."""
    people, frames = joints.shape[:2]
    here = np.ones((people, frames), bool) if present is None else present
    labels, postures = np.full((people, frames), -1), np.full((people, frames), -1)
    segments: list[ActionSegment] = []
    for person in range(people):
        held = [c for c in contacts if c.person == person and c.target.get("object") in aids and "hand" in c.part]
        for first, last in _runs(here[person]):
            if not here[person, first]:
                continue
            cut = slice(first, last)
            seats = [item.cut(cut) for item in rolling]
            words, kinds = _label_one(np.asarray(joints[person, cut], float), fps, furniture, seats)
            labels[person, cut] = words
            carriers = [*furniture, *(item.piece for item in seats)]
            postures[person, cut] = _postures(words, kinds, carriers, fps, first, held)
        segments += _segments(labels[person], person, fps)
    return Actions(labels, postures, tuple(segments))


def _label_one(
    joints: Array, fps: float, furniture: Sequence[Furniture], rolling: Sequence[pose.Rolling]
) -> tuple[np.ndarray, pose.Postures]:
    """Labels [T] and postures (on the motion's own frames) of one person who is present throughout."""
    frames = len(joints)
    times = np.arange(frames) / fps
    grid = np.arange(max(1, int(np.floor(times[-1] * GRID + 1e-6)) + 1)) / GRID
    moved = _interpolate(times, joints, grid)
    seats = [item.at(times, grid) for item in rolling]
    found = pose.measure_postures(_smooth(moved, 0.06), furniture, seats)
    kinds = _steady(_creeping(found, moved), round(0.2 * GRID))
    words = _on_feet(moved, found, kinds)
    _rests_and_ways(words, kinds, found)
    _tidy(words)
    nearest = np.clip(np.round(times * GRID).astype(int), 0, len(grid) - 1)
    own = {name: getattr(found, name)[nearest] for name in found.__dataclass_fields__}
    return words[nearest], pose.Postures(**{**own, "kind": kinds[nearest]})


def _on_feet(joints: Array, found: pose.Postures, kinds: np.ndarray) -> np.ndarray:
    """Label each frame by its posture at rest; upright ones also as walking, jumping or bending."""
    words = np.array([ACTION_INDEX[_REST_LABEL[int(kind)]] for kind in kinds])
    words[(kinds == pose.LYING) & (_carried(kinds, found) < 0)] = ACTION_INDEX["fallen"]
    upright = np.isin(kinds, _UP)
    for a, b in walks(joints, upright):
        words[a:b] = ACTION_INDEX["walk"]
    place = _smooth(joints[:, 0, :2], 0.25)
    along = np.linalg.norm(_velocity(joints[:, 0, :2], 0.5), axis=-1)
    for first, last in _where(kinds == pose.FOURS):
        if along[first:last].max() > WALK_OFF and _extent(place[first:last]) > 0.25:
            words[first:last] = ACTION_INDEX["crawl"]
    for first, last in _where(kinds == pose.BENT):
        if last - first >= BEND_TIME * GRID and not (words[first:last] == ACTION_INDEX["walk"]).all():
            words[first:last] = ACTION_INDEX["other"]
    rise = _velocity(found.pelvis, 0.05)
    for first, last in _where((found.feet > FLIGHT) & upright & (found.support < 0)):
        before = max(0, first - round(0.3 * GRID))
        if last - first <= GRID and rise[before:last].max() > TAKE_OFF:
            words[before : min(len(words), last + round(0.15 * GRID))] = ACTION_INDEX["jump"]
    return words


def walks(joints: Array, upright: np.ndarray) -> list[tuple[int, int]]:
    """Stretches [start, end) of joints [T, 24, 3] at GRID frames a second in which somebody upright [T] walks."""
    speed = np.linalg.norm(_velocity(joints[:, 0, :2], 0.25), axis=-1)
    place = _smooth(joints[:, 0, :2], 0.25)
    found = []
    for first, last in _hysteresis(speed, WALK_ON, WALK_OFF, round(HALT * GRID)):
        for a, b in _where(upright[first:last], first):
            stepped = min(_extent(joints[a:b, JOINT[f"{side}_ankle"], :2]) for side in ("left", "right"))
            if _extent(place[a:b]) >= WALK_WAY and stepped > STEP:
                found.append((a, b))
    return found


def _creeping(found: pose.Postures, joints: Array) -> np.ndarray:
    """The kinds, with "lying" turned into being on all fours where the body gets along on knees and elbows."""
    kinds = found.kind.copy()
    speed = np.linalg.norm(_velocity(joints[:, 0, :2], 0.4), axis=-1)
    down = np.isin(kinds, (pose.LYING, pose.FOURS)) & (found.support < 0)
    for first, last in _hysteresis(np.where(down, speed, 0.0), WALK_OFF, 0.06, round(0.8 * GRID)):
        # a fall slides too, but not for long: who has just come down must get along after that as well
        own = first + (round(FALL_SLIDE * GRID) if first > 0 else 0)
        if last - first >= GRID and own < last and _extent(joints[own:last, 0, :2]) > 0.3:
            kinds[first:last] = np.where(down[first:last], pose.FOURS, kinds[first:last])
    return kinds


@dataclass
class _Rest:
    """A posture that is held from ``first`` to ``last`` (exclusive)."""

    kind: int
    first: int
    last: int
    floor: bool  # lies or sits on the floor, not on furniture
    held: bool = True  # or only the moment with which the clip begins or ends


def _rests_and_ways(words: np.ndarray, kinds: np.ndarray, found: pose.Postures) -> None:
    """Write the transitions between postures held into ``words``."""
    vertical = np.maximum(np.abs(_velocity(found.head, 0.2)), np.abs(_velocity(found.pelvis, 0.2)))
    changing = vertical > CHANGING
    drop = -_velocity(found.chest, 0.06)
    support = _carried(kinds, found)
    rests = _with_ends(_find_rests(kinds, changing, support), kinds, changing, support, drop)
    for before, after in itertools.pairwise(rests):
        start = before.last
        while start > before.first and changing[start - 1]:
            start -= 1
        end = after.first
        if start == end:  # the posture has just passed its limit, and the way down or up shows a moment later
            soon = np.flatnonzero(changing[end : min(end + round(SOON * GRID), after.last - 1)])
            end += int(soon[0]) if len(soon) else 0
        while end < after.last - 1 and changing[end]:
            end += 1
        out_of_bed = before.kind == after.kind == pose.LYING and after.floor and not before.floor
        alike = before.kind == after.kind and before.held and after.held
        if alike and not out_of_bed:  # down and up again without a halt, or a moment without a name
            between = slice(before.last, after.first)
            if before.kind != pose.UPRIGHT and after.first - before.last < GRID:
                words[between] = words[before.last - 1]  # shifting on the chair, rearing up while crawling
                continue
            words[between] = ACTION_INDEX["other"]
            down = _dip(kinds[between], found.support[between]) if before.kind == pose.UPRIGHT else None
            if down:
                lowest = before.last + int(found.pelvis[between].argmin())
                first, low, last = (float(found.pelvis[i]) for i in (start, lowest, end - 1))
                if low > first - ONE_WAY:  # from stooping low straight up
                    words[start:end] = ACTION_INDEX["stand_up"]
                elif low > last - ONE_WAY:
                    words[start:end] = ACTION_INDEX[down]
                else:
                    words[start:lowest], words[lowest:end] = ACTION_INDEX[down], ACTION_INDEX["stand_up"]
            continue
        peak = drop[max(0, start - 2) : end + 2].max(initial=0.0)
        label = _way(before, after, float(peak))
        words[start:end] = ACTION_INDEX[label]
        if after.kind == pose.FLOOR_SEATED and label == "fall":
            words[end : after.last] = ACTION_INDEX["fallen"]
        if after.kind == pose.LYING and after.floor and label == "lie_down":
            lasting = slice(end, after.last)
            words[lasting] = np.where(words[lasting] == ACTION_INDEX["fallen"], ACTION_INDEX["lying"], words[lasting])
    if rests:  # the way into the first posture held and out of the last one, where the clip cuts it
        words[: rests[0].first] = words[rests[0].first] if rests[0].first < len(words) else words[-1]
        words[rests[-1].last :] = words[rests[-1].last - 1]


def _find_rests(kinds: np.ndarray, changing: np.ndarray, support: np.ndarray) -> list[_Rest]:
    """Runs of one posture that are held; being on one's feet is one posture however one moves there."""
    coarse = np.where(np.isin(kinds, _UP), pose.UPRIGHT, kinds)
    in_bed = (coarse == pose.LYING) & (support >= 0)
    rests: list[_Rest] = []
    for first, last in _runs(2 * coarse + in_bed):
        kind = int(coarse[first])
        length, still = (last - first) / GRID, int((~changing[first:last]).sum()) / GRID
        held = still >= ON_THE_WAY.get(kind, REST) or length >= (LONG_ON_THE_WAY if kind in ON_THE_WAY else LONG)
        cut = first == 0 or last == len(coarse)  # how long it was held beyond the clip, nobody knows
        if kind != pose.UNCLEAR and (held or (length >= AT_ONCE and (cut or kind == pose.UPRIGHT))):
            rests.append(_Rest(kind, first, last, bool((support[first:last] < 0).mean() > 0.5)))
    if not rests:  # nothing is held: the whole clip is one way; name its ends
        ends = [(0, 1), (len(coarse) - 1, len(coarse))]
        rests = [_Rest(int(coarse[a]), a, b, bool(support[a] < 0)) for a, b in ends[: len(coarse)]]
    return rests


def _with_ends(
    rests: list[_Rest], kinds: np.ndarray, changing: np.ndarray, support: np.ndarray, drop: Array
) -> list[_Rest]:
    """Rests with the clip's first and last moment where the clip cuts a fall, or ends on the way to another posture.

    What a clip begins with is named by where it leads, unless somebody is seen to fall or to get up from the floor.
    """
    count, first, last = len(kinds), rests[0], rests[-1]

    def falls(begin: int, end: int, kind: int) -> bool:
        return end - begin > 1 and float(drop[begin:end].max()) > _limit(kind)

    low = (pose.LYING, pose.FLOOR_SEATED)
    begins = _Rest(int(kinds[0]), 0, 1, bool(support[0] < 0), held=False)
    # who begins higher passes the floor on the way down as well, which is no standing up
    rises = (
        first.kind == pose.UPRIGHT
        and begins.kind in (*_DOWN, pose.UNCLEAR)
        and np.isin(kinds[: first.first], _DOWN).sum() >= AT_ONCE * GRID
    )
    if rises or (first.first > 0 and first.floor and first.kind in low and falls(0, first.first + 1, begins.kind)):
        rests = [begins, *rests]
    ends = _Rest(int(kinds[-1]), count - 1, count, bool(support[-1] < 0), held=False)
    if last.floor and last.kind in low:
        return rests  # who has come down may lie back as the clip ends
    if last.last < count and ends.kind not in (last.kind, pose.UNCLEAR):
        return [*rests, ends]
    moving = int(np.argmin(changing[::-1])) if not changing.all() else count  # frames of the way that the end cuts
    if ends.floor and last.last - last.first > 1 and falls(count - moving, count, last.kind):
        return [*rests[:-1], replace(last, last=min(last.last, count - 1)), ends]
    return rests


def _dip(kinds: np.ndarray, support: np.ndarray) -> str | None:
    """The way down in a movement down and up again, by the lowest posture it passes; None on the floor and unclear."""
    if np.isin(kinds, (pose.LYING, pose.FLOOR_SEATED)).any():
        return None
    # nobody sits for a moment on a seat that is not there: that is a squat with the weight far back
    kinds = np.where((kinds == pose.SEATED) & (support < 0), pose.SQUAT, kinds)
    names = {pose.SEATED: "sit_down", pose.KNEEL: "kneel_down", pose.FOURS: "kneel_down", pose.SQUAT: "squat_down"}
    return next((name for kind, name in names.items() if (kinds == kind).sum() >= 0.15 * GRID), None)


def _way(before: _Rest, after: _Rest, drop: float) -> str:
    """The name of the way from one posture held to the next. ``drop`` m/s: fastest fall of the chest on it."""
    low = after.floor and (after.kind in (pose.LYING, pose.FLOOR_SEATED) or not after.held)
    if low and (before.kind != pose.LYING or not before.floor) and drop > _limit(before.kind):
        return "fall"
    if after.kind == pose.UPRIGHT:
        return "stand_up"
    if after.kind == pose.LYING:
        return "lie_down"
    if before.kind == pose.LYING:
        return "other"  # lying -> sitting, kneeling, all fours
    if after.kind in (pose.SEATED, pose.FLOOR_SEATED):
        return "sit_down"
    if after.kind in (pose.KNEEL, pose.FOURS):
        rising = before.kind == pose.FLOOR_SEATED or {before.kind, after.kind} == {pose.KNEEL, pose.FOURS}
        return "other" if rising else "kneel_down"
    return "squat_down" if before.kind in _UP else "other"


def _limit(before: int) -> float:
    """m/s, the chest's speed downwards above which somebody who was in that posture falls."""
    return FALL_SPEED_LOW if before in (pose.SEATED, pose.LYING) else FALL_SPEED


def _carried(kinds: np.ndarray, found: pose.Postures) -> np.ndarray:
    """What carries the pelvis; 0 where somebody lies higher than on a floor on what the room does not know."""
    return np.where((kinds == pose.LYING) & (found.pelvis > pose.ON_FLOOR), np.maximum(found.support, 0), found.support)


def _postures(
    words: np.ndarray,
    found: pose.Postures,
    furniture: Sequence[Furniture],
    fps: float,
    first: int,
    held: Sequence[Contact],
) -> np.ndarray:
    """Index into ``taxonomy.POSTURES`` per frame, -1 in transitions."""
    moving = {ACTION_INDEX[n] for n in ("fall", "sit_down", "lie_down", "stand_up", "kneel_down", "squat_down", "jump")}
    result = np.full(len(words), -1)
    for frame, word in enumerate(words):
        if word in moving:
            continue
        item = furniture[found.support[frame]] if found.support[frame] >= 0 else None
        high = bool(found.pelvis[frame] > pose.ON_FLOOR)
        name = pose.posture_name(int(found.kind[frame]), item, bool(found.legs_up[frame]), high)
        if word == ACTION_INDEX["walk"]:
            now = (first + frame) / fps
            name = "walking_with_walking_aid" if any(c.start <= now < c.end for c in held) else "walking"
        result[frame] = POSTURES.index(name) if name else -1
    return result


def _segments(labels: np.ndarray, person: int, fps: float) -> list[ActionSegment]:
    return [
        ActionSegment(person, first / fps, last / fps, ACTIONS[labels[first]])
        for first, last in _runs(labels)
        if labels[first] >= 0
    ]


def _tidy(words: np.ndarray) -> None:
    """Join segments that are too short to mean anything with the longer neighbour, shortest first."""
    momentary = [ACTION_INDEX[name] for name in _MOMENTARY]
    while True:
        runs = _runs(words)
        short = [(b - a, a, b) for a, b in runs if b - a < SHORTEST * GRID and words[a] not in momentary]
        if not short or len(runs) == 1:
            return
        _, a, b = min(short)
        left = a - next((x for x, y in runs if y == a), a)
        right = next((y for x, y in runs if x == b), b) - b
        words[a:b] = words[a - 1] if left >= right else words[b]


def _steady(kinds: np.ndarray, shortest: int) -> np.ndarray:
    """Postures without flicker: a run shorter than ``shortest`` frames takes its longer neighbour's kind."""
    result = kinds.copy()
    while True:
        runs = _runs(result)
        short = [(b - a, a, b) for a, b in runs if b - a < shortest]
        if not short or len(runs) == 1:
            return result
        _, a, b = min(short)
        left = a - next((x for x, y in runs if y == a), a)
        right = next((y for x, y in runs if x == b), b) - b
        result[a:b] = result[a - 1] if left >= right else result[b]


def _runs(values: np.ndarray) -> list[tuple[int, int]]:
    """Start and end (exclusive) of the runs of equal values."""
    if not len(values):
        return []
    cuts = np.flatnonzero(values[1:] != values[:-1]) + 1
    edges = [0, *cuts.tolist(), len(values)]
    return list(itertools.pairwise(edges))


def _where(mask: np.ndarray, offset: int = 0) -> list[tuple[int, int]]:
    return [(a + offset, b + offset) for a, b in _runs(mask) if mask[a]]


def _hysteresis(values: Array, on: float, off: float, gap: int) -> list[tuple[int, int]]:
    """Runs above ``off`` that reach ``on``; those less than ``gap`` frames apart are one."""
    kept = [(a, b) for a, b in _where(values > off) if values[a:b].max() > on]
    joined: list[tuple[int, int]] = []
    for a, b in kept:
        if joined and a - joined[-1][1] < gap:
            joined[-1] = (joined[-1][0], b)
        else:
            joined.append((a, b))
    return joined


def _extent(points: Array) -> float:
    """The farthest that points [N, 2] get from the first one."""
    return float(np.linalg.norm(points - points[0], axis=-1).max())


def _interpolate(times: Array, values: Array, new: Array) -> Array:
    if len(times) == 1:
        return np.repeat(values, len(new), 0)
    left = np.clip(np.searchsorted(times, new, side="right") - 1, 0, len(times) - 2)
    share = np.clip((new - times[left]) / (times[left + 1] - times[left]), 0, 1).reshape(-1, *[1] * (values.ndim - 1))
    return values[left] * (1 - share) + values[left + 1] * share


def _smooth(values: Array, sigma: float) -> Array:
    """Gaussian of ``sigma`` seconds over the grid's first axis, the ends mirrored through their point."""
    reach = max(1, round(3 * sigma * GRID))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / (sigma * GRID)) ** 2)
    kernel /= kernel.sum()
    flat = values.reshape(len(values), -1)
    before = 2 * flat[:1] - flat[np.clip(np.arange(reach, 0, -1), 0, len(flat) - 1)]
    after = 2 * flat[-1:] - flat[np.clip(len(flat) - 1 - np.arange(1, reach + 1), 0, len(flat) - 1)]
    padded = np.concatenate([before, flat, after])
    columns = [np.convolve(column, kernel, "valid") for column in padded.T]
    return np.stack(columns, -1).reshape(values.shape)


def _velocity(values: Array, sigma: float) -> Array:
    """Derivative of the smoothed values, units a second."""
    smooth = _smooth(values, sigma)
    return np.gradient(smooth, axis=0) * GRID if len(values) > 1 else np.zeros_like(smooth)
