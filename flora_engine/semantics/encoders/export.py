"""Write a Hugging Face text model as ONNX into the cache: the only place of the text path that imports torch."""

from __future__ import annotations

import contextlib
import importlib
import json
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from flora_engine.errors import Cancelled, FloraError
from flora_engine.inference import load_session
from flora_engine.jobs import Job
from flora_engine.semantics.encoders import KINDS
from flora_engine.semantics.encoders.base import Source

STAGE = "preparing the text encoder"
STEPS = 3
TOLERANCE = 1e-3  # of the exported graph against torch, before the folder is given its final name
OPSET = 17


def load_torch(source: Source) -> tuple[nn.Module, Any, int]:
    """The wrapped torch model in evaluation mode, its tokenizer, and its number of positions. Raises FloraError."""
    transformers: Any = importlib.import_module("transformers")
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    try:
        module, tokenizer, loading = KINDS[source.kind].load_torch(source.folder)
    except Exception as error:  # transformers raises nearly anything for a damaged folder
        raise FloraError(f"the text encoder cannot be loaded: {_first_line(error)}", path=source.folder) from None
    missing = sorted(loading["missing_keys"])
    if missing:
        raise FloraError(f"the weights lack {len(missing)} tensors (first: {missing[0]})", path=source.folder)
    return module.eval(), tokenizer, int(module.model.config.max_position_embeddings)


def export(job: Job, source: Source) -> None:
    """Fill `source.cached` with model.onnx, tokenizer.json and manifest.json, in one step. Raises FloraError."""
    job.progress(STAGE, 0, STEPS)
    parent = source.cached.parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=parent, prefix=".export-"))
    except OSError as error:
        raise FloraError(
            f"the cache cannot be written: {error.strerror}", path=parent, remedy="Set FLORA_CACHE to another folder."
        ) from None
    try:
        _write(job, source, folder)
        _publish(folder, source.cached)
    except (FloraError, Cancelled):
        raise
    except OSError as error:
        raise FloraError(
            f"the cache cannot be written: {error.strerror}", path=parent, remedy="Set FLORA_CACHE to another folder."
        ) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    job.progress(STAGE, STEPS, STEPS)


def _write(job: Job, source: Source, folder: Path) -> None:
    model, tokenizer, max_tokens = load_torch(source)
    job.progress(STAGE, 1, STEPS)
    tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"))
    inputs = _example(source, tokenizer, texts=2, tokens=min(6, max_tokens))
    outputs = list(KINDS[source.kind].OUTPUTS)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the tracer warns of constants that are constants
        torch.onnx.export(
            model,
            tuple(inputs.values()),
            str(folder / "model.onnx"),
            input_names=list(inputs),
            output_names=outputs,
            dynamic_axes={name: {0: "texts", 1: "tokens"} for name in [*inputs, "states"]},
            opset_version=OPSET,
            dynamo=False,  # the tracer: seconds quicker, and the same graph for these models
        )
    job.progress(STAGE, 2, STEPS)
    channels = _check(
        folder / "model.onnx", model, _example(source, tokenizer, texts=3, tokens=min(9, max_tokens)), source
    )
    manifest = {
        "name": source.name,
        "kind": source.kind,
        "sha256": source.sha256,
        "channels": channels,
        "max_tokens": max_tokens,
        "pad_id": int(tokenizer.pad_token_id or 0),
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")


def _example(source: Source, tokenizer: Any, texts: int, tokens: int) -> dict[str, Tensor]:
    ids = tokenizer("raise both hands above the head", truncation=True, max_length=tokens).input_ids
    inputs = {"ids": torch.tensor([ids]).repeat(texts, 1)}
    if "mask" in KINDS[source.kind].INPUTS:
        inputs["mask"] = torch.ones_like(inputs["ids"])
    return inputs


def _check(file: Path, model: nn.Module, inputs: dict[str, Tensor], source: Source) -> int:
    """The exported graph must give what torch gives, for a shape it was not traced with. Returns the channels."""
    with torch.no_grad():
        expected = model(**inputs)
    states = (expected if isinstance(expected, Tensor) else expected[0]).numpy()
    found = load_session(file).run(None, {name: value.numpy() for name, value in inputs.items()})[0]
    worst = float(np.abs(found - states).max())
    if not worst <= TOLERANCE:
        raise FloraError(
            f"the exported text encoder differs from torch by {worst:.2g}", path=source.folder, remedy="Update torch."
        )
    return int(states.shape[-1])


def _publish(folder: Path, final: Path) -> None:
    """Give `folder` its final name, unless another process was quicker."""
    folder.chmod(0o755)
    try:
        folder.rename(final)
    except OSError:
        if not (final / "manifest.json").is_file():  # left by somebody who deleted half of it
            shutil.rmtree(final, ignore_errors=True)
            with contextlib.suppress(OSError):
                folder.rename(final)
        if not (final / "manifest.json").is_file():
            raise


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
