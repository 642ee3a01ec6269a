"""Rankings: the one type of an answer, as text, as JSON (docs/labels.md) and as a table. Light: no ONNX Runtime."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flora_engine.errors import FloraError
from flora_engine.files import write_text

FORMAT, VERSION = "flora-labels", 1
TABLES = (".csv", ".jsonl")


@dataclass(frozen=True)
class Reason:
    """One measurement that spoke for a label (weight > 0) or against it (< 0).

    text: in words, with value and time. start, end: seconds of the recording. joints: Kinect v2 joint names, none for
    the whole body.
    """

    descriptor: str
    text: str
    weight: float
    start: float
    end: float
    joints: tuple[str, ...]

    @property
    def middle(self) -> float:
        """The second in the middle of its moment."""
        return (self.start + self.end) / 2

    def as_json(self) -> dict[str, Any]:
        """JSON values, as docs/labels.md says."""
        return {
            "descriptor": self.descriptor,
            "text": self.text,
            "weight": round(self.weight, 4),
            "start": round(self.start, 3),
            "end": round(self.end, 3),
            "joints": list(self.joints),
        }


@dataclass(frozen=True)
class RankedLabel:
    """score: share among the candidates, 0..1, summing to 1. flow_error: Flora's e_c, smaller is better; the ensemble
    decides by more than that. None if the bundle decides without its graphs.

    sure: how well the action's words were understood, 0..1; None without descriptors. notice: a sentence if they were
    not. why: what spoke for the label, strongest first, then what spoke against it; empty unless asked for.
    """

    name: str
    score: float
    flow_error: float | None = None
    sure: float | None = None
    notice: str | None = None
    why: tuple[Reason, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """JSON values, as docs/labels.md says; what is not known is left out."""
        found: dict[str, Any] = {"name": self.name, "score": round(self.score, 6)}
        if self.flow_error is not None:
            found["flow_error"] = self.flow_error
        if self.sure is not None:
            found["sure"] = round(self.sure, 3)
        if self.notice is not None:
            found["notice"] = self.notice
        if self.why:
            found["why"] = [reason.as_json() for reason in self.why]
        return found


@dataclass(frozen=True)
class Ranking:
    """labels: best first. timings: seconds of each stage that ran (read, prepare, encode, text, score).

    none: the probability that none of the actions happens; None without descriptors. learned: how many confirmed
    recordings had a say (docs/method.md, section 10).
    """

    labels: tuple[RankedLabel, ...]
    timings: Mapping[str, float] = field(default_factory=dict)
    none: float | None = None
    learned: int = 0

    @property
    def seconds(self) -> float:
        """All stages together."""
        return sum(self.timings.values())

    def as_text(self) -> str:
        """Lines of rank, action and score, with tabs between."""
        return "\n".join(f"{i}\t{label.name}\t{label.score:.4f}" for i, label in enumerate(self.labels, 1))


@dataclass(frozen=True)
class LabelledFile:
    """What came of one file: a ranking, or None and the problem in one sentence."""

    file: Path
    ranking: Ranking | None
    problem: str = ""

    def as_json(self) -> dict[str, Any]:
        """JSON values, as docs/labels.md says."""
        head: dict[str, Any] = {"format": FORMAT, "version": VERSION, "file": str(self.file)}
        if self.ranking is None:
            return head | {"problem": self.problem}
        if self.ranking.none is not None:
            head["none_of_these"] = round(self.ranking.none, 4)
        if self.ranking.learned:
            head["learned_from"] = self.ranking.learned
        labels = [label.as_json() for label in self.ranking.labels]
        seconds = {stage: round(value, 6) for stage, value in self.ranking.timings.items()}
        return head | {"labels": labels, "seconds": seconds}


def json_line(labelled: LabelledFile) -> str:
    """One line of JSON, without its newline."""
    return json.dumps(labelled.as_json(), ensure_ascii=False)


def check_table(out: Path) -> None:
    """FloraError if `out` is not called like one of `TABLES`."""
    if out.suffix.lower() not in TABLES:
        raise FloraError("labels are written as .csv or .jsonl", path=out, remedy="Give the file one of these endings.")


def write_table(out: Path, results: Sequence[LabelledFile], names: Sequence[str]) -> None:
    """Write `out` in one step, as CSV or JSON lines by its ending.

    CSV: file, label and score of the best action, a score for each of `names`, problem. Raises FloraError.
    """
    check_table(out)
    if out.suffix.lower() == ".jsonl":
        write_text(out, "".join(f"{json_line(one)}\n" for one in results))
        return
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["file", "label", "score", *names, "problem"])
    for one in results:
        labels = one.ranking.labels if one.ranking is not None else ()
        best = [labels[0].name, f"{labels[0].score:.6g}"] if labels else ["", ""]
        scores = {label.name: f"{label.score:.6g}" for label in labels}
        writer.writerow([str(one.file), *best, *(scores.get(name, "") for name in names), one.problem])
    write_text(out, text.getvalue())
