"""Terms by name: from holds, seats, feet and furniture to the optimiser's points and windows.

Used by the scripts of care and by the re-solve of a library motion in a room, so that both mean the same thing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from synth.interaction import Contact, Interaction, Prop
from synth.motion.contact import ContactHold, Floor, FootLock, Points, Resting
from synth.motion.penetration import BoxPenetration, HandPenetration, PartnerPenetration
from synth.motion.proxies import Proxies, capsule_points, capsule_spheres, points_of, skin_of
from synth.motion.soles import SIDES
from synth.room import Box, Furniture
from synth.rooms.props import handle, is_furniture, prop_piece
from synth.rotation import Array, axis_angle_to_matrix
from synth.skeleton import JOINT, facing_yaw

# Capsules that a seat may hold: flesh and cushion give way, and the sitter is meant to be there.
_SITTING = ("pelvis", "left_thigh", "right_thigh")
_LOWEST = ("buttock", "knee", "extremes")  # patches of skin that reach a floor first
HAND_REACH = 0.17  # metres from the palm's spot to the farthest finger tip and to the wrist
_TILT = 0.5  # cosine of 60 degrees: a body axis farther from the vertical than that is not vertical
_TRUNK = ("pelvis", "lower_back", "belly", "chest", "upper_chest")


def window(times: Array, start: float, end: float) -> Tensor:
    """1 from `start` to `end` seconds, else 0. [T]."""
    return torch.from_numpy(((times >= start - 1e-6) & (times <= end + 1e-6)).astype(np.float32))


def holds(
    proxies: Sequence[Proxies], entries: Sequence[tuple[int, str, int, str, Tensor, float]], sigma: float = 0.006
) -> list[ContactHold]:
    """Part to part contacts: (person, spot, other person, other spot, window, turn); a term for each `turn`."""
    terms = []
    for turn in sorted({entry[5] for entry in entries}):
        alike = [entry for entry in entries if entry[5] == turn]
        a = points_of(proxies, [(p, spot) for p, spot, *_ in alike])
        b = points_of(proxies, [(q, spot) for _, _, q, spot, *_ in alike])
        terms.append(ContactHold(a, b, torch.stack([entry[4] for entry in alike]), sigma=sigma, turn=turn))
    return terms


def seats(proxies: Sequence[Proxies], entries: Sequence[tuple[int, float, Tensor]]) -> list[Resting]:
    """Sitting: the lowest flesh of both buttocks at a surface's height. (person, height, window)."""
    if not entries:
        return []
    skin, patch = skin_of(proxies, [(person, f"{side}_buttock") for person, _, _ in entries for side in SIDES])
    heights = torch.tensor([height for _, height, _ in entries for _ in SIDES])
    windows = torch.stack([w for _, _, w in entries for _ in SIDES])
    return [Resting(skin, patch, heights, windows)]


def seat_level(height: float | None) -> float:
    """Height at which the lowest flesh of a sitter comes to rest, metres: cushions give 1 cm, a floor (None) only flesh
    does."""
    return -0.003 if height is None else height - 0.01


def sitting(
    contacts: Sequence[Contact], pieces: Mapping[str, Furniture], times: Array, rotmats: Tensor
) -> list[tuple[int, float, Tensor]]:
    """Entries for `seats`: whose buttocks carry them, on what height, when. rotmats [P, T, 24, 3, 3] local."""
    found = []
    for contact in contacts:
        level = _level(contact, pieces)
        if level is None or contact.part != "pelvis":
            continue
        pelvis = rotmats[contact.person, :, 0]
        # they do so however far the pelvis leans back, but not for who lies on the side or on the belly
        bottom_down = (pelvis[:, 2, 0].abs() < _TILT) & (pelvis[:, 2, 2] > -_TILT)
        on = window(times, contact.start, contact.end) * bottom_down
        if bool((on > 0).any()):
            found.append((contact.person, level, on))
    return found


def lying(
    contacts: Sequence[Contact], pieces: Mapping[str, Furniture], times: Array, rotmats: Tensor
) -> list[tuple[int, str, float, Tensor]]:
    """Entries for `rests`: whose back lies on what height, when. It is the chest that tells lying from leaning back."""
    found = []
    for contact in contacts:
        level = _level(contact, pieces)
        if level is None or contact.part not in ("pelvis", "lower_back", "upper_back"):
            continue
        chest = rotmats[contact.person, :, 0]
        for name in ("spine1", "spine2", "spine3"):
            chest = chest @ rotmats[contact.person, :, JOINT[name]]
        face_up = (chest[:, 2, 2] > _TILT) & (chest[:, 2, 1].abs() <= _TILT)
        on = window(times, contact.start, contact.end) * face_up
        if bool((on > 0).any()):
            spot = "upper_back" if contact.part == "upper_back" else "lower_back"
            piece = pieces.get(str(contact.target.get("object")))
            if spot == "upper_back" and piece is not None and piece.head_raised:
                continue  # leans on what its solids hold up
            found.append((contact.person, spot, level, on))
    return found


def kneeling(proxies: Sequence[Proxies], contacts: Sequence[Contact], times: Array) -> list[Resting]:
    """Knees that are said to be on the floor are on it."""
    entries = [
        (c.person, c.part, window(times, c.start, c.end))
        for c in contacts
        if c.part in ("left_knee", "right_knee") and c.target.get("object") == "floor"
    ]
    entries = [entry for entry in entries if bool((entry[2] > 0).any())]
    if not entries:
        return []
    skin, patch = skin_of(proxies, [(person, part) for person, part, _ in entries])
    level = torch.full(
        (len(entries),), seat_level(None) + 0.005
    )  # the skin between a patch's points is that much lower
    return [Resting(skin, patch, level, torch.stack([entry[2] for entry in entries]), name="knee")]


def on_edge(motion: Interaction, person: int, piece: Furniture, otherwise: int) -> int:
    """The frame in the middle of when somebody sits upright on a bed's long edge, for who also lies on it.

    With the legs on the bed one faces along it; that is no place to measure the edge from.
    """
    root = motion.rotations()[person, :, 0]
    on = np.zeros(motion.frames, bool)
    for contact in motion.meta.contacts:
        if contact.person == person and contact.part == "pelvis" and contact.target.get("object") == piece.id:
            on |= (motion.times >= contact.start) & (motion.times <= contact.end)
    across = np.abs(np.cos(facing_yaw(root) - piece.box.yaw))
    found = np.flatnonzero(on & (root[:, 2, 1] > 0.85) & (across > 0.9))
    return int(found[len(found) // 2]) if len(found) else otherwise


def handles(proxies: Sequence[Proxies], motion: Interaction, times: Array) -> list[FootLock]:
    """Hands on what moves: a spot follows the hold of a prop, whose way is given. times: of the solved frames [T]."""
    entries, ways, windows = [], [], []
    for contact, prop in prop_contacts(motion):
        entries.append((contact.person, contact.target.get("own_spot", contact.part)))
        ways.append(hold_way(prop, str(contact.target["spot"]), motion.fps, times))
        windows.append(window(times, contact.start, contact.end))
    if not entries:
        return []
    anchor = torch.from_numpy(np.stack(ways).astype(np.float32))
    return [FootLock(points_of(proxies, entries), anchor, torch.stack(windows), sigma=0.006, name="handles")]


def prop_contacts(motion: Interaction) -> list[tuple[Contact, Prop]]:
    """The contacts that say where a prop is held, with the prop."""
    props = {prop.id: prop for prop in motion.props}
    listed = [(contact, props.get(str(contact.target.get("object")))) for contact in motion.meta.contacts]
    return [(contact, prop) for contact, prop in listed if prop is not None and "spot" in contact.target]


def hold_way(prop: Prop, name: str, fps: float, times: Array) -> Array:
    """World positions [T, 3] of a prop's hold at `times` seconds; the prop's own frames are 1 / fps apart."""
    poses = prop.poses()
    track = poses[:, :3, :3] @ handle(prop.cls, name) + poses[:, :3, 3]
    keys = np.arange(len(track)) / fps
    return np.stack([np.interp(times, keys, column) for column in track.T], -1)


def seats_of(props: Sequence[Prop]) -> dict[str, Furniture]:
    """The props one can sit on, as furniture at their first frame: for how high they carry, not for where."""
    found = {}
    for prop in props:
        piece = prop_piece(prop.cls)
        if piece.seat_height is not None:
            box = Box(prop.transl[0] + np.array([0.0, 0.0, piece.size[2] / 2]), np.array(piece.size))
            found[prop.id] = Furniture(prop.id, prop.cls, box, piece.seat_height)
    return found


def _level(contact: Contact, pieces: Mapping[str, Furniture]) -> float | None:
    """Height at which flesh rests on the contact's furniture or floor, or None where it carries nobody."""
    target = contact.target.get("object")
    if target == "floor":
        return seat_level(None)
    piece = pieces.get(str(target)) if target is not None else None
    return None if piece is None or piece.seat_height is None else seat_level(piece.seat_height)


def rests(proxies: Sequence[Proxies], entries: Sequence[tuple[int, str, float, Tensor]]) -> list[ContactHold]:
    """Lying: a spot of the back at a height. (person, spot, height, window)."""
    if not entries:
        return []
    target = Points.of([(-1, 0, (0.0, 0.0, height), (0.0, 0.0, 1.0)) for _, _, height, _ in entries])
    points = points_of(proxies, [(person, spot) for person, spot, *_ in entries])
    windows = torch.stack([entry[3] for entry in entries])
    return [ContactHold(points, target, windows, sigma=0.015, vertical=True, name="lying")]


def above_floor(proxies: Sequence[Proxies]) -> list[Floor]:
    """Soles, toes, knees, elbows, fingers and buttocks stay above the floor, and head and trunk of who lies there."""
    people = range(len(proxies))
    names = [f"{side}_{spot}" for side in SIDES for spot in ("heel", "ball", "toes", "knee", "hand", "elbow")]
    patches = [(person, f"{side}_{patch}") for person in people for side in SIDES for patch in _LOWEST]
    return [
        Floor(points_of(proxies, [(person, name) for person in people for name in names])),
        Floor(skin_of(proxies, patches)[0], sigma=0.004, name="floor_skin"),
        lying_flesh(proxies),
    ]


def lying_flesh(proxies: Sequence[Proxies]) -> Floor:
    """Head and trunk as spheres above the floor, which flatten by 1.5 cm."""
    spheres, radius, names = capsule_spheres(proxies)
    rows = [row for row, (_, name) in enumerate(names) if name in (*_TRUNK, "head")]
    chosen = Points(spheres.person[rows], spheres.joint[rows], spheres.offset[rows])
    return Floor(chosen, sigma=0.008, name="floor_trunk", radius=radius[rows] - 0.015)


def apart(proxies: Sequence[Proxies], held: Sequence[tuple[int, str, int, str]]) -> list[PartnerPenetration]:
    """Nobody enters anybody: all pairs of capsules of two people, and a person's own arms, trunk and legs."""
    start, end, radius, names = capsule_points(proxies)
    touching = set()
    for person, spot, other, other_spot in held:
        for a in _capsules_at(spot, names, person):
            for b in _capsules_at(other_spot, names, other):
                touching |= {(a, b), (b, a)}
    first, second, allow = [], [], []
    for i, (person, name) in enumerate(names):
        for j in range(i + 1, len(names)):
            other, other_name = names[j]
            if person == other:
                if not _may_cross(name, other_name):
                    continue
                slack = 0.02
            else:
                slack = 0.02 if (i, j) in touching else 0.004
            first.append(i)
            second.append(j)
            allow.append(slack)
    return [
        PartnerPenetration(start, end, radius, torch.tensor(first), torch.tensor(second), torch.tensor(allow), 0.006)
    ]


def hands_out(proxies: Sequence[Proxies]) -> list[HandPenetration]:
    """Nobody's fingers enter anybody else."""
    if len(proxies) < 2:
        return []
    entries = [(person, f"{side}_hand") for person in range(len(proxies)) for side in SIDES]
    skin, _ = skin_of(proxies, entries)
    palm = points_of(proxies, entries)
    start, end, radius, names = capsule_points(proxies, flat_hands=True)
    pairs = [(h, c) for h, (person, _) in enumerate(entries) for c, (other, _) in enumerate(names) if person != other]
    hand, capsule = torch.tensor(pairs).T
    return [HandPenetration(skin, palm, HAND_REACH, start, end, radius, hand, capsule)]


def spots_of(contact: Contact) -> tuple[str, str]:
    """Names of the two spots of a person to person contact: the exact ones if it carries them."""
    target = contact.target
    return target.get("own_spot", contact.part), target.get("spot", target["part"])


def held_spots(contacts: Sequence[Contact]) -> list[tuple[int, str, int, str]]:
    """(person, spot, other person, other spot) of all contacts between people."""
    between = [contact for contact in contacts if "person" in contact.target]
    return [(c.person, spots_of(c)[0], int(c.target["person"]), spots_of(c)[1]) for c in between]


def palm_turn(own: str, other: str) -> float:
    """How exactly two spots face each other, radians: palms lie flat on palms, backs and what they lift from below, a
    grip may come round a limb."""
    if own.endswith("_hand_flat"):
        return 0.2  # its fingers would stick in what it lies on
    if own.endswith("_hand") and (other.startswith("upper_back") or other.endswith("_lift")):
        return 0.3
    return 0.35 if own.endswith("_hand") and other.endswith(("_hand", "_hand_top")) else 0.5


def _capsules_at(spot: str, names: Sequence[tuple[int, str]], person: int) -> list[int]:
    base = next((n for n in ("upper_arm", "forearm", "hand", "thigh", "shin") if n in spot), None)
    if "elbow" in spot:
        base = "forearm"
    side = spot.split("_")[0]
    wanted = [f"{side}_{base}"] if base else ["pelvis", "lower_back", "belly", "chest", "upper_chest"]
    if base == "hand":
        wanted.append(f"{side}_forearm")
    return [i for i, (p, name) in enumerate(names) if p == person and name in wanted]


def _may_cross(a: str, b: str) -> bool:
    """Pairs of one body's capsules that can run into each other."""
    arm = ("forearm", "hand")
    arms_a, arms_b = a.endswith(arm), b.endswith(arm)
    if arms_a and arms_b:
        return a.split("_")[0] != b.split("_")[0]
    if arms_a or arms_b:
        other = b if arms_a else a
        return other in (*_TRUNK, "head") or other.endswith(("thigh", "shin"))
    legs = ("thigh", "shin", "foot")
    return a.endswith(legs) and b.endswith(legs) and a.split("_")[0] != b.split("_")[0] and not a.endswith("thigh")


def furniture(
    proxies: Sequence[Proxies], pieces: Sequence[Furniture], sitters: Collection[tuple[int, str]], sigma: float = 0.008
) -> list[BoxPenetration]:
    """Nobody enters the furniture's solids. sitters: (person, furniture id) pairs that sit or lie on it."""
    solids = [(piece.id, solid) for piece in pieces for solid in piece.world_solids()]
    if not solids:
        return []
    spheres, radius, names = capsule_spheres(proxies)
    switch = torch.ones(len(names), len(solids))
    shrink = torch.zeros(len(names))
    for row, (person, name) in enumerate(names):
        if name in _SITTING and any(who == person for who, _ in sitters):
            shrink[row] = 0.02
    return [
        BoxPenetration(
            spheres, radius - shrink,
            torch.tensor(np.stack([np.asarray(s.center) for _, s in solids]), dtype=torch.float32),
            torch.tensor([float(s.yaw) for _, s in solids]),
            torch.tensor(np.stack([np.asarray(s.size) / 2 for _, s in solids]), dtype=torch.float32),
            switch, sigma=sigma,
        )
    ]  # fmt: skip


def rolling(
    proxies: Sequence[Proxies],
    props: Sequence[Prop],
    fps: float,
    times: Array,
    users: Collection[tuple[int, str]],
    sigma: float = 0.008,
) -> list[BoxPenetration]:
    """Nobody enters furniture that moves. props: `1 / fps` apart; times: of the solved frames [T].

    users: (person, prop id) of who sits on it or holds it; their hands may press in as far as sitters' thighs do.
    """
    solids = [(prop, block) for prop in props if is_furniture(prop.cls) for block in prop_piece(prop.cls).solids]
    if not solids:
        return []
    spheres, radius, names = capsule_spheres(proxies)
    centers, yaws = [], []
    for prop, block in solids:
        keys = np.arange(len(prop.transl)) / fps
        turn = axis_angle_to_matrix(prop.orient)
        middle = prop.transl + turn @ np.asarray(block.center)
        yaw = np.unwrap(np.arctan2(turn[:, 1, 0], turn[:, 0, 0]))
        centers.append(np.stack([np.interp(times, keys, column) for column in middle.T], -1))
        yaws.append(np.interp(times, keys, yaw))
    shrink = torch.zeros(len(names))
    for row, (person, name) in enumerate(names):
        if (name in _SITTING or name.endswith(("hand", "forearm"))) and any(who == person for who, _ in users):
            shrink[row] = 0.02
    return [
        BoxPenetration(
            spheres, radius - shrink,
            torch.tensor(np.stack(centers, 1), dtype=torch.float32), torch.tensor(np.stack(yaws, 1)).float(),
            torch.tensor(np.stack([np.asarray(block.size) / 2 for _, block in solids]), dtype=torch.float32),
            torch.ones(len(names), len(solids)), sigma=sigma, name="props",
        )
    ]  # fmt: skip
