"""MediaPipe Pose world landmarks (33 joints, metres, origin between the hips) as JSON and as `.npz`.

MediaPipe has no file format of its own; docs/formats.md says the two that are read. Its axes are those of a picture: x
to the picture's right, y down, z away from the camera. A half turn about z gives the Kinect's: y up, and the left side
of somebody who faces the camera at smaller x.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flora_engine.errors import FloraError
from flora_engine.readers import _input, _json
from flora_engine.readers._archive import Archive, check_fps
from flora_engine.skeleton import SkeletonSequence

LAYOUT = "mediapipe_33"
JOINTS = 33
MAX_PERSONS = 6
DEFAULT_FPS = 30.0
_TO_KINECT = np.array([-1, -1, 1], np.float32)
_KEYS = ("world_landmarks", "worldLandmarks", "poseWorldLandmarks", "pose_world_landmarks")


def claims(path: Path, head: bytes) -> bool:
    return path.suffix.lower() == ".json" and any(f'"{key}"'.encode() in head for key in _KEYS)


def read(path: Path, head: bytes) -> SkeletonSequence | None:
    """JSON: joints (T, M, 33, 3), metres, Kinect axes; tracking 2 where visibility >= 0.5, else 1.

    A frame is [] (nobody), 33 landmarks, or a list of persons of 33 landmarks; a landmark is {x, y, z, visibility} or
    [x, y, z] or [x, y, z, visibility]. None where the JSON is of another kind; FloraError where broken.
    """
    if not claims(path, head):
        return None
    content = _json.load(path)
    frames, fps = _frames_of(content, path)
    persons = [_persons(frame, number, path) for number, frame in enumerate(frames, 1)]
    most = max((len(p) for p in persons), default=0)
    if most == 0:
        raise FloraError(f"holds nobody in any of its {len(frames)} frames", path=path, remedy="Leave it out.")
    _input.check_size(path, len(frames), most, JOINTS)
    values = np.zeros((len(frames), most, JOINTS, 4))
    for t, here in enumerate(persons):
        for m, landmarks in enumerate(here):
            values[t, m] = landmarks
    return _sequence(values[..., :3], values[..., 3], fps, path)


def _frames_of(content: Any, path: Path) -> tuple[list[Any], float]:
    """The list of frames and the frame rate: {"fps":, "world_landmarks": [...]}, or a list of per-frame results."""
    fps = DEFAULT_FPS
    if isinstance(content, dict):
        rate = content.get("fps", DEFAULT_FPS)
        if isinstance(rate, bool) or not isinstance(rate, int | float):
            raise FloraError("has an `fps` that is no number", path=path, remedy="Write it as a number, like 30.")
        fps = check_fps(float(min(rate, 1e9)), path)
        frames = _landmarks_of(content)
        if frames is None:
            frames = content.get("frames")
    else:
        frames = content
    if isinstance(frames, list) and frames and all(isinstance(frame, dict) for frame in frames):
        frames = [_landmarks_of(frame) for frame in frames]
    if not isinstance(frames, list) or not frames:
        raise FloraError(
            "has no list of frames under `world_landmarks`",
            path=path,
            remedy="docs/formats.md shows how it should look.",
        )
    return frames, fps


def _landmarks_of(content: dict[str, Any]) -> Any:
    return next((content[key] for key in _KEYS if key in content), None)


def _persons(frame: Any, number: int, path: Path) -> list[NDArray[np.float64]]:
    """The persons of one frame, each (33, 4): x, y, z, visibility (1 where not given)."""
    if frame is None or frame == []:
        return []
    people = [frame] if isinstance(frame, list) and len(frame) == JOINTS else frame
    if isinstance(people, list) and len(people) <= MAX_PERSONS:
        found = [_person(person) for person in people]
        if all(person is not None for person in found):
            return [person for person in found if person is not None]
    raise FloraError(
        f"holds a frame that is not persons (at most {MAX_PERSONS}) of {JOINTS} landmarks with x, y and z",
        path=path,
        where=f"frame {number}",
        remedy="docs/formats.md shows how it should look.",
    )


def _person(landmarks: Any) -> NDArray[np.float64] | None:
    if not isinstance(landmarks, list) or len(landmarks) != JOINTS:
        return None
    if all(isinstance(landmark, dict) for landmark in landmarks):
        landmarks = [[mark.get(k, 1.0 if k == "visibility" else None) for k in ("x", "y", "z", "visibility")]
                     for mark in landmarks]  # fmt: skip
    values = _json.floats(landmarks)
    if values is None or values.ndim != 2 or not 3 <= values.shape[1] <= 4:
        return None
    return values if values.shape[1] == 4 else np.concatenate([values, np.ones((JOINTS, 1))], axis=1)


def from_archive(archive: Archive) -> SkeletonSequence:
    """`.npz`: world_landmarks (T, 33, 3 or 4) or (T, M, 33, 3 or 4), the fourth number visibility; fps optional."""
    values = archive.array("world_landmarks")
    assert values is not None
    if values.ndim == 3:
        values = values[:, None]
    if (
        values.ndim != 4
        or values.shape[2] != JOINTS
        or values.shape[3] not in (3, 4)
        or not values.size
        or values.dtype.kind not in "iuf"
        or values.shape[1] > MAX_PERSONS
    ):
        raise archive.wrong(f"has shape {values.shape}, needed are numbers (T, M, {JOINTS}, 3 or 4)", "world_landmarks")
    visibility = values[..., 3].astype(np.float64) if values.shape[3] == 4 else None
    return _sequence(values[..., :3], visibility, archive.fps(DEFAULT_FPS), archive.path)


def _sequence(
    xyz: NDArray[np.generic], visibility: NDArray[np.float64] | None, fps: float, path: Path
) -> SkeletonSequence:
    joints = _input.as_joints(xyz, path) * _TO_KINECT + np.float32(0)  # + 0: an absent person's -0 becomes 0
    tracking = None
    if visibility is not None:
        here = np.any(joints != 0, axis=(2, 3))[..., None]
        tracking = np.where(here, np.where(visibility >= 0.5, 2, 1), 0).astype(np.uint8)
    return SkeletonSequence(joints, fps, LAYOUT, tracking, name=path.stem, source=path)
