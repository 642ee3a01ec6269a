"""Vectors of texts are made once, also by the next program, for each text encoder apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from flora_engine.array_cache import LIMIT
from flora_engine.semantics import text_vectors as module
from flora_engine.semantics.text_vectors import text_vectors


class Encoder:
    """Counts what it encodes."""

    channels = 4

    def __init__(self, sha256: str) -> None:
        self.sha256 = sha256
        self.asked: list[str] = []

    def encode(self, texts: list[str], tokens: int) -> np.ndarray:
        self.asked += texts
        rows = np.array([[len(text), len(self.sha256), 1, 0] for text in texts], np.float32)
        return np.repeat(rows[:, None], tokens + 1, axis=1)


@pytest.fixture
def next_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    """Call it to forget what is in memory."""
    monkeypatch.setenv("FLORA_CACHE", str(tmp_path))
    monkeypatch.setenv(LIMIT, "10")
    monkeypatch.setattr(module, "_made", {})
    return lambda: monkeypatch.setattr(module, "_made", {})


def test_texts_are_encoded_once(next_program) -> None:
    encoder = Encoder("one")
    first = text_vectors(encoder, ["zig zag", "a", "zig zag"])
    next_program()
    again = text_vectors(encoder, ["zig zag", "b", "a"])
    assert encoder.asked == ["zig zag", "a", "b"]
    np.testing.assert_array_equal(first[[0, 1]], again[[0, 2]])
    np.testing.assert_allclose(np.linalg.norm(again, axis=1), 1)


def test_another_encoder_has_its_own(next_program) -> None:
    text_vectors(Encoder("one"), ["zig zag"])
    next_program()
    other = Encoder("another")
    text_vectors(other, ["zig zag"])
    assert other.asked == ["zig zag"]


def test_no_words_are_written_to_the_disk(next_program, tmp_path: Path) -> None:
    text_vectors(Encoder("one"), ["something private"])
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files and not any(b"private" in path.read_bytes() for path in files)
