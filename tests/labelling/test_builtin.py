"""The model that ships: whole, small, honest about what was measured, and ready at once."""

from __future__ import annotations

import numpy as np
import pytest

from flora_engine.demo import synthesise
from flora_engine.labelling.bundle import BUILTIN
from flora_engine.labelling.labeller import Labeller
from flora_engine.semantics.class_texts import parse_typed
from flora_engine.skeleton import SkeletonSequence

TEXTS = parse_typed("wave right hand; sit down; shake hands")


def test_it_labels_recordings_of_one_and_two_persons() -> None:
    labeller = Labeller()
    for action in (0, 3, 20):
        ranking = labeller.label(synthesise(action), TEXTS)
        assert {label.name for label in ranking.labels} == {text.name for text in TEXTS}


# action of `synthesise` → the shares of TEXTS and "jump up". They pin the measurements, the lexicon, the text encoder
# and the learned maps together; after a new built-in model, print them anew and look at them.
GOLDEN = {
    0: {"wave right hand": 0.9998, "shake hands": 0.0001, "jump up": 0.0001, "sit down": 0.0},
    3: {"sit down": 0.9985, "jump up": 0.0014, "shake hands": 0.0001, "wave right hand": 0.0},
    20: {"shake hands": 0.9979, "wave right hand": 0.0021, "sit down": 0.0, "jump up": 0.0},
}


@pytest.mark.parametrize("action", GOLDEN)
def test_its_rankings_stay_as_they_were(action: int) -> None:
    """float32 arithmetic of another processor moves a share by less than 0.001; 0.01 leaves room for any runtime."""
    ranking = Labeller().label(synthesise(action), [*TEXTS, *parse_typed("jump up")])
    assert {label.name: label.score for label in ranking.labels} == pytest.approx(GOLDEN[action], abs=0.01)


@pytest.mark.filterwarnings("error")
def test_recordings_unlike_any_other_get_finite_scores_and_a_winner() -> None:
    """The maps beside Flora are linear, and a sensor's spike or a walk of a kilometre makes their scores huge."""
    random = np.random.default_rng(0)
    noise = random.normal(size=(40, 1, 25, 3))
    spikes = np.where(random.random(noise.shape) < 0.01, 1e5, noise)
    far = noise + np.linspace(0, 1000, 40)[:, None, None, None]
    for joints in (spikes, far):
        labels = Labeller().label(SkeletonSequence(joints.astype(np.float32), 30.0, "kinect_v2"), TEXTS).labels
        scores = [label.score for label in labels]
        assert np.isfinite(scores).all() and sum(scores) == pytest.approx(1) and scores == sorted(scores, reverse=True)
        assert scores[0] > scores[-1]


def test_it_is_small_and_holds_nothing_that_it_does_not_use() -> None:
    names = {path.name for path in BUILTIN.iterdir()}
    assert names == {"MODEL_CARD.md", "manifest.json", "descriptors.npz", "motion.npz"}
    assert sum(path.stat().st_size for path in BUILTIN.iterdir()) < 3e6
