"""Shared by all tests: hypothesis is deterministic, so that a run today fails as it does tomorrow."""

import pytest
from hypothesis import settings

from synth.corpus.config import config_from
from synth.corpus.corpus import build
from synth.corpus.shards import Corpus

settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=50)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def few_motions(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """A corpus of a few motions of the library, of one and of two people, all for training."""
    folder = tmp_path_factory.mktemp("corpus") / "tiny"
    settings_of = {"name": "tiny", "val": 0.0, "test": 0.0, "sources": [{"name": "library", "limit": 14}]}
    build(config_from(settings_of, "tiny"), folder, 1)
    return Corpus.open(folder)
