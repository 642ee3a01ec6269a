"""The npz files that published code exchanges: prepared recordings of a split, and encoder features of a split.

Whole data sets are larger than memory, so arrays are written row by row and read as memory maps. Object arrays, which
can run code, are refused.
"""

from __future__ import annotations

import contextlib
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import DTypeLike, NDArray

from flora_engine.datasets.features import Features
from flora_engine.errors import FloraError
from flora_engine.files import replacing
from flora_engine.jobs import Job
from flora_engine.project import Incoming, Project
from flora_engine.skeleton import SkeletonSequence

FEATURE_ARRAYS = ("train_data", "train_label", "zsl_data", "zsl_label", "gzsl_data", "gzsl_label")
SPLIT_ARRAYS = ("x_train", "y_train", "x_test", "y_test")
# Recordings in the published split files: (train, test). docs/method.md, section 2, step 8.
SPLIT_SIZES = {
    "NTU60_CS": (40_091, 16_487),
    "NTU60_CV": (37_646, 18_932),
    "NTU120_CSub": (63_026, 50_919),
    "NTU120_CSet": (54_468, 59_477),
}
# Published feature files → sizes (train or None if unpublished, zsl, gzsl). docs/method.md, sections 4 and 8.
FEATURE_SIZES: dict[str, tuple[int | None, int, int]] = {
    "ntu60_xsub_seen55_unseen5": (36_758, 1_368, 16_487),
    "ntu60_xsub_seen48_unseen12": (None, 3_291, 16_487),
    "ntu60_xsub_seen40_unseen20": (None, 5_497, 16_487),
    "ntu60_xsub_seen30_unseen30": (None, 8_238, 16_487),
    "ntu120_xsub_seen110_unseen10": (None, 4_249, 50_919),
    "ntu120_xsub_seen96_unseen24": (None, 9_892, 50_919),
    "ntu120_xsub_seen80_unseen40": (None, 17_882, 50_919),
    "ntu120_xsub_seen60_unseen60": (None, 25_175, 50_919),
}
# Data sets → preparation and frames of the clips behind their published encoders. docs/method.md, sections 2 and 3.
PREPARATIONS_OF = {"ntu60": ("ctrgcn", 300), "ntu120": ("ctrgcn", 300), "pku51": ("pku64", 64), "pku41": ("pku64", 64)}
_MOST_IN_MEMORY = 2**31  # bytes of one compressed array that may be unpacked
# What zipfile, zlib and numpy raise for files that are broken, cut or encrypted.
_BROKEN: tuple[type[Exception], ...] = (
    *(OSError, zipfile.BadZipFile, zlib.error, struct.error, ValueError, EOFError, NotImplementedError),
    *(RuntimeError, OverflowError, MemoryError, TypeError, SyntaxError, KeyError),
)


# Arrays in npz files


def open_arrays(path: Path, names: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    """The named arrays of an npz file: read-only memory maps, or unpacked in memory where the file is compressed.

    FloraError for a missing file or array, an object array, or an array that is not all there.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            missing = [name for name in names if name not in members]
            if missing:
                raise FloraError(
                    f"holds no array {' or '.join(missing)} (it has {', '.join(sorted(members)) or 'none'})", path=path
                )
            return {name: _open_member(path, archive, members[name]) for name in names}
    except FloraError:
        raise
    except _BROKEN as error:
        raise FloraError(f"cannot be read as an npz file ({error})", path=path) from None


def _open_member(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(info) as member:
        shape, fortran, dtype = _header(member)
        start = member.tell()
    name = info.filename.removesuffix(".npy")
    if dtype.hasobject:
        raise FloraError(f"the array {name} holds Python objects, which could run code; it is refused", path=path)
    size = int(np.prod(shape, dtype=np.float64)) * dtype.itemsize
    if size > info.file_size - start:
        raise FloraError(f"the array {name} is not all there", path=path, remedy="Copy or download the file again.")
    order: Any = "F" if fortran else "C"
    if size == 0:
        return np.zeros(shape, dtype)
    if info.compress_type == zipfile.ZIP_STORED:
        at = _data_offset(path, info) + start
        return np.memmap(path, dtype, "r", at, shape, order)
    if size > _MOST_IN_MEMORY:
        raise FloraError(
            f"the compressed array {name} has {size / 2**30:.0f} GiB", path=path, remedy="Save it uncompressed."
        )
    with archive.open(info) as member:
        _header(member)
        return np.frombuffer(member.read(size), dtype).reshape(shape, order=order)


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = npy.read_magic(file)
    return npy.read_array_header_1_0(file) if version == (1, 0) else npy.read_array_header_2_0(file)


def _data_offset(path: Path, info: zipfile.ZipInfo) -> int:
    """Where a member's bytes begin: its local header tells, not the archive's directory."""
    with path.open("rb") as file:
        file.seek(info.header_offset)
        local = file.read(30)
    return info.header_offset + 30 + int.from_bytes(local[26:28], "little") + int.from_bytes(local[28:30], "little")


class NpzWriter:
    """Write arrays of an npz file one after the other, each row by row."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    def write(self, name: str, shape: tuple[int, ...], dtype: DTypeLike, rows: Iterable[NDArray[Any]]) -> None:
        """One array of `shape` from shape[0] rows; ValueError if their number or shape is another."""
        kind = np.dtype(dtype)
        header = {"descr": npy.dtype_to_descr(kind), "fortran_order": False, "shape": shape}
        count = 0
        with self._archive.open(f"{name}.npy", "w", force_zip64=True) as member:
            npy.write_array_header_1_0(member, header)
            for count, row in enumerate(rows, 1):
                if np.shape(row) != shape[1:]:
                    raise ValueError(f"row {count} of {name} has the shape {np.shape(row)}")
                member.write(np.ascontiguousarray(row, kind).tobytes())
        if count != shape[0]:
            raise ValueError(f"{name} has {count} rows, not {shape[0]}")


@contextlib.contextmanager
def npz_writer(path: Path) -> Iterator[NpzWriter]:
    """Open an npz file for writing; it appears at `path` whole, or not at all."""
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        yield NpzWriter(archive)


# Features


def read_features(path: Path, *, gaps: bool = False) -> Features:
    """Read a unified feature file; labels may be stored as any numbers and with an extra axis. Raises FloraError.

    gaps: data may be NaN, as descriptors are that a recording does not show.
    """
    arrays = open_arrays(path, FEATURE_ARRAYS)
    parts: list[Any] = []
    widths = set()
    for part in ("train", "zsl", "gzsl"):
        data, labels = arrays[f"{part}_data"], arrays[f"{part}_label"]
        if data.ndim != 2 or data.dtype.kind != "f" or labels.size != len(data):
            raise FloraError(
                f"{part}_data should be (N, F) numbers with one label each, but is {data.dtype} {data.shape} "
                f"with {labels.size} labels",
                path=path,
            )
        widths.add(data.shape[1])
        values = np.array(data, np.float32)
        if not (np.isfinite(values) | (gaps & np.isnan(values))).all():
            raise FloraError(f"{part}_data holds values that are not finite numbers", path=path)
        parts += [values, class_numbers(labels.reshape(-1), path, f"{part}_label")]
    if len(widths) > 1:
        raise FloraError(f"the parts have features of different sizes: {sorted(widths)}", path=path)
    return Features(*parts)


def class_numbers(labels: NDArray[Any], path: Path, name: str) -> NDArray[np.int64]:
    """Labels (N,) as int64; FloraError if they are no whole numbers from 0 on."""
    if labels.dtype.kind not in "iufb":
        raise FloraError(f"{name} holds no numbers", path=path)
    with np.errstate(invalid="ignore"):
        numbers = labels.astype(np.int64)
    if np.any(numbers != labels) or np.any(numbers < 0):
        raise FloraError(f"{name} holds values that are no class numbers", path=path)
    return numbers


def write_features(features: Features, path: Path) -> None:
    """Write a unified feature file: data float32 (N, F), labels int64 (N,)."""
    with npz_writer(path) as writer:
        for name in FEATURE_ARRAYS:
            array = np.asarray(getattr(features, name))
            writer.write(name, array.shape, np.int64 if name.endswith("label") else np.float32, array)


def unexpected_feature_sizes(features: Features, name: str) -> list[str]:
    """How the sizes of a feature file of this published name differ from the published ones; a sentence each."""
    sizes = (len(features.train_data), len(features.zsl_data), len(features.gzsl_data))
    return [
        f"{name}: the {part} part has {size} recordings, published are {expected}"
        for part, size, expected in zip(("train", "zsl", "gzsl"), sizes, FEATURE_SIZES.get(name, sizes), strict=True)
        if expected is not None and size != expected
    ]


# Prepared recordings


@dataclass(frozen=True)
class PublishedSplit:
    """A split file, memory-mapped.

    train, test: float32 (N, T, 150) for NTU RGB+D, (N, 3, 64, 25, 2) for PKU-MMD. Labels int64 (N,), 0-based.
    preparation: "ctrgcn" or "pku64".
    """

    path: Path
    preparation: str
    train: NDArray[np.float32]
    train_labels: NDArray[np.int64]
    test: NDArray[np.float32]
    test_labels: NDArray[np.int64]

    def frames(self, part: str, index: int) -> NDArray[np.float32]:
        """One recording as (T, M, 25, 3) without empty frames at its end; M is 1 where the second half is empty."""
        row = np.asarray(self.train[index] if part == "train" else self.test[index])
        joints = row.reshape(len(row), 2, 25, 3) if self.preparation == "ctrgcn" else row.transpose(1, 3, 2, 0)
        full = np.flatnonzero(np.any(joints != 0, axis=(1, 2, 3)))
        length = int(full[-1]) + 1 if len(full) else 1
        persons = 2 if joints[:, 1].any() else 1
        return np.ascontiguousarray(joints[:length, :persons])


def read_split(path: Path) -> PublishedSplit:
    """Open a published split file (NTU60_CS.npz …, pkuv1_xsub.npz …). Raises FloraError."""
    arrays = open_arrays(path, SPLIT_ARRAYS)
    shapes = {arrays[f"x_{part}"].shape[1:] for part in ("train", "test")}
    shape = shapes.pop()
    preparation = _preparation(shape)
    if shapes or not preparation or arrays["x_train"].dtype.kind != "f":
        raise FloraError(
            f"x_train has the shape {arrays['x_train'].shape}, which is no published layout",
            path=path,
            remedy="Known are (N, T, 150) and (N, 3, T, 25, 2).",
        )
    labels = {part: _labels(arrays[f"y_{part}"], path, f"y_{part}") for part in ("train", "test")}
    for part, numbers in labels.items():
        if len(numbers) != len(arrays[f"x_{part}"]):
            raise FloraError(f"x_{part} has {len(arrays[f'x_{part}'])} rows, but y_{part} {len(numbers)}", path=path)
    return PublishedSplit(path, preparation, arrays["x_train"], labels["train"], arrays["x_test"], labels["test"])


def _preparation(shape: tuple[int, ...]) -> str:
    if len(shape) == 2 and shape[1] == 150:
        return "ctrgcn"
    return "pku64" if len(shape) == 4 and shape[0] == 3 and shape[2:] == (25, 2) else ""


def _labels(y: NDArray[Any], path: Path, name: str) -> NDArray[np.int64]:
    """Class numbers (N,) from numbers (N,), (N, 1) or one-hot rows (N, K)."""
    if y.ndim == 2 and y.shape[1] > 1:
        if np.any((y != 0).sum(axis=1) != 1):
            raise FloraError(f"{name} should be one-hot, but a row has another number of ones", path=path)
        return np.asarray(y.argmax(axis=1), np.int64)
    return class_numbers(y.reshape(-1), path, name)


# What `import_split` gives as set-up number: the files tell which part a recording is of, and nothing else of it.
TRAIN_SETUP, TEST_SETUP = 1, 2
_PREPARED = {"ctrgcn": "ctrgcn", "pku64": "position64"}


def import_split(job: Job, project: Project, path: Path, class_names: tuple[str, ...]) -> int:
    """Bring the recordings of a published split file into a project; how many are new.

    Recordings are named FILE-train-000001 …; their set-up number is 1 in the train part and 2 in the test part, so
    that a split by set-up gives the published one. All-zero recordings are left out. Raises FloraError.
    """
    split = read_split(path)
    highest = max(int(labels.max(initial=0)) for labels in (split.train_labels, split.test_labels))
    names = class_names or tuple(f"action {number}" for number in range(1, highest + 2))
    if highest >= len(names):
        raise FloraError(f"holds class {highest}, but there are {len(names)} classes, from 0", path=path)
    project.classes.ensure(names)
    total = len(split.train) + len(split.test)
    done = new = 0
    batch: list[Incoming] = []
    for part, labels, setup in (
        ("train", split.train_labels, TRAIN_SETUP),
        ("test", split.test_labels, TEST_SETUP),
    ):
        for index, label in enumerate(labels):
            joints = split.frames(part, index)
            done += 1
            if joints.any():
                sequence = SkeletonSequence(
                    joints,
                    30.0,
                    name=f"{path.stem}-{part}-{index + 1:06d}",
                    source=path,
                    metadata={"action": int(label) + 1, "setup": setup, "prepared": _PREPARED[split.preparation]},
                )
                batch.append(Incoming(sequence, names[label]))
            if len(batch) == 256 or done == total:
                new += sum(id is not None for id in project.recordings.add(batch))
                batch = []
                job.progress("importing", done, total)
    return new
