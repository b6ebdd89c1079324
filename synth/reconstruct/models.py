"""Networks of the library transformers, from a folder or from the user's own Hugging Face cache.

Nothing is downloaded, nothing is unpickled (all weights are safetensors) and no code that comes with weights is run.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from synth.errors import BadFile, BadOption, CareSynthError, Missing
from synth.files import read_json

CONFIG = "config.json"
WEIGHTS_FILE = "model.safetensors"
INDEX_FILE = WEIGHTS_FILE + ".index.json"  # which file of several holds a tensor
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".h5", ".msgpack")  # what other libraries' weights come in
# Buffers that the network makes itself, and that older checkpoints lack.
MADE = ("num_batches_tracked", "relative_position_index", "position_ids")


class BadOutput(CareSynthError):
    """A network gave numbers that cannot be used: its weights or the device's precision are broken."""


@dataclass(frozen=True)
class Kind:
    """What sort of network is asked for.

    Attributes:
        what: its name in messages.
        tasks: as transformers names them ("OBJECT_DETECTION"); the first that knows the configuration makes it.
        like: the name of weights that do; alternatives after it.
        only: the model types of these tasks that will do; any if empty.
    """

    what: str
    tasks: tuple[str, ...]
    like: tuple[str, ...]
    only: tuple[str, ...] = ()


def located(model: str | os.PathLike[str]) -> Path | None:
    """The folder of a model: the user's own if ``model`` is a folder, else as `cached`; None if it is nowhere."""
    folder = Path(model).expanduser()
    return folder if folder.is_dir() else cached(os.fspath(model))


def cached(name: str) -> Path | None:
    """A model's snapshot in the user's Hugging Face cache, None if there is none.

    Args:
        name: "owner/name". Of several snapshots those with safetensors come first, and among them the one that `main`
            was when it was downloaded.
    """
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    if name.count("/") != 1 or not all(name.split("/")):  # no name of the hub
        return None
    cache = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=name, repo_type="model")
    pointer = cache / "refs" / "main"
    main = pointer.read_text(encoding="utf-8").strip() if pointer.is_file() else ""
    found = [path for path in sorted((cache / "snapshots").glob("*")) if (path / CONFIG).is_file()]
    return min(found, key=lambda path: (not safe(path), path.name != main), default=None)


def safe(folder: Path) -> bool:
    """Whether a model's folder holds safetensors."""
    return any(path.is_file() for path in folder.glob("*.safetensors"))


def loaded(model: str | os.PathLike[str], kind: Kind, device: str = "cpu", **options: Any) -> tuple[Any, Any]:
    """Image processor and network of transformers, float32, in evaluation mode, on the device.

    Args:
        model: a folder with config.json, preprocessor_config.json and model.safetensors (or its parts and their
            index), or the name of weights that are in the local Hugging Face cache.
        kind: what sort of network it has to be.
        device: torch's name of it.
        options: of the image processor, instead of those in its file.

    Raises:
        Missing: the weights or transformers. BadFile: a folder with something else: no model, one of another task, a
            pickle, tensors that are missing or of another shape.
    """
    try:
        import torch
        import transformers
    except ImportError as error:
        raise Missing(f"transformers ({error})", "install caresynth with its dependencies") from None
    names, like = " or ".join(kind.like), kind.like[0]
    folder = located(model)
    if folder is None:
        raise Missing(
            f"the weights {os.fspath(model)}",
            f"download {names}, for example with `hf download {like}`, and give its name or its folder; "
            "`synth reconstruct --check` says more",
        )
    try:
        # From a folder nothing is ever looked up on the hub; code beside the weights is not run, nor asked about.
        config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # transformers has many ways to refuse a folder
        raise BadFile(folder, CONFIG, error, f"settings and weights of {kind.what}, like {names}") from None
    maker = _maker(config, kind)
    if maker is None:
        raise BadFile(folder, f"{CONFIG}: model_type", config.model_type, f"{kind.what}, like {names}")
    _check_safe(folder, like)
    try:
        # The Pillow backend works with and without torchvision, and gives the same numbers either way.
        processor = transformers.AutoImageProcessor.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, backend="pil", **options
        )
        with _without_bars():
            network, info = maker.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False, use_safetensors=True, dtype=torch.float32,
                output_loading_info=True,
            )  # fmt: skip
    except Exception as error:
        raise BadFile(folder, "file", error, f"settings and weights of {kind.what}, like {names}") from None
    # transformers fills what is missing with random numbers and goes on.
    lacking = [name for name in info["missing_keys"] if not name.endswith(MADE)]
    if lacking:
        raise BadFile(folder, WEIGHTS_FILE, f"no {min(lacking)}", f"all tensors of {CONFIG}")
    return processor, network.to(device).eval()


def _maker(config: Any, kind: Kind) -> Any:
    """The class of transformers that makes a network of this configuration for one of these tasks, or None."""
    import transformers

    if kind.only and config.model_type not in kind.only:
        return None
    for task in kind.tasks:
        known = getattr(transformers, f"MODEL_FOR_{task}_MAPPING")
        if type(config) in known:
            return known[type(config)]
    return None


@contextmanager
def _without_bars() -> Iterator[None]:
    """Without transformers' own progress bars, which would end up between a command's lines."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _check_safe(folder: Path, like: str) -> None:
    """Raises BadFile unless all weights are safetensors."""
    if safe(folder):
        _check_index(folder / INDEX_FILE)
        return
    pickles = sorted(path.name for path in folder.iterdir() if path.suffix in PICKLES)
    found = f"only {', '.join(pickles)}, which could run code when it is read" if pickles else "no weights"
    raise BadFile(folder, WEIGHTS_FILE, found, f"weights as safetensors, as {like} has them; `synth reconstruct "
                  "--check` says where they come from")  # fmt: skip


def _check_index(path: Path) -> None:
    """transformers opens whatever the index names, a pickle too."""
    if not path.is_file():
        return
    index = read_json(path)
    listed = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(listed, dict):
        raise BadFile(path, "weight_map", listed, "the names of files by the names of tensors")
    for tensor, name in listed.items():
        if not (isinstance(name, str) and name.endswith(".safetensors")):
            raise BadFile(path, f"weight_map.{tensor}", name, "a .safetensors file")


def rgb_frame(image: ArrayLike, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """One picture uint8 [H, W, 3], checked.

    Args:
        shape: that it must have; any size by default.

    Raises:
        BadOption: no uint8 [H, W, 3], or of another shape.
    """
    frame = np.asarray(image)
    right = frame.dtype == np.uint8 and frame.ndim == 3 and frame.shape[2:] == (3,) and frame.size > 0
    if not right or (shape is not None and frame.shape != shape):
        raise BadOption("images", f"{frame.dtype} {frame.shape}", "uint8 [H, W, 3] of one size")
    return frame


def rgb_frames(images: Sequence[ArrayLike]) -> list[np.ndarray]:
    """Pictures uint8 [H, W, 3] of one size, checked, at least one. Raises BadOption."""
    if not len(images):
        raise BadOption("images", "none", "at least one")
    first = rgb_frame(images[0])
    return [rgb_frame(image, first.shape) for image in images]
