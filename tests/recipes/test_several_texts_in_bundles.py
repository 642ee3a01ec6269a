"""A model that was trained with several texts per class labels with several: as the training scores, number by number.

Features and encoder are synthetic and tiny: what comes out says nothing about any model.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from flora_engine.datasets.benchmarks import load_benchmark
from flora_engine.datasets.catalogue import load_dataset
from flora_engine.datasets.published_files import read_features
from flora_engine.demo import synthesise
from flora_engine.heads.flora import FlowScorer
from flora_engine.heads.learning.model import load_model
from flora_engine.jobs import Job
from flora_engine.labelling.labeller import Labeller
from flora_engine.models.shift_gcn.network import ShiftGCN
from flora_engine.recipes import demo_downloads
from flora_engine.recipes.actions import perform
from flora_engine.recipes.label import candidate_texts
from flora_engine.semantics.class_texts import ClassText, with_more, write_texts

ACTIONS = (0, 1, 2, 10, 11, 19)  # of the recordings that `write_downloads` makes
FLORA: dict[str, Any] = {"hidden": 24, "align_iterations": 10, "total_iterations": 20, "evaluations": 1, "folds": 1}
FLORA |= {"attunements": [[2, 0.4]]}


@pytest.fixture(scope="module")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Synthetic downloads of a small encoder, and further texts of every class."""
    folder = tmp_path_factory.mktemp("downloads")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo_downloads, "_network", lambda classes, _: ShiftGCN(classes, base_channels=4).eval())
        demo_downloads.write_downloads(Job(), folder)
    entries = [
        {"name": text.name, "motion": f"somebody does {text.name}", "definition": f"This is {text.name}."}
        for text in load_dataset("ntu60").classes
    ]
    (folder / "more.yaml").write_text(yaml.safe_dump({"classes": entries}), encoding="utf-8")
    return folder


@pytest.mark.parametrize("several", ["mean", "kept"])
def test_shares_are_those_of_the_training(downloads: Path, tmp_path: Path, several: str) -> None:
    benchmark = load_benchmark(demo_downloads.BENCHMARK)
    file = downloads / "skeleton_features" / benchmark.features
    texts = {"tokens": 5, "more": [str(downloads / "more.yaml")], "several": several}
    config = {"kind": "flora", "benchmark": benchmark.name, "features": str(file), "texts": texts, "flora": FLORA}
    config |= {"encoder": [str(downloads / demo_downloads.ENCODER)], "heads": ["ensemble"], "setting": "zsl"}
    config |= {"data": {"dataset": "ntu60", "preparation": "ctrgcn", "frames": 300}}
    run = Path(perform(Job(), "train", {"config": config, "out": str(tmp_path), "device": "cpu"})["run"])
    stored = json.loads((run / "bundle" / "manifest.json").read_text())
    assert stored["text_encoder"].get("kept") == (2 if several == "kept" else None)
    assert all(len(text["more"]) == 1 for text in stored["seen_classes"])
    stored |= {"descriptors": None, "version": 2}  # what is added to the graphs is no part of the training
    (run / "bundle" / "manifest.json").write_text(json.dumps(stored))

    # Exactly the unseen classes are typed: attunement then sees the classes of the training, and no others.
    names, classes = load_dataset("ntu60").classes, list(benchmark.unseen)
    more = candidate_texts(None, downloads / "more.yaml")
    typed = with_more([names[label] for label in classes], [[more[label] for label in classes]])
    write_texts(tmp_path / "typed.yaml", typed)
    typed = candidate_texts(None, tmp_path / "typed.yaml")
    labeller = Labeller(run / "bundle")
    ranked = labeller.rank(labeller.latents([synthesise(action, subject=3) for action in ACTIONS])[0], typed)
    found = [{label.name: label.score for label in one.labels} for one in ranked]

    model = load_model(run / "checkpoints" / "ensemble-zsl-seed0.safetensors")
    assert model.states.shape[1] == 6 * (2 if several == "kept" else 1)
    features = read_features(file).gzsl_data[-len(ACTIONS) :]  # of the same recordings
    assert labeller.manifest.decision is not None
    logits = FlowScorer(model)(features, np.array(classes)) / labeller.manifest.decision.temperature
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    np.testing.assert_allclose([[row[text.name] for text in typed] for row in found], shares, rtol=0.02, atol=1e-4)

    one = labeller.rank(
        labeller.latents([synthesise(0)])[0], [ClassText(t.name, t.motion, t.definition) for t in typed]
    )
    assert abs(one[0].labels[0].score - ranked[0].labels[0].score) > 1e-4, "the further texts count"
