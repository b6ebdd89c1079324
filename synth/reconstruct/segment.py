"""What is where on key frames: semantic segmentation by a network that knows ADE20K's classes (Zhou et al. 2017).

OneFormer (Jain et al. 2023), Mask2Former (Cheng et al. 2022) and other networks of transformers for this task. Classes
are told by their names in the network's config.json, not by their numbers.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from synth.errors import BadFile, BadOption
from synth.files import read_json
from synth.reconstruct.models import CONFIG, BadOutput, Kind, loaded, located, rgb_frames
from synth.reconstruct.regions import LABEL, Regions

SEGMENTER = "shi-labs/oneformer_ade20k_swin_large"
SEGMENTER_REVISION = "refs/pr/1"  # its owners' pickle as safetensors, converted by Hugging Face's bot; not merged
OTHER_SEGMENTER = "facebook/mask2former-swin-large-ade-semantic"
KIND = Kind(
    "a network for semantic segmentation", ("UNIVERSAL_SEGMENTATION", "SEMANTIC_SEGMENTATION"),
    (OTHER_SEGMENTER, SEGMENTER), ("oneformer", "mask2former", "maskformer", "segformer", "beit", "dpt"),
)  # fmt: skip
TASK = "the task is semantic"  # OneFormer's words
SCORES = ("class_queries_logits", "masks_queries_logits", "logits")  # of those networks' outputs
# Names of ADE20K (and of COCO's stuff, where it has others) by our classes. What covers or hangs on a surface is that
# surface: the room's shape is asked for. What has no class of ours is "other".
NAMES: dict[str, tuple[str, ...]] = {
    "person": ("person",),
    "floor": ("floor", "rug", "carpet", "mat"),
    "wall": ("wall", "window", "windowpane", "window screen", "window blind", "painting", "picture", "mirror",
             "curtain", "blind", "poster", "bulletin board", "column"),
    "ceiling": ("ceiling",),
    "bed": ("bed", "cradle", "pillow", "blanket"),
    "chair": ("chair", "seat", "swivel chair"),
    "armchair": ("armchair",),
    "sofa": ("sofa", "couch"),
    "wheelchair": ("wheelchair",),
    "walker": ("walker",),
    "table": ("table", "desk", "coffee table", "dining table"),
    "nightstand": ("nightstand", "night table"),
    "wardrobe": ("wardrobe", "cabinet", "chest of drawers", "bookcase"),
    "toilet": ("toilet",),
    "sink": ("sink",),
    "door": ("door", "screen door"),
}  # fmt: skip
_CLASS = {name: cls for cls, names in NAMES.items() for name in names}


def class_of(name: str) -> str:
    """Our class (`regions.CLASSES`) of a network's.

    Args:
        name: one of ADE20K, short ("sofa") or with its synonyms ("sofa, couch, lounge"), of which the first counts:
            one of the toilet's is "stool". Of COCO's names ("wall-brick") what comes before the dash.
    """
    first = name.lower().split(",")[0].split("-")[0]
    return _CLASS.get(" ".join(first.split()), "other")


def segmented(
    images: Sequence[ArrayLike],
    frames: ArrayLike,
    model: str | os.PathLike[str] = SEGMENTER,
    device: str = "cpu",
    progress: Callable[[int], None] | None = None,
) -> Regions:
    """The classes of all pixels of K key frames.

    Args:
        images: K arrays uint8 [H, W, 3], RGB, of one size.
        frames: int [K], which frames of the video they are, increasing.
        model: a folder with a segmentation network of transformers, or the name of weights in the Hugging Face cache.
        device: torch's name of it. progress: told after every frame how many are done.

    Raises:
        BadOption: images or frames are not as above. Missing: the weights. BadFile: the folder holds something else,
            or the network's classes know no floor, no wall or no person. BadOutput: its scores are not finite.
    """
    pictures, numbers = rgb_frames(images), np.asarray(frames)
    if numbers.shape != (len(pictures),) or numbers.dtype.kind not in "iu" or (np.diff(numbers.astype(int)) <= 0).any():
        raise BadOption("frames", numbers.tolist(), f"{len(pictures)} increasing numbers of frames")
    segmenter, found = load_segmenter(model, device), []
    for number, picture in enumerate(pictures, 1):  # one at a time: memory does not grow with K
        found.append(segmenter.labels(picture))
        if progress is not None:
            progress(number)
    return Regions(numbers, np.stack(found))


@dataclass(frozen=True)
class Segmenter:
    """A network that is ready.

    Attributes:
        processor: of pictures. network: that segments them.
        task: what the network is told besides the picture.
        table: uint8 [C], the number in `regions.CLASSES` of each of the network's C classes.
    """

    processor: Any
    network: Any
    task: Mapping[str, Any]
    table: np.ndarray

    def labels(self, picture: np.ndarray) -> np.ndarray:
        """Numbers of `regions.CLASSES`, uint8 [H, W], of a picture uint8 [H, W, 3], RGB. Raises BadOutput."""
        import torch

        with torch.inference_mode():
            # One picture is not padded: its mask, for the networks that take one, is what they assume without.
            pixels = self.processor(images=[picture], return_tensors="pt")["pixel_values"]
            seen = self.network(pixel_values=pixels.to(self.network.device), **self.task)
            if not all(bool(torch.isfinite(seen[name]).all()) for name in SCORES if name in seen):
                raise BadOutput("masks: the network's scores are not finite; its weights or the device are broken")
            classes = self.processor.post_process_semantic_segmentation(seen, target_sizes=[picture.shape[:2]])[0]
        return np.asarray(self.table[classes.numpy(force=True)])


def load_segmenter(model: str | os.PathLike[str] = SEGMENTER, device: str = "cpu") -> Segmenter:
    """A segmentation network from local files. Raises as `segmented`."""
    # OneFormer's processor would fetch the names of its training classes from the hub; only training needs them.
    training = {"class_info_file": None} if _model_type(model) == "oneformer" else {}
    processor, network = loaded(model, KIND, device, **training)
    where = located(model) or model
    ours = {int(number): class_of(str(name)) for number, name in network.config.id2label.items()}
    for needed in ("floor", "wall", "person"):
        if needed not in ours.values():
            names = ", ".join(str(name) for name in network.config.id2label.values())
            raise BadFile(where, f"{CONFIG}: id2label", names, f"classes of ADE20K; none of these is a {needed}")
    table = np.full(max(ours) + 1, LABEL["other"], np.uint8)
    for number, name in ours.items():
        table[number] = LABEL[name]
    task = _semantic_task(Path(where), network, device) if network.config.model_type == "oneformer" else {}
    return Segmenter(processor, network, task, table)


def _model_type(model: str | os.PathLike[str]) -> str | None:
    """What a model's config.json says it is; None where there is none (`loaded` says what is wrong)."""
    folder = located(model)
    if folder is None or not (folder / CONFIG).is_file():
        return None
    config = read_json(folder / CONFIG)
    return config.get("model_type") if isinstance(config, dict) else None


def _semantic_task(folder: Path, network: Any, device: str) -> dict[str, Any]:
    """OneFormer is told in words which of its tasks to do: the tokens of a sentence, zero after its end [1, length].

    As transformers' OneFormerProcessor does it, which needs more files than these.
    """
    import torch
    from transformers import AutoTokenizer

    length = int(network.config.task_seq_len)
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        told = tokenizer(TASK, padding="max_length", max_length=length, truncation=True)
    except Exception as error:  # transformers has many ways to refuse a folder
        raise BadFile(
            folder, "vocab.json, merges.txt", error, f"OneFormer's tokenizer, as {SEGMENTER} has it"
        ) from None
    tokens = torch.tensor(told["input_ids"]) * torch.tensor(told["attention_mask"])
    return {"task_inputs": tokens[None].to(device)}
