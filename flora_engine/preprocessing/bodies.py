"""Body rows as NTU files list them, and the arrays that the published pipelines make of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from flora_engine.skeleton import SkeletonSequence


class BodyRows(Protocol):
    """One row per body and frame, in file order (frames ascending).

    frame_count: the file's frames. frame int (B,), 0-based. body_id (B,), any type that can be compared.
    position int (B,), the index in the frame's list. joints float32 (B, 25, 3), metres.
    """

    @property
    def frame_count(self) -> int: ...
    @property
    def frame(self) -> NDArray[np.int32]: ...
    @property
    def body_id(self) -> NDArray[Any]: ...
    @property
    def position(self) -> NDArray[np.int32]: ...
    @property
    def joints(self) -> NDArray[np.float32]: ...


@dataclass(frozen=True)
class Rows:
    """Body rows held in memory; see `BodyRows`."""

    frame_count: int
    frame: NDArray[np.int32]
    body_id: NDArray[np.int64]
    position: NDArray[np.int32]
    joints: NDArray[np.float32]


def from_sequence(sequence: SkeletonSequence) -> Rows:
    """The rows of a recording with 25 joints: its persons are the bodies; who is absent has no row."""
    frame, person = np.nonzero(sequence.present())
    first = np.searchsorted(frame, frame)  # index of the first row of each row's frame
    position = np.arange(len(frame)) - first
    return Rows(
        sequence.frames,
        frame.astype(np.int32),
        person.astype(np.int64),
        position.astype(np.int32),
        sequence.joints[frame, person],
    )


def in_list_order(bodies: BodyRows) -> NDArray[np.float32]:
    """(T, M, 25, 3) float32: body m of every frame's list in place m, zeros if the list is shorter."""
    longest = int(bodies.position.max()) + 1 if len(bodies.position) else 1
    joints = np.zeros((bodies.frame_count, longest, 25, 3), np.float32)
    joints[bodies.frame, bodies.position] = bodies.joints
    return joints
