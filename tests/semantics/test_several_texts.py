"""Several texts per class, and class texts that are encoded once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from tiny_models import make_clip

from flora_engine import array_cache
from flora_engine.cli import main
from flora_engine.config import TextSettings
from flora_engine.datasets.catalogue import ClassText, Text, load_dataset
from flora_engine.datasets.settings import DataSettings
from flora_engine.errors import FloraError
from flora_engine.recipes.texts import encode_texts, more_texts
from flora_engine.semantics.action_lists import from_typed, to_typed
from flora_engine.semantics.class_texts import (
    class_states,
    load_class_texts,
    parse_typed,
    read_texts,
    several_states,
    typed_definitions,
    typed_motions,
    with_definitions,
    with_known_texts,
    with_more,
    with_motions,
    write_texts,
)
from flora_engine.semantics.text_checks import check_texts
from flora_engine.semantics.text_encoder import load_text_encoder


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("models") / "clip")


class Counting:
    """A text encoder of three channels, which notes what it was asked."""

    name, channels, sha256 = "counting", 3, "c" * 64

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode(self, texts: list[str], tokens: int) -> np.ndarray:
        self.asked += texts
        values = np.array([[len(text), text.count("a"), text.count("e")] for text in texts], np.float32)
        return np.repeat(values[:, None], tokens + 1, axis=1) + np.arange(tokens + 1, dtype=np.float32)[:, None]


TEXTS = [ClassText("wave", "a hand swings", "Waving."), ClassText("walk", "legs step", "Walking.")]
OTHERS = [ClassText("wave", "an arm is raised", "A greeting."), ClassText("walk", "the feet go", "Going.")]


def states(several: str) -> np.ndarray:
    settings = TextSettings(tokens=4, several=several, more=(Path("shipped"),))
    return encode_texts(Counting(), TEXTS, settings, (), [OTHERS]).states


def test_states_of_several_texts_are_averaged_or_kept() -> None:
    one, other = (class_states(Counting(), texts, 4) for texts in (TEXTS, OTHERS))
    np.testing.assert_allclose(states("mean"), (one + other) / 2)
    kept = states("kept")
    np.testing.assert_array_equal(kept, np.concatenate([other, one], axis=1))
    np.testing.assert_array_equal(kept[:, -1], one[:, -1], "the pooled vectors of the texts themselves are last")


def test_a_class_with_fewer_or_more_texts_than_are_kept_fills_its_places() -> None:
    one, other = (class_states(Counting(), texts, 4)[0] for texts in (TEXTS, OTHERS))
    two = with_more(TEXTS[:1], [OTHERS[:1]])
    np.testing.assert_array_equal(several_states(Counting(), TEXTS[:1], 4, 3)[0], np.concatenate([one] * 3))
    found = several_states(Counting(), two, 4, 3)[0]
    np.testing.assert_allclose(found, np.concatenate([(one + other) / 2, other, one]))
    three = with_more(two, [OTHERS[:1]])
    np.testing.assert_allclose(several_states(Counting(), three, 4, 2)[0], np.concatenate([other, one]))
    mixed = several_states(Counting(), [*two, TEXTS[1]], 4, 1)
    np.testing.assert_allclose(mixed[0], (one + other) / 2)
    np.testing.assert_allclose(mixed[1], class_states(Counting(), TEXTS[1:], 4)[0])


def test_several_texts_are_typed_and_written(tmp_path: Path) -> None:
    (wave, sit) = parse_typed("wave: swing a hand | greet somebody |; sit down")
    assert wave == ClassText(
        "wave", "swing a hand", "wave: swing a hand", (Text("greet somebody", "wave: greet somebody"),)
    )
    assert sit == ClassText("sit down", "sit down", "sit down")
    write_texts(tmp_path / "texts.yaml", [wave, sit])
    assert read_texts(tmp_path / "texts.yaml") == [wave, sit]
    assert parse_typed(to_typed(from_typed("wave: swing a hand | greet somebody"))) == [wave]
    (tmp_path / "texts.yaml").write_text("classes: [{name: wave, more: [{motion: greet}]}]", encoding="utf-8")
    with pytest.raises(FloraError, match=r"list of texts, each with motion and definition \(class 1\)"):
        read_texts(tmp_path / "texts.yaml")


def test_further_texts_come_from_the_program_a_folder_or_a_file(tmp_path: Path) -> None:
    classes = load_dataset("nw_ucla").classes
    entries = [{"name": text.name, "motion": "m", "definition": text.name} for text in reversed(classes)]
    (tmp_path / "own.yaml").write_text(yaml.safe_dump({"classes": entries}), encoding="utf-8")
    settings = TextSettings(more=(Path("shipped"), tmp_path / "own.yaml"))
    shipped, own = more_texts([DataSettings(dataset="nw_ucla")], settings)
    assert shipped == list(classes)
    assert [text.name for text in own] == [text.name for text in classes] and own[0].motion == "m"
    (tmp_path / "own.yaml").write_text(yaml.safe_dump({"classes": entries[1:]}), encoding="utf-8")
    with pytest.raises(FloraError, match="has no texts for the class"):
        load_class_texts("nw_ucla", tmp_path / "own.yaml")


def test_texts_are_encoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLORA_CACHE", str(tmp_path))
    monkeypatch.setenv(array_cache.LIMIT, "10")
    first, second = Counting(), Counting()
    made = class_states(first, TEXTS, 4, keep=True)
    np.testing.assert_array_equal(class_states(second, TEXTS, 4, keep=True), made)
    assert len(first.asked) == 4 and not second.asked
    class_states(second, TEXTS, 5, keep=True)
    assert len(second.asked) == 4, "with other tokens they are other states"


def test_encode_command_prepares_a_clip_folder_and_keeps_its_states(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLORA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv(array_cache.LIMIT, "10")
    command = ["texts", "encode", "--dataset", "nw_ucla", "--encoder", str(clip), "--tokens", "5"]
    assert main([*command, "--more", "shipped", "--several", "kept"]) == 0
    assert "10 classes, 2 versions of two texts each: 12 states of 32 numbers per class" in capsys.readouterr().out
    encoder = load_text_encoder(str(clip))
    monkeypatch.setattr(encoder, "encode", lambda texts, tokens: pytest.fail(f"encoded again: {texts}"))
    assert class_states(encoder, load_class_texts("nw_ucla"), 5, keep=True).shape == (10, 6, 32)


def test_encode_command_takes_the_texts_of_a_configuration(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLORA_CACHE", str(tmp_path / "cache"))
    assert main(["texts", "encode"]) == 1
    assert "Give --config FILE or --dataset NAME." in capsys.readouterr().err
    assert main(["texts", "encode", "--dataset", "nw_ucla", "--tokens", "1"]) == 1
    assert "greater than or equal to 3" in capsys.readouterr().err
    given = {"kind": "flora", "benchmark": "star/pku51_xsub_unseen5_split1", "features": "a.npz"}
    config = tmp_path / "flora.yaml"
    config.write_text(yaml.safe_dump({**given, "texts": {"encoder": str(clip), "tokens": 4}}), encoding="utf-8")
    assert main(["texts", "encode", "--config", str(config)]) == 0
    assert "51 classes, 1 version of two texts each: 5 states" in capsys.readouterr().out


def test_texts_of_a_class_are_edited_as_they_are_typed() -> None:
    (wave,) = parse_typed("wave: swing a hand | greet")
    assert (typed_motions(wave), typed_definitions(wave)) == (
        "swing a hand | greet",
        "wave: swing a hand | wave: greet",
    )
    for text in (wave, *TEXTS):
        assert with_motions(text, typed_motions(text)) == text == with_definitions(text, typed_definitions(text))
    defined = with_definitions(wave, "Waving. |  A   greeting.")
    assert typed_definitions(defined) == "Waving. | A greeting."
    assert with_motions(defined, "greet | beckon") == ClassText(
        "wave", "greet", "A greeting.", (Text("beckon", "wave: beckon"),)
    )
    changed = with_motions(defined, "swing both hands | greet | beckon")
    assert typed_definitions(changed) == "Waving. | A greeting. | wave: beckon"
    assert with_motions(defined, "|") == ClassText("wave", "", "Waving.")
    for typed in ("Waving.", "", "a | b | c"):
        with pytest.raises(FloraError, match=r"“wave” has 2 motions and would have [13] definitions?\b"):
            with_definitions(defined, typed)


def test_known_texts_keep_further_ones() -> None:
    own = Text("hop on the spot", "Hopping.")
    text = ClassText("hopping", "hopping", "hopping", (own,))
    found = with_known_texts([text])[0]
    assert found.motion != "hopping" and found.more == (own,)


def test_further_texts_are_checked() -> None:
    texts = [replace(TEXTS[0], more=(Text("legs step", "A greeting."), Text("greet", "A greeting!"))), TEXTS[1]]
    assert check_texts(texts) == [
        "“wave” and “walk” have the same motion",
        "“wave” has the same definition twice",
    ]
