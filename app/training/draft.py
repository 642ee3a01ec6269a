"""What the wizard has collected so far, as plain data: to a configuration and back, with everything that is wrong.

Qt-free. A draft can hold what is wrong or unfinished; a configuration cannot.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel

from flora_engine.config import EncoderSettings, FloraConfig, FloraSettings, PipelineConfig, problems_of
from flora_engine.datasets.benchmarks import load_benchmark
from flora_engine.datasets.catalogue import ClassText, Text, dataset_names
from flora_engine.errors import FloraError
from flora_engine.files import write_text
from flora_engine.project import Split
from flora_engine.recipes.starting import place_of, prepared_for, trained_with

Source = Literal["project", "folder", "published"]
Origin = Literal["train", "measure", "checkpoint", "file"]  # measure: no features, the recordings are measured
OWN = "own"  # the data set of a project whose classes are its own
PAGES = ("data", "split", "features", "texts", "method", "check")

# Heads that measure the recordings themselves, which a feature file does not hold.
MEASURING = ("descriptors", "ensemble_descriptors")
# What the presets say beside the defaults, which are the published settings.
_SMALL = {"hidden": 192, "tokens_per_step": 2, "attunements": [[0, 0.0], [2, 0.4]], "evaluations": 4}
_MODERN = {"schedule": "cosine", "warmup_epochs": 2, "held_out": 0.0, "keep": "last", "base_channels": 32}
_MOVED = {"augmentations": ["rotate", "scale", "jitter", "crop"]}
PRESETS: Mapping[str, tuple[str, dict[str, Any], dict[str, Any], tuple[str, ...]]] = {
    "quick": (
        "A first look: a small network, few passes, one seed",
        {**_MODERN, "epochs": 8},
        {**_SMALL, "align_iterations": 300, "total_iterations": 600, "folds": 2},
        ("flora", "nearest_mean", "descriptors"),
    ),
    "careful": (
        "Small networks, augmentation, several heads and their sum, three seeds",
        {**_MODERN, **_MOVED, "epochs": 25},
        {**_SMALL, "align_iterations": 800, "total_iterations": 1600, "seeds": [0, 1, 2]},
        ("flora", "nearest_mean", "eszsl", "ensemble", "descriptors"),
    ),
    "published": ("The settings of the paper; hours without a GPU", {}, {}, ("flora",)),
}
_NOT_OF_MEASUREMENTS = ("split", "texts", "method")
# By kind: the keys of a configuration that pages show, and the heads if it names none.
_SHOWN = {
    "flora": ("benchmark", "features", "data", "encoder", "texts", "heads", "flora"),
    "pipeline": ("data", "splits", "texts", "encoder", "checkpoints", "flora", "heads", "final"),
    "descriptors": ("data",),
}
_HEADS: Mapping[str, tuple[str, ...]] = {
    "flora": FloraConfig.model_fields["heads"].default,
    "pipeline": PipelineConfig.model_fields["heads"].default,
}


@dataclass(frozen=True)
class Draft:
    """encoder, flora: what differs from the defaults, as plain values. texts: of all classes, None for the usual ones.
    wording: what a configuration says of texts beside them, as plain values (text encoder, tokens, files of texts).

    recordings: of a published benchmark, a project or a folder of raw files. prepared: how they are prepared for its
    encoder, as far as it is given (preparation, frames, persons); the rest is as its run says, or as published.
    classes: how many classes the data has, 0 if that is not known. rest: what else a configuration says that no page
    shows, with its kind; it holds as long as the kind stays.
    """

    source: Source = "project"
    project: str = ""
    folder: str = ""
    dataset: str = ""
    benchmark: str = ""
    split: Split | None = None
    origin: Origin = "train"
    checkpoints: tuple[str, ...] = ()
    feature_file: str = ""
    preparation: str = "clip"
    frames: int = 32
    persons: int = 2
    recordings: str = ""
    prepared: Mapping[str, Any] = field(default_factory=dict)
    texts: tuple[ClassText, ...] | None = None
    wording: Mapping[str, Any] = field(default_factory=dict)
    preset: str = "quick"
    heads: tuple[str, ...] = PRESETS["quick"][3]
    encoder: Mapping[str, Any] = field(default_factory=lambda: dict(PRESETS["quick"][1]))
    flora: Mapping[str, Any] = field(default_factory=lambda: dict(PRESETS["quick"][2]))
    final: bool = False
    classes: int = 0
    rest: Mapping[str, Any] = field(default_factory=dict)

    def with_preset(self, name: str) -> Draft:
        """The same with the settings of a preset."""
        _, encoder, flora, heads = PRESETS[name]
        return replace(self, preset=name, encoder=dict(encoder), flora=dict(flora), heads=heads)

    @property
    def title(self) -> str:
        """What the training is called."""
        name = {"project": Path(self.project).name, "folder": self.dataset, "published": self.benchmark}[self.source]
        return name.replace("/", " ") or "training"


def asks_nothing(draft: Draft, page: str) -> bool:
    """Whether a page does not matter for a draft: measurements alone have no split, texts or settings."""
    return draft.source != "published" and draft.origin == "measure" and page in _NOT_OF_MEASUREMENTS


def to_data(draft: Draft) -> dict[str, Any]:
    """The configuration as plain data; it may have problems."""
    return _shown(draft) | unshown(draft)


def unshown(draft: Draft) -> dict[str, Any]:
    """What the configuration says beside what pages show, if it still is of that kind."""
    same = draft.rest.get("kind") == _shown(draft)["kind"]
    return {name: value for name, value in draft.rest.items() if same and name != "kind"}


def _shown(draft: Draft) -> dict[str, Any]:
    texts = {"texts": said} if (said := _said_of_texts(draft)) else {}
    if draft.source == "published":
        data: dict[str, Any] = {"kind": "flora", "benchmark": draft.benchmark}
        if draft.origin == "file":
            data["features"] = draft.feature_file
        if draft.checkpoints or draft.origin == "checkpoint":
            optional = draft.origin == "file" and not draft.recordings
            place = {} if optional else {name: str(path) for name, path in place_of(Path(draft.recordings)).items()}
            data |= {"data": {**_prepared_for_encoder(draft), **place}, "encoder": list(draft.checkpoints)}
        return data | texts | {"flora": _flora(draft), "heads": usable_heads(draft)}
    own = draft.source == "project"
    source = {"dataset": draft.dataset or OWN, "project": draft.project} if own else {}
    source = source or {"dataset": draft.dataset, "raw": draft.folder}
    if draft.origin == "measure":
        return {"kind": "descriptors", "data": [source]}
    split = [] if draft.split is None else [draft.split.model_dump(mode="json")]
    return {
        "kind": "pipeline",
        "data": [{**source, **_prepared(draft)}],
        "splits": split,
        **texts,
        "encoder": dict(draft.encoder),
        **({"checkpoints": list(draft.checkpoints)} if draft.origin == "checkpoint" else {}),
        "flora": _flora(draft),
        "heads": list(draft.heads),
        "final": draft.final,
    }


def _said_of_texts(draft: Draft) -> dict[str, Any]:
    """The section `texts`: classes count in place of the file that they were read from."""
    if draft.texts is None:
        return dict(draft.wording)
    others = {name: value for name, value in draft.wording.items() if name != "texts"}
    return {**others, "classes": [text.as_data() for text in draft.texts]}


def usable_heads(draft: Draft) -> list[str]:
    """The heads of a draft, without those that its source cannot serve."""
    file = draft.source == "published" and draft.origin == "file"
    return [name for name in draft.heads if not (file and name in MEASURING)]


def from_data(data: Mapping[str, Any]) -> Draft:
    """The draft of a configuration; FloraError if it holds what the wizard cannot show."""
    kind = str(data.get("kind"))
    base = Draft(
        rest={name: value for name, value in data.items() if name not in _SHOWN.get(kind, ())},
        texts=_texts(data.get("texts")),
        wording={name: value for name, value in (data.get("texts") or {}).items() if name != "classes"},
        preset="",
        heads=tuple(str(head) for head in data.get("heads") or _HEADS.get(kind, PRESETS["quick"][3])),
        encoder=dict(data["encoder"]) if isinstance(data.get("encoder"), dict) else {},
        flora=dict(data.get("flora") or {}),
        final=bool(data.get("final", False)),
    )
    if kind == "pipeline":
        entries, splits = data.get("data") or [], data.get("splits") or []
        if len(entries) != 1 or len(splits) > 1:
            raise FloraError(
                "the wizard shows one data set and one split; this configuration has more",
                remedy="Train it with `flora train --config`.",
            )
        split = Split.model_validate(splits[0]) if splits else None
        checkpoints = tuple(str(path) for path in data.get("checkpoints") or ())
        origin: Origin = "checkpoint" if checkpoints else "train"
        return _with_source(replace(base, split=split, origin=origin, checkpoints=checkpoints), entries[0])
    if kind == "descriptors":
        entries = data.get("data") or []
        if len(entries) != 1:
            raise FloraError(
                "the wizard shows one data set; this configuration has more",
                remedy="Train it with `flora train --config`.",
            )
        return _with_source(replace(base, origin="measure"), entries[0])
    if kind == "flora":
        given = data.get("data") or {}
        return replace(
            base,
            source="published",
            benchmark=str(data.get("benchmark", "")),
            origin="file" if data.get("features") else "checkpoint",
            feature_file=str(data.get("features") or ""),
            checkpoints=tuple(str(path) for path in data.get("encoder") or ()),
            recordings=str(given.get("project") or given.get("raw") or ""),
            prepared={name: given[name] for name in ("preparation", "frames", "persons") if name in given},
        )
    raise FloraError(
        f"the wizard does not show configurations of kind {kind!r}", remedy="Train it with `flora train --config`."
    )


def with_smaller_batches(data: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration with batches half as large: the next try after memory was not enough."""
    changed = dict(data)
    for name, section in SECTIONS.items():
        given = changed.get(name) if isinstance(changed.get(name, {}), Mapping) else None
        if name in changed and given is not None:
            size = int(given.get("batch_size", section.model_fields["batch_size"].default))
            changed[name] = {**given, "batch_size": max(2, size // 2)}
    return changed


def load_draft(path: Path) -> Draft:
    """Read a configuration file; FloraError."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise FloraError(f"cannot read the configuration: {' '.join(str(error).split())}", path=path) from None
    if not isinstance(data, dict):
        raise FloraError("this is not a configuration: it has no keys", path=path)
    try:
        return from_data(data)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise FloraError(f"not a configuration that the wizard can show: {error}", path=path) from None


def save_draft(draft: Draft, path: Path) -> None:
    """Write the configuration; FloraError if the file cannot be written."""
    text = yaml.safe_dump(to_data(draft), sort_keys=False, allow_unicode=True, width=110)
    try:
        write_text(path, f"# flora train --config {path.name}\n{text}")
    except OSError as error:
        raise FloraError(f"the configuration cannot be written: {error.strerror}", path=path) from None


def command_line(config: Path, out: Path) -> str:
    """The command that does the same."""
    return f"flora train --config {shlex.quote(str(config))} --out {shlex.quote(str(out))}"


def problems(draft: Draft) -> list[tuple[str, str]]:
    """Everything that is wrong: the page where it is put right, and one sentence."""
    found = [*_missing(draft)]
    places = {page for page, _ in found}
    for location, text in problems_of(to_data(draft)):
        page = _page_of(location)
        if page not in places or page == "method":  # what is missing says the same in better words
            found.append((page, f"{'.'.join(str(part) for part in location)}: {text}"))
    return sorted(found, key=lambda one: PAGES.index(one[0]))


def _missing(draft: Draft) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    if draft.source == "project" and not draft.project:
        found.append(("data", "Open or choose a project first."))
    if draft.source == "folder" and not (draft.folder and Path(draft.folder).is_dir()):
        found.append(("data", "Choose the folder of the recordings."))
    if draft.source == "folder" and draft.dataset not in dataset_names():
        found.append(("data", "Choose which data set the folder holds."))
    if draft.source == "published" and not draft.benchmark:
        found.append(("data", "Choose a benchmark."))
    if draft.source != "published" and draft.origin == "measure":
        return found
    if draft.source != "published" and (draft.split is None or not draft.split.unseen):
        found.append(("split", "Choose at least one unseen class: without one nothing says how good the model is."))
    found += _missing_features(draft)
    if not draft.heads:
        found.append(("method", "Choose at least one head."))
    seen = draft.classes - len(draft.split.unseen) if draft.split is not None and draft.classes else 99
    if draft.source != "published" and 0 <= seen < 4:
        found.append(("split", f"{seen} seen classes are too few: held-out folds need at least four."))
    return found


def _missing_features(draft: Draft) -> list[tuple[str, str]]:
    if draft.origin in ("train", "measure"):
        return []
    found: list[str] = []
    if draft.origin == "file" and not (draft.feature_file and Path(draft.feature_file).exists()):
        found.append("Choose a feature file that is there.")
    found += [f"There is no {path}." for path in draft.checkpoints if not Path(path).exists()]
    if draft.origin == "checkpoint" and not draft.checkpoints:
        found.append("Choose an encoder: a checkpoint or a run.")
    if draft.source == "published":
        found += _missing_of_published(draft)
    found += [text for path in draft.checkpoints if (text := _other_preparation(draft, Path(path)))]
    return [("features", text) for text in found]


def _missing_of_published(draft: Draft) -> list[str]:
    place, needed = draft.recordings, draft.origin == "checkpoint"
    if needed and not (place and Path(place).is_dir()):
        return ["Choose the recordings that the features are made of."]
    if place and not Path(place).is_dir():
        return [f"There is no folder {place}: leave the recordings out, or choose others."]
    if place and not draft.checkpoints:
        return ["Recordings are compared by the encoder that made the features: choose it, or leave them out."]
    if draft.checkpoints and "preparation" not in _prepared_for_encoder(draft):
        return ["Nothing says how recordings are prepared for this encoder: choose the preparation and the frames."]
    return []


def _other_preparation(draft: Draft, encoder: Path) -> str:
    """What is wrong if an encoder of ours was trained on recordings prepared in another way; "" if nothing."""
    try:
        known = trained_with(encoder)
    except FloraError:
        return ""
    published = draft.source == "published"
    mine = known | dict(draft.prepared) if published else _prepared(draft)
    other = [f"{name} {value}, not {mine[name]}" for name, value in known.items() if mine[name] != value]
    page = "Features" if published else "Data"
    return f"{encoder.name} was trained with {', '.join(other)}: change it on the page {page}." if other else ""


def _page_of(location: tuple[int | str, ...]) -> str:
    key = str(location[0]) if location else ""
    if key == "encoder" and len(location) > 1 and isinstance(location[1], int):
        return "features"
    pages = {
        "checkpoints": "features",
        "data": "data",
        "benchmark": "data",
        "splits": "split",
        "features": "features",
        "texts": "texts",
    }
    return pages.get(key, "method")


def _flora(draft: Draft) -> dict[str, Any]:
    """The settings of Flora; folds of as many classes as the split leaves, unless the draft says how many."""
    given = dict(draft.flora)
    if draft.source == "published" or "validation_classes" in given or not draft.classes or draft.split is None:
        return given
    seen = draft.classes - len(draft.split.unseen)
    wanted = int(FloraSettings.model_fields["validation_classes"].default)
    return given | {"validation_classes": max(2, min(wanted, seen // 2))}


def _prepared(draft: Draft) -> dict[str, Any]:
    return {"preparation": draft.preparation, "frames": draft.frames, "persons": draft.persons}


def _prepared_for_encoder(draft: Draft) -> dict[str, Any]:
    """The data set of a benchmark, and how recordings are prepared for its encoder as far as anything says it."""
    dataset = _dataset_of(draft.benchmark)
    try:
        settings, _ = prepared_for(dataset, Path((*draft.checkpoints, "")[0]), **draft.prepared)
    except (FloraError, ValueError):
        return {"dataset": dataset, **draft.prepared}
    return {"dataset": dataset, **{name: getattr(settings, name) for name in ("preparation", "frames", "persons")}}


def _dataset_of(benchmark: str) -> str:
    try:
        return load_benchmark(benchmark).dataset
    except FloraError:
        return ""


def _with_source(draft: Draft, data: Mapping[str, Any]) -> Draft:
    dataset, project = str(data.get("dataset", "")), data.get("project")
    return replace(
        draft,
        source="project" if project else "folder",
        dataset="" if dataset == OWN else dataset,
        project=str(project or ""),
        folder=str(data.get("raw") or ""),
        preparation=str(data.get("preparation", "clip")),
        frames=int(data.get("frames", 64)),
        persons=int(data.get("persons", 2)),
    )


def _texts(data: Any) -> tuple[ClassText, ...] | None:
    classes = data.get("classes") if isinstance(data, dict) else None
    return None if classes is None else tuple(_text(**entry) for entry in classes)


def _text(more: Any = (), **one: str) -> ClassText:
    return ClassText(**one, more=tuple(Text(**further) for further in more))


SECTIONS: Mapping[str, type[BaseModel]] = {"encoder": EncoderSettings, "flora": FloraSettings}
