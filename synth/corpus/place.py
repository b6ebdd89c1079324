"""Put a motion into a room: on the room's furniture where it uses some, else in free space, never through anything.

    placed = place(entry.load(), room, rng)
    adapt(placed.motion, placed.stage_map, betas, body, room)

Many rigid placements are tried and scored by how much of the motion keeps clear of walls and furniture; one of the good
ones is drawn. A walk too long for the room is bent along a curve or, failing that, cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from synth.body import BodyModel, load_body
from synth.errors import CareSynthError
from synth.interaction import Interaction, Prop
from synth.motion import evidence
from synth.room import Box, Furniture, Room, furniture_from_json
from synth.rooms.props import is_furniture, prop_piece
from synth.rotation import Array, axis_angle_to_matrix, matrix_to_axis_angle, yaw_matrix
from synth.skeleton import JOINT, facing_yaw, forward_kinematics

# What may stand for a stage's furniture, the best first.
STANDS_FOR: dict[str, tuple[str, ...]] = {
    "chair": ("chair", "armchair", "sofa", "wheelchair", "toilet"),
    "armchair": ("armchair", "chair", "sofa", "wheelchair", "toilet"),
    "sofa": ("sofa", "armchair", "chair"),
    "wheelchair": ("wheelchair", "armchair", "chair"),
    "toilet": ("toilet", "chair", "armchair"),
    "bed": ("bed",),
    "walker": ("walker",),
}
# Joints that must keep clear and the radius of the flesh about them, metres.
_RADII = {
    "pelvis": 0.17, "left_knee": 0.08, "right_knee": 0.08, "left_ankle": 0.07, "right_ankle": 0.07, "left_foot": 0.08,
    "right_foot": 0.08, "spine3": 0.15, "head": 0.12, "left_elbow": 0.06, "right_elbow": 0.06, "left_hand": 0.06,
    "right_hand": 0.06,
}  # fmt: skip
STRIDE = 0.2  # seconds between the frames that are tested
BESIDE = 1.0  # metres from furniture to the middle of what is to happen by it
TRIES = 240  # random placements in free space
BENDS = (0.45, -0.45, 0.8, -0.8)  # radians of turn a metre walked
LEAST_SECONDS = 2.0  # a motion cut shorter than this shows nothing
DEEPEST = 0.10  # metres of a body in something beside the seat that the fit still pushes out
SLACK = 0.02  # metres a joint's sphere may reach into something; the later fit moves it out


class NoPlace(CareSynthError):
    """A motion does not fit into a room."""


@dataclass(frozen=True)
class Placement:
    """Where a motion goes.

    Attributes:
        motion: the motion in the room's frame, its stage moved along; perhaps cut or bent.
        stage_map: id of the stage's furniture -> the room's piece that takes its place.
        rotation, translation: the rigid move [3, 3], [3] from the motion's own frame (before any bend).
        clearance: metres between the body and the nearest obstacle (negative: the fit has to push it out).
        cut: seconds (start, end) of the original motion that are kept.
        bend: radians of turn a metre walked that were added.
    """

    motion: Interaction
    stage_map: dict[str, Furniture]
    rotation: Array
    translation: Array
    clearance: float
    cut: tuple[float, float]
    bend: float = 0.0


def place(
    motion: Interaction, room: Room, rng: np.random.Generator, body: BodyModel | None = None, near: str | None = None
) -> Placement:
    """Draw a placement of a library motion in a room.

    Args:
        near: id of the furniture on or by which it is to happen; None: wherever there is room.

    Raises:
        NoPlace: the room lacks the furniture, or nothing fits; the message says which.
    """
    model = body or load_body()
    beside = next((piece for piece in room.furniture if piece.id == near), None)
    motion, room = borrowed(motion, room)
    tracks = _Tracks.of(motion, model)
    stage = [furniture_from_json(item, "stage", "stage") for item in motion.meta.stage]
    used = [piece for piece in stage if piece.seat_height is not None]
    if used:
        return _on_furniture(motion, tracks, used[0], room, rng, near)
    return _in_free_space(motion, tracks, room, rng, model, beside)


@dataclass(frozen=True)
class _Tracks:
    """What is tested: points [P, T', K, 3] with radius [K], their frames [T'], pelvis [P, T, 3] and J0 [P, 3]."""

    points: Array  # the props' follow the people's
    radius: Array
    frames: np.ndarray
    pelvis: Array
    rest_pelvis: Array

    @staticmethod
    def of(motion: Interaction, body: BodyModel) -> _Tracks:
        rest = np.asarray(body.rest_joints(motion.betas), float)
        joints, _ = forward_kinematics(motion.rotations(), rest[:, None], motion.transl)
        frames = np.unique(
            np.append(np.arange(0, motion.frames, max(1, round(STRIDE * motion.fps))), motion.frames - 1)
        )
        ids = [JOINT[name] for name in _RADII]
        radius = np.array(list(_RADII.values()))
        hulls = [_hull(p, frames, radius)[None] for p in motion.props if is_furniture(p.cls)]  # others go with hands
        points = np.concatenate([joints[:, frames][:, :, ids], *hulls])
        return _Tracks(points, radius, frames, joints[:, :, 0], rest[:, 0])


def _hull(prop: Prop, frames: np.ndarray, radius: Array) -> Array:
    """Points [T', K, 3] around a prop, each as far inside its outline as its sphere is wide."""
    piece = prop_piece(prop.cls)
    width, depth, height = piece.size
    turns = np.linspace(0, 2 * np.pi, len(radius), endpoint=False)
    ring = np.stack([np.cos(turns), np.sin(turns)], -1)
    half = np.maximum(np.array([width, depth]) / 2 - radius[:, None], 0.0)
    ring = ring / np.abs(ring).max(-1, keepdims=True) * half
    local = np.concatenate([ring, np.full((len(radius), 1), piece.bottom + height / 2)], -1)
    poses = prop.poses()[frames]
    return np.einsum("tij,kj->tki", poses[:, :3, :3], local) + poses[:, None, :3, 3]


def borrowed(motion: Interaction, room: Room) -> tuple[Interaction, Room]:
    """The motion with its props named after the room's own pieces of their class, and the room without these.

    Furniture that the motion moves is the room's own where the room has one: it does not stand about as well.
    """
    names: dict[str, str] = {}
    for prop in motion.props:
        free = [item.id for item in room.of_class(prop.cls) if item.id not in names.values()]
        if free:
            names[prop.id] = free[0]
    if not names:
        return motion, room
    contacts = []
    for contact in motion.meta.contacts:
        target = dict(contact.target)
        if target.get("object") in names:
            target["object"] = names[target["object"]]
        contacts.append(replace(contact, target=target))
    props = tuple(replace(prop, id=names.get(prop.id, prop.id)) for prop in motion.props)
    left = tuple(item for item in room.furniture if item.id not in names.values())
    motion = replace(motion, props=props, meta=replace(motion.meta, contacts=tuple(contacts)))
    return motion, replace(room, furniture=left)


def clearance(room: Room, points: Array, radius: Array, ignore: Iterable[str] = ()) -> Array:
    """Metres from spheres [..., K] at points [..., K, 3] to the nearest wall or solid; negative inside one."""
    start, end = np.asarray(room.floor, float), np.roll(np.asarray(room.floor, float), -1, 0)
    along = end - start
    flat = points[..., :2]
    # to the walls
    share = ((flat[..., None, :] - start) * along).sum(-1) / (along**2).sum(-1)
    nearest = start + np.clip(share, 0, 1)[..., None] * along
    away = np.linalg.norm(flat[..., None, :] - nearest, axis=-1).min(-1)
    distance = np.where(room.contains(flat), away, -away)
    skipped = set(ignore)
    solids = [solid for piece in room.furniture if piece.id not in skipped for solid in piece.world_solids()]
    if solids:
        distance = np.minimum(distance, to_boxes(points, solids))
    return distance - radius


def to_boxes(points: Array, boxes: Sequence[Box]) -> Array:
    """Metres from points [..., 3] to the nearest of some boxes; negative inside one."""
    center = np.array([box.center for box in boxes])
    half = np.array([box.size for box in boxes]) / 2
    yaw = np.array([box.yaw for box in boxes])
    cosine, sine = np.cos(yaw), np.sin(yaw)
    flat = points.reshape(-1, 3)
    nearest = np.empty(len(flat))
    for start in range(0, len(flat), 4096):  # all pairs of a chunk at once, in bounded memory
        off = flat[start : start + 4096, None] - center
        x = np.abs(cosine * off[..., 0] + sine * off[..., 1]) - half[:, 0]
        y = np.abs(cosine * off[..., 1] - sine * off[..., 0]) - half[:, 1]
        z = np.abs(off[..., 2]) - half[:, 2]
        outside = np.sqrt(np.maximum(x, 0) ** 2 + np.maximum(y, 0) ** 2 + np.maximum(z, 0) ** 2)
        inside = np.minimum(np.maximum(np.maximum(x, y), z), 0.0)
        nearest[start : start + 4096] = (outside + inside).min(1)
    return nearest.reshape(points.shape[:-1])


def _moved(points: Array, yaw: float, shift: Array) -> Array:
    return points @ yaw_matrix(yaw).T + shift


def _on_furniture(
    motion: Interaction, tracks: _Tracks, stage: Furniture, room: Room, rng: np.random.Generator, near: str | None
) -> Placement:
    classes = STANDS_FOR.get(stage.cls, (stage.cls,))
    pieces = [piece for cls in classes for piece in room.of_class(cls)]
    if not pieces:
        has = ", ".join(sorted({piece.cls for piece in room.furniture})) or "nothing"
        raise NoPlace(f"{room.name}: the motion needs a {stage.cls} ({' or '.join(classes)}); the room has {has}")
    if near is not None:
        known = [piece.id for piece in pieces]
        pieces = [piece for piece in pieces if piece.id == near]
        if not pieces:
            raise NoPlace(f"{room.name}: the motion needs a {stage.cls}; {near} is none, {', '.join(known)} would do")
    sitter, pelvis, side = _sitter(motion, tracks, stage)
    if side[2]:  # who lies down does it where the head end is flat, if any is
        pieces = [piece for piece in pieces if not piece.head_raised] or pieces
    others = [p for p in range(len(tracks.points)) if p != sitter]
    options: list[tuple[float, float, float, Array, Furniture]] = []
    for piece in pieces:
        rails = _rails(piece)
        for axis, slide in _sides(piece, side[0] - stage.box.yaw if side[2] else None):
            for _ in range(5 if slide > 0.05 else 1):
                yaw, shift = _seat_move(stage, side, pelvis, piece, axis, float(rng.uniform(-slide, slide)))
                points = _moved(tracks.points, yaw, shift)
                clear = clearance(room, points, tracks.radius, ignore=(piece.id,))
                if others:  # the helper must not stand in the seat either
                    depth = to_boxes(points[others], piece.world_solids()) - tracks.radius
                    clear[others] = np.minimum(clear[others], depth + 0.05)
                if rails:
                    over = to_boxes(points[[sitter]], rails) - tracks.radius
                    clear[[sitter]] = np.minimum(clear[[sitter]], over + 0.05)
                # Short of touching nothing at all, the share of the motion that does counts, and how deep it goes.
                free = float((clear.min((0, 2)) > -SLACK).mean())
                rank = 0.15 * classes.index(piece.cls)
                options.append((free - rank, float(clear.min()), yaw, shift, piece))
    fitting = [o for o in options if o[1] > -DEEPEST]
    if not fitting:
        best = max(options, key=lambda o: o[1])
        raise NoPlace(
            f"{room.name}: no room for the motion at {', '.join(p.id for p in pieces)}; "
            f"the best try ({best[4].id}) goes {-best[1]:.2f} m into walls or furniture"
        )
    _, worst, yaw, shift, piece = _draw(fitting, rng)
    moved = motion.transform(yaw_matrix(yaw), shift, tracks.rest_pelvis)
    return Placement(moved, {stage.id: piece}, yaw_matrix(yaw), shift, worst, (0.0, motion.seconds))


def _draw(options: list, rng: np.random.Generator, temperature: float = 0.08) -> Any:
    """One of the options, the better ones (first element) more often."""
    scores = np.array([option[0] for option in options])
    weights = np.exp((scores - scores.max()) / temperature)
    return options[int(rng.choice(len(options), p=weights / weights.sum()))]


def _sitter(motion: Interaction, tracks: _Tracks, stage: Furniture) -> tuple[int, Array, tuple[float, float, bool]]:
    """Who uses the seat, where their pelvis is [3], and (direction they face, metres to the edge ahead, lies)."""
    person, frame = 0, motion.frames // 2
    for contact in motion.meta.contacts:
        if contact.target.get("object") == stage.id and contact.part == "pelvis":
            person = contact.person
            frame = int(np.clip(round(0.5 * (contact.start + contact.end) * motion.fps), 0, motion.frames - 1))
            break
    orient = axis_angle_to_matrix(motion.global_orient[person])
    # who ends on the floor beside the bed lies too, but not there
    local = stage.box.to_local(tracks.pelvis[person])
    there = (np.abs(local[:, :2]) < np.asarray(stage.box.size)[:2] / 2).all(-1) & (local[:, 2] > 0)
    lies = bool((there & (np.abs(orient[:, 2, 1]) < 0.35)).any())
    if lies:
        frame = evidence.on_edge(motion, person, stage, frame)
    pelvis = tracks.pelvis[person, frame]
    # Which side of the seat they sit on: the seat's own axis nearest to where they look.
    yaw = float(facing_yaw(orient[frame]))
    quarter = round((yaw - stage.box.yaw) / (np.pi / 2))
    facing = stage.box.yaw + quarter * np.pi / 2
    return person, pelvis, (facing, _edge(stage, pelvis, facing), lies)


def _edge(piece: Furniture, point: Array, facing: float) -> float:
    """Metres from a point to the seat's edge in the direction `facing`."""
    surface = piece.seat or Box(np.zeros(3), piece.box.size)
    local = piece.box.to_local(np.array([point[0], point[1], piece.box.center[2]])) - surface.center
    ahead = yaw_matrix(facing - piece.box.yaw)[:2, 0]
    half = np.abs(ahead) @ np.asarray(surface.size)[:2] / 2
    return float(half - local[:2] @ ahead)


def _sides(piece: Furniture, lies: float | None) -> list[tuple[float, float]]:
    """Directions (radians in the piece's frame) a sitter may face there, and how far to either side they may move.

    lies: for who also lies there, the direction they face on the edge in the stage's frame: the head's end is the same.
    """
    surface = np.asarray((piece.seat or Box(np.zeros(3), piece.box.size)).size)
    if piece.cls == "bed":
        if lies is not None:
            return [(lies, 0.0)]
        slide = max(0.0, surface[1] / 2 - 0.35)
        return [(0.0, slide), (np.pi, slide)]
    return [(np.pi / 2, max(0.0, surface[0] / 2 - 0.3))]


def _rails(piece: Furniture) -> list[Box]:
    """The raised side rails of a bed: over these nobody gets in or out."""
    if piece.cls != "bed" or piece.seat_height is None:
        return []
    over = piece.seat_height + 0.1 - piece.box.center[2]
    raised = [item.size[0] < 0.1 and item.center[2] + item.size[2] / 2 > over for item in piece.solids]
    return [box for box, keep in zip(piece.world_solids(), raised, strict=True) if keep]


def _seat_move(
    stage: Furniture, side: tuple[float, float, bool], pelvis: Array, piece: Furniture, axis: float, slide: float
) -> tuple[float, Array]:
    """Yaw and shift that put the sitter as far from the real seat's edge, `slide` metres off its middle."""
    facing, edge, lies = side
    target = piece.box.yaw + axis
    yaw = target - facing
    ahead = np.array([np.cos(target), np.sin(target)])
    surface = piece.seat or Box(np.zeros(3), piece.box.size)
    local_ahead = yaw_matrix(axis)[:2, 0]
    half = np.abs(local_ahead) @ np.asarray(surface.size)[:2] / 2
    middle = piece.box.to_world(np.asarray(surface.center, float))[:2]
    across = np.array([-ahead[1], ahead[0]])
    if lies:  # a bed's ends matter to who lies on it: keep the place along it
        stage_surface = stage.seat or Box(np.zeros(3), stage.box.size)
        old_middle = stage.box.to_world(np.asarray(stage_surface.center, float))[:2]
        old_across = np.array([-np.sin(facing), np.cos(facing)])
        slide = float((pelvis[:2] - old_middle) @ old_across)
    where = middle + ahead * (half - edge) + across * slide
    turned = yaw_matrix(yaw) @ pelvis
    return yaw, np.array([where[0] - turned[0], where[1] - turned[1], 0.0])


def _in_free_space(
    motion: Interaction,
    tracks: _Tracks,
    room: Room,
    rng: np.random.Generator,
    body: BodyModel,
    beside: Furniture | None,
) -> Placement:
    options = _free_options(motion, tracks, room, rng, beside)
    if (not options or max(o[1] for o in options) < 0.98) and _walks(motion, tracks):
        for bend in BENDS:
            bent = bend_path(motion, body, bend)
            options += [(*o[:-1], bend) for o in _free_options(bent, _Tracks.of(bent, body), room, rng, beside)]
    if not options:
        raise NoPlace(f"{room.name}: no free floor for {LEAST_SECONDS:g} s of the motion ({motion.meta.text!r})")
    # A bend costs a little, a cut as much as it takes away.
    scored = [(o[1] - 0.05 * abs(o[6]) + 0.2 * min(o[2], 0.3), *o[1:]) for o in options]
    _, _, clear, cut, yaw, shift, bend = _draw(scored, rng)
    chosen = bend_path(motion, body, bend) if bend else motion
    if cut != (0, motion.frames):
        chosen = chosen.window(cut[0] / motion.fps, cut[1] / motion.fps)
    moved = chosen.transform(yaw_matrix(yaw), shift, tracks.rest_pelvis)
    seconds = (cut[0] / motion.fps, cut[1] / motion.fps)
    return Placement(moved, {}, yaw_matrix(yaw), shift, clear, seconds, bend)


def _free_options(
    motion: Interaction, tracks: _Tracks, room: Room, rng: np.random.Generator, beside: Furniture | None
) -> list[tuple]:
    """(score, kept share, clearance, kept frames, yaw, shift, bend) of placements that keep enough of the motion."""
    low, high = room.floor.min(0), room.floor.max(0)
    if beside is not None:
        here, half = np.asarray(beside.box.center)[:2], np.asarray(beside.box.size)[:2].max() / 2 + BESIDE
        low, high = np.maximum(low, here - half), np.minimum(high, here + half)
    middle = tracks.pelvis[..., :2].reshape(-1, 2)
    middle = (middle.min(0) + middle.max(0)) / 2
    yaws = rng.uniform(-np.pi, np.pi, TRIES)
    spots = rng.uniform(low, high, (TRIES, 2))
    core = motion.meta.core or (0.0, motion.seconds)
    least = min(motion.seconds, max(LEAST_SECONDS, 0.5 * motion.seconds))
    pelvis = tracks.points[:, :, :1]
    turns = yaw_matrix(yaws)
    shifts = np.concatenate([spots - np.einsum("kij,j->ki", turns[:, :2, :2], middle), np.zeros((TRIES, 1))], -1)
    ways = np.einsum("kij,ptnj->kptni", turns, pelvis[:, ::2]) + shifts[:, None, None, None]
    clear = clearance(room, ways, tracks.radius[:1]).min((1, 3))
    rough = [(float((c > 0).mean()), float(c.min()), k, shifts[k]) for k, c in enumerate(clear)]
    rough.sort(key=lambda item: (-item[0], -item[1]))
    options = []
    for _, _, k, shift in rough[:24]:
        clear = clearance(room, _moved(tracks.points, yaws[k], shift), tracks.radius).min((0, 2))
        first, last = longest(clear > -SLACK)
        if last <= first:
            continue
        begin, end = int(tracks.frames[first]), int(tracks.frames[last - 1]) + 1
        whole = core == (0.0, motion.seconds) or (begin / motion.fps <= core[0] and end / motion.fps >= core[1])
        if (end - begin) / motion.fps + 1e-6 < least or not whole:
            continue
        share = (end - begin) / motion.frames
        options.append((share, share, float(clear[first:last].min()), (begin, end), float(yaws[k]), shift, 0.0))
    return options


def longest(flags: np.ndarray) -> tuple[int, int]:
    """[start, end) of the longest stretch of True; (0, 0) if there is none."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags.astype(np.int8), [0]))))
    if not len(edges):
        return 0, 0
    best = int(np.argmax(edges[1::2] - edges[::2]))
    return int(edges[2 * best]), int(edges[2 * best + 1])


def _walks(motion: Interaction, tracks: _Tracks) -> bool:
    """Whether bending the path makes sense: one person who goes somewhere on foot."""
    if motion.people != 1 or motion.props:
        return False
    path = tracks.pelvis[0]
    return bool(np.linalg.norm(path[-1, :2] - path[0, :2]) > 1.2 and path[:, 2].min() > 0.6)


def bend_path(motion: Interaction, body: BodyModel, bend: float) -> Interaction:
    """A walk along a curve: `bend` radians of left turn for every metre the pelvis goes.

    The turn is spread evenly over the way, so a standing foot turns a little with the body; whoever fits the motion to
    the room afterwards locks it again.
    """
    rest = np.asarray(body.rest_joints(motion.betas[0]), float)
    orient = axis_angle_to_matrix(motion.global_orient[0])
    pelvis = rest[0] + motion.transl[0]
    steps = np.diff(pelvis[:, :2], axis=0)
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(steps, axis=1))])
    turns = yaw_matrix(bend * length)
    way = np.einsum("tij,tj->ti", turns[:-1, :2, :2], steps)
    moved = pelvis.copy()
    moved[:, :2] = pelvis[0, :2] + np.concatenate([np.zeros((1, 2)), np.cumsum(way, axis=0)])
    return replace(
        motion,
        transl=(moved - rest[0])[None].astype(np.float32),
        global_orient=matrix_to_axis_angle(turns @ orient)[None].astype(np.float32),
    )
