"""The model that ships: whole, small, honest about what was measured, and ready at once."""

from __future__ import annotations

from flora_engine.config import PipelineConfig, load_config
from flora_engine.demo import synthesise
from flora_engine.labelling.bundle import BUILTIN
from flora_engine.labelling.labeller import Labeller
from flora_engine.resources import CONFIGS
from flora_engine.semantics.class_texts import load_class_texts, parse_typed


def test_it_labels_recordings_of_one_and_two_persons() -> None:
    labeller = Labeller()
    texts = parse_typed("wave right hand; sit down; shake hands")
    for action in (0, 3, 20):
        ranking = labeller.label(synthesise(action), texts)
        assert {label.name for label in ranking.labels} == {text.name for text in texts}


def test_it_is_small_and_its_card_tells_its_own_numbers() -> None:
    assert sum(path.stat().st_size for path in BUILTIN.iterdir()) < 30e6
    card = (BUILTIN / "MODEL_CARD.md").read_text(encoding="utf-8")
    accuracy = Labeller().manifest.accuracy
    for key in ("zsl", "chance", "gzsl_seen", "gzsl_unseen", "gzsl_harmonic", "zsl_nearest_mean_in_aligned_space"):
        assert f"{100 * float(accuracy[key]):.1f} %" in card, key


def test_it_never_saw_the_classes_that_its_recipe_keeps_unseen() -> None:
    config = load_config(CONFIGS / "builtin.yaml")
    assert isinstance(config, PipelineConfig)
    names = [text.name for data in config.data for text in load_class_texts(data.dataset)]
    unseen = {names[c] for c in config.splits[0].unseen}
    seen = [c.name for c in Labeller().manifest.seen_classes]
    assert sorted(seen) == sorted(name for name in names if name not in unseen)
