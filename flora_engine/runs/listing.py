"""Many runs at a glance: one row per run, notes and tags beside it, removing with a way back. No torch.

A row is made from small files (config.yaml, result.json, the ends of events.jsonl), and made again only if one of them
has changed.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from flora_engine.errors import FloraError
from flora_engine.files import write_text
from flora_engine.runs.folder import CONFIG, EVENTS, NOTES, RESULT, RunFolder, list_runs
from flora_engine.runs.results import (
    AnyResult,
    DescriptorsResult,
    FloraResult,
    Heads,
    PipelineResult,
    SplitResult,
    read_result,
)

TRASH = ".trash"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where PyYAML has it
Mean = tuple[float, float | None]  # a share from 0 to 1, and its standard error over seeds


class Notes(BaseModel):
    """What people write about a run, in notes.json. title: shown instead of the folder's name."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    title: str = ""
    tags: tuple[str, ...] = ()
    text: str = ""


@dataclass(frozen=True)
class RunRow:
    """One run. zsl, harmonic: of `head` under the held-out protocol, the mean of all splits. seconds: how long it
    worked if it finished, else from its first to its last word. started: seconds since 1970, 0 if it never did.
    """

    path: Path
    kind: str
    data: str
    split: str
    heads: tuple[str, ...]
    seeds: tuple[int, ...]
    state: str
    head: str = ""
    zsl: Mean | None = None
    harmonic: Mean | None = None
    seconds: float | None = None
    started: float = 0.0
    notes: Notes = field(default_factory=Notes)
    config: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.notes.title or self.path.name


class Listing:
    """The runs under `parent`; `rows` reads again only what has changed."""

    def __init__(self, parent: Path) -> None:
        self.parent = parent
        self._known: dict[Path, tuple[tuple[int, ...], RunRow]] = {}

    def rows(self, check: Callable[[], object] = lambda: None) -> list[RunRow]:
        """All runs, newest first. check: called before each, to stop by an exception."""
        found: dict[Path, tuple[tuple[int, ...], RunRow]] = {}
        for run in reversed(list_runs(self.parent)):
            check()
            known, stamp = self._known.get(run.path), _stamp(run)
            found[run.path] = known if known is not None and known[0] == stamp else (stamp, row_of(run))
        self._known = found
        return [row for _, row in found.values()]


def row_of(run: RunFolder) -> RunRow:
    """The row of one run. Files that cannot be read leave cells empty."""
    config = read_config(run.path)
    kind = str(config.get("kind", ""))
    try:
        result = read_result(run.result() or {})
    except FloraError:
        result = None
    heads, seeds = _list(config.get("heads")), _list(_dict(config.get("flora")).get("seeds"))
    head, zsl, harmonic = headline(result)
    started, seconds = _times(run)
    if isinstance(result, FloraResult | PipelineResult | DescriptorsResult):
        seconds = result.minutes * 60
    return RunRow(
        run.path,
        kind,
        _data_of(config),
        _split_of(config),
        tuple(str(one) for one in heads) if kind != "encoder" else (),
        tuple(one for one in seeds if isinstance(one, int)) if kind != "encoder" else (),
        run.status(),
        head,
        zsl,
        harmonic,
        seconds,
        started,
        read_notes(run.path),
        config,
    )


def headline(result: AnyResult | None) -> tuple[str, Mean | None, Mean | None]:
    """The head that a run is judged by (the ensemble, else Flora, else its first), its ZSL accuracy and its harmonic
    mean, both held-out; over several splits their mean, without an error.
    """
    parts: list[Heads] = []
    if isinstance(result, PipelineResult):
        parts = [split.heads for split in result.splits.values()]
    elif isinstance(result, FloraResult | SplitResult):
        parts = [result.heads]
    if not parts or not parts[0]:
        return "", None, None
    head = next((name for name in ("ensemble", "flora") if name in parts[0]), next(iter(parts[0])))
    outcomes = [heads.get(head, {}).get("held-out", {}) for heads in parts]
    return head, _mean(outcomes, "zsl", "accuracy"), _mean(outcomes, "gzsl", "harmonic")


def read_config(path: Path) -> dict[str, Any]:
    """The run's configuration, empty if it cannot be read."""
    try:
        data = yaml.load((path / CONFIG).read_text(encoding="utf-8"), Loader=_LOADER)
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return data if isinstance(data, dict) else {}


# Notes


def read_notes(path: Path) -> Notes:
    """What notes.json says; empty notes if there is none or it is damaged."""
    try:
        return Notes.model_validate(json.loads((path / NOTES).read_text(encoding="utf-8")))
    except (OSError, ValueError, ValidationError):
        return Notes()


def write_notes(path: Path, notes: Notes) -> None:
    """Keep notes beside the run. FloraError if the folder cannot be written."""
    try:
        write_text(path / NOTES, json.dumps(notes.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n")
    except OSError as error:
        raise FloraError(f"cannot write the notes: {error.strerror}", path=path / NOTES) from None


# Removing, with a way back


def move_to_trash(run: RunFolder) -> Path:
    """Move a run to the trash folder beside it; returns its place there. FloraError if it is running."""
    if run.is_running():
        raise FloraError("this run is running and cannot be removed", path=run.path, remedy="Stop it first.")
    trash = run.path.parent / TRASH
    place = trash / run.path.name
    try:
        trash.mkdir(exist_ok=True)
        if place.exists():
            place = trash / f"{run.path.name}-{time.time_ns()}"
        run.path.rename(place)
    except OSError as error:
        raise FloraError(f"cannot remove the run: {error.strerror}", path=run.path) from None
    return place


def take_from_trash(place: Path, path: Path) -> None:
    """Move a run from its place in the trash back to `path`. FloraError if that is taken or the run has gone."""
    if path.exists():
        raise FloraError("something else has taken the place of the run", path=path)
    try:
        place.rename(path)
    except OSError as error:
        raise FloraError(f"cannot restore the run: {error.strerror}", path=place) from None


def empty_trash(parent: Path) -> int:
    """Delete what lies in the trash of `parent`; returns how many runs."""
    trash = parent / TRASH
    count = len(list_runs(trash))
    shutil.rmtree(trash, ignore_errors=True)
    return count


# Laying runs side by side


def flat(config: Mapping[str, Any], before: str = "") -> dict[str, str]:
    """A configuration as dotted key → value in words."""
    found: dict[str, str] = {}
    for key, value in config.items():
        if isinstance(value, dict) and value:
            found |= flat(value, f"{before}{key}.")
        else:
            found[f"{before}{key}"] = "" if value is None else json.dumps(value, ensure_ascii=False).strip('"')
    return found


def changed(config: Mapping[str, Any], defaults: Mapping[str, BaseModel]) -> dict[str, str]:
    """Dotted key → value, for the settings of a run that are not the defaults. defaults: by section."""
    found: dict[str, str] = {}
    for section, usual in defaults.items():
        mine = config.get(section)
        if isinstance(mine, dict):
            known = flat(usual.model_dump(mode="json"))
            found |= {f"{section}.{key}": value for key, value in flat(mine).items() if known.get(key, value) != value}
    return found


def different(configs: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Dotted key → the value in each configuration, for the keys whose values differ; "" if a key is missing."""
    flats = [flat(config) for config in configs]
    keys = dict.fromkeys(key for one in flats for key in one)
    rows = {key: [one.get(key, "") for one in flats] for key in keys}
    return {key: values for key, values in rows.items() if len(set(values)) > 1}


# Parts of a row


def _stamp(run: RunFolder) -> tuple[int, ...]:
    def one(name: str) -> int:
        try:
            return (run.path / name).stat().st_mtime_ns
        except OSError:
            return 0

    return (*(one(name) for name in (CONFIG, RESULT, NOTES, EVENTS)), int(run.is_running()))


def _times(run: RunFolder) -> tuple[float, float | None]:
    try:
        with (run.path / EVENTS).open("rb") as file:
            started = float(json.loads(file.readline())["time"])
        return started, max(0.0, (run.path / EVENTS).stat().st_mtime - started)
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0, None


def _data_of(config: Mapping[str, Any]) -> str:
    entries = config.get("data")
    entries = entries if isinstance(entries, list) else [entries]
    names = [_one_source(entry) for entry in entries if isinstance(entry, dict)]
    features = config.get("features")
    return " + ".join(names) or (Path(str(features)).name if features else "")


def _one_source(data: Mapping[str, Any]) -> str:
    project = data.get("project")
    return Path(str(project)).name if project else str(data.get("dataset", ""))


def _split_of(config: Mapping[str, Any]) -> str:
    splits = [_dict(split) for split in (*_list(config.get("splits")), config.get("split"))]
    return ", ".join(str(split["name"]) for split in splits if "name" in split) or str(config.get("benchmark") or "")


def _mean(outcomes: Sequence[Mapping[str, Any]], setting: str, key: str) -> Mean | None:
    values = [_dict(outcome.get(setting)).get(key) for outcome in outcomes]
    means = [_number(value.get("mean") if isinstance(value, dict) else value) for value in values]
    known = [mean for mean in means if mean is not None]
    if not known or len(known) < len(means):
        return None
    error = _number(values[0].get("error")) if len(values) == 1 and isinstance(values[0], dict) else None
    return sum(known) / len(known), error


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
