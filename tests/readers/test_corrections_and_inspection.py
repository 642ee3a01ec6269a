"""Corrections turn and scale without mirroring; the inspection tells human recordings from the rest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from reader_samples import in_layout, mediapipe, waving

from flora_engine.errors import FloraError
from flora_engine.readers import correct, read_sequence
from flora_engine.readers.corrections import TURNS
from flora_engine.readers.inspection import Inspection, inspect
from flora_engine.skeleton import SkeletonSequence


def verdicts(found: Inspection) -> dict[str, str]:
    return {check.name: check.verdict for check in found.checks}


@pytest.mark.parametrize("up", list(TURNS))
def test_turns_are_proper_rotations_that_bring_the_axis_up(up: str) -> None:
    turn = np.array(TURNS[up], float)
    np.testing.assert_array_equal(turn @ turn.T, np.eye(3))
    assert np.linalg.det(turn) == pytest.approx(1)
    axis = np.zeros(3)
    axis["xyz".index(up[1])] = 1 if up[0] == "+" else -1
    np.testing.assert_array_equal(turn @ axis, [0, 1, 0])


@pytest.mark.parametrize("up", list(TURNS))
def test_the_guessed_up_axis_corrects_the_recording(up: str) -> None:
    sequence = waving(persons=2)
    lying = replace(sequence, joints=(sequence.joints @ np.array(TURNS[up], np.float32)))  # the inverse turn
    assert inspect(lying).up == up
    np.testing.assert_allclose(correct(lying, up=up).joints, sequence.joints, atol=1e-6)
    np.testing.assert_array_equal(correct(lying, up=up).present(), sequence.present())


@pytest.mark.parametrize(("unit", "scale"), [("centimetres", 0.01), ("millimetres", 0.001), ("inches", 0.0254)])
def test_the_guessed_unit_corrects_the_recording(unit: str, scale: float) -> None:
    sequence = waving()
    found = inspect(replace(sequence, joints=sequence.joints / np.float32(scale)))
    assert (found.unit, found.scale) == (unit, scale)
    assert verdicts(found)["scale"] == "bad"
    corrected = correct(replace(sequence, joints=sequence.joints / np.float32(scale)), scale=found.scale)
    np.testing.assert_allclose(corrected.joints, sequence.joints, atol=1e-5)
    assert verdicts(inspect(corrected))["scale"] == "good"


def test_the_guessed_layout_corrects_the_recording() -> None:
    joints = in_layout("kinect_v1")[:, None]
    mistaken = SkeletonSequence(joints, 30.0, "kinect_v1_utd")
    found = inspect(mistaken)
    assert found.layout == "kinect_v1" and verdicts(found)["layout"] == "bad"
    assert inspect(correct(mistaken, layout="kinect_v1")).verdict == "good"


def test_a_good_recording_is_good_and_measured_right() -> None:
    found = inspect(waving(persons=2))
    assert found.verdict == "good" and all(check.advice == "" for check in found.checks)
    assert found.bone_steadiness == pytest.approx(0, abs=1e-6) and found.symmetry == pytest.approx(0, abs=1e-6)
    assert found.stature == pytest.approx(0.72 + 0.82, abs=0.01)
    assert (found.up, found.layout, found.unit, found.nan_share) == ("+y", "kinect_v2", "metres", 0)


def test_mediapipe_recordings_are_good() -> None:
    joints = (mediapipe(20)[..., :3] * (-1, -1, 1)).astype(np.float32)[:, None]
    assert verdicts(inspect(SkeletonSequence(joints, 30.0, "mediapipe_33"))) == {
        "people": "good", "missing joints": "good", "layout": "good", "bone lengths": "good", "symmetry": "good",
        "up axis": "good", "scale": "good", "frame rate": "good",
    }  # fmt: skip


def test_noise_shuffled_joints_gaps_and_rates_are_noticed() -> None:
    random = np.random.default_rng(0)
    sequence = waving(40)
    noise = replace(sequence, joints=random.normal(size=sequence.joints.shape).astype(np.float32))
    assert verdicts(inspect(noise))["bone lengths"] == "bad"
    shuffled = replace(sequence, joints=sequence.joints[:, :, random.permutation(25)])
    assert verdicts(inspect(shuffled))["layout"] == "bad"
    gaps = sequence.joints.copy()
    gaps[:30, 0, 5] = np.nan
    found = inspect(replace(sequence, joints=gaps))
    assert found.nan_share == pytest.approx(30 / 40 / 25) and verdicts(found)["missing joints"] == "doubtful"
    assert verdicts(inspect(replace(sequence, fps=500.0)))["frame rate"] == "doubtful"
    lame = sequence.joints.copy()
    lame[:, :, [4, 5, 6, 7, 21, 22], 0] *= 3
    assert inspect(replace(sequence, joints=lame)).symmetry > inspect(sequence).symmetry  # type: ignore[operator]


@pytest.mark.parametrize(
    "joints",
    [
        np.zeros((5, 2, 25, 3)),
        np.ones((5, 1, 25, 3)),
        np.full((5, 1, 25, 3), np.nan),
        np.ones((1, 1, 25, 3)),
        np.full((3, 1, 25, 3), 3e38),
    ],
)
def test_odd_recordings_are_bad_or_doubtful_but_no_error(joints: np.ndarray) -> None:
    assert inspect(SkeletonSequence(joints.astype(np.float32), 30.0)).verdict != "good"


def test_real_recordings_pass_and_shuffled_ones_do_not(shared_data: Path) -> None:
    random = np.random.default_rng(0)
    for folder, step in (("ntu/raw", 5), ("utd_mhad", 100), ("nw_ucla", 150), ("pku/raw", 1)):
        for path in sorted((shared_data / folder).iterdir())[::step]:
            sequence = read_sequence(path)
            found = inspect(sequence)
            assert found.verdict != "bad", (path, found.checks)
            assert (found.up, found.unit, found.layout) == ("+y", "metres", sequence.layout)
            order = random.permutation(sequence.joints.shape[2])
            assert inspect(replace(sequence, joints=sequence.joints[:, :, order])).verdict == "bad"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"layout": "octopus"}, "'octopus' is not known"),
        ({"layout": "kinect_v1"}, "has 25 joints, the layout kinect_v1 has 20"),
        ({"up": "north"}, "'north' is not known"),
        ({"scale": 0.0}, "the scale 0 is not possible"),
        ({"scale": float("nan")}, "the scale nan is not possible"),
        ({"fps": 0.0}, "the frame rate 0 is not possible"),
    ],
)
def test_impossible_corrections(change: dict[str, object], expected: str) -> None:
    with pytest.raises(FloraError) as caught:
        correct(waving(), **change)  # type: ignore[arg-type]
    assert expected in str(caught.value)
