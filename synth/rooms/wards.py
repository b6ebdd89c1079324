"""The six built-in rooms as data. Walls of rectangular rooms: 0 south (y = 0), 1 east, 2 north, 3 west."""

from __future__ import annotations

from collections.abc import Callable

from synth.gltf import Material
from synth.rooms import beds, mobility, openings, sanitary, seating, storage
from synth.rooms import decor as D
from synth.rooms import palette as P
from synth.rooms.piece import Part, placed
from synth.rooms.plan import Decor, Item, Opening, Plan, View, against, mounted, rectangle

# Mild barrel distortion as calibrated on 2.8 mm security cameras (k1, k2, p1, p2, k3); one-to-one over the whole image.
BARREL = (-0.16, 0.02, 0.0006, -0.0004, 0.0)

SOURCES = (
    "hospital bed 0.9 x 2.0 m mattress, top 0.45-0.55 m when lowered (EN 60601-2-52)",
    "bed space 1.5 m clear beside the bed for two carers (HBN 00-03, DIN 18040-2 turning circle)",
    "doors 0.9-1.1 m clear, 2.1 m high; grab bars 0.7-0.8 m; toilet seat 0.46-0.48 m (DIN 18040-2, UK Document M)",
    "ceilings 2.6-2.7 m; handrails 0.9 m; corridors 2.4 m for two beds to pass (HBN 00-04)",
)


Floor = tuple[tuple[float, float], ...]


def _on(floor: Floor, name: str, wall: int, along: float, parts: list[Part]) -> Decor:
    """Decoration on a wall, ``along`` metres from its first corner."""
    return Decor(name, mounted(floor, wall, along, parts))


def _at(name: str, at: tuple[float, ...], parts: list[Part], yaw: float = 0.0) -> Decor:
    return Decor(name, tuple(placed(parts, at, yaw)))


def _window(
    floor: Floor, o: Opening, name: str, cloth: Material, long: bool = True, heating: bool = True
) -> tuple[Decor, ...]:
    """A window with its curtains and radiator."""
    found = [
        _on(floor, f"window_{name}", o.wall, o.along, openings.window(o.width, o.sill, o.head)),
        _on(floor, f"curtain_{name}", o.wall, o.along, openings.curtains(o.width, o.sill, o.head, cloth, long=long)),
    ]
    if heating:
        found.append(_on(floor, f"radiator_{name}", o.wall, o.along, openings.radiator(o.width * 0.75, o.sill - 0.3)))
    return tuple(found)


def _panels(height: float, at: tuple[tuple[float, float], ...], yaw: float = 0.0) -> tuple[Decor, ...]:
    """Ceiling lights and a smoke detector beside the first."""
    lights = tuple(_at(f"panel_{i}", xy, D.ceiling_panel(height), yaw) for i, xy in enumerate(at))
    return (*lights, _at("smoke_detector", (at[0][0] + 0.9, at[0][1] + 0.3), D.smoke_detector(height)))


def _views(
    width: float,
    depth: float,
    height: float,
    corner: tuple[float, float],
    door: tuple[float, float],
    look: tuple[float, float],
    corner_fov: float = 96.0,
    door_fov: float = 86.0,
    above: tuple[float, float] | None = None,
) -> tuple[View, ...]:
    """The three usual mountings: high corner wide-angle, door-side with lens distortion, ceiling fisheye."""
    x, y = above or (width / 2, depth / 2)
    return (
        View("corner", "pinhole", (*corner, min(2.5, height - 0.15)), (*look, 0.55), corner_fov),
        View("door", "brown_conrady", (*door, 2.35), (*look, 0.7), door_fov, BARREL),
        View(
            "ceiling",
            "fisheye",
            (x, y, height - 0.06),
            (x, y, 0.0),
            186.0,
            (0.0, 0.0, 0.0, 0.0),
        ),
    )


def ward_01() -> Plan:
    """Single-bed hospital ward."""
    w, d, h = 4.6, 4.2, 2.7
    floor = rectangle(w, d)
    bed = beds.hospital_bed(28.0, ("right-head", "right-foot"), "blue")
    hole = Opening(3, d - 2.2, 1.7, 0.75, 2.15)
    items = (
        against(floor, 2, w - 1.75, bed, "bed_1", 0.03),
        against(floor, 2, w - 2.62, storage.nightstand(), "nightstand_1"),
        against(floor, 1, 3.35, seating.armchair(P.LEATHER_TEAL), "armchair_1", 0.03),
        against(floor, 0, 0.62, storage.wardrobe(0.9), "wardrobe_1"),
        against(floor, 1, 1.75, sanitary.sink(), "sink_1", 0.0),
        against(floor, 0, 3.35, openings.door(1.1), "door_1", 0.0),
        Item("table_1", storage.overbed_table(), (0.62, 2.55), 90.0),
    )
    decor = (
        *_window(floor, hole, "1", P.CURTAIN_BLUE),
        *_panels(h, ((2.6, 1.5), (2.6, 3.0)), 90.0),
        _on(floor, "bed_light", 2, w - 1.75, D.bed_light()),
        _on(floor, "call_cord", 2, w - 2.75, D.call_cord(1.3)),
        _at("iv_pole", (0.95, 3.86), mobility.iv_pole(), 180),
        _on(floor, "mirror", 1, 1.75, sanitary.mirror()),
        _on(floor, "dispensers", 1, 1.75, sanitary.dispensers()),
        _at("jug", (2.58, 3.95, 0.72), D.water_jug(0)),
        _at("ceiling_lift", (2.05, 2.62, 0), D.ceiling_lift(3.9, h)),
        _on(floor, "clock", 0, 2.05, D.clock(2.0)),
        _on(floor, "picture", 2, w - 3.75, D.picture(0.7, 0.5, 1.65, P.ART_SEA)),
        _on(floor, "tv", 0, 1.75, D.television(0.8, 1.75)),
        _on(floor, "switch", 0, 2.55, D.switch()),
        _on(floor, "socket", 1, 2.75, D.socket()),
        _at("bin", (4.38, 1.22), D.bin()),
    )
    return Plan(
        "ward_01",
        "single-bed hospital ward",
        "Hospital room with one adjustable bed, raised at the head.",
        floor,
        h,
        P.VINYL_GREY,
        (P.WALL, P.WALL, P.WALL_BLUE, P.WALL),
        (hole,),
        items,
        decor,
        _views(w, d, h, (4.42, 0.18), (2.55, 0.15), (1.9, 2.7)),
        SOURCES,
    )


def ward_02() -> Plan:
    """Two-bed hospital ward."""
    w, d, h = 6.6, 4.6, 2.7
    floor = rectangle(w, d)
    hole = Opening(1, 3.3, 1.7, 0.75, 2.15)
    items = (
        against(floor, 2, w - 1.55, beds.hospital_bed(0.0, ("right-head", "right-foot"), "teal"), "bed_1", 0.03),
        against(floor, 2, w - 2.38, storage.nightstand(), "nightstand_1"),
        against(floor, 2, w - 4.75, beds.hospital_bed(22.0, ("left-head", "left-foot"), "blue"), "bed_2", 0.03),
        against(floor, 2, w - 3.92, storage.nightstand(), "nightstand_2"),
        against(floor, 1, 1.75, seating.armchair(P.LEATHER_BROWN), "armchair_1", 0.03),
        against(floor, 2, w - 0.45, seating.chair(P.FABRIC_BLUE), "chair_1", 0.03),
        against(floor, 0, 1.9, storage.wardrobe(1.2), "wardrobe_1"),
        against(floor, 3, d - 1.75, sanitary.sink(), "sink_1", 0.0),
        against(floor, 0, 3.6, openings.door(1.1), "door_1", 0.0),
        Item("lift_1", mobility.mobile_lift(), (0.62, 0.75), 0.0),
        Item("wheelchair_1", mobility.wheelchair(P.BLUE_METAL), (5.35, 0.72), 20.0),
    )
    decor = (
        *_window(floor, hole, "1", P.CURTAIN_GREEN),
        *_panels(h, ((1.7, 2.2), (4.9, 2.2)), 90.0),
        _on(floor, "bed_light_1", 2, w - 1.55, D.bed_light()),
        _on(floor, "bed_light_2", 2, w - 4.75, D.bed_light()),
        _at("privacy_curtain", (3.25, d - 0.02), D.privacy_curtain(2.3, h, P.CURTAIN_BLUE)),
        _at("iv_pole", (5.62, 4.28), mobility.iv_pole(), 180),
        _on(floor, "mirror", 3, d - 1.75, sanitary.mirror()),
        _on(floor, "dispensers", 3, d - 1.75, sanitary.dispensers()),
        _at("jug_1", (2.36, 4.35, 0.72), D.water_jug(0)),
        _at("vase", (3.90, 4.38, 0.72), D.vase(0)),
        _on(floor, "clock", 0, 2.75, D.clock(2.0)),
        _on(floor, "switch", 0, 2.78, D.switch()),
        _on(floor, "call_cord_1", 2, w - 2.5, D.call_cord(1.3)),
        _on(floor, "call_cord_2", 2, w - 3.8, D.call_cord(1.3)),
        _on(floor, "picture", 3, d - 3.4, D.picture(0.7, 0.5, 1.6, P.ART_FIELD)),
        _at("bin", (0.25, 2.3), D.bin()),
    )
    return Plan(
        "ward_02",
        "two-bed hospital ward",
        "Hospital room with two beds, a curtain between and a mobile lift.",
        floor,
        h,
        P.VINYL_BLUE,
        (P.WALL, P.WALL, P.WALL_GREEN, P.WALL),
        (hole,),
        items,
        decor,
        _views(w, d, h, (6.42, 0.18), (2.8, 0.16), (3.3, 3.0), 98.0, 90.0, (3.8, 1.95)),
        SOURCES,
    )


def ward_03() -> Plan:
    """Care-home bedroom."""
    w, d, h = 4.5, 4.8, 2.6
    floor = rectangle(w, d)
    hole = Opening(2, w - 2.75, 1.5, 0.8, 2.15)
    items = (
        against(floor, 2, w - 0.60, beds.hospital_bed(0.0, ("right-head",), "rose", homely=True), "bed_1", 0.03),
        against(floor, 2, w - 1.42, storage.nightstand(P.WOOD_OAK, wheels=False), "nightstand_1"),
        Item("armchair_1", seating.armchair(P.FABRIC_GREEN, P.WOOD_OAK), (3.72, 3.98), 125.0),
        against(floor, 0, 0.72, storage.wardrobe(1.1, P.WOOD_OAK), "wardrobe_1"),
        against(floor, 0, 3.35, openings.door(1.0, P.WOOD_OAK), "door_1", 0.0),
        against(floor, 1, 2.15, storage.table(1.1, 0.55, 0.74, P.WOOD_OAK), "table_1"),
        Item("chair_1", seating.chair(P.FABRIC_OCHRE, P.WOOD_OAK), (3.68, 2.2), -80.0),
        Item("wheelchair_1", mobility.wheelchair(P.BLUE_METAL), (2.0, 0.68), 10.0),
        Item("walker_1", mobility.rollator(P.RED_METAL), (0.48, 1.85), -90.0),
    )
    decor = (
        *_window(floor, hole, "1", P.CURTAIN_TERRA),
        *_panels(h, ((2.3, 2.4),)),
        _at("bedside_lamp", (1.36, 4.60, 0.72), D.table_lamp()),
        _at("floor_lamp", (4.24, 4.52), D.floor_lamp()),
        _at("jug", (1.60, 4.50, 0.72), D.water_jug(0)),
        _on(floor, "call_cord", 2, w - 1.25, D.call_cord(1.3)),
        _on(floor, "picture_1", 3, d - 3.5, D.picture(0.75, 0.55, 1.6, P.ART_FIELD, P.WOOD_OAK)),
        _on(floor, "picture_2", 3, d - 2.45, D.picture(0.42, 0.55, 1.6, P.ART_SUNSET, P.WOOD_OAK)),
        _on(floor, "picture_3", 1, 3.55, D.picture(0.6, 0.45, 1.65, P.ART_SEA, P.WOOD_OAK)),
        _on(floor, "tv", 1, 2.15, D.television(0.9, 1.5)),
        _at("books", (4.22, 1.85, 0.74), D.books(0)),
        _at("vase", (4.25, 2.5, 0.74), D.vase(0)),
        _on(floor, "shelf", 3, d - 1.35, D.shelf(0.9, 1.55)),
        _on(floor, "switch", 0, 2.65, D.switch()),
        _on(floor, "socket", 2, w - 1.85, D.socket()),
        _on(floor, "clock", 0, 1.75, D.clock(1.95)),
        _at("plant", (4.22, 1.22), D.plant(0.95)),
    )
    return Plan(
        "ward_03",
        "care-home bedroom",
        "A resident's own room: care bed, armchair, wardrobe, wooden floor.",
        floor,
        h,
        P.PLANKS_OAK,
        (P.WALL, P.WALL, P.WALL_SAND, P.WALL),
        (hole,),
        items,
        decor,
        _views(w, d, h, (4.34, 0.16), (2.6, 0.14), (1.6, 3.0)),
        SOURCES,
    )


def ward_04() -> Plan:
    """Wheelchair-accessible bathroom."""
    w, d, h = 3.0, 3.2, 2.6
    floor = rectangle(w, d)
    hole = Opening(2, w - 2.2, 0.8, 1.25, 2.05)
    items = (
        against(floor, 2, w - 0.85, sanitary.toilet(), "toilet_1", 0.0),
        against(floor, 1, 2.2, sanitary.sink(), "sink_1", 0.0),
        against(floor, 3, d - 0.62, seating.shower_chair(), "chair_1", 0.14),
        against(floor, 0, 2.1, openings.door(1.0, P.LAMINATE), "door_1", 0.0),
    )
    bars = sanitary.grab_bar(0.7, 0.78) + placed(sanitary.grab_bar(0.75, 1.15, True), (0.33, 0), 0)
    decor = (
        _on(floor, "window_1", 2, w - 2.2, openings.window(0.8, 1.25, 2.05)),
        *_panels(h, ((1.5, 1.6),)),
        _on(floor, "grab_bar_toilet", 2, w - 0.85, sanitary.fold_bar(-0.36) + sanitary.fold_bar(0.36)),
        _on(floor, "paper", 3, 0.55, sanitary.paper_roll()),
        _on(floor, "grab_bar_wall", 3, 0.5, sanitary.grab_bar(0.6, 0.95)),
        _on(floor, "grab_bar_shower", 3, d - 0.62, bars),
        _on(floor, "shower", 0, 0.62, sanitary.shower()),
        _on(floor, "grab_bar_shower_2", 0, 0.62, sanitary.grab_bar(0.6, 0.78)),
        _at("shower_curtain", (0.0, 1.22), sanitary.shower_curtain(1.25, 2.1)),
        _at("drain", (0.95, 0.35), sanitary.drain()),
        _on(floor, "mirror", 1, 2.2, sanitary.mirror(0.6, 0.85, 0.98)),
        _on(floor, "dispensers", 1, 2.2, sanitary.dispensers()),
        _on(floor, "grab_bar_sink", 1, 1.62, sanitary.grab_bar(0.5, 0.95, True)),
        _on(floor, "call_cord", 2, w - 1.45, D.call_cord(1.5)),
        _on(floor, "radiator", 2, w - 2.2, openings.radiator(0.7, 0.75)),
        _at("bin", (2.78, 2.85), D.bin()),
        _on(floor, "switch", 0, 1.4, D.switch()),
    )
    return Plan(
        "ward_04",
        "accessible bathroom",
        "Bathroom with raised toilet, grab bars, basin and level shower.",
        floor,
        h,
        P.TILE_FLOOR,
        (P.TILE_WALL,),
        (hole,),
        items,
        decor,
        _views(w, d, h, (2.86, 0.14), (1.72, 0.12), (1.25, 1.9), 100.0, 92.0),
        SOURCES,
    )


def ward_05() -> Plan:
    """Lounge and dining room."""
    w, d, h = 7.0, 5.6, 2.7
    floor = rectangle(w, d)
    holes = (Opening(2, w - 2.3, 1.8, 0.6, 2.2), Opening(2, w - 5.2, 1.8, 0.6, 2.2))
    items = (
        against(floor, 3, d - 3.4, seating.sofa(P.FABRIC_GREEN), "sofa_1", 0.05),
        Item("armchair_1", seating.armchair(P.FABRIC_RED, P.WOOD_BEECH), (1.35, 4.80), 165.0),
        Item("armchair_2", seating.armchair(P.LEATHER_TEAL), (0.85, 1.75), -50.0),
        Item("table_1", storage.round_table(0.35, 0.45, P.WOOD_OAK), (1.65, 3.4), 0.0),
        Item("table_2", storage.table(1.1, 1.1, 0.74, P.WOOD_BEECH), (5.5, 3.6), 0.0),
        Item("chair_1", seating.chair(P.FABRIC_BLUE), (5.5, 2.72), 0.0),
        Item("chair_2", seating.chair(P.FABRIC_BLUE), (5.5, 4.48), 180.0),
        Item("chair_3", seating.chair(P.FABRIC_BLUE), (4.55, 3.65), -80.0),
        Item("chair_4", seating.chair(P.FABRIC_BLUE), (6.4, 3.6), 90.0),
        against(floor, 3, d - 0.62, storage.wardrobe(0.9, P.WOOD_BEECH), "wardrobe_1"),
        against(floor, 0, 3.4, openings.door(1.1, P.WOOD_BEECH, glazed=True), "door_1", 0.0),
        Item("walker_1", mobility.rollator(P.BLUE_METAL), (2.05, 0.62), 0.0),
        Item("wheelchair_1", mobility.wheelchair(P.RED_METAL), (5.1, 0.75), 10.0),
    )
    decor = (
        *_window(floor, holes[0], "1", P.CURTAIN_SAND, long=False),
        *_window(floor, holes[1], "2", P.CURTAIN_SAND, long=False),
        *_panels(h, ((1.8, 2.8), (5.3, 2.8)), 90.0),
        _on(floor, "tv", 0, 1.45, D.television(1.1, 1.6)),
        _at("vase", (1.65, 3.4, 0.45), D.vase(0)),
        _at("jug", (5.6, 3.75, 0.74), D.water_jug(0)),
        _at("books", (5.3, 3.3, 0.74), D.books(0, 3)),
        _at("plant_1", (0.42, 5.2), D.plant(1.25)),
        _at("plant_2", (6.65, 5.2), D.plant(1.1)),
        _at("floor_lamp", (0.35, 4.55), D.floor_lamp()),
        _on(floor, "picture_1", 3, d - 2.95, D.picture(0.8, 0.55, 1.6, P.ART_SEA)),
        _on(floor, "picture_2", 3, d - 3.95, D.picture(0.5, 0.55, 1.6, P.ART_SUNSET)),
        _on(floor, "board", 1, 3.9, D.board()),
        _on(floor, "clock", 0, 4.6, D.clock(2.0)),
        _on(floor, "switch", 0, 2.6, D.switch()),
        _at("cushion", (0.55, 4.00, 0.60), D.throw_pillow(P.FABRIC_OCHRE, (0, 0, 0), 200)),
    )
    return Plan(
        "ward_05",
        "lounge",
        "Day room with sofa, armchairs, television and a dining table.",
        floor,
        h,
        P.PLANKS_BEECH,
        (P.WALL, P.WALL, P.WALL_SAND, P.WALL_TERRA),
        holes,
        items,
        decor,
        _views(w, d, h, (6.82, 0.18), (2.62, 0.16), (3.2, 3.4), 98.0, 92.0),
        SOURCES,
    )


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
        against(floor, 3, d - 4.3, seating.chair(P.FABRIC_GREEN), "chair_1", 0.11),
        against(floor, 3, d - 4.95, seating.chair(P.FABRIC_GREEN), "chair_2", 0.11),
        Item("wheelchair_1", mobility.wheelchair(P.BLUE_METAL), (2.08, 7.75), 180.0),
        Item("walker_1", mobility.rollator(P.RED_METAL), (2.1, 3.6), 180.0),
    )
    runs = ((1, 2.2, 4.9), (1, 6.3, 8.9), (3, d - 6.2, d - 3.3), (3, d - 8.9, d - 7.6), (3, d - 1.9, d - 0.1))
    rails = tuple(_on(floor, f"handrail_{i}", wall, a, D.handrail(b - a)) for i, (wall, a, b) in enumerate(runs))
    decor = (
        *rails,
        *_panels(h, tuple((w / 2, y) for y in (1.3, 3.4, 5.5, 7.6)), 90.0),
        _at("exit_sign", (w / 2, d - 0.05), D.exit_sign(2.38), 180),
        _on(floor, "extinguisher", 1, 0.55, D.extinguisher()),
        _on(floor, "picture_1", 1, 3.5, D.picture(0.8, 0.55, 1.6, P.ART_FIELD)),
        _on(floor, "picture_2", 3, d - 4.6, D.picture(0.9, 0.6, 1.65, P.ART_SEA)),
        _on(floor, "picture_3", 1, 7.4, D.picture(0.6, 0.5, 1.6, P.ART_SUNSET)),
        _on(floor, "board", 3, d - 1.0, D.board(0.9, 0.7)),
        _at("plant", (0.32, 8.05), D.plant(1.2)),
        _on(floor, "clock", 0, w / 2, D.clock(2.1)),
    )
    views = (
        View("corner", "pinhole", (1.95, 0.14, 2.4), (1.2, 4.3, 0.55), 92.0),
        View("door", "brown_conrady", (0.75, 8.86, 2.4), (1.25, 4.6, 0.55), 86.0, BARREL),
        View("ceiling", "fisheye", (w / 2, 4.5, h - 0.06), (w / 2, 4.5, 0.0), 186.0, (0.0, 0.0, 0.0, 0.0)),
    )
    return Plan(
        "ward_06",
        "corridor",
        "Corridor with handrails, room doors, a bench row and parked walking aids.",
        floor,
        h,
        P.VINYL_SAND,
        (P.WALL, P.WALL, P.WALL_BLUE, P.WALL),
        (),
        items,
        decor,
        views,
        SOURCES,
    )


PLANS: dict[str, Callable[[], Plan]] = {
    "ward_01": ward_01,
    "ward_02": ward_02,
    "ward_03": ward_03,
    "ward_04": ward_04,
    "ward_05": ward_05,
    "ward_06": ward_06,
}
