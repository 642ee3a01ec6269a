"""Class texts: ours, the published format, what users type, and their token states."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from flora_engine.datasets.catalogue import dataset_names, load_dataset
from flora_engine.errors import FloraError
from flora_engine.semantics.class_texts import (
    ClassText,
    class_states,
    import_published,
    load_class_texts,
    parse_typed,
    read_texts,
    with_known_texts,
    write_texts,
)
from flora_engine.semantics.text_checks import check_texts


class LetterEncoder:
    """States that tell which text they are of: every channel holds the text's length."""

    name, channels, sha256 = "letters", 4, "0" * 64

    def encode(self, texts: list[str], tokens: int) -> np.ndarray:
        lengths = np.array([len(text) for text in texts], np.float32)
        return np.broadcast_to(lengths[:, None, None], (len(texts), tokens + 1, 4)).copy()

    def count_tokens(self, texts: list[str]) -> list[int]:
        return [len(text.split()) + 2 for text in texts]


@pytest.mark.parametrize("dataset", dataset_names())
def test_our_texts_are_complete_and_distinct_and_short(dataset: str):
    texts = load_class_texts(dataset)
    assert check_texts(texts, load_dataset(dataset).class_names) == []
    for text in texts:
        assert 8 <= len(text.motion.split()) <= 28, text
        assert 5 <= len(text.definition.split()) <= 26, text
        assert text.definition.endswith("."), text
        assert not text.motion.endswith("."), text


def test_the_same_action_has_the_same_texts_in_every_ntu_and_pku_set():
    ntu = {text.name: text for text in load_class_texts("ntu120")}
    shared = [text for text in load_class_texts("pku51") if text.name in ntu]
    assert len(shared) > 40
    assert all(text == ntu[text.name] for text in shared)


@pytest.mark.parametrize("dataset", ["ntu60", "ntu120", "pku51"])
def test_our_texts_share_no_sentence_with_the_published_ones(shared_data: Path, dataset: str):
    def words(text: str) -> tuple[str, ...]:
        return tuple(re.findall(r"\w+", text.lower()))

    def runs(texts: list[ClassText]) -> set[tuple[str, ...]]:
        found = [words(text.motion) for text in texts] + [words(text.definition) for text in texts]
        return {row[i : i + 7] for row in found for i in range(max(1, len(row) - 6))}

    published = load_class_texts(dataset, shared_data / "semantics")
    ours = load_class_texts(dataset)
    assert [text.name for text in published] == [text.name for text in ours]
    assert not runs(ours) & runs(published)


def test_the_published_class_files_are_in_the_order_of_our_names(shared_data: Path):
    """A few classes whose published texts cannot be of any other class."""
    texts = {text.name: text for text in load_class_texts("ntu120", shared_data / "semantics")}
    for name in ("Drink water", "Hopping", "Snapping", "Whisper", "High-five"):
        found = next(text for key, text in texts.items() if key.startswith(name.lower()))
        assert name.lower()[:5] in found.definition.lower()


def _published(folder: Path, table: str, definitions: str) -> Path:
    (folder / "own.csv").write_text(table, encoding="utf-8-sig")
    (folder / "own_llm.txt").write_text(definitions, encoding="utf-8")
    return folder


def test_the_published_format_is_imported(tmp_path: Path):
    folder = _published(tmp_path, 'idx,label\r\n2,"lift, then lower"\r\n1,wave, slowly\r\n', "“A”.\nB.\n\n")
    assert import_published(folder, "own", ["a", "b"]) == [
        ClassText("a", "wave, slowly", "“A”."),
        ClassText("b", "lift, then lower", "B."),
    ]


@pytest.mark.parametrize(
    ("table", "definitions", "message"),
    [
        ("idx,label\n1,x\n", "A.\nB.\n", r"classes 1 to 2.*unknown: \[2\]"),
        ("idx,label\n1,x\n2,y\n3,z\n", "A.\nB.\n", r"unknown: \[3\]"),
        ("idx,label\n1,x\ntwo,y\n", "A.\nB.\n", "line 3"),
        ("idx,label\n1,x\n2,y\n", "A.\n", "expected 2 lines, found 1"),
        ("idx,label\n1,x\n1,y\n2,z\n", "A.\nB.\n", "class 1 is given twice"),
    ],
)
def test_published_files_that_do_not_fit_are_refused(tmp_path: Path, table: str, definitions: str, message: str):
    with pytest.raises(FloraError, match=message):
        import_published(_published(tmp_path, table, definitions), "own", ["a", "b"])


def test_a_missing_published_file_is_named(tmp_path: Path):
    with pytest.raises(FloraError, match=r"ntu60\.csv"):
        load_class_texts("ntu60", tmp_path)
    with pytest.raises(FloraError, match="data set “ntu61” is unknown"):
        load_class_texts("ntu61")


def test_our_yaml_survives_writing_and_reading(tmp_path: Path):
    texts = [ClassText("wave: big", "swing the arm — twice", "A greeting."), ClassText("no", "x y", "“z”")]
    write_texts(tmp_path / "texts.yaml", texts)
    assert read_texts(tmp_path / "texts.yaml") == texts


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "expected a list of classes"),
        ("classes: 3", "expected a list of classes"),
        ("- {name: a}\n- {nam: b}", "class 2"),
        ("- {name: ''}", "has no name"),
        ("- {name: a", "not readable as YAML"),
    ],
)
def test_broken_yaml_is_one_clear_error(tmp_path: Path, content: str, message: str):
    (tmp_path / "texts.yaml").write_text(content)
    with pytest.raises(FloraError, match=message):
        read_texts(tmp_path / "texts.yaml")


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("", []),
        (" ;\n ; : \n", []),
        ("wave", [ClassText("wave", "wave", "wave")]),
        ("a; b: arm  up ;", [ClassText("a", "a", "a"), ClassText("b", "arm up", "b: arm up")]),
        ("a\nb: at 10:30\r\n", [ClassText("a", "a", "a"), ClassText("b", "at 10:30", "b: at 10:30")]),
        ("Wave: x\nrun\nwave", [ClassText("wave", "wave", "wave"), ClassText("run", "run", "run")]),
        (": only words", [ClassText("only words", "only words", "only words")]),
        ("run:", [ClassText("run", "run", "run.")]),
    ],
)
def test_typed_classes(typed: str, expected: list[ClassText]):
    assert parse_typed(typed) == expected


def test_known_names_get_our_texts_unless_described():
    ours = {text.name: text for text in load_class_texts("ntu120")}
    texts = with_known_texts(parse_typed("Drink Water; hopping; draw circle; juggle: x; falling: slowly"))
    assert [text.name for text in texts] == ["Drink Water", "hopping", "draw circle", "juggle", "falling"]
    assert texts[0].motion == ours["drink water"].motion
    assert texts[1].definition == ours["hopping (one foot jumping)"].definition
    assert texts[2].motion == "draw circle"  # clockwise or not? left alone
    assert texts[4].motion == "slowly"
    assert with_known_texts(parse_typed("drink water:"))[0].motion == "drink water", "a colon refuses our texts"


def test_class_states_put_the_motion_before_the_definition():
    states = class_states(LetterEncoder(), [ClassText("n", "abc", "abcdef"), ClassText("m", "a", "ab")], 5)
    assert states.shape == (2, 6, 8)
    assert states.dtype == np.float32
    np.testing.assert_array_equal(states[0, 0], [3, 3, 3, 3, 6, 6, 6, 6])
    np.testing.assert_array_equal(states[1, 5], [1, 1, 1, 1, 2, 2, 2, 2])
    with pytest.raises(FloraError, match="at least one action"):
        class_states(LetterEncoder(), [], 5)


def test_checks_name_every_problem():
    texts = [
        ClassText("wave", "Swing the hand!", "a greeting"),
        ClassText("greet", "swing  the hand", "A greeting."),
        ClassText("Wave", "jump up", "jump up"),
        ClassText("", "x", "y"),
    ]
    problems = check_texts(texts, ["wave", "run"], LetterEncoder(), 4)
    assert problems == [
        "“run” has no texts",
        "“greet” is not a class here",
        "“” is not a class here",
        "“” has an empty name",
        "“wave” and “Wave” have the same name",
        "“wave” and “greet” have the same motion",
        "“wave” and “greet” have the same definition",
        "“Wave” has the same text twice: as motion and as definition",
        "the motion of “wave” has 5 tokens; what is beyond 4 is cut off",
        "the motion of “greet” has 5 tokens; what is beyond 4 is cut off",
    ]
