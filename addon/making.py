"""Operators that start the back end: check, generate, stage a room, render clips, cancel."""

import itertools
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from . import cameras, check, gallery, jobs, rooms, tags
from .backend import Event
from .errors import CareSynthError
from .export import export_motion
from .preferences import output_folder, preferences

EDITED = "edited_interaction.npz"
_MOVED = 1e-3  # metres
_WORDS = ("all", "random")  # what the back end takes for a choice of cameras, not for a name


def scene_argument(settings: Any) -> str:
    """The room as the back end's ``--scene`` wants it.

    Raises:
        CareSynthError: no room is chosen, or it has no cameras to film it with.
    """
    if settings.room_source == "BUILTIN":
        return str(settings.room)
    if not settings.room_folder.strip():
        raise CareSynthError("Choose the room's folder first")
    folder = Path(bpy.path.abspath(settings.room_folder)).expanduser()
    rooms.read_folder(folder)
    return str(folder)


def looks_file(settings: Any, folder: Path) -> list[str]:
    """Write what is chosen about people's looks; the option for it, if there is any."""
    if not settings.use_looks or not settings.looks:
        return []
    people = []
    for look in settings.looks:
        entry: dict[str, Any] = {"role": look.role}
        if look.outfit != "AUTO":
            entry["outfit"] = look.outfit
        if look.use_age:
            entry["age"] = look.age
        if look.use_tone:
            entry["tone"] = round(look.tone, 4)
        people.append(entry)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "looks.json"
    path.write_text(json.dumps({"version": 1, "people": people}), encoding="utf-8")
    return ["--looks", str(path)]


def said(method: Callable) -> Callable:
    """An operator's method of the context whose `CareSynthError` becomes one sentence for the user."""

    def guarded(self: bpy.types.Operator, context: bpy.types.Context) -> set:
        try:
            return method(self, context)
        except CareSynthError as error:
            self.report({"ERROR"}, str(error))
        except OSError as error:
            self.report({"ERROR"}, f"{error.filename}: {error.strerror}" if error.filename else str(error))
        return {"CANCELLED"}

    return guarded


def _after(self: bpy.types.Operator, job: jobs.Job) -> set:
    """Without a window a job is over when it has been started: hand on how it went."""
    if job.state == jobs.FAILED:
        self.report({"ERROR"}, job.error)
        return {"CANCELLED"}
    return {"FINISHED"}


def staged(cls: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
    """Whether an interaction is in the scene; if not, the operator says what it needs."""
    found = tags.active_stage(context) is not None
    if not found:
        cls.poll_message_set("Import an interaction first")
    return found


class _Idle:
    """Needs that nothing runs."""

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        if jobs.busy():
            cls.poll_message_set("CareSynth is at work")
            return False
        return True


class CARESYNTH_OT_check(_Idle, bpy.types.Operator):
    """Ask the back end for its version, its model, its device and what is missing"""

    bl_idname = "caresynth.check"
    bl_label = "Check"

    @said
    def execute(self, context: bpy.types.Context) -> set:
        python = preferences(context).python
        check.forget()
        job = jobs.Job("check", "Asking CareSynth", python, output_folder(context), check.steps(python, again=True))
        jobs.start(job)
        return _after(self, job)


class CARESYNTH_OT_generate(_Idle, bpy.types.Operator):
    """Make people do this in this room. Blender stays usable meanwhile"""

    bl_idname = "caresynth.generate"
    bl_label = "Generate Interaction"

    @said
    def execute(self, context: bpy.types.Context) -> set:
        settings, python, output = context.scene.caresynth, preferences(context).python, output_folder(context)
        prompt = settings.prompt.strip()
        if not prompt:
            raise CareSynthError("Say what happens: the prompt is empty")
        folder = gallery.new_folder(output, "interaction")
        arguments = [
            "generate", "--scene", scene_argument(settings), "--prompt", prompt, "--n", str(settings.number),
            "--seed", str(settings.seed), "--seconds", f"{settings.seconds:g}", "--fps", f"{settings.rate:g}",
            "--out", str(folder),
        ]  # fmt: skip
        if settings.near.strip():
            arguments += ["--near", settings.near.strip()]
        if settings.light != "AUTO":
            arguments += ["--light", settings.light]
        arguments += looks_file(settings, output)
        first: list[Path] = []

        def take(event: Event) -> None:
            if event["event"] == "result" and isinstance(event.get("folder"), str):
                gallery.remember(output, event, prompt)
                gallery.refresh(bpy.context, output)
                bpy.context.window_manager.caresynth.result = 0
                first.append(Path(event["folder"]))

        def end(job: jobs.Job) -> None:
            _sweep(folder)
            if job.state == jobs.DONE and first and settings_of(bpy.context).import_when_done:
                _import_now(first[0], job)

        steps = [*check.steps(python), jobs.Step(arguments, take)]
        job = jobs.Job("generate", prompt, python, output, steps, end)
        jobs.start(job)
        return _after(self, job)


def settings_of(context: bpy.types.Context) -> Any:
    """The scene's settings."""
    return context.scene.caresynth


def _sweep(folder: Path) -> None:
    """Drop a job's folder in which nothing was finished."""
    finished = (path for path in folder.glob("*/stage.json") if not path.parent.name.startswith("."))
    if folder.is_dir() and not any(finished):
        shutil.rmtree(folder, ignore_errors=True)


def _import_now(folder: Path, job: jobs.Job) -> None:
    """Import from the timer, as one step that can be undone; not into the middle of the user's work."""
    if job.opened != jobs.opened():
        job.warnings.append(f"Another file was opened meanwhile, nothing was imported: it is in {folder}")
        return
    if bpy.context.mode != "OBJECT":
        job.warnings.append("Ready; leave Edit Mode and import it from the results")
        return
    windows = bpy.context.window_manager.windows
    try:
        if bpy.app.background or not windows:
            bpy.ops.caresynth.import_result("EXEC_DEFAULT", folder=str(folder))
        else:
            with bpy.context.temp_override(window=windows[0]):
                bpy.ops.caresynth.import_result("EXEC_DEFAULT", True, folder=str(folder))
    except RuntimeError as error:  # how an operator called from Python reports an error
        job.warnings.append(str(error).removeprefix("Error: ").strip())


class CARESYNTH_OT_import_room(_Idle, bpy.types.Operator):
    """Bring the chosen room into the scene, with its furniture, lights and cameras, without people"""

    bl_idname = "caresynth.import_room"
    bl_label = "Import Room"

    @said
    def execute(self, context: bpy.types.Context) -> set:
        settings, python, output = context.scene.caresynth, preferences(context).python, output_folder(context)
        scene, own = scene_argument(settings), settings.room_source == "FOLDER"
        folder = gallery.new_folder(output, "room")

        def end(job: jobs.Job) -> None:
            if job.state == jobs.DONE:
                _import_now(folder, job)
            elif job.state == jobs.FAILED and own:  # its geometry at least needs no back end
                job.warnings.append(f"Plain materials only: {job.error}")
                job.state, job.error = jobs.DONE, ""
                _import_now(Path(scene), job)

        arguments = ["room", "--scene", scene, "--out", str(folder)]
        if settings.light != "AUTO":
            arguments += ["--light", settings.light]
        steps = [*check.steps(python), jobs.Step(arguments)]
        job = jobs.Job("room", "Building the room", python, output, steps, end)
        try:
            jobs.start(job)
        except CareSynthError as error:
            if not own:
                raise
            self.report({"WARNING"}, f"Plain materials only: {error}")
            return bpy.ops.caresynth.import_result("EXEC_DEFAULT", folder=scene)
        return _after(self, job)


class CARESYNTH_OT_render_clips(_Idle, bpy.types.Operator):
    """Film the motion as it stands in the scene, your changes included, with labels measured anew"""

    bl_idname = "caresynth.render_clips"
    bl_label = "Render Labelled Clips"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return super().poll(context) and staged(cls, context)

    @said
    def execute(self, context: bpy.types.Context) -> set:
        settings, python, output = context.scene.caresynth, preferences(context).python, output_folder(context)
        root = tags.active_stage(context)
        assert root is not None
        source = Path(str(root[tags.FOLDER]))
        if not (source / "interaction.npz").is_file():
            raise CareSynthError(f"{root.name} has no people to film, or its folder {source} is gone")
        if settings.clip_camera == "ACTIVE" and context.scene.camera is None:
            raise CareSynthError("The scene has no camera: choose one under Cameras")
        if settings.clip_width % 2 or settings.clip_height % 2:
            raise CareSynthError("Videos need an even width and height")
        edit = gallery.new_folder(output, "edit")
        camera, warnings = write_edit(context, root, edit)
        for warning in warnings:
            self.report({"WARNING"}, warning)
        clips = clips_folder(context)
        arguments = [
            "render", str(edit), "--out", str(clips), "--size", f"{settings.clip_width}x{settings.clip_height}",
            "--fps", f"{settings.clip_rate:g}", "--camera", camera, "--samples", str(settings.clip_samples),
            "--engine", settings.clip_engine,
        ]  # fmt: skip
        steps = [*check.steps(python), jobs.Step(arguments)]
        job = jobs.Job("render", "Rendering labelled clips", python, output, steps)
        jobs.start(job)
        return _after(self, job)


def write_edit(context: bpy.types.Context, root: bpy.types.Object, folder: Path) -> tuple[str, list[str]]:
    """What the back end films: the motion and the cameras as they stand in the scene, in a folder of their own.

    Returns:
        the camera that films, as the back end knows it, and sentences about what could not be kept.
    """
    source = Path(str(root[tags.FOLDER]))
    info = rooms.read_json(source / "stage.json")
    seen, camera = _cameras(context, root, info)
    folder.mkdir(parents=True)
    try:
        warnings = export_motion(context, root, folder / EDITED)
        (folder / "stage.json").write_text(json.dumps(info | {"cameras": seen}), encoding="utf-8")
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return camera, warnings + _moved_pieces(context, root, info)


def _cameras(
    context: bpy.types.Context, root: bpy.types.Object, info: dict[str, Any]
) -> tuple[list[dict[str, Any]], str]:
    """The room's cameras as they hang now, copies of them, the user's own if it films; and the name that films."""
    settings, home = context.scene.caresynth, np.array(root.matrix_world)
    size = settings.clip_width, settings.clip_height
    members = sorted(tags.members(context.scene, root, "camera"), key=lambda item: item.name)
    stored = {str(entry["name"]): dict(entry) for entry in info.get("cameras") or []}
    seen: list[dict[str, Any]] = []
    names: dict[bpy.types.Object, str] = {}
    copies: list[tuple[bpy.types.Object, dict[str, Any]]] = []
    for name, entry in stored.items():
        found = [
            (item, cameras.described(item, entry, home, size)) for item in members if item.get(cameras.NAME) == name
        ]
        found.sort(key=lambda pair: pair[1] != entry)  # of copies, the first untouched one is the room's
        seen.append(found[0][1] if found else entry)
        names |= {item: name for item, _ in found[:1]}
        copies += found[1:]
    active = context.scene.camera if settings.clip_camera == "ACTIVE" else None
    if active is not None and active not in (*names, *(item for item, _ in copies)):
        copies.append((active, cameras.described(active, None, home, size)))
    for item, entry in copies:
        names[item] = _free(item.name, {*_WORDS, *stored, *names.values()})
        seen.append(entry | {"name": names[item]})
    return seen, settings.clip_camera if active is None else names[active]


def _free(name: str, taken: set[str]) -> str:
    """The name, with a number behind it if it is taken."""
    numbered = (f"{name}_{number}" for number in itertools.count(2))
    return name if name not in taken else next(item for item in numbered if item not in taken)


def _moved_pieces(context: bpy.types.Context, root: bpy.types.Object, info: dict[str, Any]) -> list[str]:
    """Furniture that the user moved: the back end films the room as it was."""
    moving = {prop.get("furniture") for prop in info.get("props") or []}
    poses = {str(entry["mesh"]): np.array(entry["matrix_world"], float) for entry in info.get("objects") or []}
    home = np.linalg.inv(np.array(root.matrix_world))
    moved = sorted({
        str(item["furniture"] or item["part"])
        for item in tags.members(context.scene, root, "room")
        if item.get("part") in poses and item.get("furniture") not in moving
        and np.abs(home @ np.array(item.matrix_world) - poses[item["part"]]).max() > _MOVED
    })  # fmt: skip
    return [f"Clips show the room as it came: {', '.join(moved)} was moved in this scene only"] if moved else []


def clips_folder(context: bpy.types.Context, made: bool = False) -> Path:
    """Where labelled clips go: one for each rendering, in the folder chosen, else beside the results.

    Args:
        made: the latest that was made instead of a new one.
    """
    chosen, output = context.scene.caresynth.clips.strip(), output_folder(context)
    above = Path(bpy.path.abspath(chosen)).expanduser() if chosen else output
    if not made:
        return gallery.new_folder(above, "clips")
    latest = gallery.latest_folder(above, "clips")
    return above if not latest.exists() and (above / "index.html").is_file() else latest  # it may be a data set itself


class CARESYNTH_OT_cancel(bpy.types.Operator):
    """End what CareSynth is doing; nothing half-finished stays"""

    bl_idname = "caresynth.cancel"
    bl_label = "Cancel"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        return jobs.busy()

    def execute(self, _context: bpy.types.Context) -> set:
        job = jobs.current()
        if job is not None:
            job.cancel()
        return {"FINISHED"}


class CARESYNTH_OT_dismiss(bpy.types.Operator):
    """Take this message away"""

    bl_idname = "caresynth.dismiss"
    bl_label = "Dismiss"

    def execute(self, _context: bpy.types.Context) -> set:
        jobs.forget()
        return {"FINISHED"}


class CARESYNTH_OT_copy_details(bpy.types.Operator):
    """Copy the last lines that CareSynth wrote, for a report"""

    bl_idname = "caresynth.copy_details"
    bl_label = "Copy Details"

    def execute(self, context: bpy.types.Context) -> set:
        job = jobs.current()
        if job is not None:
            context.window_manager.clipboard = f"{job.error}\n\n{job.details}\n"
        return {"FINISHED"}


CLASSES = (
    CARESYNTH_OT_check, CARESYNTH_OT_generate, CARESYNTH_OT_import_room, CARESYNTH_OT_render_clips,
    CARESYNTH_OT_cancel, CARESYNTH_OT_dismiss, CARESYNTH_OT_copy_details,
)  # fmt: skip

register, unregister = bpy.utils.register_classes_factory(CLASSES)
