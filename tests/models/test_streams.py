"""The four streams by hand."""

import numpy as np
import pytest
import torch

from flora_engine.models.shift_gcn.streams import ENSEMBLE_WEIGHTS, STREAMS, concatenate, ensemble, make_stream


def test_streams_by_hand() -> None:
    joints = np.random.default_rng(0).normal(size=(2, 3, 5, 25, 2)).astype(np.float32)
    bone = make_stream(joints, "bone")
    motion = make_stream(joints, "joint_motion")
    both = make_stream(joints, "bone_motion")
    np.testing.assert_array_equal(make_stream(joints, "joint"), joints)
    np.testing.assert_array_equal(bone[..., 7, :], joints[..., 7, :] - joints[..., 6, :])  # hand - wrist
    np.testing.assert_array_equal(bone[..., 0, :], joints[..., 0, :] - joints[..., 1, :])  # base - mid
    assert not bone[..., 20, :].any()  # the spine's shoulder joint is the root
    np.testing.assert_array_equal(motion[:, :, 2], joints[:, :, 3] - joints[:, :, 2])
    assert not motion[:, :, -1].any()
    np.testing.assert_array_equal(both[:, :, 1], bone[:, :, 2] - bone[:, :, 1])
    assert all(make_stream(joints, stream).dtype == np.float32 for stream in STREAMS)


@pytest.mark.parametrize("stream", STREAMS)
def test_a_tensor_gives_what_an_array_gives(stream: str) -> None:
    joints = np.random.default_rng(0).normal(size=(2, 3, 5, 25, 2)).astype(np.float32)
    # Differences of two numbers each, of which IEEE 754 leaves no choice how to round them.
    np.testing.assert_array_equal(make_stream(torch.from_numpy(joints), stream).numpy(), make_stream(joints, stream))


def test_an_absent_person_stays_absent() -> None:
    joints = np.ones((1, 3, 4, 25, 2), np.float32)
    joints[..., 1] = 0
    assert not any(make_stream(joints, stream)[..., 1].any() for stream in STREAMS)


def test_unknown_stream() -> None:
    with pytest.raises(ValueError, match="unknown stream 'bones'; known: joint, bone"):
        make_stream(np.zeros((3, 4, 25, 2), np.float32), "bones")


def test_ensemble_and_concatenation() -> None:
    parts = {name: np.full((2, 3), i + 1, np.float32) for i, name in enumerate(reversed(STREAMS))}
    assert list(ENSEMBLE_WEIGHTS.values()) == [0.6, 0.6, 0.4, 0.4]
    np.testing.assert_allclose(ensemble(parts), np.full((2, 3), 0.6 * 4 + 0.6 * 3 + 0.4 * 2 + 0.4 * 1), rtol=1e-6)
    np.testing.assert_array_equal(concatenate(parts)[0, ::3], [4, 3, 2, 1])
    np.testing.assert_allclose(ensemble({"bone": parts["bone"]}), 0.6 * parts["bone"], rtol=1e-6)
