"""The published preparation of NTU RGB+D (docs/method.md, section 2, steps 1 to 6), quirks included."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from flora_engine.errors import FloraError
from flora_engine.preprocessing.bodies import BodyRows

Array = NDArray[np.float32]
FRAMES = 300
COORDINATES = 75  # of one actor: 25 joints × 3
SHORTEST = 11  # a body with at most this many frames is noise where there are others
WIDE = 0.8  # a frame is bad where the spread in x is more than this times the spread in y …
MOSTLY_WIDE = 0.69754  # … and a body with at least this share of bad frames is not a person


@dataclass
class Track:
    """All rows of one body id, stored without its gaps: (n, 25, 3) from valid frame `start` on (a published quirk)."""

    body: str
    start: int
    joints: Array
    motion: float = 0.0

    @property
    def end(self) -> int:
        return self.start + len(self.joints) - 1


@dataclass(frozen=True)
class Actors:
    """joints: float32 (T', 75) for one actor or (T', 150) for two; dropped: a sentence for every body left out."""

    joints: Array
    dropped: tuple[str, ...] = field(default=())


def tracks(bodies: BodyRows) -> tuple[list[Track], int]:
    """The bodies in order of appearance, and the number of frames that hold any (step 1)."""
    if not len(bodies.frame):
        return [], 0
    valid = np.concatenate([[0], np.cumsum(np.diff(bodies.frame) != 0)])
    frames = int(valid[-1]) + 1
    ids, first, which = np.unique(bodies.body_id, return_index=True, return_inverse=True)
    if len(ids) == 1:
        return [Track(str(ids[0]), 0, bodies.joints)], frames
    return [
        Track(str(ids[i]), int(valid[first[i]]), bodies.joints[which == i]) for i in np.argsort(first, kind="stable")
    ], frames


def motion(joints: Array) -> float:
    """Sum over x, y, z of the variance over all frames and joints of (n, 25, 3) (step 2)."""
    points = joints.reshape(-1, 3).astype(np.float64)
    mean = points.sum(axis=0) / len(points)
    return float(np.vdot(points, points) / len(points) - mean @ mean)


def good_frames(joints: Array) -> NDArray[np.bool_]:
    """(n,): frames of (n, 25, 3) in which the body is not far wider than tall."""
    points = np.ascontiguousarray(joints[..., :2].transpose(1, 2, 0))  # frames last: whole rows are compared at once
    spread = (points.max(axis=0) - points.min(axis=0)).astype(np.float64)  # float32 differences, as published
    good: NDArray[np.bool_] = spread[0] <= WIDE * spread[1]
    return good


def _without_short(found: list[Track], dropped: list[str]) -> list[Track]:
    for track in found:
        if len(track.joints) <= SHORTEST:
            dropped.append(f"body {track.body}: only {len(track.joints)} frames")
    return [track for track in found if len(track.joints) > SHORTEST]


def _without_wide(found: list[Track], dropped: list[str]) -> list[Track]:
    """Drop bodies that are mostly wider than tall, never the last one; the motion of others counts good frames only."""
    left = list(found)
    for track in found:
        if len(left) == 1:
            break
        good = good_frames(track.joints)
        bad = int(len(good) - good.sum())
        if bad == 0:
            continue
        if bad / len(good) >= MOSTLY_WIDE:
            dropped.append(f"body {track.body}: wider than tall in {bad} of {len(good)} frames")
            left.remove(track)
        else:
            track.motion = min(track.motion, motion(track.joints[good]))
    return left


def denoise(found: list[Track]) -> tuple[list[Track], list[str]]:
    """Steps 2 and 3 for two or more bodies: those that stay, largest motion first, and why the others go."""
    dropped: list[str] = []
    kept = _without_short(found, dropped)
    if len(kept) > 1:
        for track in kept:
            track.motion = motion(track.joints)
        kept = _without_wide(kept, dropped)
    kept.sort(key=lambda track: -track.motion)
    return kept, dropped


def _apart(first: tuple[int, int], second: tuple[int, int]) -> bool:
    """Whether two intervals do not overlap; sharing one frame counts as apart, as published."""
    return min(first[1], second[1]) - max(first[0], second[0]) <= 0


def _place(kept: list[Track], frames: int, dropped: list[str]) -> Array:
    """Step 4: (T, 75) for one track, else (T, 150) with every track on the first actor it does not overlap."""
    joints = np.zeros((frames, COORDINATES * min(len(kept), 2)), np.float32)
    intervals = [(kept[0].start, kept[0].end), (0, 0)]
    for number, track in enumerate(kept):
        own = (track.start, track.end)
        actor = 0 if number == 0 else next((a for a in (0, 1) if _apart(intervals[a], own)), None)
        if actor is None:
            dropped.append(f"body {track.body}: overlaps both actors")
            continue
        rows = slice(track.start, track.end + 1)
        joints[rows, COORDINATES * actor : COORDINATES * (actor + 1)] = track.joints.reshape(-1, COORDINATES)
        intervals[actor] = (min(intervals[actor][0], own[0]), max(intervals[actor][1], own[1]))
    return joints


def prepare_sequence(bodies: BodyRows, name: str = "the recording") -> Actors:
    """Steps 1 to 4: the one or two actors of a recording, in file coordinates.

    Raises FloraError if the published pipeline has no result: no person is present, every body is too short, or one
    id is listed twice in frames.
    """
    found, frames = tracks(bodies)
    if not found:
        raise FloraError(f"{name} cannot be prepared: no frame holds a body", remedy="Leave it out.")
    if len(found) > 1:
        kept, dropped = denoise(found)
    else:
        kept, dropped = found, []
    if not kept:
        raise FloraError(
            f"{name} cannot be prepared: all its {len(found)} bodies are there in at most {SHORTEST} frames",
            remedy="Leave it out.",
        )
    if any(track.end >= frames for track in kept):
        raise FloraError(f"{name} cannot be prepared: a frame lists one body twice", remedy="Leave it out.")
    joints = _place(kept, frames, dropped)
    if len(found) > 1:
        joints = joints[np.any(joints != 0, axis=1)]
    return Actors(joints, tuple(dropped))


def translate(joints: Array) -> Array:
    """Step 5: joint 2 of actor 1 in its first non-zero frame becomes the origin; (T', 75 or 150) → the same shape.

    Frames in which one of two actors is all zero stay zero.
    """
    here = np.any(joints.reshape(len(joints), -1, COORDINATES) != 0, axis=2)
    first = int(here[:, 0].argmax())
    moved = (joints.reshape(len(joints), -1, 25, 3) - joints[first, 3:6]).reshape(joints.shape)
    if joints.shape[1] > COORDINATES:
        moved.reshape(len(joints), 2, COORDINATES)[~here] = 0
    return moved


def align(joints: Array, frames: int = FRAMES, copy_single: bool = False) -> Array:
    """Step 6: pad to (frames, 150) with zeros; a longer recording keeps its centre frames.

    copy_single puts a single actor into the second half as well (the published quirk for NTU-120).
    """
    start = max(0, (len(joints) - frames) // 2)
    joints = joints[start : start + frames]
    aligned = np.zeros((frames, 2 * COORDINATES), np.float32)
    aligned[: len(joints), : joints.shape[1]] = joints
    if copy_single and joints.shape[1] == COORDINATES:
        aligned[:, COORDINATES:] = aligned[:, :COORDINATES]
    return aligned


def as_input(aligned: Array) -> Array:
    """(…, T, 150) → (…, 3, T, 25, 2), the layout that Shift-GCN reads."""
    frames = aligned.shape[-2]
    split = aligned.reshape(*aligned.shape[:-1], 2, 25, 3)
    lead = tuple(range(split.ndim - 4))
    t, m, v, c = range(split.ndim - 4, split.ndim)
    turned = np.ascontiguousarray(split.transpose(*lead, c, t, v, m))
    assert turned.shape[-3] == frames
    return turned


def prepare(bodies: BodyRows, frames: int = FRAMES, name: str = "the recording", copy_single: bool = False) -> Array:
    """All of steps 1 to 6 as the encoder's input: float32 (3, frames, 25, 2). Raises FloraError as above."""
    return as_input(align(translate(prepare_sequence(bodies, name).joints), frames, copy_single))
