"""Runs inside the Blender of the window test: answers questions, and notes how evenly the window's clock ticks.

The test leaves questions as files; timers look for them, as nothing else runs while a user only looks at the window.
"""

import json
import os
import time
import traceback

import bpy

ASK = "/desk/ask"
TICK_S = 0.01
ticks = []  # (moment, seconds since the tick before, those spent waiting for a processor, whether objects came or went)
objects, waited = 0, 0.0
last_tick = time.monotonic()


def tick():
    """One beat of the window's event loop. Drawing, operators and other timers all delay it."""
    global last_tick, objects, waited
    now, there, queued = time.monotonic(), len(bpy.data.objects), waiting()
    ticks.append((now, now - last_tick, queued - waited, there != objects))
    last_tick, objects, waited = now, there, queued
    return TICK_S


def waiting():
    """Seconds that this thread was ready to run while others had the processors: not Blender's fault."""
    try:
        with open("/proc/self/schedstat", encoding="ascii") as file:
            return int(file.read().split()[1]) * 1e-9
    except OSError:
        return 0.0


def view():
    """Window, area and regions of the first 3D view."""
    windows = bpy.context.window_manager.windows
    window, area = next((w, area) for w in windows for area in w.screen.areas if area.type == "VIEW_3D")
    regions = {region.type: region for region in area.regions}
    return window, area, regions


def on_screen(region, window):
    """Left, top, right, bottom of a region in pixels of the screen, y down."""
    top = window.height - region.y - region.height
    return [region.x, top, region.x + region.width, top + region.height]


def ready():
    return list(bpy.app.version)


def panel(tab):
    """Open a tab of the N-panel; where it and the view are. None until it was drawn once."""
    window, area, regions = view()
    area.spaces.active.show_region_ui = True
    try:
        regions["UI"].active_panel_category = tab
    except (AttributeError, TypeError):  # read-only before the tabs were drawn
        return None
    area.tag_redraw()
    return {"panel": on_screen(regions["UI"], window), "view": on_screen(regions["WINDOW"], window)}


def redraw():
    """Draw the sidebar again, as a job does whose progress moves."""
    view()[2]["UI"].tag_redraw()


def clipboard():
    """What was copied since this was last asked."""
    manager = bpy.context.window_manager
    text, manager.clipboard = manager.clipboard, ""
    return text


def now():
    return time.monotonic()


def gaps(since, until):
    """Gaps between the ticks of a period: the longest, the longest without the waiting for a processor, the worst ten.

    A gap in which objects came into the scene is the import's own; it is given apart, and nothing after it counts.
    """
    chosen = [entry for entry in ticks if since < entry[0] - entry[1] and entry[0] < until]
    imports = [number for number, entry in enumerate(chosen) if entry[3]]
    before = chosen[: imports[0]] if imports else chosen
    worst = sorted(((moment - since, gap, wait) for moment, gap, wait, _ in before), key=lambda item: -item[1])[:10]
    return {
        "longest_s": max((gap for _, gap, _, _ in before), default=None),
        "longest_own_s": max((gap - wait for _, gap, wait, _ in before), default=None),
        "ticks": len(before),
        "worst": worst,
        "import_s": chosen[imports[0]][1] if imports else None,
    }


def evaluate(expression):
    """The value of an expression of bpy, as JSON."""
    return eval(expression, {"bpy": bpy})


def execute(code):
    """Run lines as a script would, over the 3D view; what they leave in `value` is the answer."""
    window, area, regions = view()
    names = {"bpy": bpy, "value": None}
    with bpy.context.temp_override(window=window, area=area, region=regions["WINDOW"]):
        exec(code, names)
    return names["value"]


def extent(thing, depsgraph):
    """World box of an evaluated mesh object."""
    import numpy

    mesh = thing.evaluated_get(depsgraph).to_mesh()
    points = numpy.empty((len(mesh.vertices), 3), dtype=numpy.float32)
    mesh.vertices.foreach_get("co", points.ravel())
    matrix = numpy.array(thing.matrix_world)
    thing.evaluated_get(depsgraph).to_mesh_clear()
    if not len(points):
        return None
    points = points @ matrix[:3, :3].T + matrix[:3, 3]
    return [points.min(0).tolist(), points.max(0).tolist()]


def findings(frames):
    """What stands in the scene, and where it is at some of its frames."""
    window, _, _ = view()
    scene, before = window.scene, window.scene.frame_current
    found = {
        "fps": scene.render.fps / scene.render.fps_base,
        "frames": [scene.frame_start, scene.frame_end],
        "units": [scene.unit_settings.system, scene.unit_settings.scale_length],
        "markers": [[marker.name, marker.frame] for marker in scene.timeline_markers],
        "cameras": {
            item.name: [list(row) for row in item.matrix_world] for item in scene.objects if item.type == "CAMERA"
        },
        "people": {},
        "things": {},
    }
    for item in scene.objects:
        follows = next((m.object for m in item.modifiers if m.type == "ARMATURE" and m.object), None)
        if follows is not None:
            heights = [vertex.co.z for vertex in item.data.vertices]
            bones = [bone.name for bone in follows.data.bones]
            found["people"][follows.name] = {
                "mesh": item.name, "bones": bones, "rest_height": max(heights) - min(heights), "heads": [], "boxes": [],
                "materials": [slot.material and slot.material.name for slot in item.material_slots],
            }  # fmt: skip
    with bpy.context.temp_override(window=window):
        for frame in frames:
            scene.frame_set(frame)
            depsgraph = bpy.context.evaluated_depsgraph_get()
            for name, entry in found["people"].items():
                armature = scene.objects[name]
                entry["boxes"].append(extent(scene.objects[entry["mesh"]], depsgraph))
                entry["heads"].append([list(armature.matrix_world @ bone.head) for bone in armature.pose.bones])
        skins = {entry["mesh"] for entry in found["people"].values()}
        for item in scene.objects:
            if item.type == "MESH" and item.name not in skins:
                materials = [slot.material and slot.material.name for slot in item.material_slots]
                found["things"][item.name] = {"box": extent(item, depsgraph), "materials": materials}
        scene.frame_set(before)
    return found


ANSWERS = {f.__name__: f for f in (ready, panel, redraw, clipboard, now, gaps, evaluate, execute, findings)}


def answer():
    """Answer the questions that lie there."""
    for name in sorted(os.listdir(ASK)):
        if not name.endswith(".json"):
            continue
        path = os.path.join(ASK, name)
        with open(path, encoding="utf-8") as handle:
            question = json.load(handle)
        os.remove(path)
        try:
            found = {"value": ANSWERS[question["what"]](**question["arguments"])}
        except Exception as error:
            traceback.print_exc()
            found = {"error": f"{type(error).__name__}: {error}"}
        part = path[:-5] + ".part"
        with open(part, "w", encoding="utf-8") as handle:
            json.dump(found, handle)
        os.rename(part, path[:-5] + ".answer")
    return 0.05


bpy.context.preferences.view.show_splash = False
bpy.app.timers.register(tick, first_interval=TICK_S, persistent=True)
bpy.app.timers.register(answer, first_interval=0.5, persistent=True)
