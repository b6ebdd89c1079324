"""The frames of a recording: a video file, or a folder of pictures."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
from PIL import Image

from synth.errors import BadFile, Missing

PICTURES = (".jpg", ".jpeg", ".png")
USUAL_FPS = 10.0  # of a folder of pictures that nobody says anything about
LONGEST = 20_000  # frames: half an hour at 10 a second
FEWEST = 3  # frames that make a motion


@dataclass(frozen=True)
class Video:
    """A recording's frames, decoded when they are asked for.

    Attributes:
        path: of the video, or of the folder.
        fps: frames a second. count: of frames. width, height: pixels.
        pictures: in order, for a folder.
    """

    path: Path
    fps: float
    count: int
    width: int
    height: int
    pictures: tuple[Path, ...] = ()

    def frames(self) -> Iterator[np.ndarray]:
        """uint8 [H, W, 3], RGB, from the first to the last.

        Raises:
            BadFile: one of them does not decode, or is of another size.
        """
        return self._listed() if self.pictures else self._decoded()

    def some(self, numbers: Sequence[int]) -> list[np.ndarray]:
        """The frames of these numbers, in their order."""
        wanted = set(numbers)
        if self.pictures:
            found = {number: self._picture(self.pictures[number]) for number in wanted}
        else:
            last = max(wanted, default=-1)
            found = {}
            for number, frame in zip(range(last + 1), self.frames(), strict=False):
                if number in wanted:
                    found[number] = frame
        return [found[number] for number in numbers]

    def _listed(self) -> Iterator[np.ndarray]:
        for path in self.pictures:
            yield self._picture(path)

    def _picture(self, path: Path) -> np.ndarray:
        image = _read_picture(path)
        if image.shape != (self.height, self.width, 3):
            size = f"{image.shape[1]} x {image.shape[0]}"
            raise BadFile(path, "size", size, f"{self.width} x {self.height}, as the first picture")
        return image

    def _decoded(self) -> Iterator[np.ndarray]:
        with closing(_reader(self.path)) as reader:
            next(reader)
            number = -1
            for number, data in enumerate(reader):
                if len(data) != self.width * self.height * 3:
                    raise BadFile(self.path, f"frame {number}", f"{len(data)} bytes", "a whole frame")
                if number == self.count:
                    break
                yield np.frombuffer(data, np.uint8).reshape(self.height, self.width, 3)
            if number + 1 != self.count:  # every later frame would be somebody else's picture
                decoded = number + 1 if number < self.count else f"more than {self.count}"
                raise BadFile(self.path, "frames", decoded, f"{self.count}, as ffmpeg counts them")


def open_video(path: str | PathLike[str], fps: float | None = None) -> Video:
    """Look at a recording.

    Args:
        path: a video that ffmpeg can decode, or a folder of .jpg and .png, in the order of their names.
        fps: frames a second, where that is known better than the file knows it; `USUAL_FPS` for pictures.

    Raises:
        Missing: there is no such file or folder. BadFile: it does not decode, is too short or too long.
    """
    where = Path(path)
    if where.is_dir():
        return _folder(where, fps or USUAL_FPS)
    if not where.is_file():
        raise Missing(f"video {where}", "give a video file or a folder of pictures")
    try:
        with closing(_reader(where)) as reader:
            about = next(reader)
        count = int(imageio_ffmpeg.count_frames_and_secs(str(where))[0])
    except (RuntimeError, OSError, StopIteration, KeyError) as error:
        reason = str(error).strip().splitlines()
        raise BadFile(where, "file", reason[-1] if reason else "no video", "a video that ffmpeg can decode") from None
    width, height = (int(value) for value in about["size"])
    return Video(where, float(fps or about["fps"]), _checked(where, count), width, height)


def _folder(folder: Path, fps: float) -> Video:
    found = [path for path in folder.iterdir() if path.suffix.lower() in PICTURES]
    found.sort(key=lambda path: in_order(path.name))
    count = _checked(folder, len(found))
    height, width = _read_picture(found[0]).shape[:2]
    return Video(folder, fps, count, width, height, tuple(found))


def in_order(name: str) -> tuple[list[tuple[int, str]], str]:
    """A key that sorts names by the numbers in them: frame_2 before frame_10."""
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if at % 2 else (-1, part) for at, part in enumerate(parts)], name


def _checked(path: Path, count: int) -> int:
    if not FEWEST <= count <= LONGEST:
        raise BadFile(path, "frames", count, f"{FEWEST} to {LONGEST}; cut longer recordings into parts")
    return count


def _read_picture(path: Path) -> np.ndarray:
    try:
        with Image.open(path, formats=["JPEG", "PNG"]) as image:
            return np.asarray(image.convert("RGB"))
    except Exception as error:  # Pillow raises OSError, SyntaxError, its own and others on damaged files
        raise BadFile(path, "file", f"{type(error).__name__}: {error}", "an undamaged JPEG or PNG") from None


def _reader(path: Path) -> Generator[Any, None, None]:
    """What imageio-ffmpeg says of a video, then the bytes of its own frames.

    None is repeated where the stream has a gap, as none is when they are counted.
    """
    own = ["-fps_mode", "passthrough"]
    reader: Generator[Any, None, None] = imageio_ffmpeg.read_frames(str(path), pix_fmt="rgb24", output_params=own)
    return reader
