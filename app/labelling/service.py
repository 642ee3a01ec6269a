"""From typed actions to ranked labels, off the window's thread. Qt-free; the model is loaded at the first request."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from flora_engine.errors import Cancelled, FloraError
from flora_engine.labelling.bundle import BUILTIN
from flora_engine.labelling.ranking import Ranking, Reason
from flora_engine.labelling.teaching import Taught, TaughtRanker
from flora_engine.semantics.class_texts import ClassText, parse_typed, with_known_texts
from flora_engine.skeleton import SkeletonSequence


class AnyLabeller(Protocol):
    """The part of `flora_engine.labelling.labeller.Labeller` that the window needs."""

    def latents(self, sequences: list[SkeletonSequence]) -> tuple[Any, dict[str, float]]: ...

    def prepare_texts(self, texts: list[ClassText]) -> None: ...

    def rank(self, latents: Any, texts: list[ClassText]) -> list[Ranking]: ...

    def reasons(self, sequence: SkeletonSequence, texts: list[ClassText]) -> list[tuple[Reason, ...]]: ...


_AT_ONCE = 16  # texts that are read before somebody else may ask
Loader = Callable[[Path], AnyLabeller]
# (labeller, its bundle, the typed classes) -> what it is taught, None for nothing
Teacher = Callable[[Any, Path, list[ClassText]], Taught | None]


def load_bundle(folder: Path) -> AnyLabeller:
    """Load a model bundle (0.3 s); FloraError if it is missing or damaged."""
    if folder == BUILTIN and not (folder / "manifest.json").is_file():
        raise FloraError(
            "there is no model to label with",
            path=folder,
            remedy="Train one with `flora train --config configs/builtin.yaml`, or get a complete copy of the program.",
        )
    from flora_engine.labelling.features import feature_cache
    from flora_engine.labelling.labeller import Labeller  # loads ONNX Runtime

    return Labeller(folder, features=feature_cache())


def typed_classes(text: str) -> list[ClassText]:
    """The classes that the user typed, with our own texts for those without a description."""
    return with_known_texts(parse_typed(text))


class LabelService:
    """The labeller of one bundle for all requests, and the latents of the last recording; safe from any thread."""

    def __init__(self, load: Loader = load_bundle, folder: Path = BUILTIN) -> None:
        self._load = load
        self.folder = folder
        self._labeller: AnyLabeller | None = None
        self._latents: tuple[SkeletonSequence, Any] | None = None
        self._teacher: Teacher | None = None
        self._lock = threading.Lock()

    def set_teacher(self, teacher: Teacher | None) -> None:
        """Ask this before every ranking what confirmed recordings teach."""
        self._teacher = teacher

    def taught(self, text: str, teacher: Teacher) -> Taught | None:
        """What `teacher` teaches the labeller about the actions of `text`; FloraError."""
        with self._lock:
            return teacher(self._loaded(), self.folder, typed_classes(text))

    def use(self, folder: Path) -> None:
        """Label with another bundle from now on; FloraError, and nothing changes, if it cannot be loaded."""
        labeller = self._load(folder)
        with self._lock:
            self.folder, self._labeller, self._latents = folder, labeller, None

    def rank(self, sequence: SkeletonSequence, text: str, wanted: Callable[[], bool] = lambda: True) -> Ranking:
        """Rank the actions of `text` for `sequence`; FloraError says what is wrong with either.

        wanted: asked again and again while thousands of new texts are read; Cancelled if not. What was read is kept.
        """
        classes = typed_classes(text)
        reading = self._read_texts(classes, wanted)
        with self._lock:
            labeller = self._loaded()
            seconds: dict[str, float] = {}
            if self._latents is None or self._latents[0] is not sequence:
                latents, seconds = labeller.latents([sequence])
                self._latents = (sequence, latents)
            taught = self._ask(labeller, classes)
            ranker: Any = labeller if taught is None else TaughtRanker(labeller, taught)  # type: ignore[arg-type]
            ranking: Ranking = ranker.rank(self._latents[1], classes)[0]
        timings = {**seconds, **ranking.timings}
        return replace(ranking, timings=timings | {"text": timings.get("text", 0.0) + reading})

    def _read_texts(self, classes: list[ClassText], wanted: Callable[[], bool]) -> float:
        """Let the labeller read these, a few at a time, so that others need not wait for all of them; seconds."""
        spent = 0.0
        for start in range(0, len(classes), _AT_ONCE):
            if not wanted():
                raise Cancelled
            with self._lock:
                labeller, began = self._loaded(), time.perf_counter()
                labeller.prepare_texts(classes[start : start + _AT_ONCE])
                spent += time.perf_counter() - began
            if len(classes) > _AT_ONCE:
                time.sleep(0.001)  # a lock that is taken again at once is not given to anybody else
        return spent

    def reasons(self, sequence: SkeletonSequence, text: str, name: str) -> tuple[Reason, ...]:
        """What spoke for and against the action called `name` among those of `text`; FloraError as in `rank`."""
        found = [one for one in typed_classes(text) if one.name == name]
        with self._lock:
            return self._loaded().reasons(sequence, found[:1])[0] if found else ()

    def _loaded(self) -> AnyLabeller:
        if self._labeller is None:
            self._labeller = self._load(self.folder)
        return self._labeller

    def _ask(self, labeller: AnyLabeller, classes: list[ClassText]) -> Taught | None:
        return None if self._teacher is None else self._teacher(labeller, self.folder, classes)
