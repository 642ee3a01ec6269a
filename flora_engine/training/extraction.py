"""Encoder features of clips, and the unified feature file of a split (docs/method.md, section 4).

Extraction can be stopped and continues where it was: finished parts lie beside the output until all are done.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import shutil
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from flora_engine.datasets.features import Features
from flora_engine.errors import FloraError
from flora_engine.files import replacing, write_text
from flora_engine.jobs import Job
from flora_engine.models.shift_gcn.backends import BackendName
from flora_engine.models.shift_gcn.features import FeatureExtractor
from flora_engine.models.shift_gcn.network import MINIMUM_FRAMES, ShiftGCN
from flora_engine.models.shift_gcn.published import read_published
from flora_engine.models.shift_gcn.streams import STREAMS, concatenate, make_stream
from flora_engine.processes import on_cluster
from flora_engine.project.splits import Parts
from flora_engine.training.distributed import choose_device
from flora_engine.training.encoder.state import load_encoder

# What computes features of parts of clips somewhere else: results in the order of the parts.
Elsewhere = Callable[[Sequence[NDArray[np.float32]]], Generator[NDArray[np.float32], None, None]]
PART = 256  # clips in one file of a partial result


def extract(
    job: Job,
    model: ShiftGCN,
    joints: NDArray[np.float32],
    *,
    stream: str = "joint",
    batch_size: int = 16,
    partial: Path | None = None,
    device: str | None = None,
    backend: BackendName = "auto",
    elsewhere: Elsewhere | None = None,
) -> NDArray[np.float32]:
    """Features float32 (N, F) of clips float32 (N, 3, T, V, M) by `model`, which expects `stream`.

    partial: a folder that keeps finished parts while this runs; parts found there are not computed again (the caller
    sees to it that they belong to the same model and clips). device: None for CUDA if it works. backend: see
    `FeatureExtractor`; a log event says which one runs. elsewhere: computes them instead of this process. Raises
    Cancelled when stopped, FloraError if the clips do not fit or the back end does not compute what the network does.
    """
    fits = (joints.shape[1], *joints.shape[3:]) == (model.channels, model.joints, model.persons)
    if not fits or joints.shape[2] < MINIMUM_FRAMES:
        raise FloraError(
            f"the encoder takes clips of {model.channels} channels, {model.joints} joints and {model.persons} persons, "
            f"these are {joints.shape[1:]}"
        )
    features = np.empty((len(joints), model.feature_size), np.float32)
    files = {start: partial and partial / f"{stream}-{start:08d}.npy" for start in range(0, len(joints), PART)}
    open_parts = [start for start, file in files.items() if not (file and _read_part(file, features[start:][:PART]))]
    parts = _Parts(joints, open_parts)
    if elsewhere is not None:
        job.log(f"features of {stream} by a cluster")
        made = elsewhere(parts)
    else:
        function = FeatureExtractor(model, choose_device(device), backend)
        job.log(f"features of {stream} by back end {function.name}")
        made = (_compute(job, function, part, stream, batch_size) for part in parts)
    done = len(joints) - sum(min(PART, len(joints) - start) for start in open_parts)
    with contextlib.closing(made):
        for start, part in zip(open_parts, made, strict=True):
            features[start : start + PART] = part
            if (file := files[start]) is not None:
                with replacing(file) as temporary:
                    np.save(temporary, part)
            done += len(part)
            job.progress(f"features of {stream}", done, len(joints))
    if not open_parts:
        job.progress(f"features of {stream}", done, done)
    return features


class _Parts(Sequence[NDArray[np.float32]]):
    """The clips of each part from its start on, checked when it is asked for."""

    def __init__(self, joints: NDArray[np.float32], starts: Sequence[int]) -> None:
        self._joints, self._starts = joints, starts

    def __len__(self) -> int:
        return len(self._starts)

    @overload
    def __getitem__(self, place: int) -> NDArray[np.float32]: ...

    @overload
    def __getitem__(self, place: slice) -> list[NDArray[np.float32]]: ...

    def __getitem__(self, place: int | slice) -> NDArray[np.float32] | list[NDArray[np.float32]]:
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(len(self)))]
        start = self._starts[place]
        part = self._joints[start : start + PART]
        _check_numbers(part, start)
        return np.asarray(part, np.float32)


def on_workers(
    job: Job, scheduler: str, checkpoint: Path, stream: str, batch_size: int, backend: BackendName
) -> Elsewhere:
    """What computes features by the workers of the Dask cluster at this address; `checkpoint` is there under the same
    path.
    """
    work = functools.partial(features_by, checkpoint.absolute(), stream, batch_size, backend)
    return lambda parts: on_cluster(work, parts, 1, scheduler, job=job)


def features_by(
    checkpoint: Path, stream: str, batch_size: int, backend: BackendName, parts: Sequence[NDArray[np.float32]]
) -> list[NDArray[np.float32]]:
    """Features of parts of clips, in a worker."""
    function = _extractor(checkpoint, backend)
    return [_compute(Job(), function, part, stream, batch_size) for part in parts]


@functools.lru_cache(maxsize=4)
def _extractor(checkpoint: Path, backend: BackendName) -> FeatureExtractor:
    return FeatureExtractor(load_any_encoder(checkpoint)[0], choose_device(None), backend)


def _check_numbers(joints: NDArray[np.float32], first: int) -> None:
    for number, clip in enumerate(joints, first):
        if not np.isfinite(clip).all():
            raise FloraError(
                f"clip {number} holds values that are not numbers", remedy="Leave it out or prepare it again."
            )


def _compute(
    job: Job, function: FeatureExtractor, joints: NDArray[np.float32], stream: str, batch_size: int
) -> NDArray[np.float32]:
    batches = []
    for start in range(0, len(joints), batch_size):
        job.check()
        batches.append(function(make_stream(joints[start : start + batch_size], stream)))
    return np.concatenate(batches)


def _read_part(file: Path, out: NDArray[np.float32]) -> bool:
    """Fill `out` from a finished part; False if there is none or it does not fit."""
    try:
        found = np.load(file, allow_pickle=False)
    except (OSError, ValueError):
        return False
    if found.shape != out.shape or found.dtype != np.float32:
        return False
    out[:] = found
    return True


def extract_streams(
    job: Job,
    checkpoints: Mapping[str, Path],
    joints: NDArray[np.float32],
    *,
    batch_size: int = 16,
    partial: Path | None = None,
    device: str | None = None,
    backend: BackendName | None = None,
    scheduler: str | None = None,
) -> NDArray[np.float32]:
    """Features of one checkpoint, or of several streams' side by side: float32 (N, streams·256), in the order of
    `models.shift_gcn.streams.STREAMS`.

    partial: emptied first if it belongs to other checkpoints or clips. backend: None for torch if the encoder was
    trained by `backend: torch`, else auto. scheduler: of a Dask cluster whose workers compute instead.
    """
    if partial is not None:
        _claim(partial, checkpoints, joints)
    features: dict[str, NDArray[np.float32]] = {}
    for stream in STREAMS:
        if stream in checkpoints:
            model, about = load_any_encoder(checkpoints[stream])
            trained_by = about.get("settings", {}).get("backend")
            used: BackendName = backend or ("torch" if trained_by == "torch" else "auto")
            elsewhere = None
            if scheduler is not None:
                elsewhere = on_workers(job, scheduler, checkpoints[stream], stream, batch_size, used)
            features[stream] = extract(
                job,
                model,
                joints,
                stream=stream,
                batch_size=batch_size,
                partial=partial,
                device=device,
                backend=used,
                elsewhere=elsewhere,
            )
    return concatenate(features)


def load_any_encoder(path: Path) -> tuple[ShiftGCN, dict[str, Any]]:
    """The network of one of our checkpoints and what `load_encoder` knows of it, or of a published ``.pt``, of which
    only the stream is known: its file name says it, as published ones do, and else it is joint."""
    if path.suffix == ".pt":
        return read_published(path), {"stream": _stream_of_name(path.stem)}
    return load_encoder(path)


def _stream_of_name(name: str) -> str:
    """The stream that a name holds, the longest if several, such as bone_motion in ntu_ShiftGCN_bone_motion_xsub."""
    plain = name.lower().replace("-", "_")
    return max((stream for stream in STREAMS if stream in plain), key=len, default="joint")


def find_checkpoints(paths: list[Path]) -> dict[str, Path]:
    """stream → checkpoint, from files or run folders (the best checkpoint of each of their streams).

    Raises FloraError if there is none, or two of one stream.
    """
    found: dict[str, Path] = {}
    for path in paths:
        files = sorted((path / "checkpoints").glob("*.best.safetensors")) if path.is_dir() else [path]
        if not files:
            raise FloraError(
                "no encoder was trained in this folder, or none has finished an epoch yet",
                path=path,
                remedy="Choose the run that trained the encoder, or its files.",
            )
        for file in files:
            stream = str(load_any_encoder(file)[1]["stream"])
            if stream in found:
                raise FloraError(
                    f"a second checkpoint of the {stream} stream",
                    path=file,
                    remedy="The name of a published file says its stream, such as bone.pt or joint_motion.pt.",
                )
            found[stream] = file
    return found


def _claim(partial: Path, checkpoints: Mapping[str, Path], joints: NDArray[np.float32]) -> None:
    """Make `partial` belong to these checkpoints and clips, forgetting parts of others."""
    digest = hashlib.sha256(repr(joints.shape).encode())
    for stream, path in sorted(checkpoints.items()):
        digest.update(stream.encode() + path.read_bytes())
    # All clips where that is quick, else a sample of them: enough to tell another data set or preparation.
    for index in range(0, len(joints), max(1, len(joints) // 512)):
        digest.update(np.ascontiguousarray(joints[index]).tobytes())
    owner = partial / "owner.txt"
    if owner.is_file() and owner.read_text(encoding="utf-8") == digest.hexdigest():
        return
    if partial.exists():
        shutil.rmtree(partial)
    write_text(owner, digest.hexdigest())


def split_features(features: NDArray[np.float32], labels: NDArray[np.int64], parts: Parts) -> Features:
    """The unified feature file's arrays from features (N, F) and labels (N,) of all recordings of a split."""
    return Features(
        train_data=features[parts.train],
        train_label=labels[parts.train],
        zsl_data=features[parts.zsl],
        zsl_label=labels[parts.zsl],
        gzsl_data=features[parts.gzsl],
        gzsl_label=labels[parts.gzsl],
    )
