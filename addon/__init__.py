"""CareSynth in Blender: generate care-home interactions, work with them, render labelled clips of them.

Thin: motion, bodies and labels are made by the user's own CareSynth, a process (`backend`); what it writes comes into
the scene (`stage`) and goes back (`export`).
"""

import importlib

_MODULES = (
    "translations", "thumbnails", "properties", "preferences", "jobs", "gallery", "making", "operators", "panel",
    "menus",
)  # fmt: skip


def _modules() -> list:
    return [importlib.import_module(f".{name}", __package__) for name in _MODULES]


def register() -> None:
    for module in _modules():
        module.register()


def unregister() -> None:
    for module in reversed(_modules()):
        module.unregister()
