"""Layouts are consistent data, and retargeting is the mean it says it is."""

from __future__ import annotations

import numpy as np
import pytest

from flora_engine.skeleton import KINECT_V2, LAYOUTS, Layout, SkeletonSequence, to_kinect_v2
from flora_engine.skeleton.retarget import retarget_matrix

EVERY = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=list(LAYOUTS))


@EVERY
def test_joints_bones_and_mirror_fit(layout: Layout) -> None:
    count = len(layout.joints)
    assert len(set(layout.joints)) == count
    children = [child for child, _ in layout.bones]
    assert len(set(layout.bones)) == len(layout.bones)
    assert all(0 <= end < count for bone in layout.bones for end in bone)
    assert {end for bone in layout.bones for end in bone} == set(range(count)), "every joint hangs on some bone"
    for left, right in layout.mirror:
        assert layout.joints[left].replace("left", "right") == layout.joints[right]
    assert len(layout.mirror) == sum(joint.startswith("left ") for joint in layout.joints)
    if layout.name != "mediapipe_33":  # whose trunk is a ring
        assert len(children) == len(set(children)) == count - 1, "a tree"


def test_published_bones_of_kinect_v2() -> None:
    assert KINECT_V2.bones[0] == (0, 1) and KINECT_V2.bones[-1] == (24, 11) and len(KINECT_V2.bones) == 24


@EVERY
def test_every_kinect_joint_is_a_mean_of_source_joints(layout: Layout) -> None:
    if layout is KINECT_V2:
        return
    assert layout.to_kinect_v2.keys() == set(KINECT_V2.joints)
    assert all(name in layout.joints for recipe in layout.to_kinect_v2.values() for name in recipe)
    np.testing.assert_allclose(retarget_matrix(layout.name).sum(axis=1), 1, atol=1e-6)
    for left, right in KINECT_V2.mirror:
        mirrored = [name.replace("left", "right") for name in layout.to_kinect_v2[KINECT_V2.joints[left]]]
        assert mirrored == list(layout.to_kinect_v2[KINECT_V2.joints[right]])


def test_retargeting_keeps_absence_and_takes_the_worst_tracking() -> None:
    joints = np.random.default_rng(0).normal(size=(4, 2, 20, 3)).astype(np.float32)
    joints[2, 1] = 0
    tracking = np.full((4, 2, 20), 2, np.uint8)
    tracking[0, 0, 3] = 1
    body = to_kinect_v2(SkeletonSequence(joints, 30.0, "kinect_v1", tracking))
    np.testing.assert_array_equal(body.present(), np.any(joints != 0, axis=(2, 3)))
    neck, head = KINECT_V2.joints.index("neck"), KINECT_V2.joints.index("head")
    np.testing.assert_allclose(body.joints[:, :, neck], (joints[:, :, 2] + joints[:, :, 3]) / 2, atol=1e-6)
    assert body.tracking is not None
    assert body.tracking[0, 0, neck] == 1 and body.tracking[0, 0, head] == 1 and (body.tracking == 1).sum() == 2
