"""Stand-ins that the window's tests share."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from patience import PATIENCE
from PySide6.QtCore import QDeadlineTimer, QTimer
from PySide6.QtWidgets import QApplication

from app.main_window import MainWindow
from flora_engine.cli import main
from flora_engine.errors import FloraError
from flora_engine.labelling.ranking import RankedLabel, Ranking, Reason
from flora_engine.skeleton import SkeletonSequence


def _open_gate() -> threading.Event:
    gate = threading.Event()
    gate.set()
    return gate


@dataclass
class FakeLabeller:
    """Ranks longer names higher; counts, and can be held or broken."""

    gate: threading.Event = field(default_factory=_open_gate)  # cleared: ranking waits for it
    waiting: bool = False  # at the gate
    problem: str = ""
    encoded: list[str] = field(default_factory=list)
    prepared: list[int] = field(default_factory=list)
    ranked: list[list[str]] = field(default_factory=list)
    threads: set[int] = field(default_factory=set)  # in which it ranked

    def latents(self, sequences: list[SkeletonSequence]) -> tuple[Any, dict[str, float]]:
        self.encoded.append(sequences[0].name)
        return sequences[0].name, {"encode": 0.002}

    def prepare_texts(self, texts: list[Any]) -> None:
        self.prepared.append(len(texts))

    def rank(self, latents: Any, texts: list[Any]) -> list[Ranking]:
        self.threads.add(threading.get_ident())
        self.waiting = not self.gate.is_set()
        assert self.gate.wait(PATIENCE)
        self.waiting = False
        if self.problem:
            raise FloraError(self.problem, remedy="Mend it.")
        names = [text.name for text in texts]
        self.ranked.append(names)
        total = sum(len(name) for name in names)
        ordered = sorted(names, key=len, reverse=True)
        return [Ranking(tuple(RankedLabel(n, len(n) / total, 0.0) for n in ordered), {"score": 0.001})]

    def reasons(self, sequence: SkeletonSequence, texts: list[Any]) -> list[tuple[Reason, ...]]:
        end = sequence.frames / sequence.fps
        said = [Reason("hand_height", "the hand is high", 0.5, 0.5 * end, end, ("right hand",))]
        return [(*said, Reason("travel", "it walks", -0.2, 0.0, end, ())) for _ in texts]


class Driver:
    """Does one step after the other in the window that `main` opens, each as soon as it can be done."""

    def __init__(self, *steps: Callable[[MainWindow], bool]) -> None:
        self.steps, self.done, self.stuck = list(steps), 0, ""
        self._timer = QTimer(interval=20)
        self._timer.timeout.connect(self._go_on)
        self._timer.start()
        self._deadline = QDeadlineTimer(round(1000 * PATIENCE))

    def _go_on(self) -> None:
        windows = [w for w in QApplication.topLevelWidgets() if isinstance(w, MainWindow) and w.isVisible()]
        if not windows:
            return
        if self._deadline.hasExpired() and self.steps:
            self.stuck, self.steps = self.steps[0].__name__, []
        if self.steps and self.steps[0](windows[0]):
            self.done += 1
            self.steps.pop(0)
        if not self.steps:
            self._timer.stop()
            windows[0].close()
            windows[0].deleteLater()


def run_story(driver: Driver, *arguments: str) -> None:
    """`flora gui` with these arguments until the driver has done all its steps."""
    steps = len(driver.steps)
    assert main(["gui", *arguments]) == 0
    assert driver.done == steps, f"stuck in {driver.stuck}"
