"""Token-level embeddings of a training set's captions, made once and kept.

A text is [L, width] with a mask, 384 wide with the encoder of `synth.text`. The empty text, which stands for "nothing
is said", has an all-false mask: whoever attends to the words must put a token of its own before them that is always
seen (the denoiser's is learned), since attention over nothing is NaN. No slot of the arrays is kept free for it.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from synth.corpus.shards import Corpus
from synth.encoders import TokenEncoder
from synth.errors import BadOption, CareSynthError
from synth.files import cache_dir, read_npz, write_npz
from synth.text import TextEncoder

LENGTH = 32  # tokens of a text; longer ones lose words before the closing token
CHUNK = 512  # texts that are encoded before their embeddings are packed


@dataclass(frozen=True)
class TokenTable:
    """Embeddings of many texts.

    Attributes:
        rows: which text is which.
        edges: int [N + 1], text n has the values edges[n] to edges[n + 1].
        values: float16 [all tokens, width]; half precision errs by less than 1e-3 of a number, and halves the file.
        length: tokens of a text at most.
    """

    rows: Mapping[str, int]
    edges: np.ndarray
    values: np.ndarray
    length: int = LENGTH

    def lookup(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Embeddings float32 [B, length, width], zero beyond the end, and their mask bool [B, length].

        Raises:
            BadOption: a text is not in the table (the empty one always is).
        """
        values = np.zeros((len(texts), self.length, self.values.shape[1]), np.float32)
        mask = np.zeros((len(texts), self.length), bool)
        for at, text in enumerate(texts):
            if not text.strip():
                continue
            row = self.rows.get(text)
            if row is None:
                raise BadOption("text", text, "one that the table was made of")
            first, last = self.edges[row], self.edges[row + 1]
            values[at, : last - first], mask[at, : last - first] = self.values[first:last], True
        return values, mask


def token_table(
    texts: Iterable[str], encoder: TokenEncoder | None = None, length: int = LENGTH, cache: bool = True
) -> TokenTable:
    """The embeddings of texts: from the cache folder, or encoded and kept there by the encoder's sha and the texts.

    Raises:
        Missing: no encoder is installed. BadFile: it is damaged.
    """
    names = sorted({text for text in texts if text.strip()})
    encoder = encoder or TextEncoder()
    key = hashlib.sha256("\0".join([encoder.sha256, str(length), *names]).encode()).hexdigest()
    path = cache_dir() / "text" / f"tokens-{key[:32]}.npz"
    found = _read(path, names, length, encoder.width) if cache else None
    if found is None:
        found = _encoded(names, encoder, length)
        if cache:
            with contextlib.suppress(OSError):  # a read-only or full cache folder costs time, nothing else
                write_npz(path, {"edges": found.edges, "values": found.values})
    return found


def corpus_tokens(corpus: Corpus, encoder: TokenEncoder | None = None, length: int = LENGTH) -> TokenTable:
    """The table of everything that a training set says."""
    said = (text for entry in corpus.entries for text in captions_of(entry.meta))
    return token_table(said, encoder, length)


def captions_of(meta: Mapping[str, Any]) -> tuple[str, ...]:
    """What is said of a sequence: its captions, or its text if it has none; at least one."""
    return tuple(meta.get("captions") or ()) or (str(meta.get("text", "")),)


def _read(path: Path, names: list[str], length: int, width: int) -> TokenTable | None:
    try:
        arrays = read_npz(path) if path.exists() else {}
        edges, values = arrays["edges"], arrays["values"]
    except (CareSynthError, KeyError):
        return None  # none, or a damaged one: it is made again
    good = edges.shape == (len(names) + 1,) and edges.dtype == np.int64 and values.dtype == np.float16
    good = good and values.shape == (edges[-1], width) and bool(np.isfinite(values).all())
    tokens = np.diff(edges) if good else np.zeros(0)
    if not good or edges[0] != 0 or (len(tokens) and not 0 < tokens.min() <= tokens.max() <= length):
        return None
    return TokenTable({name: row for row, name in enumerate(names)}, edges, values, length)


def _encoded(names: list[str], encoder: TokenEncoder, length: int) -> TokenTable:
    rows: list[np.ndarray] = []
    for start in range(0, len(names), CHUNK):
        tokens = encoder.tokens(names[start : start + CHUNK])
        for values, mask in zip(tokens.values, tokens.mask, strict=True):
            whole = values[mask]
            short = whole if len(whole) <= length else np.concatenate([whole[: length - 1], whole[-1:]])
            rows.append(short.astype(np.float16))
    edges = np.cumsum([0, *(len(row) for row in rows)], dtype=np.int64)
    flat = np.concatenate(rows) if rows else np.zeros((0, encoder.width), np.float16)
    return TokenTable({name: row for row, name in enumerate(names)}, edges, flat, length)
