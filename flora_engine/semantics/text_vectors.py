"""Sentence embeddings that are made once: of the shipped lexicon in a table beside it, of other texts in memory and on
disk, under the hash of text and encoder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flora_engine.array_cache import ArrayCache
from flora_engine.files import open_arrays, replacing
from flora_engine.resources import RESOURCES
from flora_engine.semantics.text_encoder import TextEncoder

TABLE = RESOURCES / "lexicon" / "vectors.npz"
TOKENS = 64
_STEP = 1 / 400  # of a stored coordinate; those of a unit vector in 384 dimensions rarely exceed 0.3
Floats = NDArray[np.float64]
_made: dict[tuple[str, str], Floats] = {}


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


@lru_cache(maxsize=4)
def _table(path: Path, encoder: str) -> tuple[dict[int, int], NDArray[np.int8]]:
    """Rows by the digest of their text; nothing if the table is of another encoder or not there."""
    if not path.is_file():
        return {}, np.empty((0, 0), np.int8)
    with open_arrays(path) as table:
        if str(table["encoder"]) != encoder:
            return {}, np.empty((0, 0), np.int8)
        return {int(digest): row for row, digest in enumerate(table["digests"])}, table["vectors"]


def text_vectors(encoder: TextEncoder, texts: Sequence[str]) -> Floats:
    """(K, d) sentence embeddings of unit length, from the table, from memory, or from the encoder."""
    rows, vectors = _table(TABLE, encoder.sha256)
    new = [t for t in dict.fromkeys(texts) if (encoder.sha256, t) not in _made and _digest(t) not in rows]
    if new:
        for text, vector in zip(new, _vectors(encoder, new), strict=True):
            _made[encoder.sha256, text] = vector.astype(np.float64)
    found = [
        _made[encoder.sha256, t] if (encoder.sha256, t) in _made else vectors[rows[_digest(t)]] * _STEP for t in texts
    ]
    stacked = np.array(found, np.float64).reshape(len(texts), encoder.channels)
    return np.asarray(stacked / np.maximum(np.linalg.norm(stacked, axis=1, keepdims=True), 1e-12))


def _vectors(encoder: TextEncoder, texts: Sequence[str]) -> list[NDArray[np.float32]]:
    """(d,) each, from disk or from the encoder."""
    cache = ArrayCache("texts")
    keys = {text: hashlib.sha256(f"{encoder.sha256} {TOKENS} {text}".encode()).hexdigest() for text in texts}
    known = cache.get(list(keys.values()))
    found = {text: known[key] for text, key in keys.items() if key in known}
    new = [text for text in texts if text not in found]
    if new:
        made = dict(zip(new, encoder.encode(new, TOKENS)[:, -1], strict=True))
        cache.put({keys[text]: vector for text, vector in made.items()})
        found |= made
    return [found[text] for text in texts]


def write_table(encoder: TextEncoder, texts: Sequence[str], path: Path = TABLE) -> None:
    """Encode all `texts` and store them; the table is read again afterwards."""
    distinct = list(dict.fromkeys(texts))
    vectors = encoder.encode(distinct, TOKENS)[:, -1]
    stored = np.clip(np.round(vectors / _STEP), -127, 127).astype(np.int8)
    with replacing(path) as temporary, temporary.open("wb") as file:
        digests = np.array([_digest(text) for text in distinct], np.uint64)
        np.savez_compressed(file, encoder=np.array(encoder.sha256), digests=digests, vectors=stored)
    _table.cache_clear()
