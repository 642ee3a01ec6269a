"""Joints as JSON: MediaPipe landmarks, Azure Kinect bodies, MMPose instances, and what else looks like them.

None of these has a file format of its own, so that everybody writes them a little differently. A file is a list of
frames, or a dict that holds one; a frame holds persons, or the joints of one person; joints are dicts with x, y, z,
lists of numbers, or a dict by name. A list with one entry per joint and frame is read as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flora_engine.errors import FloraError
from flora_engine.readers import _input, _json
from flora_engine.readers._archive import MAX_FPS, Archive, check_fps
from flora_engine.readers.arrays import COUNTS
from flora_engine.readers.assembly import from_layout, from_names
from flora_engine.skeleton import LAYOUTS, SkeletonSequence

Array = NDArray[np.float64]
MAX_PERSONS = 16
MAX_JOINTS = 500
_MEDIAPIPE = "mediapipe_33"
_HELP = "docs/formats.md shows how it should look."
# World landmarks come first: landmarks without "world" are in pixels or in shares of a picture.
_JOINTS = (
    *("world_landmarks", "worldLandmarks", "poseWorldLandmarks", "pose_world_landmarks", "joint_positions"),
    *(
        "pred_xyz_jts",
        "keypoints_3d",
        "keypoints3d",
        "keypoints3D",
        "pose_keypoints_3d",
        "keypoint_3d",
        "joints3d",
        "joints_3d",
        "landmarks",
    ),
    *("poseLandmarks", "pose_landmarks", "keypoints", "joints", "keypoint", "positions", "skeleton"),
)
_PERSONS = ("bodies", "people", "persons", "instances", "poses", "users", "body_list", "skeletons", "predictions")
_FRAMES = ("frames", "instance_info", "results", "data", "sequence", "annotations", "recording", "bodies", "people")
_NAMES = ("joint_names", "keypoint_names", "landmark_names", "jointNames", "names")
_RATES = ("fps", "frame_rate", "frameRate", "framerate")
_TIMES = {"timestamp_usec": 1e-6, "device_timestamp_usec": 1e-6, "timestamp_ms": 1e-3, "timestamp": None, "time": None}
_OWN_NAME = ("name", "joint", "landmark", "joint_name", "landmark_name", "keypoint", "landmark_index", "joint_index")
_OWN_FRAME = ("frame", "frame_id", "frame_index", "frame_number")
_OWN_SURE = ("visibility", "confidence", "score", "likelihood", "presence", "confidence_level")
_IDS = ("body_id", "person_id", "track_id", "id", "pid")
_MARKS = re.compile(
    rb"landmark|keypoint|joint|bodies|people|skelet|\"poses\"|instance_info|\"x\"\s*:|\[\s*\[\s*\[\s*-?\d",
    re.IGNORECASE,
)


@dataclass
class _Person:
    """values: (N, 4) x, y, z and confidence (NaN where it is not given); names: of the joints, or None."""

    values: Array
    names: tuple[str, ...] | None
    id: str = ""


def claims(path: Path, head: bytes) -> bool:
    return path.suffix.lower() == ".json"


def is_other_json(head: bytes) -> bool:
    """Whether nothing at the beginning speaks of joints."""
    return _MARKS.search(head) is None


def read(path: Path, head: bytes) -> SkeletonSequence | None:
    """joints (T, M, V, 3); axes, unit and, where joints have no names, the layout are guessed; tracking 2 where the
    confidence is at least 0.5, else 1. None where the name is not `.json`; FloraError where nothing is understood.
    """
    if not claims(path, head):
        return None
    content = _json.load(path)
    fps = _rate(content, path)
    frames, times = _frames_of(content, path)
    names = _names(content)
    found = [_persons(frame, path, f"frame {number}") for number, frame in enumerate(frames, 1)]
    count = len(LAYOUTS[_MEDIAPIPE].joints)
    for number, persons in enumerate(found, 1):
        for person in persons:
            if any(f'"{key}"'.encode() in head for key in _JOINTS[:4]) and len(person.values) != count:
                raise FloraError(f"holds {len(person.values)} landmarks, where MediaPipe has {count}", path=path,
                                 where=f"frame {number}", remedy=_HELP)  # fmt: skip
    return _sequence(found, names, fps if fps is not None else _fps_of(times), path)


def _rate(content: Any, path: Path) -> float | None:
    if not isinstance(content, dict):
        return None
    for holder in (content, *(value for value in content.values() if isinstance(value, dict))):
        rate = next((holder[key] for key in _RATES if key in holder), None)
        if rate is not None:
            if isinstance(rate, bool) or not isinstance(rate, int | float):
                raise FloraError("has an `fps` that is not a number", path=path, remedy="Write it as a number: 30.")
            return check_fps(float(min(rate, 1e9)), path)
    return None


def _names(content: Any) -> tuple[str, ...] | None:
    if isinstance(content, dict):
        for holder in (content, *(value for value in content.values() if isinstance(value, dict))):
            for key in _NAMES:
                names = holder.get(key)
                if isinstance(names, list) and names and all(isinstance(name, str) for name in names):
                    return tuple(names)
    return None


def _frames_of(content: Any, path: Path) -> tuple[list[Any], list[float]]:
    """One entry per frame, and the times of the frames in seconds, where they have any."""
    frames = content
    if isinstance(content, dict):
        frames = next((content[key] for key in (*_JOINTS[:4], *_FRAMES, *_JOINTS) if key in content), None)
        if frames is None and content and all(str(key).isdecimal() for key in content):
            frames = [content[key] for key in sorted(content, key=int)]
        if (
            isinstance(frames, list)
            and frames
            and any(key in content for key in ("bodies", "people"))
            and (not any(key in content for key in _FRAMES[:-2]))
        ):  # a file per frame, as OpenPose writes them
            frames = [content]
    if not isinstance(frames, list) or not frames:
        raise FloraError("has no list of frames under `frames` or `world_landmarks`", path=path, remedy=_HELP)
    if _is_joint_row(frames[0]):
        return _grouped(frames, path), []
    if isinstance(frames[0], dict) and "image_id" in frames[0]:
        frames = _by_image(frames)
    times = [time for frame in frames if isinstance(frame, dict) and (time := _time(frame)) is not None]
    return frames, times if len(times) == len(frames) else []


def _is_joint_row(entry: Any) -> bool:
    return isinstance(entry, dict) and {"x", "y"} <= entry.keys() and any(key in entry for key in _OWN_NAME)


def _grouped(rows: list[Any], path: Path) -> list[Any]:
    """Frames of a list that has an entry per joint and frame."""
    frames: dict[Any, dict[str, dict[str, Any]]] = {}
    number, seen = 0, set[Any]()
    for row in rows:
        if not isinstance(row, dict):
            raise FloraError("mixes joints with other things in one list", path=path, remedy=_HELP)
        name = str(next((row[key] for key in _OWN_NAME if key in row), ""))
        own = next((row[key] for key in _OWN_FRAME if key in row), None)
        who = str(next((row[key] for key in _IDS if key in row), ""))
        if own is None:
            if (who, name) in seen:
                number, seen = number + 1, set()
            seen.add((who, name))
        key = own if isinstance(own, int | float) else number
        frames.setdefault(key, {}).setdefault(who, {})[name] = row
    return [
        [{"id": who, "joints": joints} for who, joints in persons.items()]
        for _, persons in sorted(frames.items(), key=lambda each: each[0])
    ]


def _by_image(entries: list[Any]) -> list[Any]:
    """AlphaPose and COCO results: an entry per person, which names its picture."""
    frames: dict[str, list[Any]] = {}
    for entry in entries:
        if isinstance(entry, dict):
            frames.setdefault(str(entry.get("image_id")), []).append(entry)
    return list(frames.values())


def _time(frame: dict[str, Any]) -> float | None:
    for key, unit in _TIMES.items():
        value = frame.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value) * (unit or 1.0)
    return None


def _fps_of(times: list[float]) -> float | None:
    if len(times) < 2:
        return None
    step = float(np.median(np.diff(times)))
    step *= next((unit for unit in (1.0, 1e-3, 1e-6, 1e-9) if step * unit <= 1), 1.0)
    return 1 / step if step > 0 and 1 / step <= MAX_FPS else None


def _persons(frame: Any, path: Path, where: str) -> list[_Person]:
    """The persons of one frame."""
    found = list(_people(frame))
    if len(found) > MAX_PERSONS:
        raise FloraError(
            f"holds {len(found)} persons, or a track per person",
            path=path,
            where=where,
            remedy=f"At most {MAX_PERSONS} persons are read; write the frames of each track into a file of its own.",
        )
    persons = []
    for entry in found:
        person = _person(entry)
        if person is None:
            problem, remedy = "holds something that is not joints with x, y and z", _HELP
            if _is_flat(entry):
                problem, remedy = "holds 2D joints (x and y, but no z)", "Lift them to 3D, or export the 3D output."
            raise FloraError(problem, path=path, where=where, remedy=remedy)
        persons.append(person)
    return persons


def _people(frame: Any) -> Iterator[Any]:
    if frame is None or frame in ([], {}):
        return
    if isinstance(frame, dict):
        persons = next((frame[key] for key in _PERSONS if isinstance(frame.get(key), list | dict)), None)
        if persons is not None:
            yield from persons.values() if isinstance(persons, dict) else persons
            return
        key = next((key for key in _JOINTS if frame.get(key) not in (None, [], {})), None)
        if key is not None and isinstance(frame[key], list) and _persons_listed(frame[key]):
            yield from frame[key]
        elif key is not None or not any(key in frame for key in (*_JOINTS, *_OWN_FRAME, *_TIMES)):
            yield frame
        return
    if (
        isinstance(frame, list)
        and (_persons_listed(frame) or not frame or isinstance(frame[0], dict))
        and not (isinstance(frame[0], dict) and "x" in frame[0])
    ):
        yield from frame
        return
    yield frame


def _persons_listed(entries: list[Any]) -> bool:
    """Whether a list is one of persons: each of them a list of joints, which are lists or dicts."""
    return bool(entries) and all(
        isinstance(entry, list) and entry and isinstance(entry[0], list | dict) for entry in entries
    )


def _person(entry: Any) -> _Person | None:
    who, sure = "", None
    joints = entry
    if isinstance(entry, dict):
        who = str(next((entry[key] for key in _IDS if isinstance(entry.get(key), int | str)), ""))
        key = next((key for key in _JOINTS if entry.get(key) not in (None, [])), None)
        joints = entry[key] if key else entry
        if isinstance(joints, dict) and isinstance(joints.get("landmark"), list):  # as protobuf's MessageToDict writes
            joints = joints["landmark"]
        sure = next((entry[key] for key in ("keypoint_scores", "confidences", "scores") if key in entry), None)
    names: tuple[str, ...] | None = None
    if isinstance(joints, dict):
        named = {str(name): value for name, value in joints.items() if isinstance(value, list | dict)}
        names, joints = tuple(named), list(named.values())
    if not isinstance(joints, list) or not 0 < len(joints) <= 4 * MAX_JOINTS:
        return None
    if all(isinstance(joint, dict) for joint in joints):
        if names is None:
            own = [next((joint[key] for key in _OWN_NAME if key in joint), None) for joint in joints]
            names = tuple(str(name) for name in own) if all(name is not None for name in own) else None
        joints = [_numbers(joint) for joint in joints]
    values = _json.floats(joints)
    if values is not None and values.ndim == 1:
        step = next((n for n in (3, 4) if values.size % n == 0 and values.size // n in COUNTS), 0)
        values = values.reshape(-1, step) if step else None
    if values is None or values.ndim != 2 or not 3 <= values.shape[1] <= 4:
        return None
    if values.shape[1] == 3:
        scores = _json.floats(sure) if isinstance(sure, list) else None
        column = scores if scores is not None and scores.shape == (len(values),) else np.full(len(values), np.nan)
        values = np.concatenate([values, column[:, None]], axis=1)
    return _Person(values, names, who)


def _numbers(joint: dict[str, Any]) -> list[Any]:
    """x, y, z, confidence of a joint; a nested position is looked into."""
    place = next((joint[key] for key in ("position", "pos", "Position") if isinstance(joint.get(key), dict)), joint)
    lower = {str(key).lower(): value for key, value in place.items()}
    sure = next((joint[key] for key in _OWN_SURE if key in joint), float("nan"))
    return [lower.get("x"), lower.get("y"), lower.get("z"), sure]


def _is_flat(entry: Any) -> bool:
    if isinstance(entry, dict):
        if entry.get("pose_keypoints_2d"):
            return True
        entry = next((entry[key] for key in _JOINTS if entry.get(key)), entry)
    values = list(entry.values()) if isinstance(entry, dict) else entry
    if not isinstance(values, list) or not values:
        return False
    first = values[0]
    if isinstance(first, dict):
        return {"x", "y"} <= first.keys() and "z" not in first
    return isinstance(first, list) and len(first) == 2


def _sequence(
    frames: list[list[_Person]], names: tuple[str, ...] | None, fps: float | None, path: Path
) -> SkeletonSequence:
    everybody = [person for persons in frames for person in persons]
    if not everybody:
        raise FloraError(f"holds nobody in any of its {len(frames)} frames", path=path, remedy="Leave it out.")
    own = next((person.names for person in everybody if person.names), None)
    count = len(everybody[0].values)
    order = {name: i for i, name in enumerate(own)} if own else {}
    for number, persons in enumerate(frames, 1):
        for person in persons:
            if person.names and own and person.names != own and set(person.names) <= set(own):
                values = np.full((len(own), 4), np.nan)
                values[[order[name] for name in person.names]] = person.values
                person.values, person.names = values, own
            if len(person.values) != count:
                raise FloraError(f"holds a person of {len(person.values)} joints, where others have {count}",
                                 path=path, where=f"frame {number}", remedy=_HELP)  # fmt: skip
    tracked = all(person.id for person in everybody)
    ids = sorted({person.id for person in everybody}, key=lambda who: (len(who), who)) if tracked else []
    if not 0 < len(ids) <= MAX_PERSONS:
        ids = [""] * max(len(persons) for persons in frames)
        tracked = False
    _input.check_size(path, len(frames), len(ids), count)
    values = np.full((len(frames), len(ids), count, 4), np.nan)
    for t, persons in enumerate(frames):
        for m, person in enumerate(persons):
            values[t, ids.index(person.id) if tracked else m] = person.values
    confidence = None if np.isnan(values[..., 3]).all() else _shares(values[..., 3])
    return _joined(values[..., :3], confidence, own or names, fps, path, tuple(ids))


def _shares(confidence: Array) -> Array:
    """Confidence as a share; Azure Kinect's levels are 0 none, 1 low, 2 medium, 3 high."""
    return confidence / 2 if np.nanmax(confidence) > 1 else confidence


def _joined(
    values: Array,
    confidence: Array | None,
    names: tuple[str, ...] | None,
    fps: float | None,
    path: Path,
    ids: tuple[str, ...],
) -> SkeletonSequence:
    if names is None or len(names) != values.shape[2]:
        names = tuple(str(i) for i in range(values.shape[2]))
    return from_names(values, names, fps, path, confidence=confidence, body_ids=ids)


def from_archive(archive: Archive) -> SkeletonSequence:
    """`.npz`: world_landmarks (T, 33, 3 or 4) or (T, M, 33, 3 or 4), the fourth number visibility; fps optional."""
    values = archive.array("world_landmarks")
    assert values is not None
    count = len(LAYOUTS[_MEDIAPIPE].joints)
    if values.ndim == 3:
        values = values[:, None]
    if (
        values.ndim != 4
        or values.shape[2] != count
        or values.shape[3] not in (3, 4)
        or not values.size
        or values.dtype.kind not in "iuf"
        or values.shape[1] > MAX_PERSONS
    ):
        raise archive.wrong(f"has shape {values.shape}, needed are numbers (T, M, {count}, 3 or 4)", "world_landmarks")
    numbers = values.astype(np.float64)
    sure = numbers[..., 3] if values.shape[3] == 4 else None
    fps = archive.fps(0.0) if "fps" in archive.names else None
    return from_layout(numbers[..., :3], _MEDIAPIPE, fps, archive.path, confidence=sure)
