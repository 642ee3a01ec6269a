"""The scene holds what is there, the right way up; the camera shows it where the mouse finds it again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.viewer.camera import Camera
from app.viewer.scene import LIT, PERSON_COLOURS, Scene, nearest
from flora_engine.demo import ACTIONS, synthesise
from flora_engine.skeleton import KINECT_V2, LAYOUTS, SkeletonSequence
from flora_engine.skeleton.layouts import Layout

PAIR = next(i for i, action in enumerate(ACTIONS) if action.other is not None)


@pytest.fixture(scope="module")
def pair() -> SkeletonSequence:
    return synthesise(PAIR)


def test_two_persons_have_all_joints_bones_and_two_colours(pair: SkeletonSequence) -> None:
    frame = Scene(pair).frame(0)
    assert frame.points.shape == (50, 3) and frame.bones.shape == (48, 2)
    assert len(np.unique(frame.point_colours(), axis=0)) == 2
    assert frame.bone_points().shape == (96, 3) and frame.bone_colours().shape == (96, 4)
    expected = np.array(PERSON_COLOURS[1]) / 255
    np.testing.assert_allclose(frame.point_colours()[frame.persons == 1][0, :3], expected, atol=1e-6)


def test_bones_join_the_joints_of_their_own_person(pair: SkeletonSequence) -> None:
    frame = Scene(pair).frame(3)
    for child, parent in frame.bones:
        assert frame.persons[child] == frame.persons[parent]
        assert (int(frame.joints[child]), int(frame.joints[parent])) in KINECT_V2.bones


def test_absent_persons_and_broken_joints_are_left_out(pair: SkeletonSequence) -> None:
    joints = pair.joints.copy()
    joints[0, 1] = 0
    joints[0, 0, 5] = np.nan
    frame = Scene(replace(pair, joints=joints)).frame(0)
    assert set(frame.persons) == {0} and 5 not in frame.joints and len(frame.points) == 24
    assert np.isfinite(frame.points).all()


def test_empty_recordings_have_a_scene() -> None:
    empty = SkeletonSequence(np.zeros((0, 1, 25, 3), np.float32), 30.0)
    assert len(Scene(empty).frame(0).points) == 0
    nobody = Scene(SkeletonSequence(np.zeros((4, 1, 25, 3), np.float32), 30.0))
    assert len(nobody.frame(2).bones) == 0 and np.isfinite(nobody.grid()).all()


def test_z_up_files_stand_upright(pair: SkeletonSequence, monkeypatch: pytest.MonkeyPatch) -> None:
    lying = Layout("lying", "", KINECT_V2.joints, KINECT_V2.bones, KINECT_V2.mirror, "+z", {})
    monkeypatch.setitem(LAYOUTS, "lying", lying)
    turned = np.stack([pair.joints[..., 0], -pair.joints[..., 2], pair.joints[..., 1]], axis=-1)
    frame = Scene(replace(pair, joints=turned, layout="lying")).frame(0)
    np.testing.assert_allclose(frame.points, Scene(pair).frame(0).points, atol=1e-6)


def test_inferred_joints_are_faint(pair: SkeletonSequence) -> None:
    assert pair.tracking is not None
    tracking = pair.tracking.copy()
    tracking[0, 0, 3] = 1
    scene = Scene(replace(pair, tracking=tracking))
    frame = scene.frame(0)
    assert frame.point_colours()[3, 3] < frame.point_colours()[4, 3]
    assert scene.name(frame, 3) == "head, person 1 (inferred)"


def test_grid_lies_under_everybody_and_stays_small(pair: SkeletonSequence) -> None:
    scene = Scene(pair)
    grid = scene.grid()
    assert np.all(grid[:, 1] == np.float32(scene.floor)) and grid[:, 0].min() <= scene.low[0]
    far = Scene(replace(pair, joints=pair.joints * np.float32(10)))
    assert len(far.grid()) < 200


def test_one_wild_joint_does_not_zoom_everything_away(pair: SkeletonSequence) -> None:
    joints = pair.joints.copy()
    joints[5, 0, 7] = 4000.0
    assert np.max(Scene(replace(pair, joints=joints)).high) < 10


def test_fit_shows_the_whole_recording_from_every_side(pair: SkeletonSequence) -> None:
    scene = Scene(pair)
    for yaw in range(-180, 180, 45):
        for width, height in ((800, 600), (300, 700), (1600, 300)):
            camera = Camera(yaw=float(yaw))
            camera.fit(scene.low, scene.high, width, height)
            corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)])
            box = scene.low + corners * (scene.high - scene.low)
            pixels, depth = camera.to_pixels(box, width, height)
            assert depth.min() > 0
            assert pixels.min() > -1 and pixels[:, 0].max() < width + 1 and pixels[:, 1].max() < height + 1


def test_a_person_facing_the_sensor_faces_the_user_unmirrored() -> None:
    camera = Camera(yaw=0.0, pitch=0.0)
    # Kinect axes: who looks at the sensor (along -z) has the left hand at smaller x; the user sees it on the right.
    pixels, _ = camera.to_pixels(np.array([[-0.5, 0.0, 0.0], [0.0, 0.5, 0.0]]), 200, 200)
    assert pixels[0, 0] > 100 and pixels[1, 1] < 100


def test_matrices_and_pixels_agree(pair: SkeletonSequence) -> None:
    camera = Camera(yaw=33.0, pitch=-20.0)
    points = Scene(pair).frame(0).points.astype(np.float64)
    camera.fit(points.min(0), points.max(0), 640, 480)
    clip = np.c_[points, np.ones(len(points))] @ camera.view_matrix().T @ camera.projection_matrix(640, 480).T
    ndc = clip[:, :2] / clip[:, 3:]
    pixels, _ = camera.to_pixels(points, 640, 480)
    np.testing.assert_allclose(pixels, np.c_[(ndc[:, 0] + 1) * 320, (1 - ndc[:, 1]) * 240], atol=1e-6)


def test_pan_moves_the_picture_with_the_mouse() -> None:
    camera = Camera(yaw=40.0, pitch=25.0)
    before, _ = camera.to_pixels(np.zeros((1, 3)), 640, 480)
    camera.pan(30, 12, 480)
    after, _ = camera.to_pixels(np.zeros((1, 3)), 640, 480)
    np.testing.assert_allclose(after - before, [[30, -12]], atol=1e-6)


def test_nearest_prefers_the_joint_in_front() -> None:
    pixels = np.array([[10.0, 10.0], [10.5, 10.0], [50.0, 50.0]])
    assert nearest(pixels, np.array([4.0, 2.0, 1.0]), 10, 10, 12) == 1
    assert nearest(pixels, np.array([4.0, -2.0, 1.0]), 10, 10, 12) == 0
    assert nearest(pixels, np.array([4.0, 2.0, 1.0]), 200, 200, 12) is None
    assert nearest(np.zeros((0, 2)), np.zeros(0), 0, 0, 12) is None


def test_lit_joints_are_those_that_a_joint_of_kinect_is_made_from(pair: SkeletonSequence) -> None:
    scene = Scene(pair)
    scene.light(["right hand"])
    frame = scene.frame(0)
    hand = KINECT_V2.joints.index("right hand")
    assert frame.lit.tolist() == (frame.joints == hand).tolist() and frame.lit.sum() == 2
    np.testing.assert_allclose(frame.point_colours()[frame.lit][:, :3], np.tile(LIT, (2, 1)) / 255, atol=1e-6)
    assert frame.point_sizes().max() > frame.point_sizes().min() == 1
    scene.light([])
    assert not scene.frame(0).lit.any()
    other = next(layout for layout in LAYOUTS.values() if layout.name == "kinect_v1")
    joints = np.ones((1, 1, len(other.joints), 3), np.float32)
    scene = Scene(SkeletonSequence(joints, 30.0, other.name))
    scene.light(["left knee"])
    assert [other.joints[j] for j in scene.frame(0).joints[scene.frame(0).lit]] == ["left knee"]
