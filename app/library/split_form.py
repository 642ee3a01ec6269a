"""The split editor without Qt: number lists, presets, counts and checks."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from flora_engine.datasets.benchmarks import Benchmark, all_benchmarks
from flora_engine.datasets.catalogue import dataset_names, load_dataset
from flora_engine.datasets.split_checks import Counts, Finding, Recordings, check_split, count_parts
from flora_engine.errors import FloraError
from flora_engine.project.splits import Split


def numbers_text(values: Iterable[int]) -> str:
    """1, 2, 3, 7 → "1-3, 7"."""
    runs: list[list[int]] = []
    for value in sorted(set(values)):
        if runs and value == runs[-1][-1] + 1:
            runs[-1].append(value)
        else:
            runs.append([value])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def parse_numbers(text: str) -> tuple[int, ...]:
    """ "1-3, 7" → (1, 2, 3, 7); FloraError for anything else."""
    found: set[int] = set()
    for part in text.replace("–", "-").replace(";", ",").split(","):
        if not part.strip():
            continue
        match = re.fullmatch(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?", part)
        if match is None:
            raise FloraError(f"“{part.strip()}” is not a number", remedy="Write numbers and ranges such as 1-3, 7.")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first or last - first > 100_000:
            raise FloraError(f"“{part.strip()}” is not a range", remedy="Write the smaller number first.")
        found.update(range(first, last + 1))
    return tuple(sorted(found))


@dataclass(frozen=True)
class Preset:
    """A published benchmark that fits this project's classes, as a split."""

    title: str
    split: Split


def fitting_presets(class_names: tuple[str, ...]) -> list[Preset]:
    """Benchmarks and train rules of the data sets that have this project's classes, in the same order."""
    fitting = [name for name in dataset_names() if load_dataset(name).class_names == class_names]
    found = [_preset(benchmark) for benchmark in all_benchmarks() if benchmark.dataset in fitting]
    for name in fitting:
        for rule, train in load_dataset(name).train_rules.items():
            split = Split(name=f"{name} {rule}", unseen=(), train=train)
            found.append(Preset(f"{load_dataset(name).title}: {rule}, all classes seen", split))
    return found


def _preset(benchmark: Benchmark) -> Preset:
    classes = f"{len(benchmark.seen)}/{len(benchmark.unseen)}"
    return Preset(f"{benchmark.name} ({classes}, {benchmark.protocol})", benchmark.split())


@dataclass(frozen=True)
class Judgement:
    """What the editor shows about a split."""

    split: Split
    counts: Counts
    findings: tuple[Finding, ...]

    @property
    def summary(self) -> str:
        train, zsl, gzsl, unused = (
            int(part.sum()) for part in (self.counts.train, self.counts.zsl, self.counts.gzsl, self.counts.unused)
        )
        text = f"{train:,} train · {zsl:,} test of unseen classes · {gzsl:,} test of all classes"
        return text + (f" · {unused:,} unused" if unused else "")


def judge(split: Split, recordings: Recordings) -> Judgement:
    """Count and check a split; unseen numbers beyond the classes are not counted."""
    known = tuple(index for index in split.unseen if index < len(recordings.class_names))
    counted = split.model_copy(update={"unseen": known})
    return Judgement(split, count_parts(counted, recordings), tuple(check_split(split, recordings)))
