"""Training Flora from encoder features and class states (docs/method.md, sections 6 and 7), fast on a CPU.

What is computed apart from the published loop, and whether that changes anything, is in
docs/decisions/flora-speed.md. In short: the skeleton encoder runs once per sample, texts are encoded once per class,
contrast partners are drawn in O(1) — all exact — and a step may look at a random subset of the text tokens.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from flora_engine.config import FloraSettings
from flora_engine.errors import FloraError
from flora_engine.heads.base import Problem
from flora_engine.jobs import Job
from flora_engine.models.flora.autoencoders import sample
from flora_engine.models.flora.direct import DirectMap
from flora_engine.models.flora.network import Flora, Scorer, align_loss, distinct_tokens, flow_loss, merge_tokens
from flora_engine.runs.checkpoint import load, save
from flora_engine.semantics.attunement import attune
from flora_engine.training.precision import uses_bfloat16

# Latent values of one scoring chunk: on a CPU the fastest of what was tried in bfloat16; enough to fill a GPU.
SCORING_ELEMENTS = {"cpu": 1 << 21, "cuda": 1 << 26}
CHECKPOINT_SECONDS = 20.0


@dataclass
class FloraModel:
    """A trained Flora with the class states it decides among.

    states: float32 (K, L+1, 2d), attuned, one per class (seen and unseen). direct: what decides beside Flora, if
    anything does (head ensemble), with the class vectors that it is multiplied with, float32 (K, 2d).
    """

    network: Flora
    states: NDArray[np.float32]
    neighbours: int
    weight: float
    decision_time: float
    sigma_min: float
    direct: DirectMap | None = None
    vectors: NDArray[np.float32] | None = None

    @torch.no_grad()
    def errors(
        self,
        x: NDArray[np.float32],
        classes: NDArray[np.int64] | None = None,
        sampling: torch.Generator | None = None,
        merged: int = 0,
        bfloat16: bool = False,
    ) -> NDArray[np.float32]:
        """Decision errors e_c, smaller is better.

        x: float32 (N, F). classes: rows of `states` to score, None for all. Latents are the means, and copies of
        padding are scored once (exact, see `distinct_tokens`); with a `sampling` generator latents are drawn per
        token, as the published evaluation does. merged: 0 is exact; else the tokens of each class are merged into so
        many (`merge_tokens`; not together with sampling). bfloat16: multiply matrices with 8 bits of mantissa.
        Returns float32 (N, K or len(classes)).
        """
        states = self.states if classes is None else self.states[classes]
        result = np.empty((len(x), len(states)), np.float32)
        if sampling is not None:
            mean, log_variance = self.network.text_encoder(self._tensor(states))
            self._score(x, sample(mean, log_variance, _noise(mean, sampling)), None, result, bfloat16, sampling)
        elif merged and merged < states.shape[1]:
            text, share = merge_tokens(self.network.text_encoder.means(self._tensor(states)), merged)
            self._score(x, text, share, result, bfloat16)
        else:
            for group in distinct_tokens(states):
                text = self.network.text_encoder.means(self._tensor(states[group.classes[:, None], group.tokens]))
                some = None if group.tokens.shape[1] == states.shape[1] else self._tensor(group.share)
                part = np.empty((len(x), len(group.classes)), np.float32)
                self._score(x, text, some, part, bfloat16)
                result[:, group.classes] = part
        return result

    @torch.no_grad()
    def direct_scores(self, x: NDArray[np.float32], classes: NDArray[np.int64]) -> NDArray[np.float32]:
        """What `direct` adds to −log e_c, (N, len(classes)); zeros without it."""
        if self.direct is None or self.vectors is None:
            return np.zeros((len(x), len(classes)), np.float32)
        scores: NDArray[np.float32] = (
            (self.direct(self._tensor(x)) @ self._tensor(self.vectors[classes]).T).cpu().numpy()
        )
        return scores

    def _score(
        self,
        x: NDArray[np.float32],
        text: Tensor,
        share: Tensor | None,
        out: NDArray[np.float32],
        bfloat16: bool,
        sampling: torch.Generator | None = None,
    ) -> None:
        """Fill `out` (N, K) with the errors of text latents (K, T, H), in chunks that suit the device."""
        scorer = Scorer(self.network.velocity, self.decision_time, self.sigma_min)
        rows = max(1, SCORING_ELEMENTS.get(text.device.type, 1 << 21) // text.numel())
        for start in range(0, len(x), rows):
            skeleton, log_variance = self.network.skeleton_encoder(self._tensor(x[start : start + rows]))
            if sampling is not None:
                noise = torch.randn((len(skeleton), *text.shape[1:]), generator=sampling, device=text.device)
                skeleton = sample(skeleton[:, None], log_variance[:, None], noise)
            with torch.autocast(text.device.type, torch.bfloat16, enabled=bfloat16):
                out[start : start + rows] = scorer(text, skeleton, share).float().cpu().numpy()

    def _tensor(self, array: NDArray[np.float32]) -> Tensor:
        return torch.from_numpy(array).to(next(self.network.parameters()).device)

    @torch.no_grad()
    def latents(self, x: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Means in the aligned space: skeletons (N, H), and classes (K, H) averaged over their tokens."""
        device = next(self.network.parameters()).device
        skeleton = self.network.skeleton_encoder.means(torch.from_numpy(x).to(device))
        text = self.network.text_encoder.means(torch.from_numpy(self.states).to(device)).mean(dim=1)
        return skeleton.cpu().numpy(), text.cpu().numpy()


def save_model(path: Path, model: FloraModel) -> None:
    """Write weights, attuned class states and decision settings."""
    network = model.network
    state = {
        "sizes": [network.features, network.text, network.hidden, *network.velocity.sizes],
        "network": network.state_dict(),
        "states": torch.from_numpy(model.states),
        "attunement": [model.neighbours, model.weight],
        "decision": [model.decision_time, model.sigma_min],
    }
    if model.direct is not None and model.vectors is not None:
        state |= {"direct": model.direct.state_dict(), "vectors": torch.from_numpy(model.vectors)}
    save(path, state)


def load_model(path: Path, device: str = "cpu") -> FloraModel:
    """Read what `save_model` wrote; raises FloraError."""
    state = load(path, device)
    try:
        network = Flora(*state["sizes"])
        network.load_state_dict(state["network"])
        decided, attuned = state["decision"], state["attunement"]
        direct, vectors = None, None
        if "direct" in state:
            direct, vectors = DirectMap.blank(network.features, network.text), state["vectors"].cpu().numpy()
            direct.load_state_dict(state["direct"])
            direct.to(device)
    except (KeyError, TypeError, RuntimeError) as error:
        raise FloraError(f"this checkpoint holds no Flora model: {error}", path=path) from None
    states = state["states"].cpu().numpy()
    neighbours, weight = attuned
    at, sigma_min = decided
    network.to(device).eval()
    return FloraModel(network, states, neighbours, weight, at, sigma_min, direct, vectors)


def _noise(like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(like.shape, generator=generator, device=like.device)


Watch = Callable[[int, FloraModel], None]


@dataclass
class _Trainer:
    """Tensors of one training, on the device. Labels are re-indexed to rows of `texts` (the seen classes)."""

    settings: FloraSettings
    network: Flora
    x: Tensor  # (N, F), sorted by label
    labels: Tensor  # (N,)
    first: Tensor  # (S,) row of the first sample of each class
    count: Tensor  # (S,) samples of each class
    texts: Tensor  # (S, L+1, 2d)
    seed: int
    generator: torch.Generator
    text_latents: tuple[Tensor, Tensor] = field(default_factory=lambda: (torch.empty(0), torch.empty(0)))

    @property
    def tokens(self) -> int:
        wanted, all_tokens = self.settings.tokens_per_step, self.texts.shape[1]
        return min(wanted or all_tokens, all_tokens)

    def align(self, rows: Tensor, tokens: Tensor) -> Tensor:
        """Phase-1 loss of samples `rows` (B,) at `tokens` (T,)."""
        x, labels, texts = self.x[rows], self.labels[rows], self.texts[:, tokens]
        if len(texts) > len(rows):  # fewer samples than classes: encode only the samples' own texts
            texts, labels = texts[labels], torch.arange(len(rows), device=rows.device)
        shape = (len(rows), len(tokens), self.network.hidden)
        noise = torch.randn((2, *shape), generator=self.generator, device=rows.device)
        return align_loss(self.network, x, texts, labels, noise[0], noise[1], self.settings.align_weight).total

    def flow(self, rows: Tensor, tokens: Tensor) -> Tensor:
        """Phase-2 loss of samples `rows` (B,) at `tokens` (T,)."""
        with torch.no_grad():
            text, skeleton = self._latents(torch.cat([rows, self._partners(rows)]), tokens)
            time = torch.sigmoid(torch.randn(len(rows), generator=self.generator, device=rows.device))
        pair, partner = zip(text.chunk(2), skeleton.chunk(2), strict=True)
        weight, sigma_min = self.settings.contrast_weight, self.settings.sigma_min
        return flow_loss(self.network.velocity, pair, partner, time, weight, sigma_min).total

    def _latents(self, rows: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        text = [part[:, tokens][self.labels[rows]] for part in self.text_latents]
        skeleton = [part[:, None] for part in self.network.skeleton_encoder(self.x[rows])]
        noise = torch.randn((2, *text[0].shape), generator=self.generator, device=rows.device)
        return sample(text[0], text[1], noise[0]), sample(skeleton[0], skeleton[1], noise[1])

    def _partners(self, rows: Tensor) -> Tensor:
        """A uniform sample of another class for each row: draw among the others, then step over the own class."""
        first, count = self.first[self.labels[rows]], self.count[self.labels[rows]]
        others = len(self.x) - count
        uniform = torch.rand(len(rows), generator=self.generator, device=rows.device)
        drawn = torch.minimum((uniform * others).long(), others - 1)
        return drawn + count * (drawn >= first)


def _prepare(settings: FloraSettings, problem: Problem, attuned: NDArray[np.float32]) -> _Trainer:
    seen = problem.seen
    if len(seen) < 2:
        raise FloraError("Flora needs at least two seen classes with samples", remedy="Add classes or recordings.")
    order = np.argsort(problem.labels, kind="stable")
    index = np.searchsorted(seen, problem.labels[order])
    count = np.bincount(index, minlength=len(seen))
    features, text = problem.data.shape[1], attuned.shape[2]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(problem.seed)
        network = Flora(features, text, settings.hidden, settings.velocity_layers, settings.velocity_heads)
    device = torch.device(problem.device)

    def tensor(array: NDArray[np.float32] | NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(array).to(device)

    return _Trainer(
        settings,
        network.to(device),
        x=tensor(problem.data[order]),
        labels=tensor(index),
        first=tensor(np.cumsum(count) - count),
        count=tensor(count),
        texts=tensor(attuned[seen]),
        seed=problem.seed,
        generator=torch.Generator(device),
    )


def _draws(trainer: _Trainer, steps: int, seed: int) -> tuple[Tensor, Tensor]:
    """Rows (steps, B) from reshuffled passes over the data, and tokens (steps, T) of each step."""
    random = np.random.default_rng(seed)
    n, size = len(trainer.x), min(trainer.settings.batch_size, len(trainer.x))
    passes = [random.permutation(n) for _ in range(math.ceil(steps * size / n))]
    rows = np.concatenate(passes)[: steps * size].reshape(steps, size)
    all_tokens = trainer.texts.shape[1]
    tokens = np.stack([random.permutation(all_tokens)[: trainer.tokens] for _ in range(steps)])
    device = trainer.x.device
    return torch.from_numpy(rows).to(device), torch.from_numpy(tokens).to(device)


class _Step:
    """One optimiser step of a loss, eager or replayed as a CUDA graph."""

    def __init__(
        self, trainer: _Trainer, loss: Callable[[Tensor, Tensor], Tensor], parameters: list[nn.Parameter]
    ) -> None:
        settings = trainer.settings
        self.trainer, self.loss, self.parameters = trainer, loss, parameters
        self.graphed = settings.graph and trainer.x.is_cuda
        self.bfloat16 = uses_bfloat16(settings.precision, trainer.x.device)
        # The step counters of a captured optimiser live on the device; the fused update works on CPU and CUDA.
        self.optimiser = torch.optim.AdamW(
            parameters,
            settings.learning_rate,
            weight_decay=settings.weight_decay,
            fused=True,
            capturable=self.graphed,
        )
        self.graph: torch.cuda.CUDAGraph | None = None
        self.inputs: tuple[Tensor, Tensor] | None = None
        self.value = torch.zeros(())

    def _backward(self, rows: Tensor, tokens: Tensor) -> Tensor:
        with torch.autocast(rows.device.type, torch.bfloat16, enabled=self.bfloat16):
            loss = self.loss(rows, tokens)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        return loss.detach()

    def __call__(self, rows: Tensor, tokens: Tensor) -> Tensor:
        """The loss before the step, a scalar on the device; with a graph its buffer is overwritten by the next step."""
        if not self.graphed:
            return self._backward(rows, tokens)
        if self.graph is None:
            self._capture(rows, tokens)
        assert self.inputs is not None and self.graph is not None
        self.inputs[0].copy_(rows)
        self.inputs[1].copy_(tokens)
        self.graph.replay()
        return self.value

    def _capture(self, rows: Tensor, tokens: Tensor) -> None:
        """Warm up on a side stream, then capture; weights, moments and noise are put back as they were."""
        saved = [p.detach().clone() for p in self.parameters]
        moments = {k: v.clone() for k, v in self.moments().items()}
        noise = self.trainer.generator.get_state()
        self.inputs = (rows.clone(), tokens.clone())
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                self._backward(*self.inputs)
        torch.cuda.current_stream().wait_stream(side)
        self.graph = torch.cuda.CUDAGraph()
        self.graph.register_generator_state(self.trainer.generator)
        with torch.cuda.graph(self.graph):
            self.value = self._backward(*self.inputs)
        with torch.no_grad():
            for parameter, old in zip(self.parameters, saved, strict=True):
                parameter.copy_(old)
        self.load_moments(moments)
        self.trainer.generator.set_state(noise)

    def moments(self) -> dict[str, Tensor]:
        """Optimiser state by position and name, empty before the first step."""
        states = [self.optimiser.state.get(p, {}) for p in self.parameters]
        return {f"{i}.{name}": value for i, state in enumerate(states) for name, value in state.items()}

    def load_moments(self, moments: dict[str, Tensor]) -> None:
        """Set the optimiser state; an empty dict means zeros, in place where buffers exist already."""
        current = self.moments()
        if current:
            for name, value in current.items():
                value.copy_(moments[name]) if name in moments else value.zero_()
            return
        for name, value in moments.items():
            index, _, key = name.partition(".")
            self.optimiser.state[self.parameters[int(index)]][key] = value.clone().to(self.trainer.x.device)


def _segments(steps: int, count: int) -> list[tuple[int, int]]:
    """(first step, steps) of `count` nearly equal stretches."""
    bounds = [round(steps * i / count) for i in range(count + 1)]
    return [(a, b - a) for a, b in itertools.pairwise(bounds) if b > a]


def train_flora(
    job: Job,
    settings: FloraSettings,
    problem: Problem,
    attunement: tuple[int, float],
    *,
    evaluations: int | None = None,
    watch: Watch | None = None,
    checkpoint: Path | None = None,
    direct: DirectMap | None = None,
) -> FloraModel:
    """Train phase 1, then phase 2, on the samples and classes of `problem`.

    attunement: (neighbours, weight). Phase 2 is cut into `settings.evaluations` stretches; after each, `watch` gets the
    number of stretches done and the model (valid only during the call), and training ends after `evaluations` of them.
    checkpoint: a file written after a stretch where the last writing is CHECKPOINT_SECONDS ago, and continued from
    where it exists; the result equals that of never having stopped, because each stretch draws from a seed of its
    own. `watch` comes before the writing, so it was called for whatever the file has, and maybe for more. direct:
    decides beside Flora, and is not trained here.

    Events: metrics ``align_loss`` and ``flow_loss`` by step. Raises FloraError, Cancelled.
    """
    if settings.total_iterations <= settings.align_iterations:
        raise FloraError("total_iterations must be larger than align_iterations", remedy="Raise total_iterations.")
    attuned = attune(problem.states, *attunement)
    trainer = _prepare(settings, problem, attuned)
    model = FloraModel(trainer.network, attuned, *attunement, settings.decision_time, settings.sigma_min)
    if direct is not None:
        model.direct, model.vectors = direct, problem.vectors
    wanted = settings.evaluations if evaluations is None else evaluations
    flow_steps = settings.total_iterations - settings.align_iterations
    plan = [("align", *stretch) for stretch in _segments(settings.align_iterations, settings.evaluations)]
    aligned = len(plan)
    plan += [("flow", *stretch) for stretch in _segments(flow_steps, settings.evaluations)[:wanted]]
    done, moments = _restore(trainer, checkpoint)
    written = time.monotonic()
    step: _Step | None = None
    for number, (phase, first, steps) in enumerate(plan):
        if number < done:
            continue
        if step is None or number == aligned:
            step = _start(trainer, phase, moments if number != aligned else {})
        _run_stretch(job, trainer, step, number, phase, first, steps)
        if watch is not None and phase == "flow":
            trainer.network.eval()
            watch(number + 1 - aligned, model)
            trainer.network.train()
        if checkpoint is not None and time.monotonic() - written >= CHECKPOINT_SECONDS:
            save(checkpoint, {"done": number + 1, "network": trainer.network.state_dict(), "moments": step.moments()})
            written = time.monotonic()
    trainer.network.eval()
    return model


def _restore(trainer: _Trainer, checkpoint: Path | None) -> tuple[int, dict[str, Tensor]]:
    """Stretches done and optimiser state of `checkpoint`; (0, {}) where there is none."""
    if checkpoint is None or not checkpoint.exists():
        return 0, {}
    state = load(checkpoint, trainer.x.device)
    try:
        trainer.network.load_state_dict(state["network"])
    except RuntimeError:
        raise FloraError(
            "this checkpoint belongs to a model of other sizes", path=checkpoint, remedy="Start a new run."
        ) from None
    return int(state["done"]), dict(state["moments"])


def _start(trainer: _Trainer, phase: str, moments: dict[str, Tensor]) -> _Step:
    network = trainer.network
    velocity = list(network.velocity.parameters())
    if phase == "flow":
        with torch.no_grad():
            trainer.text_latents = network.text_encoder(trainer.texts)
        step = _Step(trainer, trainer.flow, velocity)
    else:
        chosen = {id(parameter) for parameter in velocity}
        step = _Step(trainer, trainer.align, [p for p in network.parameters() if id(p) not in chosen])
    step.load_moments(moments)
    return step


def _run_stretch(job: Job, trainer: _Trainer, step: _Step, number: int, phase: str, first: int, steps: int) -> None:
    settings = trainer.settings
    seed = int(np.random.SeedSequence([trainer.seed, number]).generate_state(1)[0])
    trainer.generator.manual_seed(seed)
    rows, tokens = _draws(trainer, steps, seed)
    stage = "align text and skeleton" if phase == "align" else "learn the flow"
    total = settings.align_iterations if phase == "align" else settings.total_iterations - settings.align_iterations
    losses, told = torch.zeros((), device=trainer.x.device), 0.0
    for i in range(steps):
        losses += step(rows[i], tokens[i])
        if time.monotonic() - told > 0.3:
            job.progress(stage, first + i, total)
            told = time.monotonic()
    job.progress(stage, first + steps, total)
    shift = 0 if phase == "align" else settings.align_iterations
    job.emit("metric", name=f"{phase}_loss", step=shift + first + steps, value=float(losses) / steps)
