"""Loads the add-on as Blender does, as an extension of a repository in a folder, and runs one named check in it.

``python addon_runner.py REPOSITORY_FOLDER CHECK_MODULE CHECK ARGUMENTS...``: run by ``test_addon.py``, always in a
process of its own, which ends with ``os._exit``: some versions of bpy hang or crash while it is taken down.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import traceback
from pathlib import Path

ROOT = Path(__file__).parents[1]
REPOSITORY, PACKAGE = "caresynth_test", "bl_ext.caresynth_test.caresynth"


def install(folder: Path) -> None:
    """Copy the extension into a repository folder."""
    target = folder / "caresynth"
    shutil.copytree(ROOT / "addon", target, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    shutil.copy(ROOT / "blender_manifest.toml", target)


def enable(folder: Path):
    """Make the folder a repository of extensions and switch the extension on; its module."""
    import addon_utils
    import bpy

    bpy.ops.wm.read_factory_settings(use_empty=True)
    repositories = bpy.context.preferences.extensions.repos
    if REPOSITORY not in [item.module for item in repositories]:
        repositories.new(name=REPOSITORY, module=REPOSITORY, custom_directory=str(folder))
    module = addon_utils.enable(PACKAGE, default_set=True, persistent=True)
    if module is None:
        raise RuntimeError("the extension could not be switched on")
    return module


def disable() -> None:
    import addon_utils

    addon_utils.disable(PACKAGE, default_set=True)


def part(name: str):
    """A module of the extension."""
    return importlib.import_module(f"{PACKAGE}.{name}")


def main() -> None:
    code = 1
    try:
        folder, checks, name, *arguments = sys.argv[1:]
        sys.modules["addon_runner"] = sys.modules["__main__"]
        spec = importlib.util.spec_from_file_location("checks", checks)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        enable(Path(folder))
        getattr(module, name)(*arguments)
        code = 0
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
