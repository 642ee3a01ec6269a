"""What to draw of a recording, as plain arrays. Qt-free, shared by the OpenGL view and the painter view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flora_engine.skeleton import KINECT_V2, SkeletonSequence
from flora_engine.skeleton.retarget import retarget_matrix

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Indices = NDArray[np.intp]

# Blue, orange, green, pink, yellow, cyan: distinct for people with red-green blindness, on dark and light.
PERSON_COLOURS = ((74, 144, 245), (245, 134, 40), (38, 166, 121), (214, 93, 177), (201, 162, 39), (53, 174, 196))
LIT = (228, 32, 50)  # joints that stand out: red is nobody's colour
LIT_SIZE = np.float32(1.8)
_UP_TO_Y = {
    "+y": np.eye(3),
    "-y": np.diag([1.0, -1.0, -1.0]),
    "+z": np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]),
    "-z": np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]),
}
_FAR = 50.0  # metres; points farther from the middle are tracking faults: do not zoom out for them


@dataclass(frozen=True)
class Frame:
    """One frame ready to draw.

    points: float32 (P, 3), metres, y up; persons: (P,) index of the person; joints: (P,) index of the joint;
    inferred: (P,) true if the sensor guessed the joint; lit: (P,) true if it is to stand out; bones: (B, 2) rows of
    `points`.
    """

    points: Floats
    persons: Indices
    joints: Indices
    inferred: Bools
    lit: Bools
    bones: Indices

    def point_colours(self) -> Floats:
        """(P, 4) in 0..1; inferred joints are fainter."""
        colours = person_colours(self.persons)
        colours[self.inferred, 3] = 0.45
        colours[self.lit] = np.array([*LIT, 255], np.float32) / np.float32(255)
        return colours

    def point_sizes(self) -> Floats:
        """(P,) how many times as large as usual."""
        return np.where(self.lit, LIT_SIZE, np.float32(1))

    def bone_points(self) -> Floats:
        """(2B, 3), both ends of every bone in turn."""
        return self.points[self.bones.reshape(-1)]

    def bone_colours(self) -> Floats:
        """(2B, 4) in 0..1."""
        colours = person_colours(self.persons[self.bones.reshape(-1)])
        colours[:, 3] = 0.85
        return colours


def person_colours(persons: Indices) -> Floats:
    """(P,) indices → (P, 4) RGBA in 0..1."""
    table: Floats = np.array([[*colour, 255] for colour in PERSON_COLOURS], np.float32) / np.float32(255)
    return table[persons % len(table)]


class Scene:
    """A recording turned so that y points up; what is the same in all frames is computed once."""

    def __init__(self, sequence: SkeletonSequence) -> None:
        layout = sequence.skeleton
        turn = _UP_TO_Y.get(layout.up, _UP_TO_Y["+y"]).astype(np.float32)
        self.sequence = sequence
        self.joint_names = layout.joints
        self._lit: Bools = np.zeros(len(layout.joints), np.bool_)
        finite = np.isfinite(sequence.joints).all(axis=3)
        self._drawn: Bools = finite & sequence.present()[:, :, None] & ~np.all(sequence.joints == 0, axis=3)
        self._points: Floats = np.nan_to_num(sequence.joints, posinf=0.0, neginf=0.0) @ turn.T
        self._bones = np.array(layout.bones, np.intp).reshape(-1, 2)
        self.low, self.high = self._bounds()
        self.floor = float(self.low[1])

    @property
    def frames(self) -> int:
        return self.sequence.frames

    def frame(self, index: int) -> Frame:
        """Joints and bones of one frame; absent persons and joints are left out."""
        if not self.frames:
            return EMPTY
        drawn = self._drawn[index]
        persons, joints = np.nonzero(drawn)
        row = np.full(drawn.shape, -1, np.intp)
        row[persons, joints] = np.arange(len(persons))
        ends = row[:, self._bones].reshape(-1, 2)
        tracking = self.sequence.tracking
        inferred = np.zeros(len(persons), np.bool_) if tracking is None else tracking[index][persons, joints] < 2
        bones = ends[(ends >= 0).all(axis=1)]
        return Frame(self._points[index][persons, joints], persons, joints, inferred, self._lit[joints], bones)

    def light(self, names: Sequence[str]) -> None:
        """Let these joints stand out, and no others. names: of Kinect v2; in another layout, the joints that each of
        them is made from.
        """
        rows = [KINECT_V2.joints.index(name) for name in names]
        self._lit = np.any(retarget_matrix(self.sequence.layout)[rows] > 0, axis=0)

    def name(self, frame: Frame, row: int, *, whose: bool = True) -> str:
        """The name of a joint of `frame`, with its person if `whose` and there are several persons."""
        text = self.joint_names[int(frame.joints[row])]
        if whose and self.sequence.persons > 1:
            text = f"{text}, person {int(frame.persons[row]) + 1}"
        return text + (" (inferred)" if frame.inferred[row] else "")

    def _bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The box around all joints of all frames, without the outermost 0.2 % on each side (tracking faults)."""
        points = self._points[self._drawn].astype(np.float64)
        if len(points):
            points = points[np.linalg.norm(points - np.median(points, axis=0), axis=1) < _FAR]
        if not len(points):
            return np.array([-0.5, -1.0, -0.5]), np.array([0.5, 1.0, 0.5])
        low, high = np.quantile(points, [0.002, 0.998], axis=0)
        return low, high

    def grid(self, step: float = 0.5) -> Floats:
        """(2G, 3) ends of the ground lines under the whole recording, on multiples of `step` metres."""
        step *= max(1.0, float(np.ceil(np.max(self.high - self.low) / step / 24)))
        low, high = np.floor(self.low / step) * step - step, np.ceil(self.high / step) * step + step
        across = np.arange(low[0], high[0] + step / 2, step)
        along = np.arange(low[2], high[2] + step / 2, step)
        lines = [((x, self.floor, low[2]), (x, self.floor, high[2])) for x in across]
        lines += [((low[0], self.floor, z), (high[0], self.floor, z)) for z in along]
        return np.array(lines, np.float32).reshape(-1, 3)


EMPTY = Frame(
    np.zeros((0, 3), np.float32),
    np.zeros(0, np.intp),
    np.zeros(0, np.intp),
    np.zeros(0, np.bool_),
    np.zeros(0, np.bool_),
    np.zeros((0, 2), np.intp),
)


def nearest(pixels: NDArray[np.float64], depth: NDArray[np.float64], x: float, y: float, reach: float) -> int | None:
    """Row of the point within `reach` pixels of (x, y); among equally near points, the one nearest to the camera."""
    if not len(pixels):
        return None
    away = np.hypot(pixels[:, 0] - x, pixels[:, 1] - y)
    away[depth <= 0] = np.inf
    closest = float(away.min())
    if closest > reach:
        return None
    candidates = np.flatnonzero(away <= closest + 2.0)
    return int(candidates[np.argmin(depth[candidates])])
