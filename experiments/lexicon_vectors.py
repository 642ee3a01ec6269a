"""Encode all texts of the shipped lexicon, and store the table that saves users the wait.

    python experiments/lexicon_vectors.py

Run it after every edit of resources/lexicon; texts that the table lacks are encoded when needed.
"""

from __future__ import annotations

from flora_engine.semantics.lexicon import load_lexicon
from flora_engine.semantics.text_encoder import load_text_encoder
from flora_engine.semantics.text_vectors import TABLE, write_table


def main() -> None:
    entries = load_lexicon().entries
    texts = [text for entry in entries for text in (*entry.names, entry.motion, entry.meaning)]
    write_table(load_text_encoder(), texts)
    print(f"{TABLE}: {len(set(texts))} texts, {TABLE.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
