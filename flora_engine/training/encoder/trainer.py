"""Training Shift-GCN on labelled clips (docs/method.md, section 4): the recipe of the skeleton encoder.

`train_encoder` takes arrays, so the command line, the pipeline, the worker and the benchmarks all call the same code.
It can be stopped at any moment and goes on later as if nothing had happened: each random draw depends on (seed, epoch,
recording) alone, and the last checkpoint holds the rest.
"""

from __future__ import annotations

import contextlib
import math
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from flora_engine.errors import Cancelled, FloraError
from flora_engine.jobs import Job
from flora_engine.models.shift_gcn.network import Offsets, ShiftGCN, parameter_groups
from flora_engine.models.shift_gcn.temporal_shift import normalise
from flora_engine.runs import checkpoint
from flora_engine.runs.folder import RunFolder
from flora_engine.training.augmentation import augment, to_stream
from flora_engine.training.distributed import World, synchronise_batch_norms, world
from flora_engine.training.precision import uses_bfloat16
from flora_engine.training.seeding import epoch_order, hold_out

if TYPE_CHECKING:
    from flora_engine.config import EncoderSettings

Labelled = tuple[NDArray[np.float32], NDArray[np.int64]]
_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def train_encoder(
    job: Job,
    settings: EncoderSettings,
    joints: NDArray[np.float32],
    labels: NDArray[np.int64],
    run: RunFolder | Path,
    *,
    rows: NDArray[np.int64] | None = None,
    validation: Labelled | None = None,
    class_ids: Sequence[int] | None = None,
    class_names: Sequence[str] | None = None,
    resume: bool = True,
    device: str | None = None,
    up: str = "y",
    save_seconds: float = 20.0,
) -> dict[str, Any]:
    """Train one network for each stream of `settings` and keep its best and last state in the run's checkpoints.

    joints: float32 (N, 3, T, V, M), in memory or memory-mapped. labels: int64 (N,), 0 … K−1, all K present.
    rows: the recordings to train on, where not all N; a memory-mapped array is then not copied.
    validation: (joints, labels) that choose the best epoch, instead of the held-out share of the training clips.
    class_ids, class_names: what the K outputs mean in the data set's own numbering (default 0 … K−1), kept in the
    checkpoints. resume: go on from the run's last checkpoint where there is one. up: the vertical axis of the clips.
    save_seconds: how often the last state is written at least, beside every stop and the end.

    Returns ``{"streams": {stream: {"epoch", "accuracy", "loss", "checkpoint", "history"}}}``; accuracy and loss are of
    the clips that chose the epoch (None where nothing was held out). Each epoch is told as ``metric`` events
    ``STREAM/loss``, ``/accuracy``, ``/held_out_loss``, ``/held_out_accuracy``, ``/learning_rate``, ``/seconds_left``
    on `job` and in the run. Raises Cancelled when stopped, FloraError for unusable data, a checkpoint of another
    experiment, or a diverging loss.
    """
    folder = run if isinstance(run, RunFolder) else RunFolder.at(run, {"encoder": plain_settings(settings)})
    rows = np.arange(len(labels)) if rows is None else rows
    _check_data(joints, labels, rows)
    with world(device) as here, torch.random.fork_rng(enabled=True):
        if settings.batch_size % here.size:
            raise FloraError(
                f"a batch of {settings.batch_size} cannot be shared by {here.size} processes",
                remedy="Choose a batch size that is a multiple of their number.",
            )
        results = {}
        for stream in settings.streams:
            data = _Data(joints, labels[rows], rows, validation, settings, class_ids, here.device)
            trainer = _Trainer(job, settings, data, folder, stream, here, up, save_seconds)
            trainer.describe(class_ids, class_names)
            results[stream] = trainer.train(resume)
    return {"streams": results}


def plain_settings(settings: EncoderSettings) -> dict[str, Any]:
    """The settings as JSON-ready data."""
    if hasattr(settings, "model_dump"):
        return dict(settings.model_dump(mode="json"))
    return {key: list(value) if isinstance(value, tuple) else value for key, value in vars(settings).items()}


def load_encoder(path: Path, device: str | torch.device = "cpu") -> tuple[ShiftGCN, dict[str, Any]]:
    """The network of a checkpoint, in evaluation mode, and what is known of it.

    The dict holds ``network`` (the constructor's arguments), ``stream``, ``class_ids``, ``class_names``, ``epoch``,
    ``accuracy``, ``frames``, ``settings``. Raises FloraError where the file is not an encoder's.
    """
    state = checkpoint.load(path, device)
    if state.get("about", {}).get("kind") != "encoder":
        raise FloraError("this checkpoint does not hold a skeleton encoder", path=path)
    model = ShiftGCN(**state["about"]["network"]).to(device)
    model.load_state_dict(state["model"])
    return model.eval(), state["about"]


def learning_rate(settings: EncoderSettings, epoch: int) -> float:
    """The rate of epoch `epoch` (from 0): linear warm-up, then steps of ×0.1 at the milestones, or a half cosine."""
    if epoch < settings.warmup_epochs:
        return settings.learning_rate * (epoch + 1) / (settings.warmup_epochs + 1)
    if settings.schedule == "cosine":
        done = (epoch - settings.warmup_epochs) / max(1, settings.epochs - settings.warmup_epochs)
        return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * done))
    return settings.learning_rate * 0.1 ** sum(epoch >= milestone for milestone in settings.milestones)


def _offsets(model: ShiftGCN) -> list[Offsets]:
    """Make the temporal shifts give true gradients; returns their offsets."""
    temporal = [block.temporal for block in model.each_block()]
    for module in temporal:
        module.gradient = "true"
    return [offsets for module in temporal for offsets in (module.shift_in, module.shift_out)]


def _widened(x: Tensor) -> Tensor:
    """At least float32, for the loss."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def _check_data(joints: NDArray[np.float32], labels: NDArray[np.int64], rows: NDArray[np.int64]) -> None:
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
                f"training clip {row} holds values that are no numbers", remedy="Leave it out or prepare it again."
            )


class _Rows:
    """Some rows of an array of clips; on the GPU as a whole where they fit, else read when they are asked for."""

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


class _Data:
    """The training clips, which of them train, and which choose the best epoch."""

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
        self.joints, self.labels = _Rows(joints, rows, device), torch.from_numpy(labels.astype(np.int64)).to(device)
        if validation is None:
            train, held = hold_out(labels, settings.held_out, settings.seed)
            self.held_joints, self.held_labels = self.joints, self.labels
        else:
            train, held = np.arange(len(labels)), np.arange(len(validation[1]))
            self.held_joints = _Rows(validation[0], held, device)
            self.held_labels = torch.from_numpy(validation[1].astype(np.int64)).to(device)
        self.train, self.held = torch.from_numpy(train), torch.from_numpy(held)
        ids = torch.arange(self.classes) if class_ids is None else torch.tensor(list(class_ids))
        unmirrored = torch.tensor(list(settings.unmirrored), dtype=torch.int64)
        self.may_mirror = ~torch.isin(ids, unmirrored).to(device)


@dataclass
class _Position:
    """How far a training is; together with the weights and the optimiser all that going on needs."""

    epoch: int = 0
    step: int = 0
    loss: float = 0.0  # sums over the current epoch's clips so far
    correct: float = 0.0
    seen: int = 0
    best_epoch: int = -1
    best_accuracy: float | None = None
    best_loss: float | None = None
    history: list[dict[str, float]] = field(default_factory=list)


class _Trainer:
    """The training of one stream."""

    def __init__(
        self,
        job: Job,
        settings: EncoderSettings,
        data: _Data,
        run: RunFolder,
        stream: str,
        here: World,
        up: str,
        save_seconds: float,
    ) -> None:
        self.job, self.settings, self.data, self.run, self.stream, self.here = job, settings, data, run, stream, here
        self.up, self.save_seconds = up, save_seconds
        channels, frames, joints, persons = data.shape
        network = {
            "classes": data.classes,
            "joints": joints,
            "persons": persons,
            "channels": channels,
            "base_channels": settings.base_channels,
            "dropout": settings.dropout,
            "shift_gradient": settings.shift_gradient,
        }
        torch.manual_seed(settings.seed)
        self.model = ShiftGCN(**network).to(here.device)
        self.optimizer = torch.optim.SGD(
            parameter_groups(self.model, settings.weight_decay, settings.linear_weight_decay),
            lr=settings.learning_rate,
            momentum=settings.momentum,
            nesterov=settings.momentum > 0,
        )
        self.about: dict[str, Any] = {
            "kind": "encoder",
            "network": network,
            "stream": stream,
            "frames": frames,
            "settings": plain_settings(settings),
        }
        self.position = _Position()
        # The current epoch's sums stay on the device, so that a GPU is not waited for at every step.
        self.offsets: list[Offsets] = []
        self.sums = torch.zeros(2, dtype=torch.float64, device=here.device)
        self.best: dict[str, Tensor] | None = None
        self.forward: Callable[[Tensor], Tensor] = self.model
        self.last_save = self.last_progress = time.monotonic()
        self.bfloat16 = uses_bfloat16(settings.precision, here.device)

    def describe(self, class_ids: Sequence[int] | None, class_names: Sequence[str] | None) -> None:
        """Note in the checkpoints what the outputs mean."""
        ids = range(self.data.classes) if class_ids is None else class_ids
        self.about["class_ids"] = [int(i) for i in ids]
        self.about["class_names"] = None if class_names is None else list(class_names)

    # -- the loop

    def train(self, resume: bool) -> dict[str, Any]:
        if resume:
            self._restore()
        self._prepare_forward()
        groups = self._groups(0)
        total = self.settings.epochs * len(groups)
        started, first = time.monotonic(), self.position.epoch * len(groups) + self.position.step
        try:
            with self._checks_inside():
                while self.position.epoch < self.settings.epochs:
                    groups = self._groups(self.position.epoch)
                    self._set_rate()
                    for group in groups[self.position.step :]:
                        self._step(group)
                        self._after_step(self.position.epoch * len(groups) + self.position.step, total)
                    done = (self.position.epoch + 1) * len(groups)
                    self._finish_epoch((time.monotonic() - started) / max(1, done - first) * (total - done))
        except (Cancelled, KeyboardInterrupt):
            self._save()
            raise
        self._save()
        return self._result()

    def _groups(self, epoch: int) -> list[list[Tensor]]:
        """The epoch's steps; each is a list of `accumulate` batches of indices. The incomplete last batch is left out
        (as published; batch norm over a few clips would be noise) unless it is the only one."""
        size, count = self.settings.batch_size, len(self.data.train)
        order = self.data.train[torch.from_numpy(epoch_order(self.settings.seed, epoch, count))]
        batches = [order[i : i + size] for i in range(0, max(1, count // size) * size, size)]
        width = self.settings.accumulate
        return [batches[i : i + width] for i in range(0, len(batches), width)]

    def _step(self, group: list[Tensor]) -> None:
        """One update from the batches of `group`. Stopped inside, it leaves the state as it was before."""
        self.model.train()
        position = self.position
        torch.manual_seed(hash((self.settings.seed, position.epoch, position.step, self.here.rank)) & 0x7FFFFFFF)
        before = self._statistics()
        sums = torch.zeros_like(self.sums)
        self.optimizer.zero_grad(set_to_none=True)
        try:
            for i, batch in enumerate(group):
                with self._no_sync(i + 1 < len(group)):
                    sums += self._accumulate(batch, 1 / len(group))
        except (Cancelled, KeyboardInterrupt):
            for now, then in zip(self._statistics(copy=False), before, strict=True):
                now.copy_(then)
            raise
        self._normalise_offsets()
        self.optimizer.step()
        self.sums += sums
        position.seen += sum(len(batch) for batch in group)
        position.step += 1

    def _accumulate(self, batch: Tensor, share: float) -> Tensor:
        """Add `share` of the batch's gradient; returns this process's sum of losses and of correct answers."""
        settings, mine = self.settings, self.here.share(batch)
        x = self.data.joints.take(mine)
        y = self.data.labels[mine.to(self.data.device)]
        if settings.augmentations:
            allowed = self.data.may_mirror[y]
            x = augment(
                x, settings.augmentations, settings.seed, self.position.epoch, mine, may_mirror=allowed, up=self.up
            )
        with self._autocast():
            logits = _widened(self.forward(to_stream(x, self.stream)))
        losses = functional.cross_entropy(logits, y, reduction="sum", label_smoothing=settings.label_smoothing)
        # DistributedDataParallel averages over processes: times their number, so that the sum over the batch remains.
        (losses * (share * self.here.size / len(batch))).backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            return torch.stack([losses.double(), (logits.argmax(1) == y).sum().double()])

    def _after_step(self, done: int, total: int) -> None:
        now = time.monotonic()
        if self.here.size > 1:
            stopped = False
            try:
                self.job.check()
            except Cancelled:
                stopped = True
            if self.here.any(stopped):
                raise Cancelled
        if now - self.last_progress > 0.1 or done == total:
            self.last_progress = now
            if self.here.first:
                self.job.progress(f"training {self.stream}", done, total)
        elif self.here.size == 1:
            self.job.check()
        if now - self.last_save > self.save_seconds and self.here.size == 1:
            self._save()

    def _finish_epoch(self, seconds_left: float) -> None:
        position = self.position
        totals = self.here.total(self.sums.clone())
        loss, accuracy = float(totals[0]) / position.seen, float(totals[1]) / position.seen
        if not math.isfinite(loss):
            raise FloraError(
                f"the loss is no longer a number (epoch {position.epoch + 1})", remedy="Lower the learning rate."
            )
        values = {"loss": loss, "accuracy": accuracy, "learning_rate": learning_rate(self.settings, position.epoch)}
        if len(self.data.held):
            values["held_out_accuracy"], values["held_out_loss"] = self._evaluate()
        self._keep_best(values)
        position.history.append(values)
        if self.here.first:
            told = {f"{self.stream}/{name}": value for name, value in {**values, "seconds_left": seconds_left}.items()}
            self.run.metrics(self.job, position.epoch, told)
            self.run.tell(self.job, "log", text=self._sentence(values))
        position.epoch, position.step, position.seen = position.epoch + 1, 0, 0
        self.sums.zero_()
        if self.here.size > 1:
            self._save()  # all processes are at the same place here

    def _sentence(self, values: dict[str, float]) -> str:
        held = f", held out {values['held_out_accuracy']:.4f}" if "held_out_accuracy" in values else ""
        return (
            f"{self.stream} epoch {self.position.epoch + 1}/{self.settings.epochs}: loss {values['loss']:.4f}, "
            f"accuracy {values['accuracy']:.4f}{held}"
        )

    def _keep_best(self, values: dict[str, float]) -> None:
        """Higher held-out accuracy wins, then lower held-out loss; without held-out clips the last epoch."""
        position = self.position
        new = (values.get("held_out_accuracy", 0.0), -values.get("held_out_loss", 0.0))
        old = (position.best_accuracy or 0.0, -(position.best_loss or 0.0))
        chooses = bool(len(self.data.held)) and self.settings.keep == "best"
        if chooses and position.best_epoch >= 0 and new <= old:
            return
        position.best_epoch = position.epoch
        position.best_accuracy, position.best_loss = values.get("held_out_accuracy"), values.get("held_out_loss")
        self.best = {name: tensor.detach().clone() for name, tensor in self.model.state_dict().items()}

    @torch.no_grad()
    def _evaluate(self) -> tuple[float, float]:
        """Accuracy and mean cross entropy on the held-out clips."""
        self.model.eval()
        sums = torch.zeros(2, dtype=torch.float64, device=self.here.device)
        mine = self.here.share(self.data.held)
        for start in range(0, len(mine), self.settings.batch_size):
            rows = mine[start : start + self.settings.batch_size]
            x = to_stream(self.data.held_joints.take(rows), self.stream)
            y = self.data.held_labels[rows.to(self.data.device)]
            with self._autocast():
                logits = _widened(self.model(x))
            sums[0] += (logits.argmax(1) == y).sum()
            sums[1] += functional.cross_entropy(logits, y, reduction="sum").double()
            if self.here.size == 1:
                self.job.check()
        sums = self.here.total(sums)
        return float(sums[0]) / len(self.data.held), float(sums[1]) / len(self.data.held)

    # -- machinery

    def _prepare_forward(self) -> None:
        # The published offsets follow the sign of the gradient of the whole batch. Where the batch comes in parts, the
        # sign must wait for their sum, so the parts give the true gradient. (xpos gets none, and stays.)
        whole = self.here.size == 1 and self.settings.accumulate == 1
        self.offsets = [] if whole or self.settings.shift_gradient == "true" else _offsets(self.model)
        for offsets in self.offsets:
            offsets.xpos.requires_grad_(False)
        if self.here.size > 1:
            synchronise_batch_norms(self.model)
            devices = [self.here.device] if self.here.device.type == "cuda" else None
            self.forward = nn.parallel.DistributedDataParallel(self.model, devices, broadcast_buffers=False)
        if self.settings.compile:
            self.forward = torch.compile(self.forward)

    def _normalise_offsets(self) -> None:
        for offsets in self.offsets:
            offsets.xpos.grad = torch.zeros_like(offsets.xpos)  # not None, for it has a weight decay
            if offsets.ypos.grad is not None:
                offsets.ypos.grad.copy_(normalise(offsets.ypos.grad))

    def _set_rate(self) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.settings, self.position.epoch)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.here.device.type, torch.bfloat16, enabled=self.bfloat16)

    def _no_sync(self, wait: bool) -> contextlib.AbstractContextManager[Any]:
        """Leave the averaging of gradients to the last batch of a step."""
        if wait and isinstance(self.forward, nn.parallel.DistributedDataParallel):
            return self.forward.no_sync()
        return contextlib.nullcontext()

    def _statistics(self, copy: bool = True) -> list[Tensor]:
        """The running statistics of the batch norms, which a forward pass changes."""
        buffers = [buffer for name, buffer in self.model.named_buffers() if name.endswith(_STATISTICS)]
        return [buffer.clone() for buffer in buffers] if copy else buffers

    @contextlib.contextmanager
    def _checks_inside(self) -> Iterator[None]:
        """Let stop and pause work inside a step too: on a CPU one step of a large batch takes many seconds."""
        if self.here.size > 1 or self.here.device.type != "cpu" or self.settings.compile:
            yield
            return

        def check(*_: Any) -> None:
            self.job.check()

        def watch(output: Tensor) -> None:
            self.job.check()
            if output.requires_grad:
                output.register_hook(check)  # type: ignore[no-untyped-call]

        hooks = [b.register_forward_hook(lambda _module, _inputs, output: watch(output)) for b in self._watched()]
        self.model.watch = watch
        try:
            yield
        finally:
            self.model.watch = None
            for hook in hooks:
                hook.remove()

    def _watched(self) -> list[nn.Module]:
        """What is run layer by layer: the halves of the blocks, and what comes before and after."""
        halves = [half for block in self.model.each_block() for half in (block.spatial, block.temporal)]
        return [self.model.data_bn, *halves, self.model.classifier]

    # -- checkpoints

    def _save(self) -> None:
        """Write the best state, then the last one, whose position says which best state it belongs to."""
        self.last_save = time.monotonic()
        if not self.here.first:
            return
        position = self.position
        position.loss, position.correct = self.sums.tolist()
        if self.best is not None:
            about = {**self.about, "epoch": position.best_epoch, "accuracy": position.best_accuracy}
            checkpoint.save(self.run.checkpoint(f"{self.stream}.best"), {"about": about, "model": self.best})
        last = {
            "about": {**self.about, "epoch": position.epoch, "accuracy": None},
            "identity": self.data.identity,
            "position": asdict(position),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        checkpoint.save(self.run.checkpoint(f"{self.stream}.last"), last)

    def _restore(self) -> None:
        """Go on from the last checkpoint where there is one; every process reads it."""
        path = self.run.checkpoint(f"{self.stream}.last")
        if not path.is_file():
            return
        state = checkpoint.load(path, self.here.device)
        then, now = state["about"].get("settings", {}), self.about["settings"]
        changed = sorted(key for key in {*then, *now} if then.get(key) != now.get(key))
        if changed or state["identity"] != self.data.identity:
            what = "settings: " + ", ".join(changed) if changed else "other training clips"
            raise FloraError(
                f"this checkpoint belongs to another experiment ({what})", path=path, remedy="Start a new run."
            )
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.position = _Position(**state["position"])
        self.sums = torch.tensor([self.position.loss, self.position.correct], dtype=torch.float64).to(self.here.device)
        if self.position.best_epoch >= 0:
            self.best = checkpoint.load(self.run.checkpoint(f"{self.stream}.best"), self.here.device)["model"]

    def _result(self) -> dict[str, Any]:
        position = self.position
        return {
            "epoch": position.best_epoch,
            "accuracy": position.best_accuracy,
            "loss": position.best_loss,
            "checkpoint": str(self.run.checkpoint(f"{self.stream}.best").relative_to(self.run.path)),
            "history": position.history,
        }
