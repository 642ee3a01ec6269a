"""What the encoder trains on: rows of an array of clips, which of them train, and which choose the best epoch."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from flora_engine.errors import FloraError
from flora_engine.training.seeding import epoch_order, hold_out

if TYPE_CHECKING:
    from flora_engine.config import EncoderSettings

Labelled = tuple[NDArray[np.float32], NDArray[np.int64]]


def check_data(joints: NDArray[np.float32], labels: NDArray[np.int64], rows: NDArray[np.int64]) -> None:
    """FloraError if `train_encoder` cannot train on these clips."""
    if joints.ndim != 5 or joints.dtype != np.float32 or len(joints) != len(labels):
        raise FloraError(
            f"training clips must be float32 (N, 3, T, V, M) with N labels, got {joints.dtype} {joints.shape} "
            f"and {len(labels)} labels"
        )
    present = np.unique(labels[rows])
    if len(present) < 2 or not np.array_equal(present, np.arange(len(present))):
        raise FloraError(
            f"training needs at least two classes, numbered from 0 without a gap; got {present.tolist()}",
            remedy="Choose more recordings or fewer unseen classes.",
        )
    for row in rows:
        if not np.isfinite(joints[row].sum(dtype=np.float64)):
            raise FloraError(
                f"training clip {row} holds values that are not numbers", remedy="Leave it out or prepare it again."
            )


class Rows:
    """Some rows of an array of clips; on the GPU as a whole if they fit, else read when they are asked for."""

    def __init__(self, joints: NDArray[np.float32], rows: NDArray[np.int64], device: torch.device) -> None:
        self._joints, self._rows, self._device = joints, rows, device
        self._placed: Tensor | None = None
        size = joints[:1].nbytes * len(rows)
        if device.type == "cuda" and size < 0.4 * torch.cuda.mem_get_info(device)[0]:
            self._placed = torch.from_numpy(np.ascontiguousarray(joints[rows])).to(device)

    def take(self, indices: Tensor) -> Tensor:
        """The clips (n, 3, T, V, M) at `indices` (n,) into the rows, on the device."""
        if self._placed is not None:
            return self._placed[indices.to(self._device)]
        return torch.from_numpy(np.asarray(self._joints[self._rows[indices.numpy()]])).to(self._device)


class TrainingData:
    """The training clips, which of them train, and which choose the best epoch.

    joints, labels: of all clips; train, held: int64 indices on the CPU, `train` into those, `held` into held_joints
    and held_labels. identity: tells these clips from others when a training is resumed.
    """

    def __init__(
        self,
        joints: NDArray[np.float32],
        labels: NDArray[np.int64],
        rows: NDArray[np.int64],
        validation: Labelled | None,
        settings: EncoderSettings,
        class_ids: Sequence[int] | None,
        device: torch.device,
    ) -> None:
        self.device = device
        self.classes = int(labels.max()) + 1
        self.shape = joints.shape[1:]
        self.identity = zlib.crc32(labels.tobytes(), zlib.crc32(rows.tobytes(), zlib.crc32(repr(self.shape).encode())))
        self.joints, self.labels = Rows(joints, rows, device), torch.from_numpy(labels.astype(np.int64)).to(device)
        if validation is None:
            train, held = hold_out(labels, settings.held_out, settings.seed)
            self.held_joints, self.held_labels = self.joints, self.labels
        else:
            train, held = np.arange(len(labels)), np.arange(len(validation[1]))
            self.held_joints = Rows(validation[0], held, device)
            self.held_labels = torch.from_numpy(validation[1].astype(np.int64)).to(device)
        self.train, self.held = torch.from_numpy(train), torch.from_numpy(held)
        ids = torch.arange(self.classes) if class_ids is None else torch.tensor(list(class_ids))
        unmirrored = torch.tensor(list(settings.unmirrored), dtype=torch.int64)
        self.may_mirror = ~torch.isin(ids, unmirrored).to(device)

    def steps(self, epoch: int, settings: EncoderSettings) -> list[list[Tensor]]:
        """The epoch's steps; each is a list of `accumulate` batches of indices. The incomplete last batch is left out
        (as published; batch norm over a few clips would be noise) unless it is the only one."""
        size, count = settings.batch_size, len(self.train)
        order = self.train[torch.from_numpy(epoch_order(settings.seed, epoch, count))]
        batches = [order[i : i + size] for i in range(0, max(1, count // size) * size, size)]
        width = settings.accumulate
        return [batches[i : i + width] for i in range(0, len(batches), width)]
