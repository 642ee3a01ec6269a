"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ["FLORA_LEXICON"] = str(Path(os.devnull) / "none")  # nor lexicon
os.environ["FLORA_RECIPES"] = str(Path(os.devnull) / "none")  # no reading recipe of whoever runs the tests


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real recordings and outputs of the published code; they belong to others and are not in the repository."""
    folder = Path(os.environ.get("FLORA_SHARED_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real recordings at {folder} (set FLORA_SHARED_DATA to their folder)")
    return folder
