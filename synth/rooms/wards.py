"""The six built-in rooms as data. Walls of rectangular rooms: 0 south (y = 0), 1 east, 2 north, 3 west."""

from __future__ import annotations

from collections.abc import Callable

from synth.rooms import beds, mobility, openings, sanitary, seating, storage
from synth.rooms import palette as P
from synth.rooms.plan import Item, Opening, Plan, View, against, rectangle

# Mild barrel distortion as calibrated on 2.8 mm security cameras (k1, k2, p1, p2, k3); one-to-one over the whole image.
BARREL = (-0.16, 0.02, 0.0006, -0.0004, 0.0)

SOURCES = (
    "hospital bed 0.9 x 2.0 m mattress, top 0.45-0.55 m when lowered (EN 60601-2-52)",
    "bed space 1.5 m clear beside the bed for two carers (HBN 00-03, DIN 18040-2 turning circle)",
    "doors 0.9-1.1 m clear, 2.1 m high; grab bars 0.7-0.8 m; toilet seat 0.46-0.48 m (DIN 18040-2, Approved Document M)",
    "ceilings 2.6-2.7 m; handrails 0.9 m; corridors 2.4 m for two beds to pass (HBN 00-04)",
)


def _views(width: float, depth: float, height: float, corner: tuple[float, float], door: tuple[float, float],
           look: tuple[float, float], corner_fov: float = 96.0, door_fov: float = 86.0) -> tuple[View, ...]:
    """The three usual mountings: high corner wide-angle, door-side with lens distortion, ceiling fisheye."""
    return (
        View("corner", "pinhole", (*corner, min(2.5, height - 0.15)), (*look, 0.55), corner_fov),
        View("door", "brown_conrady", (*door, 2.35), (*look, 0.7), door_fov, BARREL),
        View("ceiling", "fisheye", (width / 2, depth / 2, height - 0.06), (width / 2, depth / 2, 0.0), 186.0,
             (0.0, 0.0, 0.0, 0.0)),
    )


def ward_01() -> Plan:
    """Single-bed hospital ward."""
    w, d, h = 4.6, 4.2, 2.7
    floor = rectangle(w, d)
    bed = beds.hospital_bed(28.0, ("right-head", "right-foot"), "blue")
    items = (
        against(floor, 2, w - 1.75, bed, "bed_1", 0.03),
        against(floor, 2, w - 2.62, storage.nightstand(), "nightstand_1"),
        against(floor, 1, 3.35, seating.armchair(P.LEATHER_TEAL), "armchair_1", 0.03),
        against(floor, 0, 0.62, storage.wardrobe(0.9), "wardrobe_1"),
        against(floor, 1, 1.75, sanitary.sink(), "sink_1", 0.0),
        against(floor, 0, 3.55, openings.door(1.1), "door_1", 0.0),
        Item("table_1", storage.overbed_table(), (0.62, 2.75), 90.0),
    )
    return Plan("ward_01", "single-bed hospital ward", "Hospital room with one adjustable bed, raised at the head.",
                floor, h, P.VINYL_GREY, (P.WALL, P.WALL, P.WALL_BLUE, P.WALL), (Opening(3, d - 2.3, 1.9, 0.75, 2.15),),
                items, (), _views(w, d, h, (4.42, 0.18), (2.55, 0.15), (1.9, 2.7)), SOURCES)


def ward_02() -> Plan:
    """Two-bed hospital ward."""
    w, d, h = 6.6, 4.6, 2.7
    floor = rectangle(w, d)
    items = (
        against(floor, 2, w - 1.55, beds.hospital_bed(0.0, ("right-head", "right-foot"), "teal"), "bed_1", 0.03),
        against(floor, 2, w - 2.38, storage.nightstand(), "nightstand_1"),
        against(floor, 2, w - 4.75, beds.hospital_bed(22.0, ("left-head", "left-foot"), "blue"), "bed_2", 0.03),
        against(floor, 2, w - 3.92, storage.nightstand(), "nightstand_2"),
        against(floor, 1, 2.1, seating.armchair(P.LEATHER_BROWN), "armchair_1", 0.03),
        against(floor, 2, w - 0.45, seating.chair(P.FABRIC_BLUE), "chair_1", 0.03),
        against(floor, 0, 1.9, storage.wardrobe(1.2), "wardrobe_1"),
        against(floor, 3, d - 1.7, sanitary.sink(), "sink_1", 0.0),
        against(floor, 0, 3.8, openings.door(1.1), "door_1", 0.0),
        Item("lift_1", mobility.mobile_lift(), (0.62, 0.75), 0.0),
        Item("wheelchair_1", mobility.wheelchair(P.BLUE_METAL), (5.75, 0.70), 20.0),
    )
    return Plan("ward_02", "two-bed hospital ward", "Hospital room with two beds, a curtain between and a mobile lift.",
                floor, h, P.VINYL_BLUE, (P.WALL, P.WALL, P.WALL_GREEN, P.WALL), (Opening(1, 3.55, 1.5, 0.75, 2.15),),
                items, (), _views(w, d, h, (6.42, 0.18), (0.18, 0.2), (3.1, 2.9), 98.0, 90.0), SOURCES)


def ward_03() -> Plan:
    """Care-home bedroom."""
    w, d, h = 4.5, 4.8, 2.6
    floor = rectangle(w, d)
    items = (
        against(floor, 2, w - 0.60, beds.hospital_bed(0.0, ("right-head",), "rose", homely=True), "bed_1", 0.03),
        against(floor, 2, w - 1.42, storage.nightstand(P.WOOD_OAK, wheels=False), "nightstand_1"),
        Item("armchair_1", seating.armchair(P.FABRIC_GREEN, P.WOOD_OAK), (3.75, 3.95), 125.0),
        against(floor, 1, 2.25, storage.wardrobe(1.1, P.WOOD_OAK), "wardrobe_1"),
        against(floor, 0, 3.35, openings.door(1.0, P.WOOD_OAK), "door_1", 0.0),
        against(floor, 3, d - 1.15, storage.table(1.1, 0.55, 0.74, P.WOOD_OAK), "table_1"),
        Item("chair_1", seating.chair(P.FABRIC_OCHRE, P.WOOD_OAK), (0.98, 1.15), 100.0),
        Item("wheelchair_1", mobility.wheelchair(P.BLUE_METAL), (2.15, 0.68), 12.0),
        Item("walker_1", mobility.rollator(P.RED_METAL), (4.05, 1.2), 90.0),
    )
    return Plan("ward_03", "care-home bedroom", "A resident's own room: care bed, armchair, wardrobe, wooden floor.",
                floor, h, P.PLANKS_OAK, (P.WALL, P.WALL, P.WALL_SAND, P.WALL), (Opening(2, w - 2.75, 1.5, 0.8, 2.15),),
                items, (), _views(w, d, h, (4.34, 0.16), (2.6, 0.14), (1.6, 3.0)), SOURCES)


def ward_04() -> Plan:
    """Wheelchair-accessible bathroom."""
    w, d, h = 3.0, 3.2, 2.6
    floor = rectangle(w, d)
    items = (
        against(floor, 2, w - 0.85, sanitary.toilet(), "toilet_1", 0.0),
        against(floor, 1, 2.3, sanitary.sink(), "sink_1", 0.0),
        against(floor, 3, d - 0.55, seating.shower_chair(), "chair_1", 0.12),
        against(floor, 0, 2.1, openings.door(1.0, P.LAMINATE), "door_1", 0.0),
    )
    return Plan("ward_04", "accessible bathroom", "Bathroom with raised toilet, grab bars, basin and level shower.",
                floor, h, P.TILE_FLOOR, (P.TILE_WALL,), (Opening(2, w - 2.2, 0.7, 1.25, 2.05),), items, (),
                _views(w, d, h, (2.86, 0.14), (1.35, 0.12), (1.15, 1.9), 100.0, 92.0), SOURCES)


def ward_05() -> Plan:
    """Lounge and dining room."""
    w, d, h = 7.0, 5.6, 2.7
    floor = rectangle(w, d)
    cover = (P.LEATHER_TEAL, P.FABRIC_RED)
    items = (
        against(floor, 3, d - 3.6, seating.sofa(P.FABRIC_GREEN), "sofa_1", 0.05),
        Item("armchair_1", seating.armchair(cover[1]), (1.15, 4.95), 165.0),
        Item("armchair_2", seating.armchair(cover[0]), (0.75, 1.85), -60.0),
        Item("table_1", storage.round_table(0.35, 0.45, P.WOOD_OAK), (1.6, 3.5), 0.0),
        Item("table_2", storage.table(1.1, 1.1, 0.74, P.WOOD_BEECH), (5.5, 3.6), 0.0),
        Item("chair_1", seating.chair(P.FABRIC_BLUE), (5.5, 2.72), 0.0),
        Item("chair_2", seating.chair(P.FABRIC_BLUE), (5.5, 4.48), 180.0),
        Item("chair_3", seating.chair(P.FABRIC_BLUE), (4.55, 3.65), -80.0),
        Item("chair_4", seating.chair(P.FABRIC_BLUE), (6.4, 3.6), 90.0),
        against(floor, 1, 1.2, storage.wardrobe(1.2, P.WOOD_BEECH), "wardrobe_1"),
        against(floor, 0, 3.5, openings.door(1.1, P.WOOD_BEECH, glazed=True), "door_1", 0.0),
        Item("walker_1", mobility.rollator(P.BLUE_METAL), (2.05, 0.62), 0.0),
        Item("wheelchair_1", mobility.wheelchair(P.RED_METAL), (5.2, 0.75), 10.0),
    )
    return Plan("ward_05", "lounge", "Day room with sofa, armchairs, television and a dining table.",
                floor, h, P.PLANKS_BEECH, (P.WALL, P.WALL, P.WALL_SAND, P.WALL_TERRA),
                (Opening(2, w - 2.6, 1.8, 0.6, 2.2), Opening(2, w - 5.2, 1.8, 0.6, 2.2)), items, (),
                _views(w, d, h, (6.82, 0.18), (0.2, 0.2), (3.2, 3.4), 98.0, 92.0), SOURCES)


def ward_06() -> Plan:
    """Corridor."""
    w, d, h = 2.6, 9.0, 2.6
    floor = rectangle(w, d)
    items = (
        against(floor, 1, 1.5, openings.door(1.1, P.WOOD_BEECH), "door_1", 0.0),
        against(floor, 1, 5.6, openings.door(1.1, P.WOOD_BEECH), "door_2", 0.0),
        against(floor, 3, d - 2.6, openings.door(1.1, P.WOOD_BEECH), "door_3", 0.0),
        against(floor, 3, d - 6.9, openings.door(1.1, P.WOOD_BEECH), "door_4", 0.0),
        against(floor, 2, w / 2, openings.door(1.2, P.LAMINATE_BLUE, glazed=True), "door_5", 0.0),
        against(floor, 3, d - 4.4, seating.chair(P.FABRIC_GREEN), "chair_1", 0.10),
        against(floor, 3, d - 5.05, seating.chair(P.FABRIC_GREEN), "chair_2", 0.10),
        Item("wheelchair_1", mobility.wheelchair(P.BLUE_METAL), (2.08, 7.75), 180.0),
        Item("walker_1", mobility.rollator(P.RED_METAL), (2.1, 3.6), 180.0),
    )
    views = (
        View("corner", "pinhole", (2.44, 0.16, 2.4), (1.05, 4.3, 0.7), 92.0),
        View("door", "brown_conrady", (0.16, 8.84, 2.4), (1.5, 4.6, 0.7), 86.0, BARREL),
        View("ceiling", "fisheye", (w / 2, 4.5, h - 0.06), (w / 2, 4.5, 0.0), 186.0, (0.0, 0.0, 0.0, 0.0)),
    )
    return Plan("ward_06", "corridor", "Corridor with handrails, room doors, a bench row and parked walking aids.",
                floor, h, P.VINYL_SAND, (P.WALL, P.WALL, P.WALL_BLUE, P.WALL), (), items, (), views, SOURCES)


PLANS: dict[str, Callable[[], Plan]] = {
    "ward_01": ward_01, "ward_02": ward_02, "ward_03": ward_03, "ward_04": ward_04, "ward_05": ward_05,
    "ward_06": ward_06,
}
