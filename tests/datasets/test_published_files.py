"""npz files as published: what is written reads back, numpy reads ours, and broken or hostile files are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from flora_engine.datasets import published_files as files
from flora_engine.datasets.features import Features
from flora_engine.errors import FloraError


def features(seed: int = 0) -> Features:
    random = np.random.default_rng(seed)
    parts = []
    for count in (7, 3, 5):
        parts += [random.normal(0, 1, (count, 4)).astype(np.float32), random.integers(0, 9, count)]
    return Features(*parts)


def test_features_round_trip_and_numpy_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "f.npz"
    files.write_features(features(), path)
    found = files.read_features(path)
    plain = np.load(path, allow_pickle=False)
    for name in files.FEATURE_ARRAYS:
        np.testing.assert_array_equal(getattr(found, name), getattr(features(), name))
        np.testing.assert_array_equal(plain[name], getattr(features(), name))
    assert found.train_label.dtype == np.int64


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_foreign_feature_files_are_understood(tmp_path: Path, save: object) -> None:
    """Others store float64 data and labels with an extra axis, sometimes compressed."""
    own = features()
    arrays = {name: np.asarray(getattr(own, name), np.float64) for name in files.FEATURE_ARRAYS}
    arrays["zsl_label"] = arrays["zsl_label"][:, None]
    save(tmp_path / "f.npz", **arrays)  # type: ignore[operator]
    found = files.read_features(tmp_path / "f.npz")
    for name in files.FEATURE_ARRAYS:
        np.testing.assert_array_equal(getattr(found, name), getattr(own, name))


def broken(**changes: object) -> dict[str, np.ndarray]:
    arrays = {name: np.asarray(getattr(features(), name)) for name in files.FEATURE_ARRAYS}
    return arrays | {name: np.asarray(value) for name, value in changes.items()}


@pytest.mark.parametrize(
    ("arrays", "problem"),
    [
        ({k: v for k, v in broken().items() if k != "zsl_label"}, "no array zsl_label"),
        (broken(train_label=np.arange(6)), "6 labels"),
        (broken(train_label=np.arange(7) - 1), "no class numbers"),
        (broken(train_label=np.arange(7) + 0.5), "no class numbers"),
        (broken(train_label=np.array(["a"] * 7)), "no numbers"),
        (broken(zsl_data=np.zeros((3, 5), np.float32)), "different sizes"),
        (broken(zsl_data=np.full((3, 4), np.nan)), "not finite"),
        (broken(zsl_data=np.zeros((3, 4), np.int64)), "should be"),
    ],
)
def test_wrong_feature_files_are_refused(tmp_path: Path, arrays: dict[str, np.ndarray], problem: str) -> None:
    np.savez(tmp_path / "f.npz", **arrays)
    with pytest.raises(FloraError, match=problem):
        files.read_features(tmp_path / "f.npz")


def test_python_objects_never_run(tmp_path: Path) -> None:
    ran = tmp_path / "ran"

    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return (open, (str(ran), "w"))

    np.savez(tmp_path / "f.npz", **broken(train_data=np.array([Trap()], object)))
    with pytest.raises(FloraError, match="Python objects"):
        files.read_features(tmp_path / "f.npz")
    assert not ran.exists()


def test_cut_and_mutated_files_give_our_error_only(tmp_path: Path) -> None:
    path = tmp_path / "f.npz"
    files.write_features(features(), path)
    whole = path.read_bytes()
    random = np.random.default_rng(0)
    refused = 0
    for cut in range(0, len(whole), 97):
        data = bytearray(whole[: cut if cut % 2 else len(whole)])
        for _ in range(4):
            if data:
                data[int(random.integers(len(data)))] = int(random.integers(256))
        path.write_bytes(bytes(data))
        try:
            files.read_features(path)
        except FloraError:
            refused += 1
    assert refused > 5


def test_expected_sizes_are_known_by_name() -> None:
    assert files.unexpected_feature_sizes(features(), "mine") == []
    problems = files.unexpected_feature_sizes(features(), "ntu60_xsub_seen48_unseen12")
    assert problems == [
        "ntu60_xsub_seen48_unseen12: the zsl part has 3 recordings, published are 3291",
        "ntu60_xsub_seen48_unseen12: the gzsl part has 5 recordings, published are 16487",
    ]


def test_large_arrays_are_mapped_not_read(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(0, 1, (6, 9, 150)).astype(np.float32)
    with files.npz_writer(tmp_path / "s.npz") as writer:
        for part in ("train", "test"):
            writer.write(f"x_{part}", x.shape, np.float32, iter(x))
            writer.write(f"y_{part}", (6, 60), np.float64, np.eye(60)[:6])
    split = files.read_split(tmp_path / "s.npz")
    assert isinstance(split.train, np.memmap)
    assert split.preparation == "ctrgcn"
    np.testing.assert_array_equal(split.test, x)
    np.testing.assert_array_equal(split.test_labels, np.arange(6))


def test_writing_checks_rows_and_leaves_no_half_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="2 rows, not 3"), files.npz_writer(tmp_path / "s.npz") as writer:
        writer.write("x", (3, 2), np.float32, np.zeros((2, 2)))
    with pytest.raises(ValueError, match="shape"), files.npz_writer(tmp_path / "s.npz") as writer:
        writer.write("x", (3, 2), np.float32, np.zeros((3, 4)))
    assert list(tmp_path.iterdir()) == []


def test_frames_of_a_split_lose_padding_and_the_absent_person(tmp_path: Path) -> None:
    x = np.zeros((2, 8, 150), np.float32)
    x[0, :5, :75] = 1
    x[1, :6] = 2
    pku = np.zeros((1, 3, 4, 25, 2), np.float32)
    pku[0, 1, :, 3, 0] = 7
    with files.npz_writer(tmp_path / "ntu.npz") as writer:
        for part in ("train", "test"):
            writer.write(f"x_{part}", x.shape, np.float32, x)
            writer.write(f"y_{part}", (2, 1), np.int64, np.zeros((2, 1)))
    with files.npz_writer(tmp_path / "pku.npz") as writer:
        for part in ("train", "test"):
            writer.write(f"x_{part}", pku.shape, np.float32, pku)
            writer.write(f"y_{part}", (1, 1), np.int64, np.full((1, 1), 50))
    ntu = files.read_split(tmp_path / "ntu.npz")
    assert ntu.frames("train", 0).shape == (5, 1, 25, 3)
    assert ntu.frames("test", 1).shape == (6, 2, 25, 3)
    other = files.read_split(tmp_path / "pku.npz")
    assert other.preparation == "pku64"
    assert other.train_labels.tolist() == [50]
    assert other.frames("train", 0)[2, 0, 3].tolist() == [0, 7, 0]


def test_other_layouts_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", x_train=np.zeros((2, 3)), y_train=[0, 1], x_test=np.zeros((2, 3)), y_test=[0, 1])
    with pytest.raises(FloraError, match="no published layout"):
        files.read_split(tmp_path / "s.npz")
