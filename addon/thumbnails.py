"""Small pictures for the panel: of the built-in rooms, and of what was made."""

from pathlib import Path

import bpy.utils.previews

FOLDER = Path(__file__).with_name("thumbnails")
_pictures: bpy.utils.previews.ImagePreviewCollection | None = None


def icon(path: str | Path | None) -> int:
    """The icon number of a picture's file; 0 where there is none."""
    if _pictures is None or not path:
        return 0
    key = str(path)
    if key not in _pictures:
        if not Path(key).is_file():
            return 0
        _pictures.load(key, key, "IMAGE")
    return _pictures[key].icon_id


def register() -> None:
    global _pictures
    _pictures = bpy.utils.previews.new()


def unregister() -> None:
    global _pictures
    if _pictures is not None:
        bpy.utils.previews.remove(_pictures)
        _pictures = None
