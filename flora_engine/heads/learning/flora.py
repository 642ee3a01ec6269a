"""Training Flora from encoder features and class states (docs/method.md, sections 6 and 7), fast on a CPU.

What is computed apart from the published loop, and whether that changes anything, is in
docs/decisions/0007-flora-speed.md. In short: the skeleton encoder runs once per sample, texts are encoded once per
class, contrast partners are drawn in O(1) — all exact — and a step may look at a random subset of the text tokens.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from flora_engine.errors import FloraError
from flora_engine.heads import Fit
from flora_engine.heads.learning.method import Method, draws, prepare
from flora_engine.heads.learning.model import FloraModel
from flora_engine.heads.learning.step import Step
from flora_engine.jobs import Job
from flora_engine.models.flora.added import AddedFlora
from flora_engine.models.flora.direct import DirectMap
from flora_engine.models.flora.network import Flora
from flora_engine.runs.checkpoint import load, save
from flora_engine.semantics.attunement import attune

CHECKPOINT_SECONDS = 20.0
Look = Callable[[int, FloraModel], None]  # (stretches of phase 2 done, the model in training)


def _segments(steps: int, count: int) -> list[tuple[int, int]]:
    """(first step, steps) of `count` nearly equal stretches."""
    bounds = [round(steps * i / count) for i in range(count + 1)]
    return [(a, b - a) for a, b in itertools.pairwise(bounds) if b > a]


def train_flora(task: Fit, look: Look | None = None, direct: DirectMap | None = None) -> FloraModel:
    """Train phase 1, then phase 2: see `stretches`. `look` gets the number of stretches done and the model (valid only
    during the call) after each stretch of phase 2. Raises FloraError, Cancelled.
    """
    training = stretches(task, direct)
    while True:
        try:
            done, model = next(training)
        except StopIteration as end:
            trained: FloraModel = end.value
            return trained
        if look is not None:
            look(done, model)


def train_added(task: Fit, look: Look, direct: DirectMap | None = None) -> FloraModel:
    """A Flora for each stream of the features, trained side by side, whose scores are added with the weights
    `settings.add_streams`. `look` sees all of them together. Each has a checkpoint of its own beside `task.checkpoint`.
    As `train_flora` else.
    """
    weights, x = task.settings.add_streams, task.problem.data
    if x.shape[1] % len(weights):
        raise FloraError(
            f"features of {x.shape[1]} numbers are not {len(weights)} streams side by side",
            remedy="Give add_streams one weight per stream of the features.",
        )
    parts = [replace(task.problem, data=np.ascontiguousarray(part)) for part in np.split(x, len(weights), axis=1)]
    own = [None if task.checkpoint is None else _of_stream(task.checkpoint, n) for n in range(len(parts))]
    tasks = [replace(task, problem=part, checkpoint=path) for part, path in zip(parts, own, strict=True)]
    # A checkpoint is written after all have yielded and the whole was looked at: what any has, was seen.
    seen = max(_evaluations_of(one) for one in tasks)
    trainings = [stretches(one) for one in tasks]
    while True:
        found = [_next_unseen(training, seen) for training in trainings]
        floras = [one.network for _, one in found if isinstance(one.network, Flora)]
        model = replace(found[0][1], network=AddedFlora(floras, weights))
        if direct is not None:
            model.direct, model.vectors = direct, task.problem.vectors
        model.network.eval()
        if found[0][0] is None:  # all have as many stretches, so all have ended
            return model
        look(found[0][0], model)


def _of_stream(checkpoint: Path, number: int) -> Path:
    return checkpoint.with_suffix(f".stream{number}{checkpoint.suffix}")


def _next_unseen(
    training: Generator[tuple[int, FloraModel], None, FloraModel], seen: int
) -> tuple[int | None, FloraModel]:
    """The next of its stretches after so many, or None and the model if it has ended."""
    while True:
        try:
            done, model = next(training)
        except StopIteration as end:
            return None, end.value
        if done > seen:
            return done, model


def _evaluations_of(task: Fit) -> int:
    """Stretches of phase 2 in the checkpoint of a training."""
    if task.checkpoint is None or not task.checkpoint.exists():
        return 0
    aligned = len(_segments(task.settings.align_iterations, task.settings.evaluations))
    return max(0, int(load(task.checkpoint)["done"]) - aligned)


def stretches(task: Fit, direct: DirectMap | None = None) -> Generator[tuple[int, FloraModel], None, FloraModel]:
    """Train phase 1, then phase 2, on the samples and classes of `task.problem`; returns the trained model.

    The choice holds the attunement, `neighbours` and `weight`. Phase 2 is cut into `settings.evaluations` stretches;
    after each it yields the number of stretches done and the model (valid until the next). Training ends after
    `task.evaluations` of them. `task.checkpoint` is written after a stretch if the last writing is CHECKPOINT_SECONDS
    ago, and the training continues from it if it exists. The result equals that of never having stopped, because each
    stretch draws from a seed of its own. It yields before the writing, so it has yielded whatever the file has,
    and maybe more. direct: decides beside Flora, and is not trained here.

    Events: metrics ``align_loss``, ``flow_loss``, ``samples_per_second`` by step. Raises FloraError, Cancelled.
    """
    settings, problem, checkpoint = task.settings, task.problem, task.checkpoint
    if settings.total_iterations <= settings.align_iterations:
        raise FloraError("total_iterations must be larger than align_iterations", remedy="Raise total_iterations.")
    attunement = (int(task.choice["neighbours"]), float(task.choice["weight"]))
    attuned = attune(problem.states, *attunement)
    method = prepare(settings, problem, attuned)
    model = FloraModel(method.network, attuned, *attunement, settings.decision_time, settings.sigma_min)
    if direct is not None:
        model.direct, model.vectors = direct, problem.vectors
    wanted = settings.evaluations if task.evaluations is None else task.evaluations
    flow_steps = settings.total_iterations - settings.align_iterations
    plan = [("align", *stretch) for stretch in _segments(settings.align_iterations, settings.evaluations)]
    aligned = len(plan)
    plan += [("flow", *stretch) for stretch in _segments(flow_steps, settings.evaluations)[:wanted]]
    done, moments = _restore(method, checkpoint)
    written = time.monotonic()
    step: Step | None = None
    for number, (phase, first, steps) in enumerate(plan):
        if number < done:
            continue
        if step is None or number == aligned:
            step = start_phase(method, phase, moments if number != aligned else {})
        _run_stretch(task.job, method, step, number, phase, first, steps)
        if phase == "flow":
            method.network.eval()
            yield number + 1 - aligned, model
            method.network.train()
        if checkpoint is not None and time.monotonic() - written >= CHECKPOINT_SECONDS:
            save(checkpoint, {"done": number + 1, "network": method.network.state_dict(), "moments": step.moments()})
            written = time.monotonic()
    method.network.eval()
    return model


def _restore(method: Method, checkpoint: Path | None) -> tuple[int, dict[str, Tensor]]:
    """Stretches done and optimiser state of `checkpoint`; (0, {}) if there is none."""
    if checkpoint is None or not checkpoint.exists():
        return 0, {}
    state = load(checkpoint, method.x.device)
    try:
        method.network.load_state_dict(state["network"])
    except RuntimeError:
        raise FloraError(
            "this checkpoint belongs to a model of other sizes", path=checkpoint, remedy="Start a new run."
        ) from None
    return int(state["done"]), dict(state["moments"])


def start_phase(method: Method, phase: str, moments: dict[str, Tensor]) -> Step:
    """The step of a phase ("align" or "flow"), with the optimiser state `moments` (empty for a new one)."""
    network = method.network
    velocity = list(network.velocity.parameters())
    if phase == "flow":
        with torch.no_grad():
            method.text_latents = network.text_encoder(method.texts)
        step = Step(method, method.flow, velocity)
    else:
        chosen = {id(parameter) for parameter in velocity}
        step = Step(method, method.align, [p for p in network.parameters() if id(p) not in chosen])
    step.load_moments(moments)
    return step


def _run_stretch(job: Job, method: Method, step: Step, number: int, phase: str, first: int, steps: int) -> None:
    settings = method.settings
    seed = int(np.random.SeedSequence([method.seed, number]).generate_state(1)[0])
    method.generator.manual_seed(seed)
    rows, tokens = draws(method, steps, seed)
    stage = "align text and skeleton" if phase == "align" else "learn the flow"
    total = settings.align_iterations if phase == "align" else settings.total_iterations - settings.align_iterations
    losses, told, started = torch.zeros((), device=method.x.device), 0.0, time.monotonic()
    for i in range(steps):
        losses += step(rows[i], tokens[i])
        if time.monotonic() - told > 0.3:
            job.progress(stage, first + i, total)
            told = time.monotonic()
    job.progress(stage, first + steps, total)
    last = first + steps + (0 if phase == "align" else settings.align_iterations)
    job.emit("metric", name=f"{phase}_loss", step=last, value=float(losses) / steps)
    speed = steps * rows.shape[1] / max(time.monotonic() - started, 1e-9)
    job.emit("metric", name="samples_per_second", step=last, value=speed)
