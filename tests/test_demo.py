"""The synthetic recordings: the same by seed, human in shape, readable as real NTU files, and named synthetic."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from flora_engine.cli import main
from flora_engine.demo import ACTIONS, synthesise, write_demo
from flora_engine.jobs import Job
from flora_engine.readers import read_sequence
from flora_engine.skeleton import KINECT_V2


def _joint(name: str) -> int:
    return KINECT_V2.joints.index(name)


def test_there_are_enough_actions_with_one_and_two_persons() -> None:
    assert len(ACTIONS) >= 16
    assert len({action.name for action in ACTIONS}) == len(ACTIONS)
    assert {synthesise(i).persons for i in range(len(ACTIONS))} == {1, 2}


@pytest.mark.parametrize("action", range(len(ACTIONS)))
def test_bodies_keep_their_bones_and_sides(action: int) -> None:
    joints = synthesise(action, subject=3).joints[:, 0].astype(float)
    for child, parent in (("left elbow", "left shoulder"), ("right ankle", "right knee"), ("head", "neck")):
        length = np.linalg.norm(joints[:, _joint(child)] - joints[:, _joint(parent)], axis=-1)
        assert 0.05 < np.median(length) < 0.6
        assert length.std() < 0.25 * length.mean()
    # As in real Kinect files: right x up points against the way that the feet point.
    start = joints[0]
    right = start[_joint("right shoulder")] - start[_joint("left shoulder")]
    up = start[_joint("spine shoulder")] - start[_joint("spine base")]
    ahead = start[_joint("left foot")] - start[_joint("left ankle")]
    assert np.dot(np.cross(right, up), ahead) < 0


def test_actions_do_what_their_names_say() -> None:
    def height(action: str, joint: str) -> np.ndarray:
        number = next(i for i, a in enumerate(ACTIONS) if a.name == action)
        y = synthesise(number).joints[:, 0, :, 1]
        return y[:, _joint(joint)] - y[:, _joint("head")]

    assert height("raise both arms", "left hand").max() > 0.1
    assert height("wave right hand", "right hand").max() > 0 > height("wave right hand", "left hand").max()
    assert height("drink water", "right hand").max() > -0.2
    number = next(i for i, a in enumerate(ACTIONS) if a.name == "sit down")
    hips = synthesise(number).joints[:, 0, 0, 1]
    assert hips[-1] < hips[0] - 0.2


@pytest.mark.parametrize("action", range(len(ACTIONS)))
def test_nobody_moves_faster_than_people_do(action: int) -> None:
    """Hands and feet below 10 m/s: a limb that swings far must not jump where its way is longest."""
    sequence = synthesise(action, subject=2)
    ends = sequence.joints[:, :, [6, 10, 14, 18]]
    assert np.linalg.norm(np.diff(ends, axis=0), axis=-1).max() * sequence.fps < 10


def test_the_same_seed_writes_the_same_files_and_the_reader_takes_them(tmp_path: Path) -> None:
    first = write_demo(Job(), tmp_path / "a", subjects=1)
    second = write_demo(Job(), tmp_path / "b", subjects=1)
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]
    for path in first:
        sequence, made = read_sequence(path), synthesise(int(path.stem[-3:]) - 1, camera=int(path.stem[5:8]))
        assert sequence.persons == made.persons
        assert np.allclose(sequence.joints, made.joints, atol=1e-5)
        assert sequence.metadata["action"] == int(path.stem[-3:])
    names = (tmp_path / "a" / "classes.csv").read_text().splitlines()
    assert len(names) == len(first) + 1


def test_other_people_takes_and_views_differ() -> None:
    base = synthesise(0)
    for other in (
        synthesise(0, subject=2),
        synthesise(0, replication=2),
        synthesise(0, camera=2),
        synthesise(0, seed=1),
    ):
        assert other.joints.shape != base.joints.shape or not np.allclose(other.joints, base.joints, atol=0.02)


def test_demo_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", str(tmp_path), "--subjects", "1"]) == 0
    assert "synthetic" in capsys.readouterr().out
    assert len(list(tmp_path.glob("*.skeleton"))) == len(ACTIONS)
