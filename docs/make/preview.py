"""Draw the README's pictures from finished clips.

    ./run python docs/make/preview.py strip CLIP --out docs/images/strip.jpg
    ./run python docs/make/preview.py animation CLIP [CLIP ...] --out docs/images/preview.webp

The strip shows six moments of a clip, and below them the same moments with what its labels say: boxes, keypoints
(filled: visible, hollow: hidden), masks and measured actions. The animation plays clips side by side.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import imageio.v3 as iio
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from render.clip import Clip, open_clip
from synth.files import atomic_path
from synth.skeleton import COCO_SKELETON

COLOURS = ((255, 159, 28), (46, 196, 182), (231, 29, 54))
MOMENTS = 6


def labelled(frame: np.ndarray, clip: Clip, mask: np.ndarray, index: int, scale: int) -> Image.Image:
    """One video frame [H, W, 3] with its labels drawn over it."""
    tinted = frame.astype(float)
    arrays = clip.labels
    for person, number in enumerate(arrays["mask_id"]):
        inside = mask == number
        tinted[inside] = 0.6 * tinted[inside] + 0.4 * np.array(COLOURS[person % len(COLOURS)])
    picture = Image.fromarray(tinted.astype(np.uint8)).resize((frame.shape[1] * scale, frame.shape[0] * scale))
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(size=11 * scale)
    for person, role in enumerate(item["role"] for item in clip.info["people"]):
        if not arrays["visible_pixels"][index, person]:
            continue
        colour = COLOURS[person % len(COLOURS)]
        box = (arrays["box"][index, person] + 0.5) * scale
        draw.rectangle(box.tolist(), outline=colour, width=scale)
        points = arrays["keypoints"][index, person]
        at = (points[:, :2] + 0.5) * scale
        for a, b in COCO_SKELETON:
            if points[a - 1, 2] and points[b - 1, 2]:
                draw.line([*at[a - 1], *at[b - 1]], fill=colour, width=scale)
        for (x, y), v in zip(at, points[:, 2], strict=True):
            r = 1.6 * scale
            if v:
                draw.ellipse([x - r, y - r, x + r, y + r], outline=colour, fill=colour if v == 2 else None)
        action = clip.info["action_names"][arrays["action"][index, person]]
        draw.text((box[0] + 2, max(box[1] - 13 * scale, 0)), f"{role}: {action}", fill=colour, font=font)
    return picture


def strip(clip: Clip, scale: int = 2) -> Image.Image:
    """Moments above, the same with labels below."""
    frames, masks = iio.imread(clip.video), clip.masks()
    moments = np.linspace(0, len(masks) - 1, MOMENTS + 2).round().astype(int)[1:-1]
    height, width = masks.shape[1] * scale, masks.shape[2] * scale
    sheet = Image.new("RGB", (width * MOMENTS, height * 2))
    for column, index in enumerate(moments):
        plain = Image.fromarray(frames[index]).resize((width, height))
        sheet.paste(plain, (column * width, 0))
        sheet.paste(labelled(frames[index], clip, masks[index], index, scale), (column * width, height))
    return sheet


def animation(clips: list[Clip]) -> list[Image.Image]:
    """Frames of the clips side by side, the labels fading in with the second half."""
    videos, masks = [iio.imread(clip.video) for clip in clips], [clip.masks() for clip in clips]
    count = min(len(video) for video in videos)
    pictures = []
    for index in range(count):
        row = [
            labelled(video[index], clip, mask[index], index, 1) if index > count // 2 else Image.fromarray(video[index])
            for clip, video, mask in zip(clips, videos, masks, strict=True)
        ]
        sheet = Image.new("RGB", (sum(p.width for p in row), row[0].height))
        for column, picture in enumerate(row):
            sheet.paste(picture, (sum(p.width for p in row[:column]), 0))
        pictures.append(sheet)
    return pictures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["strip", "animation"])
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    clips = [open_clip(folder) for folder in options.clips]
    with atomic_path(options.out) as temporary:
        if options.what == "strip":
            sheet = strip(clips[0])
            sheet.resize((1800, sheet.height * 1800 // sheet.width), Image.Resampling.LANCZOS).save(
                temporary, quality=85
            )
        else:
            first, *rest = animation(clips)
            first.save(
                temporary,
                save_all=True,
                append_images=rest,
                duration=round(1000 / clips[0].info["fps"]),
                loop=0,
                quality=70,
            )


if __name__ == "__main__":
    main()
