"""The head `descriptors` on data sets left out: measured values, expectations, training, scores, calibration."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from leave_one_out_texts import typed
from motion_sets import MotionSet
from open_set_scores import DRAWN, Floats, draws

from flora_engine.descriptors import catalogue, measure
from flora_engine.models.descriptors import DescriptorModel, excess, fit_descriptors
from flora_engine.resources import PACKAGE, cache_folder
from flora_engine.semantics.expectations import Reader
from flora_engine.semantics.lexicon import Lexicon, load_lexicon
from flora_engine.semantics.text_encoder import load_text_encoder
from flora_engine.semantics.text_vectors import text_vectors

FALSE_ACCEPTS = 0.3  # stated: of recordings of none of the actions, this share gets a label at the threshold of 50 %


def measured(one: MotionSet) -> np.ndarray:
    """float32 (N, D), made once as long as the code that measures stays as it is."""
    digest = hashlib.sha256("".join(catalogue()).encode())
    for part in ("descriptors", "skeleton"):
        for path in sorted((PACKAGE / part).glob("*.py")):
            digest.update(path.read_bytes())
    path = cache_folder() / "experiments" / f"descriptors-{one.name}-{digest.hexdigest()[:16]}.npy"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, np.stack([measure(sequence) for sequence in one.sequences]))
    return np.load(path)


class Evidence:
    """All sets with their values, and their classes read with one lexicon.

    own: keep the entries of a set's own names.
    """

    def __init__(self, sets: list[MotionSet], own: bool = True, lexicon: Lexicon | None = None) -> None:
        self.sets = {one.name: one for one in sets}
        self.values = {one.name: measured(one) for one in sets}
        self.encoder = load_text_encoder()
        whole = lexicon or load_lexicon()
        self.expected: dict[tuple[str, str], Floats] = {}
        self.vectors: dict[tuple[str, str], Floats] = {}
        self.actions: dict[str, tuple[Floats, Floats]] = {}
        for one in sets:
            kept = whole if own else whole.without([text.name for text in one.texts])
            reader = Reader(kept, self.encoder)
            self.actions[one.name] = reader.actions()
            for kind in ("names", "descriptions"):
                texts = typed(one, kind)
                self.expected[one.name, kind] = np.stack([part.values for part in reader.read_all(texts)])
                self.vectors[one.name, kind] = text_vectors(self.encoder, [text.motion for text in texts])

    def model(self, names: list[str]) -> DescriptorModel:
        """Trained on these sets, from the names of their classes."""
        return fit_descriptors(
            {
                name: (
                    self.values[name],
                    self.sets[name].labels,
                    self.expected[name, "names"],
                    self.vectors[name, "names"],
                )
                for name in names
            }
        )

    def scores(self, model: DescriptorModel, name: str, kind: str) -> Floats:
        """(N, K) of one set."""
        z = model.standardise(self.values[name])
        return model.scores(z, self.expected[name, kind], self.vectors[name, kind])

    def rivals(self, model: DescriptorModel, name: str) -> Floats:
        """(N, E) scores of all actions of the lexicon."""
        return model.scores(model.standardise(self.values[name]), *self.actions[name])

    def left_out(self, kind: str) -> dict[str, tuple[Floats, Floats]]:
        """Of every set by the model that never saw it: scores of its classes, and of the lexicon's actions."""
        found = {}
        for name in self.sets:
            model = self.model([other for other in self.sets if other != name])
            found[name] = self.scores(model, name, kind), self.rivals(model, name)
        return found


def present_and_absent(
    scores: Floats, labels: np.ndarray, rivals: Floats | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Over draws of five, of recordings of a drawn class, and of all others: the best scores, or with `rivals` their
    excess."""
    present, absent = [], []
    for drawn in draws(scores.shape[1]):
        best = scores[:, drawn].max(axis=1) if rivals is None else excess(scores[:, drawn], rivals)
        inside = np.isin(labels, drawn)
        present.append(best[inside])
        absent.append(best[~inside])
    return np.concatenate(present), np.concatenate(absent)


def auroc(present: np.ndarray, absent: np.ndarray) -> float:
    """The probability that a recording of a drawn class has a better best score than one of none."""
    order = np.sort(absent)
    below = np.searchsorted(order, present, "left") + np.searchsorted(order, present, "right")
    return float(below.mean() / 2 / max(len(absent), 1))


def odds(scores: dict[str, tuple[Floats, Floats]], labels: dict[str, np.ndarray]) -> tuple[float, float]:
    """Intercept and slope of the log-odds of “none of these”: logistic regression with each set counting alike,
    moved so that `FALSE_ACCEPTS` of the recordings of none lie below 50 %.
    """
    x, y, w, absents = [], [], [], []
    for name, (one, rivals) in scores.items():
        if one.shape[1] <= DRAWN:
            continue
        present, absent = present_and_absent(one, labels[name], rivals)
        for values, target in ((present, 0.0), (absent, 1.0)):
            x.append(values)
            y.append(np.full(len(values), target))
            w.append(np.full(len(values), 1 / len(values)))
        absents.append(absent)
    best, target, weight = np.concatenate(x), np.concatenate(y), np.concatenate(w)
    a = b = 0.0
    for _ in range(50):  # Newton's method
        p = 1 / (1 + np.exp(-(a + b * best)))
        g = np.array([(weight * (p - target)).sum(), (weight * (p - target) * best).sum()])
        h = weight * p * (1 - p)
        hessian = np.array([[h.sum(), (h * best).sum()], [(h * best).sum(), (h * best**2).sum()]])
        step = np.linalg.solve(hessian + 1e-9 * np.eye(2), g)
        a, b = a - step[0], b - step[1]
    threshold = float(np.mean([np.quantile(absent, 1 - FALSE_ACCEPTS) for absent in absents]))
    return -b * threshold, b


def temperature(scores: dict[str, tuple[Floats, Floats]], labels: dict[str, np.ndarray]) -> float:
    """The softmax temperature of least surprise over draws of five, each set counting alike."""
    tried = np.geomspace(0.1, 3, 30)
    losses = np.zeros(len(tried))
    for name, (one, _) in scores.items():
        loss = np.zeros(len(tried))
        for drawn in draws(one.shape[1]):
            rows = np.isin(labels[name], drawn)
            logits = one[np.ix_(rows, drawn)]
            own = np.searchsorted(drawn, labels[name][rows])
            for i, t in enumerate(tried):
                scaled = (logits - logits.max(axis=1, keepdims=True)) / t
                loss[i] += (np.log(np.exp(scaled).sum(axis=1)) - scaled[np.arange(len(own)), own]).mean()
        losses += loss
    return float(tried[losses.argmin()])


def lexicon_half(seed: int) -> Lexicon:
    """A random half of the lexicon's entries."""
    entries = load_lexicon().entries
    chosen = np.random.default_rng(seed).permutation(len(entries))[: len(entries) // 2]
    return Lexicon(tuple(entries[i] for i in np.sort(chosen)))


def write_model(evidence: Evidence, path: Path, only: list[str] | None = None) -> DescriptorModel:
    """The model of all sets (or of `only` these), calibrated on sets left out, stored at `path`."""
    scores = evidence.left_out("names")
    labels = {name: one.labels for name, one in evidence.sets.items()}
    fitted = evidence.model(only or list(evidence.sets))
    fitted = fitted.calibrated(temperature(scores, labels), odds(scores, labels))
    fitted.save(path)
    return fitted
