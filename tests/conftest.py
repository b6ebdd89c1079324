"""Shared by all tests: hypothesis is deterministic, so that a run today fails as it does tomorrow."""

from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=50)
settings.load_profile("repeatable")
