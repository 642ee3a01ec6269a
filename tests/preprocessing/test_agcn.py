"""2s-AGCN preparation equals what the published scripts gave for the same raw files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from flora_engine.preprocessing import agcn


def test_a_person_who_enters_late_is_moved_to_the_front_and_repeated() -> None:
    joints = np.zeros((6, 1, 25, 3))
    joints[2:5, 0] = np.arange(1, 4)[:, None, None] + np.arange(75).reshape(25, 3) ** 1.5
    x = agcn.prepare(joints, 8)[..., 0]
    np.testing.assert_allclose(x[:, 0], x[:, 3], atol=1e-6)
    np.testing.assert_allclose(x[:, 1], x[:, 7], atol=1e-6)
    assert np.abs(x[:, :, 2]).max() > 0


def test_nobody_stays_zero() -> None:
    assert not agcn.prepare(np.zeros((4, 3, 25, 3))).any()


def test_of_four_bodies_the_two_with_most_energy_stay() -> None:
    random = np.random.default_rng(0)
    joints = random.normal(0, 1, (5, 5, 25, 3)) * np.array([1, 3, 0.5, 2, 9])[:, None, None]
    chosen = agcn.strongest(joints)
    np.testing.assert_array_equal(chosen[0], joints[:, 1])  # the fifth body is never looked at
    np.testing.assert_array_equal(chosen[1], joints[:, 3])


def test_first_frame_stands_on_z_with_shoulders_on_x() -> None:
    x = agcn.prepare(np.random.default_rng(1).normal(0, 1, (20, 1, 25, 3)) + 3)[..., 0]
    line = x[:, 0, agcn.RIGHT_SHOULDER] - x[:, 0, agcn.LEFT_SHOULDER]
    np.testing.assert_allclose(line[1:], 0, atol=1e-5)
    assert line[0] > 0
    np.testing.assert_allclose(x[:, 0, agcn.SPINE_MID], 0, atol=1e-6)


@pytest.mark.parametrize("rule", ["ntu60", "ntu120"])
def test_published_inputs(shared_data: Path, rule: str) -> None:
    pytest.importorskip("flora_engine.readers.ntu")
    from flora_engine.preprocessing import bodies
    from flora_engine.readers.ntu import read_bodies

    golden = np.load(shared_data / f"shift_gcn/golden_{rule}_xsub.npz", allow_pickle=False)
    assert len(golden["names"])
    for name, expected in zip(golden["names"], golden["x"], strict=True):
        path = shared_data / f"ntu/raw/{name}.skeleton"
        found = agcn.prepare(bodies.in_list_order(read_bodies(path)))
        np.testing.assert_allclose(found, expected, atol=1e-5, err_msg=str(name))
