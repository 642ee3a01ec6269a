"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from leaks import no_threads_and_processes_left

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
# No reading recipe and no lexicon of whoever runs the tests.
os.environ["FLORA_RECIPES"] = os.environ["FLORA_LEXICON"] = str(Path(os.devnull) / "none")
# What one test made is not found by another, nor by whoever runs them.
os.environ["FLORA_CACHE_MB"] = "0"
# Hypothesis measures how long each example takes; beside other load that says nothing about the code. It draws the same
# examples every time; HYPOTHESIS_PROFILE=search draws new ones, to look for more.
settings.register_profile("search", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("same", settings.get_profile("search"), derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Fails a test that leaves threads or processes behind."""
    with no_threads_and_processes_left():
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real recordings and outputs of the published code; they belong to others and are not in the repository."""
    folder = Path(os.environ.get("FLORA_SHARED_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real recordings at {folder} (set FLORA_SHARED_DATA to their folder)")
    return folder
