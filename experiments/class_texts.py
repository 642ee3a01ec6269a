"""What class texts change: heads on the same features, with names alone, one of two texts, both, and several per class.

    python experiments/class_texts.py --dataset utd_mhad --seeds 5 --out OUT
        --split split1=FEATURES/split1-seed{seed}.npz,2+8+14+21+24 …        (nw_ucla: --validation 2)

The features are those of seeded_features.py. Held-out protocol; the folds choose for each way of texts by itself. The
second text of a class is the entry of its name in the action lexicon; both were written in this project. Printed: the
mean over the splits of the accuracy among unseen classes (ZSL) and of the harmonic mean (GZSL), with its error over the
seeds.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from flora_results import cell, picks_of, settle, splits_of
from flora_tables import percent, values_of

from flora_engine.datasets.catalogue import ClassText, Text
from flora_engine.semantics.class_texts import load_class_texts, several_states
from flora_engine.semantics.lexicon import load_lexicon
from flora_engine.semantics.text_encoder import load_text_encoder


def lexicon_text(text: ClassText) -> Text | None:
    """The motion and meaning of the lexicon's entry for a class, if it has one."""
    lexicon = load_lexicon()
    found = lexicon.find(text.name)
    return None if found is None else Text(lexicon.entries[found].motion, lexicon.entries[found].meaning)


def with_lexicon(text: ClassText) -> ClassText:
    """The class with the lexicon's text beside its own."""
    more = lexicon_text(text)
    return text if more is None else replace(text, more=(more,))


def of_lexicon(text: ClassText) -> ClassText:
    """The class with the lexicon's text in place of its own."""
    one = lexicon_text(text)
    return text if one is None else replace(text, motion=one.motion, definition=one.definition)


# name → a class as it is told
WAYS: dict[str, Callable[[ClassText], ClassText]] = {
    "name": lambda text: replace(text, motion=text.name, definition=text.name),
    "motion": lambda text: replace(text, definition=text.motion),
    "definition": lambda text: replace(text, motion=text.definition),
    "motion, definition": lambda text: text,
    "the lexicon's": of_lexicon,
    "both texts, averaged": with_lexicon,
}


def states_of(way: str, given: argparse.Namespace) -> str:
    """The class states of one way, made once."""
    path = given.out.with_name(f"{given.out.name}.{list(WAYS).index(way)}-{given.dataset}-{given.tokens}.npy")
    if not path.exists():
        texts = [WAYS[way](text) for text in load_class_texts(given.dataset)]
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, several_states(load_text_encoder(), texts, given.tokens))
    return str(path)


def measured(way: str, head: str, given: argparse.Namespace) -> list[list[dict[int, float]]]:
    """ZSL and GZSL (harmonic): of each split a value per seed."""
    found: list[list[dict[int, float]]] = [[], []]
    for task in splits_of(given):
        own = {**task, "head": head, "states": states_of(way, given)}
        own["pieces"] = f"{given.out}.pieces/{list(WAYS).index(way)}/{task['split']}"
        picks = picks_of({**own, "settings": {**own["settings"], "scoring_tokens": given.selection_tokens}})
        done = []
        for seed in range(given.seeds):
            settings = {**own["settings"], "seeds": (seed,)}
            done.append(cell({**own, "seed": seed, "settings": settings, "picks": picks}))
        for kind, (part, measure) in enumerate((("zsl", "accuracy"), ("gzsl", "harmonic"))):
            found[kind].append(values_of(done, part, measure))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--split", action="append", required=True)
    parser.add_argument("--out", type=Path, required=True, help="where texts and what the folds scored are kept")
    parser.add_argument("--heads", nargs="+", default=["nearest_mean", "eszsl"])
    for option, value in (("seeds", 5), ("folds", 3), ("validation", 5), ("hidden", 192), ("tokens", 32)):
        parser.add_argument(f"--{option}", type=int, default=value)
    given = parser.parse_args()
    settle(given)
    given.attunements = ["0:0", "2:0.4"]
    print("| texts | head | ZSL | harmonic |\n|---|---|---|---|")
    for way in WAYS:
        for head in given.heads:
            cells = [percent(values) for values in measured(way, head, given)]
            print(" | ".join(["| " + way, head, *cells]) + " |", flush=True)


if __name__ == "__main__":
    main()
