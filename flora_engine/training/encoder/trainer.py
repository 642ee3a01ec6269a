"""Training Shift-GCN on labelled clips (docs/method.md, section 4): the recipe of the skeleton encoder.

`train_encoder` takes arrays, so the command line, the pipeline, the worker and the benchmarks all call the same code.
It can be stopped at any moment and resumes as if nothing had happened: each random draw depends on (seed, epoch,
recording) alone, and the last checkpoint holds the rest.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from flora_engine.config.sections import EncoderSettings
from flora_engine.errors import Cancelled, FloraError
from flora_engine.jobs import Job
from flora_engine.models.shift_gcn.backends import choose_backend, make_runner
from flora_engine.models.shift_gcn.backends.agreement import check_agreement
from flora_engine.models.shift_gcn.backends.runner import Runner
from flora_engine.models.shift_gcn.network import Offsets, ShiftGCN
from flora_engine.models.shift_gcn.streams import make_stream
from flora_engine.runs import checkpoint
from flora_engine.runs.folder import RunFolder
from flora_engine.training.augmentation import augment
from flora_engine.training.distributed import World, synchronise_batch_norms, world
from flora_engine.training.encoder.data import Labelled, TrainingData, check_data
from flora_engine.training.encoder.schedule import (
    learning_rate,
    make_optimiser,
    normalise_offsets,
    offsets_stepped_here,
)
from flora_engine.training.encoder.state import (
    Position,
    about_network,
    plain_settings,
    restore_last,
    save_best,
    save_last,
)
from flora_engine.training.precision import uses_bfloat16
from flora_engine.training.seeding import step_seed

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
    rows: the recordings to train on, if not all N; a memory-mapped array is then not copied.
    validation: (joints, labels) that choose the best epoch, instead of the held-out share of the training clips.
    class_ids, class_names: what the K outputs mean in the data set's own numbering (default 0 … K−1), kept in the
    checkpoints. resume: continue from the run's last checkpoint if there is one. up: the vertical axis of the clips.
    save_seconds: how often the last state is written at least, beside every stop and the end.

    Returns ``{"streams": {stream: {"epoch", "accuracy", "loss", "checkpoint", "history"}}}``; accuracy and loss are of
    the clips that chose the epoch (None if nothing was held out). The back end that runs is reported as a ``log``
    event, each epoch as ``metric`` events ``STREAM/loss``, ``/accuracy``, ``/held_out_loss``, ``/held_out_accuracy``,
    ``/learning_rate``, ``/seconds_left``, ``/samples_per_second`` on `job` and in the run. Raises Cancelled when
    stopped, FloraError for unusable data, a checkpoint of another experiment, a back end that does not compute what
    the network does, or a diverging loss.
    """
    folder = run if isinstance(run, RunFolder) else RunFolder.at(run, {"encoder": plain_settings(settings)})
    rows = np.arange(len(labels)) if rows is None else rows
    check_data(joints, labels, rows)
    with world(device) as here, torch.random.fork_rng(enabled=True):
        if settings.batch_size % here.size:
            raise FloraError(
                f"a batch of {settings.batch_size} cannot be shared by {here.size} processes",
                remedy="Choose a batch size that is a multiple of their number.",
            )
        results = {}
        for stream in settings.streams:
            data = TrainingData(joints, labels[rows], rows, validation, settings, class_ids, here.device)
            about = about_network(settings, data, stream, class_ids, class_names)
            trainer = _Trainer(job, settings, data, folder, about, here, up, save_seconds)
            with job.part(f"encoder {stream}"):
                results[stream] = trainer.train(resume)
    return {"streams": results}


class _Trainer:
    """The training of one stream."""

    def __init__(
        self,
        job: Job,
        settings: EncoderSettings,
        data: TrainingData,
        run: RunFolder,
        about: dict[str, Any],
        here: World,
        up: str,
        save_seconds: float,
    ) -> None:
        self.job, self.settings, self.data, self.run, self.about, self.here = job, settings, data, run, about, here
        self.stream, self.up, self.save_seconds = str(about["stream"]), up, save_seconds
        torch.manual_seed(settings.seed)
        self.model = ShiftGCN(**about["network"]).to(here.device)
        self.optimizer = make_optimiser(self.model, settings)
        self.position = Position()
        # The current epoch's sums stay on the device, so that a GPU is not waited for at every step.
        self.sums = torch.zeros(2, dtype=torch.float64, device=here.device)
        self.best: dict[str, Tensor] | None = None
        self.offsets: list[Offsets] = []
        self.runner = Runner(self.model)
        self.forward: Callable[[Tensor], Tensor] = self.runner
        self.last_save = self.last_progress = time.monotonic()
        self.bfloat16 = uses_bfloat16(settings.precision, here.device)
        self.epoch_started = self.last_save, 0  # when this process began the epoch, and clips of it done before

    # -- the loop

    def train(self, resume: bool) -> dict[str, Any]:
        if resume:
            self._restore()
        if self.position.epoch < self.settings.epochs:
            self._prepare_forward()
        groups = self.data.steps(0, self.settings)
        total = self.settings.epochs * len(groups)
        started, first = time.monotonic(), self.position.epoch * len(groups) + self.position.step
        try:
            with self._checks_inside():
                while self.position.epoch < self.settings.epochs:
                    groups = self.data.steps(self.position.epoch, self.settings)
                    self._set_rate()
                    self.epoch_started = time.monotonic(), self.position.seen
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

    def _step(self, group: list[Tensor]) -> None:
        """One update from the batches of `group`. Stopped inside, it leaves the state as it was before."""
        self.model.train()
        position = self.position
        torch.manual_seed(step_seed(self.settings.seed, position.epoch, position.step, self.here.rank))
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
        normalise_offsets(self.offsets)
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
            logits = _widened(self.forward(make_stream(x, self.stream)))
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
        started, seen = self.epoch_started
        speed = (position.seen - seen) / max(time.monotonic() - started, 1e-9)
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
            more = {"seconds_left": seconds_left, "samples_per_second": speed}
            told = {f"{self.stream}/{name}": value for name, value in {**values, **more}.items()}
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
            x = make_stream(self.data.held_joints.take(rows), self.stream)
            y = self.data.held_labels[rows.to(self.data.device)]
            with self._autocast():
                logits = _widened(self.runner(x))
            sums[0] += (logits.argmax(1) == y).sum()
            sums[1] += functional.cross_entropy(logits, y, reduction="sum").double()
            if self.here.size == 1:
                self.job.check()
        sums = self.here.total(sums)
        return float(sums[0]) / len(self.data.held), float(sums[1]) / len(self.data.held)

    # -- machinery

    def _prepare_forward(self) -> None:
        self.offsets = offsets_stepped_here(self.model, self.settings, self.here.size)
        if self.here.size > 1:
            synchronise_batch_norms(self.model)
        device = self.here.device
        name = choose_backend(
            self.settings.backend, device.type, processes=self.here.size, compiled=self.settings.compile
        )
        self.forward = self.runner = make_runner(name, self.model)
        self._check_backend()
        if self.here.size > 1:
            devices = [device] if device.type == "cuda" else None
            self.forward = nn.parallel.DistributedDataParallel(self.runner, devices, broadcast_buffers=False)
        if self.settings.compile:
            self.forward = torch.compile(self.forward)

    def _check_backend(self) -> None:
        """Compare the back end with PyTorch, and say in the run which one it is."""
        text = f"{self.stream}: back end {self.runner.describe()}"
        if any(self.runner.known):
            text += f"; within {check_agreement(self.runner):.0e} of torch"
        if self.here.first:
            self.run.tell(self.job, "log", text=text)

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
        self.runner.watch = watch
        try:
            yield
        finally:
            self.runner.watch = None
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
        self.position.loss, self.position.correct = self.sums.tolist()
        if self.best is not None:
            save_best(self._file("best"), self.about, self.position, self.best)
        save_last(self._file("last"), self.about, self.data.identity, self.position, self.model, self.optimizer)

    def _restore(self) -> None:
        """Continue from the last checkpoint if there is one; every process reads it."""
        path, device = self._file("last"), self.here.device
        if not path.is_file():
            return
        self.position = restore_last(path, self.about, self.data.identity, self.model, self.optimizer, device)
        self.sums = torch.tensor([self.position.loss, self.position.correct], dtype=torch.float64).to(device)
        if self.position.best_epoch >= 0:
            self.best = checkpoint.load(self._file("best"), device)["model"]

    def _file(self, which: str) -> Path:
        return self.run.checkpoint(f"{self.stream}.{which}")

    def _result(self) -> dict[str, Any]:
        position = self.position
        return {
            "epoch": position.best_epoch,
            "accuracy": position.best_accuracy,
            "loss": position.best_loss,
            "checkpoint": str(self._file("best").relative_to(self.run.path)),
            "history": position.history,
        }


def _widened(x: Tensor) -> Tensor:
    """At least float32, for the loss."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
