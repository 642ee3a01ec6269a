"""The head `descriptors` on data sets left out: measured values, expectations, training, scores, calibration."""

from __future__ import annotations

import hashlib

import numpy as np
from leave_one_out_texts import typed
from motion_sets import MotionSet
from open_set_scores import Floats

from flora_engine.descriptors import catalogue, measure
from flora_engine.evaluation import open_sets
from flora_engine.models.descriptors import DescriptorModel, fit_descriptors
from flora_engine.resources import PACKAGE, cache_folder
from flora_engine.semantics.expectations import Reader
from flora_engine.semantics.lexicon import Lexicon, load_lexicon
from flora_engine.semantics.text_encoder import load_text_encoder
from flora_engine.semantics.text_vectors import text_vectors


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


def auroc(present: np.ndarray, absent: np.ndarray) -> float:
    """The probability that a recording of a drawn class has a better best score than one of none."""
    order = np.sort(absent)
    below = np.searchsorted(order, present, "left") + np.searchsorted(order, present, "right")
    return float(below.mean() / 2 / max(len(absent), 1))


def odds(scores: dict[str, tuple[Floats, Floats]], labels: dict[str, np.ndarray]) -> tuple[float, float]:
    """Intercept and slope of the log-odds of “none of these”, see `open_sets.odds`."""
    found = open_sets.odds(_left(scores, labels))
    assert found is not None
    return found


def temperature(scores: dict[str, tuple[Floats, Floats]], labels: dict[str, np.ndarray]) -> float:
    """The softmax temperature of least surprise, see `open_sets.temperature`."""
    return open_sets.temperature(_left(scores, labels))


def _left(scores: dict[str, tuple[Floats, Floats]], labels: dict[str, np.ndarray]) -> dict[str, open_sets.Left]:
    return {name: open_sets.Left(*pair, labels[name]) for name, pair in scores.items()}


def lexicon_half(seed: int) -> Lexicon:
    """A random half of the lexicon's entries."""
    entries = load_lexicon().entries
    chosen = np.random.default_rng(seed).permutation(len(entries))[: len(entries) // 2]
    return Lexicon(tuple(entries[i] for i in np.sort(chosen)))
