"""Text encoders by option: CLIP's and T5's give what transformers' own models give, and errors say what is wrong."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPTextModel, T5Config, T5EncoderModel
from transformers import T5ForConditionalGeneration as T5Both

from synth import encoders
from synth.diffusion.text import token_table
from synth.encoders import HubEncoder, text_encoder
from synth.errors import BadFile, BadOption, Missing
from synth.text import TextEncoder

WORDS = ["<pad>", "</s>", "<unk>", "<s>", "staff", "helps", "patient", "up", "walks", "to", "the", "bed"]
TEXTS = ["Staff helps  patient up", "patient walks to the bed", "staff walks to the bed " * 30]
CLIP = {
    "vocab_size": len(WORDS), "hidden_size": 24, "intermediate_size": 48, "num_hidden_layers": 2,
    "num_attention_heads": 3, "max_position_embeddings": 12, "bos_token_id": 3, "eos_token_id": 1, "pad_token_id": 0,
}  # fmt: skip
T5 = {
    "vocab_size": len(WORDS), "d_model": 20, "d_kv": 5, "d_ff": 32, "num_layers": 2, "num_heads": 3, "n_positions": 40,
    "feed_forward_proj": "gated-gelu",
}  # fmt: skip
VISION = {**CLIP, "image_size": 16, "patch_size": 8}


def made(what: str) -> Any:
    """A small model of random weights; those of the second kind hold more than the text encoder."""
    torch.manual_seed(0)
    return {
        "clip": lambda: CLIPTextModel(CLIPTextConfig(**CLIP)),
        "clip with images": lambda: CLIPModel(CLIPConfig(text_config=CLIP, vision_config=VISION)),
        "t5": lambda: T5EncoderModel(T5Config(**T5)),
        "t5 with decoder": lambda: T5Both(T5Config(**T5)),
    }[what]().eval()


def saved(what: str, folder: Path) -> Path:
    """The model as transformers saves it, and a tokenizer that takes words apart and ends texts as the kind does."""
    made(what).save_pretrained(folder)
    tokenizer = Tokenizer(models.WordLevel({word: index for index, word in enumerate(WORDS)}, "<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    single = "<s> $A </s>" if what.startswith("clip") else "$A </s>"
    special = [(word, WORDS.index(word)) for word in ("<s>", "</s>") if word in single]
    tokenizer.post_processor = processors.TemplateProcessing(single=single, special_tokens=special)
    tokenizer.enable_padding(pad_id=0, pad_token="<pad>")  # as some published files do: nothing here may be padded
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def ids_of(text: str, kind: str, most: int) -> list[int]:
    words = [WORDS.index(word) for word in text.lower().split()]
    first = [3] if kind == "clip" else []
    return [*first, *words[: most - 1 - len(first)], 1]


@pytest.fixture(autouse=True)
def _nothing_of_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARESYNTH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    for name in ("CARESYNTH_CLIP_ENCODER", "CARESYNTH_T5_ENCODER", "CARESYNTH_HUB"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("touched the network"))


@pytest.mark.parametrize("what", ["clip", "clip with images", "t5", "t5 with decoder"])
def test_tokens_are_transformers_own_last_hidden_state(what: str, tmp_path: Path) -> None:
    kind, folder = what.split()[0], saved(what, tmp_path / "model")
    whole = {"clip with images": CLIPTextModel, "t5 with decoder": T5EncoderModel}.get(what)
    own = (whole.from_pretrained(folder) if whole else made(what)).eval()
    encoder = text_encoder(kind, folder)
    found = encoder.tokens(TEXTS)
    most = {"clip": 12, "t5": 40}[kind]
    assert found.values.shape == (3, most, encoder.width)
    assert found.values.dtype == np.float32
    for at, text in enumerate(TEXTS):
        ids = ids_of(text, kind, most)
        assert int(found.mask[at].sum()) == len(ids)
        with torch.no_grad():
            wanted = own(input_ids=torch.tensor([ids])).last_hidden_state[0].numpy()
        np.testing.assert_allclose(found.values[at, : len(ids)], wanted, atol=1e-5)
        assert np.abs(wanted).max() > 0.01
    assert not found.values[~found.mask].any()


def test_half_precision_weights_are_read_as_they_are(tmp_path: Path) -> None:
    folder = saved("t5", tmp_path / "model")
    halved = {name: value.to(torch.bfloat16) for name, value in load_file(folder / "model.safetensors").items()}
    own = made("t5")
    own.load_state_dict({**halved, "encoder.embed_tokens.weight": halved["shared.weight"]})
    save_file(halved, folder / "model.safetensors")
    with torch.no_grad():
        wanted = own(input_ids=torch.tensor([[4, 5, 1]])).last_hidden_state[0].numpy()
    np.testing.assert_allclose(text_encoder("t5", folder).tokens(["staff helps"]).values[0], wanted, atol=1e-5)


def test_found_by_variable_and_in_the_hub_cache_and_never_downloaded_unasked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Missing, match="CARESYNTH_CLIP_ENCODER"):
        text_encoder("clip")
    cached = tmp_path / "hub/models--google--flan-t5-base/snapshots/abc"
    saved("t5", cached)
    assert text_encoder("t5").width == 20
    other = saved("t5 with decoder", tmp_path / "other")
    monkeypatch.setenv("CARESYNTH_T5_ENCODER", str(other))
    found = text_encoder("t5")
    assert isinstance(found, HubEncoder)
    assert found.folder == other
    asked: list[str] = []
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda hub, name, **_: asked.append(hub) or _refuse())
    before = dict(os.environ)
    with pytest.raises(Missing):
        text_encoder("clip", allow_hub=True)
    assert asked == ["openai/clip-vit-large-patch14"]
    assert dict(os.environ) == before  # what processes inherit is the user's


def _refuse() -> str:
    raise ConnectionError


def test_names() -> None:
    assert isinstance(text_encoder(), TextEncoder)
    assert text_encoder().width == 384
    with pytest.raises(BadOption, match="minilm, clip, t5"):
        text_encoder("bert")


@pytest.mark.parametrize(
    ("change", "says"),
    [("no weights", "model.safetensors"), ("weights", "model.safetensors"), ("tensor", "final_layer_norm.weight"),
     ("shape", r"final_layer_norm.weight: found \(3,\)"), ("tokenizer", "tokenizer.json"), ("list", "JSON object"),
     ("kind", "model_type.*t5"), ("width", "hidden_size"), ("heads", "config.json")],
)  # fmt: skip
def test_a_damaged_folder_says_what_is_wrong(change: str, says: str, tmp_path: Path) -> None:
    folder = saved("clip", tmp_path / "model")
    weights, config = folder / "model.safetensors", json.loads((folder / "config.json").read_text())
    tensors = load_file(weights)
    if change == "no weights":
        weights.unlink()
    if change == "weights":
        weights.write_bytes(bytes(1000))
    if change == "tensor":
        save_file({k: v for k, v in tensors.items() if k != "final_layer_norm.weight"}, weights)
    if change == "shape":
        save_file({**tensors, "final_layer_norm.weight": torch.zeros(3)}, weights)
    if change == "tokenizer":
        (folder / "tokenizer.json").write_text("{}")
    wrong = {"list": [], "kind": {**config, "model_type": "t5"}, "width": {**config, "hidden_size": "wide"},
             "heads": {**config, "num_attention_heads": 5}}  # fmt: skip
    if change in wrong:
        (folder / "config.json").write_text(json.dumps(wrong[change]))
    with pytest.raises(BadFile, match=says):
        text_encoder("clip", folder).tokens(["staff helps"])


def test_an_empty_text_and_no_text(tmp_path: Path) -> None:
    encoder = text_encoder("t5", saved("t5", tmp_path / "model"))
    assert encoder.tokens([]).values.shape == (0, 0, 20)
    with pytest.raises(BadOption, match="sentence"):
        encoder.tokens(["  "])


def test_token_tables_take_any_encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = text_encoder("clip", saved("clip", tmp_path / "model"))
    texts = [TEXTS[0], TEXTS[1]]
    table = token_table(texts, encoder)
    values, mask = table.lookup([TEXTS[1], ""])
    assert values.shape == (2, table.length, 24)
    wanted = encoder.tokens(TEXTS[1:2]).values[0]
    np.testing.assert_allclose(values[0, : len(wanted)], wanted, atol=2e-3)
    assert mask.sum(1).tolist() == [len(wanted), 0]
    monkeypatch.setattr(encoders.HubEncoder, "tokens", lambda *_: pytest.fail("encoded again"))
    again = token_table(texts, encoder)
    np.testing.assert_array_equal(again.values, table.values)
    assert replace(again, rows={}).lookup([""])[0].shape == (1, table.length, 24)
