"""Cross-view, cross-set-up and PKU-MMD part II from raw files to a table, on synthetic recordings with real names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_flora_commands import Letters
from test_flora_from_recordings import ENCODER, FLORA

from flora_engine.cli import main
from flora_engine.datasets.published_files import read_features
from flora_engine.demo import synthesise
from flora_engine.jobs import Job
from flora_engine.readers import write_ntu
from flora_engine.recipes import flora as experiments
from flora_engine.recipes.actions import perform

SEEN = {"ntu60": (0, 1, 2, 3), "ntu120": (0, 1, 60, 61)}


def raw_ntu(folder: Path, classes: tuple[int, ...], names: list[tuple[int, int, int]]) -> Path:
    """A file of each class for each (set-up, camera, replication)."""
    for place, label in enumerate(classes):
        for setup, camera, replication in names:
            sequence = synthesise(place, subject=1, replication=replication, camera=camera)
            name = f"S{setup:03}C{camera:03}P001R{replication:03}A{label + 1:03}.skeleton"
            write_ntu(sequence, folder / name)
    return folder


def run_of(project: Path, benchmark: str, dataset: str, out: Path) -> dict[str, Any]:
    data = {"dataset": dataset, "project": str(project), "preparation": "ctrgcn", "frames": 24}
    config = {"kind": "encoder", "data": data, "encoder": ENCODER, "benchmark": benchmark}
    encoder = perform(Job(), "train-encoder", {"config": config, "out": str(out / "encoders"), "device": "cpu"})["run"]
    config = {"kind": "flora", "benchmark": benchmark, "data": data, "encoder": [str(encoder)], "texts": {"tokens": 3}}
    given = {"config": {**config, "flora": FLORA}, "out": str(out / "runs"), "device": "cpu"}
    result = perform(Job(), "train", given)
    assert isinstance(result, dict)
    return result


@pytest.mark.parametrize(
    ("dataset", "benchmark", "unseen", "names", "training"),
    [
        ("ntu60", "star/ntu60_xview_unseen5_split1", (10, 11), [(1, c, r) for c in (1, 2, 3) for r in (1, 2)], 4),
        ("ntu120", "star/ntu120_xset_unseen10_split1", (4, 13), [(s, 1, r) for s in (17, 18) for r in (1, 2)], 2),
    ],
)
def test_cross_view_and_cross_set_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    dataset: str, benchmark: str, unseen: tuple[int, int], names: list[tuple[int, int, int]], training: int,
) -> None:  # fmt: skip
    """Cameras 2 and 3 train across views, even set-ups across set-ups; training: recordings of a seen class."""
    monkeypatch.setattr(experiments, "load_text_encoder", lambda spec, job=None: Letters())
    raw = raw_ntu(tmp_path / "raw", SEEN[dataset] + unseen, names)
    assert main(["prepare", dataset, "--raw", str(raw), "--project", str(tmp_path / "p")]) == 0
    result = run_of(tmp_path / "p", benchmark, dataset, tmp_path)
    features = read_features(Path(result["run"]) / "features.npz")
    testing = len(names) - training
    assert sorted(features.train_label) == sorted(SEEN[dataset] * training)
    assert sorted(features.zsl_label) == sorted(unseen * testing)
    assert sorted(features.gzsl_label) == sorted((SEEN[dataset] + unseen) * testing)
    capsys.readouterr()
    assert main(["runs", "show", str(result["run"])]) == 0
    assert "| flora | held-out |" in capsys.readouterr().out


def raw_pku(folder: Path, classes: tuple[int, ...]) -> Path:
    """Three videos of each of two actors, with all classes one after the other; labels in files count from 1."""
    for place in ("skeleton", "label"):
        (folder / place).mkdir(parents=True)
    for subject in (1, 2):
        for camera, view in enumerate("LMR", start=1):
            video, lines, frames, begin = f"A0{subject}N01-{view}", [], [], 1
            for action, label in enumerate(classes):
                joints = synthesise(action, subject=subject, camera=camera).joints[:, 0].reshape(-1, 75)
                frames.append(np.concatenate([joints, np.zeros_like(joints)], axis=1))
                lines.append(f"{label + 1},{begin},{begin + len(joints) - 1},1")
                begin += len(joints)
            np.savetxt(folder / "skeleton" / f"{video}.txt", np.concatenate(frames), fmt="%.5f")
            (folder / "label" / f"{video}.txt").write_text("\n".join(lines) + "\n")
    one, two = (",".join(f"A0{subject}N01-{view}" for view in "LMR") for subject in (1, 2))
    (folder / "cross_subject_v2.txt").write_text(f"Training videos:\n{one}\nValidation videos:\n{two}\n")
    left, others = "A01N01-L,A02N01-L", "A01N01-M,A01N01-R,A02N01-M,A02N01-R"
    (folder / "cross_view_v2.txt").write_text(f"Training videos:\n{others}\nValidation videos:\n{left}\n")
    return folder


def test_pku_mmd_part_ii(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Across subjects and across views, as its own files divide them."""
    raw = raw_pku(tmp_path / "raw", (4, 6, 10, 13, 20, 30))
    assert main(["prepare", "pku2", "--raw", str(raw), "--project", str(tmp_path / "p")]) == 0
    data = {"dataset": "pku41", "project": str(tmp_path / "p"), "preparation": "pku64", "frames": 64}
    splits = [
        {"name": "xsub", "unseen": [20, 30], "train": {"by": "setup", "values": [1]}},
        {"name": "xview", "unseen": [20, 30], "train": {"by": "camera", "values": [2, 3]}},
    ]
    config = {"kind": "pipeline", "data": [data], "splits": splits, "texts": {"tokens": 8}, "encoder": ENCODER}
    given = {"config": {**config, "flora": FLORA}, "out": str(tmp_path / "runs"), "device": "cpu"}
    run = Path(perform(Job(), "train", given)["run"])
    for name, training, testing in (("xsub", 3, 3), ("xview", 4, 2)):
        features = read_features(run / name / "features.npz")
        assert sorted(features.train_label) == sorted([4, 6, 10, 13] * training)
        assert sorted(features.zsl_label) == sorted([20, 30] * testing)
        assert len(features.gzsl_label) == 6 * testing
    for name in ("pkuv2_xsub", "pkuv2_xview"):
        arguments = ["--project", str(tmp_path / "p"), "--splits", str(raw), "--out", str(tmp_path / f"{name}.npz")]
        assert main(["export", name, *arguments]) == 0
    capsys.readouterr()
    assert main(["runs", "show", str(run)]) == 0
    printed = capsys.readouterr().out
    assert "xsub" in printed and "xview" in printed
