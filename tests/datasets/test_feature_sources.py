"""Features in the layouts of their sources, and what is said if a file does not fit its benchmark."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from feature_samples import WIDTH, rows, write

from flora_engine.cli import main
from flora_engine.datasets.benchmarks import load_benchmark
from flora_engine.datasets.feature_sources import (
    check_features,
    part_sizes,
    read_any_features,
    read_local_features,
    unusual_sizes,
)
from flora_engine.datasets.features import STRETCHES, Features
from flora_engine.datasets.published_files import read_features
from flora_engine.errors import FloraError

SYNSE = load_benchmark("synse/ntu60_xsub_unseen5")


@pytest.mark.parametrize("source", ["synse", "sadave_random_split", "starsmie_random_split", "purls_flora", "star"])
def test_every_source_gives_the_same_split(tmp_path: Path, source: str) -> None:
    path = write(SYNSE, tmp_path / "features", source=source)
    found = read_any_features(path)
    assert part_sizes(path) == (110, 10, 65) == tuple(map(len, (found.train_data, found.zsl_data, found.gzsl_data)))
    assert set(found.zsl_label) == set(SYNSE.unseen) and set(found.gzsl_label) == set(range(60))
    check_features(found, SYNSE, path)
    wanted = rows(list(SYNSE.seen), 2, 0)[0]
    if source == "purls_flora":  # which scales every frame and joint to length 1
        wanted = wanted / np.linalg.norm(wanted, axis=1, keepdims=True)
    np.testing.assert_allclose(found.train_data, wanted, rtol=1e-5)


def test_purls_publishes_single_joints_too(tmp_path: Path) -> None:
    path = write(SYNSE, tmp_path / "features", source="purls_flora")
    local = read_local_features(path)
    assert local is not None
    found = local.train_data.reshape(110, STRETCHES, 25, WIDTH)
    np.testing.assert_allclose(found[:, 2, 7], read_any_features(path).train_data, rtol=1e-5)
    frames = np.load(path / "train_feature.npy")
    frames[3, :, 1, 4] = np.arange(WIDTH)
    np.save(path / "train_feature.npy", frames)
    local = read_local_features(path)
    assert local is not None
    one = local.train_data.reshape(110, STRETCHES, 25, WIDTH)[3, 1, 4]
    np.testing.assert_allclose(one, np.arange(WIDTH) / np.linalg.norm(np.arange(WIDTH)), rtol=1e-5)
    assert read_local_features(write(SYNSE, tmp_path / "others", source="synse")) is None
    assert read_local_features(write(SYNSE, tmp_path / "flora", source="star")) is None


def test_an_npz_with_the_names_of_a_folder_is_read_too(tmp_path: Path) -> None:
    folder = write(SYNSE, tmp_path / "features", source="synse")
    np.savez(tmp_path / "all.npz", **{file.stem: np.load(file) for file in folder.glob("*.npy")})
    np.testing.assert_array_equal(
        read_any_features(tmp_path / "all.npz").gzsl_data, read_any_features(folder).gzsl_data
    )


def test_recordings_without_anybody_are_left_out_as_purls_does(tmp_path: Path) -> None:
    folder = write(SYNSE, tmp_path / "features", source="purls_flora")
    frames = np.load(folder / "train_feature.npy")
    frames[4] = 0
    np.save(folder / "train_feature.npy", frames)
    found = read_any_features(folder)
    assert len(found.train_data) == len(found.train_label) == 109


def test_a_download_without_the_whole_test_part_is_enough_for_zsl(tmp_path: Path) -> None:
    folder = write(SYNSE, tmp_path / "features", source="synse")
    (folder / "gtest.npy").unlink()
    found = read_any_features(folder)
    assert part_sizes(folder)[2] == len(found.gzsl_data) == 0 and found.gzsl_data.shape[1] == WIDTH
    check_features(found, SYNSE, folder, gzsl=False)
    with pytest.raises(FloraError, match=r"GZSL needs it\. Choose `--setting zsl`"):
        check_features(found, SYNSE, folder)


def spoiled(tmp_path: Path, name: str) -> Path:
    folder = write(SYNSE, tmp_path / "features", source="synse")
    if name == "missing":
        (folder / "z_label.npy").unlink()
    elif name == "nothing":
        for file in folder.glob("*.npy"):
            file.unlink()
    elif name == "rows":
        np.save(folder / "z_label.npy", np.arange(3))
    elif name == "joints":
        np.save(folder / "train.npy", np.zeros((110, 3, 50, 25, 2), np.float32))
    elif name == "objects":
        np.save(folder / "train.npy", np.array([{}]), allow_pickle=True)
    return folder


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("missing", r"looks like features of SynSE, SA-DVAE, TDSM, but z_label\.npy is not there"),
        ("nothing", r"holds no features of a split \(its arrays: none\)"),
        ("rows", r"ztest has 10 rows, but z_label 3"),
        ("joints", r"train holds joints of recordings, not features of an encoder.*flora extract"),
        ("objects", r"train\.npy: cannot be read as an array"),
    ],
)
def test_a_folder_that_is_not_whole_is_one_sentence(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(FloraError, match=said) as caught:
        read_any_features(spoiled(tmp_path, name))
    assert "\n" not in str(caught.value)


def features() -> Features:
    test, zero = rows(list(SYNSE.seen), 1, 1), rows(list(SYNSE.unseen), 2, 2)
    both = np.concatenate([test[0], zero[0]]), np.concatenate([test[1], zero[1]])
    return Features(*rows(list(SYNSE.seen), 2, 0), *zero, *both)


def from_one(given: Features) -> Features:
    labels = {name: getattr(given, name) + 1 for name in ("train_label", "zsl_label", "gzsl_label")}
    return replace(given, **labels)


def of_their_own(given: Features) -> Features:
    return replace(given, zsl_label=np.searchsorted(np.array(SYNSE.unseen), given.zsl_label))


def of_another_split(given: Features) -> Features:
    other = load_benchmark("starsmie_random_split/ntu60_xsub_unseen5_split2").unseen
    return replace(given, zsl_label=np.array(other).repeat(2))


def of_no_split(given: Features) -> Features:
    return replace(given, zsl_label=np.where(given.zsl_label == 56, 57, given.zsl_label))


def without_a_class(given: Features) -> Features:
    kept = ~np.isin(given.zsl_label, (11, 26))
    return replace(given, zsl_data=given.zsl_data[kept], zsl_label=given.zsl_label[kept])


def unseen_again(given: Features) -> Features:
    return replace(given, gzsl_data=given.zsl_data, gzsl_label=given.zsl_label)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (from_one, "labels go from 1 to 60, but classes count from 0. Subtract 1 from all labels."),
        (of_their_own, "z_label numbers the unseen classes by themselves, from 0 to 4."),
        (of_another_split, "classes of the file are those of starsmie_random_split/ntu60_xsub_unseen5_split2"),
        (of_no_split, "the unseen classes of the file are not those of synse/ntu60_xsub_unseen5: 57"),
        (unseen_again, "the whole test part holds no seen class"),
    ],
)  # fmt: skip
def test_what_users_ask_most_is_answered_by_one_sentence(tmp_path: Path, spoil, said: str) -> None:
    with pytest.raises(FloraError) as caught:
        check_features(spoil(features()), SYNSE, tmp_path)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_sizes_are_held_against_the_published_ones() -> None:
    assert unusual_sizes(features(), SYNSE) == [
        "the train part has 110 recordings, published are 36,758",
        "the zsl part has 10 recordings, published are 1,368",
        "the gzsl part has 65 recordings, published are 16,487",
    ]
    lacking = without_a_class(features())
    check_features(lacking, SYNSE, Path("features.npz"))
    assert unusual_sizes(lacking, SYNSE)[0] == "no row of the zsl part shows the unseen classes 11, 26"
    for name, known in (("starsmie_random_split/ntu60_xsub_unseen5_split2", 1), ("star/pku51_xview_unseen5_split1", 0)):
        lines = unusual_sizes(features(), load_benchmark(name))
        assert sum("published are" in line for line in lines) == known, "only whole test parts of NTU RGB+D are known"


def test_a_folder_is_converted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write(SYNSE, tmp_path / "features", source="synse")
    assert main(["convert", str(folder), str(tmp_path / "out.npz")]) == 0
    assert "110 train, 10 unseen and 65 test features of 8 numbers" in capsys.readouterr().out
    np.testing.assert_array_equal(read_features(tmp_path / "out.npz").zsl_label, read_any_features(folder).zsl_label)
    assert main(["convert", str(folder), str(tmp_path / "out.csv")]) == 1
    assert "features are written as .npz" in capsys.readouterr().err
