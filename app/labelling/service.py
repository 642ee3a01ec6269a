"""From typed actions to ranked labels, off the window's thread. Qt-free; the model is loaded at the first request."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from flora_engine.errors import FloraError
from flora_engine.resources import RESOURCES
from flora_engine.skeleton import SkeletonSequence

BUILTIN = RESOURCES / "models" / "builtin"


class AnyLabeller(Protocol):
    """The part of `flora_engine.labelling.labeller.Labeller` that the window needs."""

    def latents(self, sequences: list[SkeletonSequence]) -> tuple[Any, dict[str, float]]: ...

    def rank(self, latents: Any, texts: list[Any]) -> list[Any]: ...


@dataclass(frozen=True)
class Row:
    """One place of the ranking; score in 0..1."""

    name: str
    score: float


@dataclass(frozen=True)
class Answer:
    """rows: best first. timings: stage → seconds."""

    rows: tuple[Row, ...]
    timings: Mapping[str, float]

    @property
    def seconds(self) -> float:
        return sum(self.timings.values())

    def as_text(self) -> str:
        """Lines of rank, action and score, with tabs between."""
        return "\n".join(f"{i}\t{row.name}\t{row.score:.4f}" for i, row in enumerate(self.rows, 1))


Loader = Callable[[Path], AnyLabeller]
Parser = Callable[[str], list[Any]]


def load_bundle(folder: Path) -> AnyLabeller:
    """Load a model bundle (0.3 s); FloraError where there is none or it is damaged."""
    if folder == BUILTIN and not (folder / "manifest.json").is_file():
        raise FloraError(
            "there is no model to label with",
            path=folder,
            remedy="Train one with `flora train --config configs/builtin.yaml`, or get a complete copy of the program.",
        )
    from flora_engine.labelling.labeller import Labeller

    labeller: AnyLabeller = Labeller(folder)
    return labeller


def bundle_title(folder: Path) -> str:
    """What the window calls a bundle: its folder, or where that is only called "bundle" what it is the bundle of."""
    if folder == BUILTIN:
        return "built-in model"
    if folder.name != "bundle":
        return folder.name
    return folder.parent.parent.name if folder.parent.name == "final" else folder.parent.name


def parse_classes(text: str) -> list[Any]:
    """The engine's class texts from what the user typed: one action a line, `name` or `name: description`."""
    from flora_engine.semantics.class_texts import parse_typed, with_known_texts

    return with_known_texts(parse_typed(text))


class LabelService:
    """The labeller of one bundle for all requests, and what it made of the last recording; safe from any thread."""

    def __init__(self, load: Loader = load_bundle, parse: Parser = parse_classes, folder: Path = BUILTIN) -> None:
        self._load, self._parse = load, parse
        self.folder = folder
        self._labeller: AnyLabeller | None = None
        self._latents: tuple[SkeletonSequence, Any] | None = None
        self._lock = threading.Lock()

    def use(self, folder: Path) -> None:
        """Label with another bundle from now on; FloraError, and all stays as it was, where it cannot be loaded."""
        labeller = self._load(folder)
        with self._lock:
            self.folder, self._labeller, self._latents = folder, labeller, None

    def rank(self, sequence: SkeletonSequence, text: str) -> Answer:
        """Rank the actions of `text` for `sequence`; FloraError says what is wrong with either."""
        classes = self._parse(text)
        with self._lock:
            if self._labeller is None:
                self._labeller = self._load(self.folder)
            seconds: dict[str, float] = {}
            if self._latents is None or self._latents[0] is not sequence:
                latents, seconds = self._labeller.latents([sequence])
                self._latents = (sequence, latents)
            ranking = self._labeller.rank(self._latents[1], classes)[0]
        rows = tuple(Row(label.name, float(label.score)) for label in ranking.labels)
        return Answer(rows, seconds | ranking.seconds)


def typed_actions(text: str) -> int:
    """How many lines hold an action."""
    return sum(1 for line in text.splitlines() if line.strip())
