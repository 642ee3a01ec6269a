"""The camera of both views: orbit, pan, zoom, and the projection from metres to pixels. Qt-free."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
FIELD_OF_VIEW = 45.0  # vertical, degrees
_NEAREST, _FARTHEST = 0.2, 200.0


@dataclass
class Camera:
    """Looks at `centre` (metres, y up) from `distance`.

    yaw 0 looks along +z, as a Kinect sensor does, so that a person who faces the sensor faces the user; pitch is
    the elevation of the camera above the centre. Both in degrees.
    """

    centre: Array = field(default_factory=lambda: np.zeros(3))
    distance: float = 4.0
    yaw: float = 20.0
    pitch: float = 12.0

    def orbit(self, right: float, up: float) -> None:
        """Turn about the centre by degrees."""
        self.yaw = (self.yaw + right + 180.0) % 360.0 - 180.0
        self.pitch = min(max(self.pitch + up, -89.0), 89.0)

    def zoom(self, factor: float) -> None:
        """Multiply the distance; a factor below 1 zooms in."""
        self.distance = min(max(self.distance * factor, _NEAREST), _FARTHEST)

    def pan(self, right: float, up: float, height: float) -> None:
        """Move the picture by (right, up) pixels in a view that is `height` pixels high."""
        metres = 2 * self.distance * math.tan(math.radians(FIELD_OF_VIEW / 2)) / max(height, 1.0)
        side, above, _ = self.axes()
        self.centre = self.centre - side * (right * metres) - above * (up * metres)

    def axes(self) -> tuple[Array, Array, Array]:
        """Unit vectors (right, up, back) of the view; back points from the centre to the camera."""
        yaw, pitch = math.radians(self.yaw), math.radians(self.pitch)
        back = np.array([math.sin(yaw) * math.cos(pitch), math.sin(pitch), -math.cos(yaw) * math.cos(pitch)])
        side = np.array([-math.cos(yaw), 0.0, -math.sin(yaw)])
        return side, np.cross(back, side), back

    def view_matrix(self) -> Array:
        """(4, 4), world to camera, for column vectors."""
        rotation = np.stack(self.axes())
        matrix = np.eye(4)
        matrix[:3, :3] = rotation
        matrix[:3, 3] = -rotation @ (self.centre + rotation[2] * self.distance)
        return matrix

    def projection_matrix(self, width: float, height: float) -> Array:
        """(4, 4), camera to clip space, as in OpenGL."""
        near, far = self.distance * 0.01, self.distance * 100.0
        focal = 1.0 / math.tan(math.radians(FIELD_OF_VIEW / 2))
        matrix = np.zeros((4, 4))
        matrix[0, 0] = focal * height / max(width, 1.0)
        matrix[1, 1] = focal
        matrix[2, 2], matrix[2, 3] = (far + near) / (near - far), 2 * far * near / (near - far)
        matrix[3, 2] = -1.0
        return matrix

    def to_pixels(self, points: NDArray[np.floating], width: float, height: float) -> tuple[Array, Array]:
        """(N, 3) metres → ((N, 2) pixels from the top left, (N,) depth in metres); depth ≤ 0 is behind the camera."""
        eye = points @ self.view_matrix()[:3, :3].T + self.view_matrix()[:3, 3]
        depth = -eye[:, 2]
        safe = np.where(depth > 1e-6, depth, np.inf)
        focal = height / 2 / math.tan(math.radians(FIELD_OF_VIEW / 2))
        pixels = np.stack([width / 2 + focal * eye[:, 0] / safe, height / 2 - focal * eye[:, 1] / safe], axis=1)
        return pixels, depth

    def fit(self, low: Array, high: Array, width: float, height: float) -> None:
        """Centre on the box [low, high] at the distance from which all of it is visible in a view of this size."""
        self.centre = (low + high) / 2
        half = np.maximum(high - low, 0.1) / 2
        corners = half * np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
        side, up, back = np.stack(self.axes()) @ corners.T
        tangent = math.tan(math.radians(FIELD_OF_VIEW / 2))
        aspect = max(width, 1.0) / max(height, 1.0)
        needed = back + np.maximum(np.abs(up) / tangent, np.abs(side) / (tangent * aspect))
        self.distance = min(max(1.05 * float(needed.max()), _NEAREST), _FARTHEST)
