"""Class texts taken apart: verbs and nouns, what each body part does, what comes first and last."""

from __future__ import annotations

import numpy as np
import pytest

from flora_engine.datasets.catalogue import ClassText, dataset_names, load_dataset
from flora_engine.semantics.class_parts import PARTS, class_parts, parts_of, verbs_and_nouns


class WordEncoder:
    """The pooled vector of a text says how often each of its letters occurs."""

    name, channels, sha256 = "letters", 26, "0" * 64

    def encode(self, texts: list[str], tokens: int) -> np.ndarray:
        counts = np.array([[text.count(chr(97 + i)) for i in range(26)] for text in texts], np.float32)
        return np.concatenate([np.zeros((len(texts), tokens, 26), np.float32), counts[:, None]], axis=1)

    def count_tokens(self, texts: list[str]) -> list[int]:
        return [len(text.split()) + 2 for text in texts]


DRINK = ClassText(
    "drink water",
    "raise one hand from waist to mouth, tip the head slightly back, then lower the hand again",
    "Drinking.",
)


@pytest.mark.parametrize(
    ("text", "verbs", "nouns"),
    [
        ("drink water", "drink", "water"),
        ("raise one hand from waist to mouth", "raise", "hand waist mouth"),
        ("lower the hand again, close the eyes", "lower close", "hand eyes"),
        ("right arm swipe to the left", "swipe", "arm"),
        ("from sitting, lean the trunk forwards and rise upright on both feet", "sitting lean rise", "trunk feet"),
        ("brushing teeth", "brushing", "teeth"),
        ("the lower body", "", "body"),
        ("walk, with swinging arms", "walk swinging", "arms"),
    ],
)
def test_verbs_begin_clauses_and_the_rest_is_nouns(text: str, verbs: str, nouns: str) -> None:
    assert verbs_and_nouns(text) == (verbs.split(), nouns.split())


def test_parts_of_a_class() -> None:
    found = dict(zip(PARTS, parts_of(DRINK), strict=True))
    assert found["verbs"] == "drink raise tip lower" and found["nouns"] == "water hand waist mouth head"
    assert found["hand"] == "raise one hand from waist to mouth, lower the hand again"
    assert found["head"] == "raise one hand from waist to mouth, tip the head slightly back"
    assert found["leg"] == "the leg stays still"
    assert [found[part] for part in ("start", "middle", "end")] == [
        *("raise one hand from waist to mouth", "tip the head slightly back", "lower the hand again"),
    ]


@pytest.mark.parametrize("clauses", range(1, 8))
def test_the_three_times_cover_all_clauses_in_order(clauses: int) -> None:
    names = [f"move number{chr(97 + i)}" for i in range(clauses)]
    start, middle, end = parts_of(ClassText("a", ", ".join(names), ""))[-3:]
    assert start.startswith(names[0]) and end.endswith(names[-1])
    said = ", ".join([start, middle, end]).split(", ")
    assert sorted(set(said)) == names and said == sorted(said)


def test_no_part_of_our_classes_is_empty() -> None:
    for dataset in dataset_names():
        for text in load_dataset(dataset).classes:
            assert all(part.strip() for part in parts_of(text)), text.name


def test_vectors_have_unit_length_and_are_those_of_the_texts() -> None:
    other = ClassText("jump", "bend both knees", "Jumping.")
    vectors = class_parts(WordEncoder(), [DRINK, other], 5)
    assert vectors.shape == (2, len(PARTS), 26) and vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=2), 1, rtol=1e-6)
    expected = WordEncoder().encode(["jump bend"], 5)[0, -1]
    np.testing.assert_allclose(vectors[1, 0], expected / np.linalg.norm(expected), rtol=1e-6)
