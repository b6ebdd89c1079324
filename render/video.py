"""H.264 video through the ffmpeg that imageio-ffmpeg brings along."""

from __future__ import annotations

import errno
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

import numpy as np

from synth.errors import BadOption

MIN_SIZE, MAX_SIZE = 16, 4096
CRF = 18  # visually lossless at these sizes


class FrameWriter(Protocol):
    """Takes the frames one after another."""

    def __call__(self, frame: np.ndarray) -> None: ...


def check_size(width: int, height: int) -> None:
    """``BadOption`` for sizes that H.264 with yuv420p refuses: it halves the colour, so both must be even."""
    for value in (width, height):
        if value % 2 or not MIN_SIZE <= value <= MAX_SIZE:
            raise BadOption(
                "--size", f"{width}x{height}", f"even numbers from {MIN_SIZE} to {MAX_SIZE} (H.264 refuses others)"
            )


@contextmanager
def video_writer(path: Path, width: int, height: int, fps: float) -> Iterator[FrameWriter]:
    """Encode uint8 [H, W, 3] RGB frames to an MP4 (H.264, yuv420p) at ``path``.

    One thread and no time stamps: the same frames give the same bytes.

    Raises:
        OSError: ffmpeg could not write; ENOSPC where the disk is full.
    """
    command = [
        *_ffmpeg(), "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", repr(fps), "-i", "-", "-an",
        # BT.601, and said so: many readers (OpenCV among them) take it for granted and ignore the tag
        "-vf", "scale=out_color_matrix=bt601:out_range=tv", "-colorspace", "smpte170m", "-color_primaries", "bt709",
        "-color_trc", "bt709", "-color_range", "tv", "-c:v", "libx264", "-preset", "medium", "-crf", str(CRF),
        "-pix_fmt", "yuv420p", "-threads", "1", "-fflags", "+bitexact", "-flags:v", "+bitexact",
        "-map_metadata", "-1", "-movflags", "+faststart", "-y", str(path),
    ]  # fmt: skip
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=log)
        assert process.stdin is not None

        def write(frame: np.ndarray) -> None:
            if frame.shape != (height, width, 3) or frame.dtype != np.uint8:
                raise ValueError(f"a frame is {frame.dtype} {frame.shape}, expected uint8 {(height, width, 3)}")
            try:
                process.stdin.write(frame.tobytes())  # type: ignore[union-attr]
            except BrokenPipeError:
                raise _failure(process, log, path) from None

        try:
            yield write
            with suppress(BrokenPipeError):  # its exit status tells why
                process.stdin.close()
            if process.wait() != 0:
                raise _failure(process, log, path)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    with open(path, "rb+") as handle:
        os.fsync(handle.fileno())


def write_poster(path: Path, frame: np.ndarray) -> None:
    """Write one uint8 [H, W, 3] RGB frame as a JPEG."""
    height, width, _ = frame.shape
    command = [
        *_ffmpeg(), "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-i", "-",
        "-frames:v", "1", "-pix_fmt", "yuvj420p", "-q:v", "3", "-fflags", "+bitexact", "-flags:v", "+bitexact", "-y",
        str(path),
    ]  # fmt: skip
    done = subprocess.run(command, input=frame.tobytes(), capture_output=True, check=False)
    if done.returncode != 0:
        raise _error(done.stderr, path)


def _ffmpeg() -> list[str]:
    import imageio_ffmpeg

    return [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-loglevel", "error"]


def _failure(process: subprocess.Popen[bytes], log: object, path: Path) -> OSError:
    process.wait()
    log.seek(0)  # type: ignore[attr-defined]
    return _error(log.read(), path)  # type: ignore[attr-defined]


def _error(said: bytes, path: Path) -> OSError:
    """ffmpeg's words as the error they stand for."""
    text = said.decode("utf-8", "replace").strip()
    number = errno.ENOSPC if "No space left" in text else errno.EFBIG if "File too large" in text else errno.EIO
    return OSError(number, text.splitlines()[-1] if text else "ffmpeg failed", str(path))
