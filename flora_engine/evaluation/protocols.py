"""The two protocols (docs/method.md, section 7): `held-out`, the honest default, and `published`, for comparison.

held-out: hyper-parameters come from folds of pseudo-unseen classes, latents are means, the test part is looked at once.
published: latents are drawn at test time too and the best of all evaluations on the test part is reported. It trains on
all tokens in float32, as published, unless `published_training: fast` says that a step is computed as held-out does.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, is_dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from torch import nn

from flora_engine.config import FloraSettings, ProtocolName
from flora_engine.datasets.features import STRETCHES, Features
from flora_engine.descriptors.pool import Pool, reference_pool
from flora_engine.errors import FloraError
from flora_engine.evaluation import metrics
from flora_engine.evaluation.gate import Gate
from flora_engine.evaluation.metrics import Array, Generalised, Labels
from flora_engine.evaluation.selection import Pick, select
from flora_engine.heads import Choice, Fit, Problem, Scorer, as_chosen, head, reads, reads_local, training_of
from flora_engine.heads.flora import FlowScorer
from flora_engine.heads.learning.model import FloraModel
from flora_engine.jobs import Job
from flora_engine.runs.analysis import Decisions
from flora_engine.runs.progress import Memory, Progress
from flora_engine.runs.results import Outcome

Setting = Literal["zsl", "gzsl"]
FEW = 100  # recordings of which a run says that they are few to rank measurements among
Look = Callable[[Decisions], object]


@dataclass(frozen=True)
class Described:
    """Descriptors of the same recordings. values: the parts of `Experiment.features`, with D columns. expectations:
    float64 (K, D), what the class texts make expect. pool: see `Problem`.
    """

    values: Features
    expectations: NDArray[np.float64]
    pool: Pool | None = None


@dataclass(frozen=True)
class Local:
    """Local features of the same recordings. values: the parts of `Experiment.features`, with S·V·F columns. shape:
    (S, V), stretches of time and joints.
    """

    values: Features
    shape: tuple[int, int]


def described_by(
    job: Job, values: Features | None, expectations: NDArray[np.float64] | None, datasets: Collection[str]
) -> Described | None:
    """Both together, or None if one is missing; with the shipped pool, unless it holds recordings of one of `datasets`
    (names in the catalogue): results would know their test part. Few recordings are told of.
    """
    if values is None or expectations is None:
        return None
    pool = reference_pool()
    known = {"ntu" if name.startswith("ntu") else name for name in datasets} & set(pool.sets)
    count = len(values.train_label)
    if count < FEW:
        among = "alone: the shipped pool holds some of this data set" if known else "among those of the shipped pool"
        job.log(f"{count} recordings train, few to rank measurements among; they are ranked {among}")
    return Described(values, expectations, None if known else pool)


def local_by(values: Features | None, features: Features) -> Local | None:
    """Local features (see `training.local_features`) of the encoder that made the features; None if there are none."""
    if values is None:
        return None
    return Local(values, (STRETCHES, values.train_data.shape[1] // (STRETCHES * features.train_data.shape[1])))


@dataclass(frozen=True)
class Experiment:
    """One split of one data set.

    states: float32 (K, L+1, 2d) raw class states. unseen: int64 (U,). Seen are the classes of `features.train_label`.
    parts: as in `Problem`, for heads that read them. described: None if no recordings are at hand, only features; then
    heads that read descriptors are refused. local: likewise, but heads that attend to them do without.
    """

    features: Features
    states: Array
    unseen: Labels
    device: str = "cpu"
    parts: Array | None = None
    described: Described | None = None
    local: Local | None = None

    def problem(self, seed: int) -> Problem:
        """The training part."""
        described, data, labels = self.described, self.features.train_data, self.features.train_label
        expectations, pool = (None, None) if described is None else (described.expectations, described.pool)
        local = None if self.local is None else self.local.shape
        return Problem(data, labels, self.states, seed, self.device, self.parts, expectations, local, pool)

    def read_by(self, name: str) -> Experiment:
        """The same with what head `name` reads as its features. FloraError if there are no descriptors to read."""
        wanted = reads(name)
        if wanted == "features":
            local = self.local if reads_local([name]) else None
            features = self.features if local is None else beside(self.features, self._alike(local.values))
            return replace(self, features=features, described=None, local=local)
        if self.described is None:
            raise FloraError(
                f"the head “{name}” measures recordings, and these features came without them",
                remedy="Name the recordings and the encoder instead of a feature file, or leave the head out.",
            )
        values = self._alike(self.described.values)
        features = values if wanted == "descriptors" else beside(self.features, values)
        return replace(self, features=features, local=None)

    def _alike(self, values: Features) -> Features:
        """The same values. FloraError if they are of other recordings than the features."""
        for part in ("train_label", "zsl_label", "gzsl_label"):
            if not np.array_equal(getattr(values, part), getattr(self.features, part)):
                raise FloraError(
                    "the descriptors or local features are of other recordings than the features",
                    remedy="Extract them again.",
                )
        return values

    def check(self, *, whole: bool = True) -> None:
        """FloraError if the parts do not fit each other. whole: the whole test part is needed, as for GZSL."""
        f, classes = self.features, len(self.states)
        labels = np.concatenate([f.train_label, f.zsl_label, f.gzsl_label])
        if len(f.train_label) == 0 or len(f.zsl_label) == 0 or (whole and len(f.gzsl_label) == 0):
            raise FloraError("a part of the features has no samples", remedy="Extract the features again.")
        if labels.min() < 0 or labels.max() >= classes:
            raise FloraError(
                f"the features have labels {labels.min()} to {labels.max()}, but there are texts for {classes} classes",
                remedy="Choose the class texts of this data set.",
            )
        if (f.train_label == f.train_label[0]).all():
            raise FloraError("the training part holds samples of one class only", remedy="Add classes or recordings.")
        if np.isin(f.train_label, self.unseen).any():
            raise FloraError(
                "the training part holds samples of unseen classes", remedy="Use the feature file of this split."
            )
        if not np.isin(f.zsl_label, self.unseen).all():
            raise FloraError(
                "the zero-shot test part holds samples of seen classes", remedy="Use the feature file of this split."
            )


def beside(features: Features, others: Features) -> Features:
    """Both data of the same recordings, the others' columns last."""
    parts = ("train_data", "zsl_data", "gzsl_data")
    joined = {part: np.concatenate([getattr(one, part) for one in (features, others)], axis=1) for part in parts}
    return replace(features, **joined)


def low_shot(features: Features, share: float, seed: int = 0) -> Features:
    """A random `share` of each class's training samples, at least one; the test parts stay whole."""
    random = np.random.default_rng(seed)
    rows = [np.flatnonzero(features.train_label == label) for label in np.unique(features.train_label)]
    kept = np.sort(np.concatenate([random.permutation(r)[: max(1, int(share * len(r)))] for r in rows]))
    return replace(features, train_data=features.train_data[kept], train_label=features.train_label[kept])


# ---------------------------------------------------------------------------------------------------- one evaluation


def _unwatched(decisions: Decisions) -> None:
    """Nobody looks at the single decisions."""


def evaluate_zsl(score: Scorer, experiment: Experiment, look: Look = _unwatched) -> Outcome:
    """Accuracy among the unseen classes, per class, and the confusion among them. look: sees each decision."""
    unseen, labels = experiment.unseen, experiment.features.zsl_label
    scores = score(experiment.features.zsl_data, unseen)
    chosen = scores.argmax(axis=1)
    look(Decisions.of(np.arange(len(labels)), labels, unseen, scores))
    return {
        "accuracy": metrics.accuracy(unseen[chosen], labels),
        "per_class": metrics.per_class(unseen[chosen], labels),
        "confusion": metrics.confusion(chosen, np.searchsorted(unseen, labels), len(unseen)).tolist(),
    }


def evaluate_gzsl(
    score: Scorer, experiment: Experiment, bonus: float, look: Look = _unwatched, gate: Gate | None = None
) -> Outcome:
    """Seen, unseen and harmonic accuracy at `bonus`, the area under the curve, per class and confusion over all.

    look: sees each decision at `bonus`. gate: the same numbers as it decides, with “gate_” before their names.
    """
    features = experiment.features
    seen = np.unique(features.train_label)
    known = np.concatenate([seen, experiment.unseen])
    rows = np.isin(features.gzsl_label, known)  # a test class that was never trained on nor is unseen has no answer
    labels = features.gzsl_label[rows]
    scores = score(features.gzsl_data[rows], known)
    result = Generalised.of(scores, labels, seen, experiment.unseen)
    predicted = result.decide(bonus)
    raised = scores + np.where(np.isin(known, experiment.unseen), np.float32(bonus), np.float32(0))
    decisions = Decisions.of(np.flatnonzero(rows), labels, known, raised)
    look(replace(decisions, predicted=predicted, bonus=bonus, curve=_thinned(np.stack(result.curve()))))
    gated = {} if gate is None else {f"gate_{key}": v for key, v in _balance(gate.on(result), gate.bonus).items()}
    return {
        **_balance(result, bonus),
        **gated,
        "per_class": metrics.per_class(predicted, labels),
        "confusion": metrics.confusion(predicted, labels, len(experiment.states)).tolist(),
    }


def _balance(result: Generalised, bonus: float) -> Outcome:
    seen, unseen = result.accuracies(bonus)
    return {"seen": seen, "unseen": unseen, "harmonic": metrics.harmonic(seen, unseen), "area": result.area()}


def _thinned(curve: Array, most: int = 500) -> Array:
    """At most so many columns of (3, M), the ends among them."""
    places = np.unique(np.linspace(0, curve.shape[1] - 1, most).round().astype(np.int64))
    return curve[:, places].astype(np.float32)


def _evaluate(
    setting: Setting,
    score: Scorer,
    experiment: Experiment,
    bonus: float,
    look: Look = _unwatched,
    gate: Gate | None = None,
) -> Outcome:
    if setting == "zsl":
        return evaluate_zsl(score, experiment, look)
    return evaluate_gzsl(score, experiment, bonus, look, gate)


def _told(job: Job, evaluation: int, outcome: Outcome) -> Outcome:
    """Tell the numbers of one evaluation of the test part as metrics, and return it."""
    for key, name in (("accuracy", "test_zsl"), *((key, f"test_{key}") for key in ("seen", "unseen", "harmonic"))):
        if key in outcome:
            job.emit("metric", name=name, step=evaluation, value=outcome[key])
    return outcome


VALUE: Mapping[Setting, str] = {"zsl": "accuracy", "gzsl": "harmonic"}

# ------------------------------------------------------------------------------------------------------- one training


def _held_out(
    job: Job,
    name: str,
    experiment: Experiment,
    settings: FloraSettings,
    wanted: Sequence[Setting],
    seed: int,
    picks: Mapping[str, Pick],
    keep: Callable[[Setting, Any], None],
    look: Callable[[Setting, Decisions], object],
    progress: Progress,
) -> dict[str, Outcome]:
    """Train what was picked on all seen classes; settings that picked the same training share it."""
    picked = {setting: training_of(head(name), picks[setting].choice) for setting in wanted}
    for number, choice in enumerate(_distinct(list(picked.values()))):
        here: list[Setting] = [setting for setting in wanted if picked[setting] == choice]

        def watch(evaluation: int, score: Scorer, baseline: Scorer | None, here: list[Setting] = here) -> None:
            for setting in here:
                pick = picks[setting]
                if pick.evaluations != evaluation:
                    continue
                if isinstance(score, FlowScorer):
                    keep(setting, copy.deepcopy(score.model))
                if baseline is not None and setting == "zsl":
                    progress.keep("nearest_aligned", evaluate_zsl(baseline, experiment))
                chosen = as_chosen(score, pick.choice)
                outcome = _evaluate(setting, chosen, experiment, pick.bonus or 0.0, partial(look, setting), pick.gate)
                progress.keep(setting, _told(job, evaluation, outcome))

        last = max(picks[setting].evaluations for setting in here)
        checkpoint = progress.checkpoint(number)
        task = Fit(job, experiment.problem(seed), choice, settings, watch, last, checkpoint=checkpoint)
        started = time.monotonic()
        trained = head(name).fit(task)
        progress.keep("cost", {"parameters": _size(trained), "seconds": time.monotonic() - started})
    return progress.found


def _size(trained: Any) -> int:
    """How many numbers a trained head holds: those of its modules and arrays, without the class texts."""
    if isinstance(trained, FloraModel):
        return _size(trained.network) + _size(trained.direct)
    if isinstance(trained, nn.Module):
        return sum(tensor.numel() for tensor in (*trained.parameters(), *trained.buffers()))
    if is_dataclass(trained) or isinstance(trained, tuple):
        return sum(_size(part) for part in (trained if isinstance(trained, tuple) else vars(trained).values()))
    return trained.size if isinstance(trained, np.ndarray) else 0


def _distinct(choices: list[Choice]) -> list[Choice]:
    return [choice for number, choice in enumerate(choices) if choice not in choices[:number]]


def _published(
    job: Job,
    name: str,
    experiment: Experiment,
    settings: FloraSettings,
    wanted: Sequence[Setting],
    seed: int,
    progress: Progress,
) -> dict[str, Outcome]:
    """Best of the evaluations on the test part, drawn latents, the settings' own attunement and calibration."""
    if settings.published_training == "exact":
        settings = settings.model_copy(update={"tokens_per_step": 0, "precision": "float32"})
    bonus = -math.log(settings.calibration) if head(name).FLOW else 0.0
    choices = {setting: _published_choice(name, settings, setting) for setting in wanted}
    for number, choice in enumerate(_distinct(list(choices.values()))):
        here = [setting for setting in wanted if choices[setting] == choice]

        def watch(evaluation: int, score: Scorer, baseline: Scorer | None, here: list[Setting] = here) -> None:
            for setting in here:
                outcome = _told(job, evaluation, _evaluate(setting, score, experiment, bonus))
                progress.keep(f"{setting} {evaluation}", outcome)

        checkpoint = progress.checkpoint(number)
        task = Fit(job, experiment.problem(seed), choice, settings, watch, sampling=True, checkpoint=checkpoint)
        head(name).fit(task)
    outcomes: dict[str, Outcome] = {}
    for setting in wanted:
        found = [outcome for key, outcome in progress.found.items() if key.startswith(f"{setting} ")]
        values = [outcome[VALUE[setting]] for outcome in found]
        outcomes[setting] = {**found[int(np.argmax(values))], "evaluations_on_test": values}
    return outcomes


def _published_choice(name: str, settings: FloraSettings, setting: Setting) -> Choice:
    """The settings' own attunement, which the two settings weigh differently; other heads' first choice."""
    if not head(name).FLOW:
        return head(name).choices(settings)[0]
    weight = settings.weight_zsl if setting == "zsl" else settings.weight_gzsl
    return {"neighbours": settings.neighbours, "weight": weight}


# ---------------------------------------------------------------------------------------------------- whole protocols


def run_protocol(
    job: Job,
    name: str,
    experiment: Experiment,
    settings: FloraSettings,
    protocol: ProtocolName = "held-out",
    wanted: Sequence[Setting] = ("zsl", "gzsl"),
    keep: Callable[[int, Setting, Any], None] = lambda seed, setting, model: None,
    memory: Memory | None = None,
    picks: Mapping[str, Pick] | None = None,
    look: Callable[[int, Setting, Decisions], object] = lambda seed, setting, decisions: None,
) -> Outcome:
    """Train and evaluate head `name` with every seed of the settings; returns a JSON-ready summary.

    Of the held-out protocol it says the cost of one training too: the seconds of the last one of each seed, and how
    many numbers the trained head holds.

    keep: called with (seed, setting, model) for each Flora that the held-out protocol reports on; it is a copy.
    memory: finished pieces of an interrupted run of the same configuration are taken from it.
    picks: what the held-out protocol trains for each setting, where it was chosen already.
    look: called with (seed, setting, decisions) for each evaluation that the held-out protocol reports.
    """
    memory = memory or Memory()
    experiment.check(whole="gzsl" in wanted)
    experiment = replace(experiment.read_by(name), unseen=np.unique(experiment.unseen))
    started = time.monotonic()
    picks = {} if picks is None or protocol == "published" else picks
    if protocol == "held-out" and not picks:
        fallback = -math.log(settings.calibration)
        with job.part("choosing"):
            picks = select(job, name, experiment.problem(settings.seeds[0]), settings, fallback, memory)
    chosen_after = time.monotonic() - started
    runs = []
    for seed in settings.seeds:

        def train(progress: Progress, seed: int = seed) -> Outcome:
            if protocol == "published":
                return _published(job, name, experiment, settings, wanted, seed, progress)
            return _held_out(
                job, name, experiment, settings, wanted, seed, picks, partial(keep, seed), partial(look, seed), progress
            )

        job.log(f"{name}, protocol {protocol}: seed {seed}")
        with job.part(f"{protocol}, seed {seed}"):
            runs.append(memory.recall(f"outcome-{protocol}-{name}-seed{seed}", train))
    return {
        "protocol": protocol,
        "note": NOTES[protocol],
        "seeds": list(settings.seeds),
        "seconds": {"choosing": chosen_after, "all": time.monotonic() - started},
        "chosen": {setting: picks[setting].summary() for setting in wanted if setting in picks},
        "chance": 1.0 / len(experiment.unseen),
        **{key: _combine([run[key] for run in runs]) for key in runs[0]},
    }


NOTES: Mapping[str, str] = {
    "held-out": "chosen on pseudo-unseen classes of the training part; the test part was looked at once per seed",
    "published": "best of the evaluations ON THE TEST PART, with latents drawn at test time; for comparison only",
}


def _combine(outcomes: list[Outcome]) -> Outcome:
    """Mean and standard error of each number over seeds; confusion counts are added up."""
    combined: Outcome = {}
    for key, first in outcomes[0].items():
        values = [outcome[key] for outcome in outcomes]
        if key == "confusion":
            combined[key] = np.sum(values, axis=0).tolist()
        elif key == "per_class":
            combined[key] = {str(c): float(np.mean([value[c] for value in values])) for c in first}
        elif isinstance(first, list):
            combined[key] = values
        else:
            combined[key] = metrics.mean_and_error(values)
    return combined
