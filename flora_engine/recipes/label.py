"""Rank actions in the user's own words for recordings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import model_validator

from flora_engine.errors import Cancelled, FloraError
from flora_engine.jobs import Job
from flora_engine.labelling.bundle import BUILTIN, find_bundle
from flora_engine.labelling.features import feature_cache
from flora_engine.labelling.folder import label_files, recordings
from flora_engine.labelling.labeller import Labeller
from flora_engine.labelling.learning import model_key, taught_by
from flora_engine.labelling.ranking import LabelledFile, check_table, write_table
from flora_engine.labelling.teaching import Ranker, TaughtRanker
from flora_engine.project import Project
from flora_engine.readers.reading_recipes import ReadingRecipe, find_recipe
from flora_engine.recipes import request
from flora_engine.recipes.request import UserPath
from flora_engine.semantics.class_texts import ClassText, parse_typed, read_texts, with_known_texts


class Request(request.Request):
    """folder, files: recordings, or folders of them. classes: actions as they are typed, or classes_file with them.

    why: with what spoke for and against every label. none: with the probability of none of the actions.
    recipe: the name of a reading recipe, or a file with one.
    model: a bundle, or the run that made it; None for the built-in one. learn_from: a project whose confirmed
    recordings correct the rankings (docs/method.md, section 10). out: the table to write (.csv, .jsonl).
    """

    folder: UserPath | None = None
    files: tuple[UserPath, ...] = ()
    out: UserPath | None = None
    classes: str | None = None
    classes_file: UserPath | None = None
    model: UserPath | None = None
    learn_from: UserPath | None = None
    why: bool = False
    none: bool = True
    recipe: str | None = None

    @model_validator(mode="after")
    def _complete(self) -> Request:
        if self.folder is None and not self.files:
            raise ValueError("give recordings, or a folder of them")
        if (self.classes is None) == (self.classes_file is None):
            raise ValueError("give either classes or classes_file")
        return self


@dataclass(frozen=True)
class Result:
    """How many recordings were labelled and how many failed; out: the table."""

    out: str | None
    labelled: int
    failed: int


def run(job: Job, request: Request) -> Result:
    """Label everything into the table. Stopped (Cancelled), the table holds what was done until then. FloraError."""
    found: list[LabelledFile] = []
    if request.out is not None:
        check_table(request.out)
    texts = candidate_texts(request.classes, request.classes_file)
    try:
        for one in label_all(job, request, texts):
            found.append(one)
    except Cancelled:
        _write(request.out, found, texts)
        raise
    _write(request.out, found, texts)
    failed = sum(one.ranking is None for one in found)
    return Result(None if request.out is None else str(request.out), len(found) - failed, failed)


def _write(out: Path | None, found: list[LabelledFile], texts: list[ClassText]) -> None:
    if out is not None:
        write_table(out, found, [text.name for text in texts])


def label_all(job: Job, request: Request, texts: list[ClassText]) -> Iterator[LabelledFile]:
    """What comes of each recording, in order. Raises FloraError before the first one, Cancelled."""
    files = recordings([*([] if request.folder is None else [request.folder]), *request.files])
    ranker = ranker_for(request, texts)
    for one in label_files(job, ranker, files, texts, why=request.why, recipe=reading_recipe(request)):
        if one.ranking is not None and not request.none:
            one = replace(one, ranking=replace(one.ranking, none=None))  # noqa: PLW2901
        yield one


def reading_recipe(request: Request) -> ReadingRecipe | None:
    """How the recordings are to be read, if the request says it; FloraError if there is no such recipe."""
    return None if request.recipe is None else find_recipe(request.recipe)


def model_of(request: Request) -> Path:
    """The bundle of the request."""
    return BUILTIN if request.model is None else find_bundle(request.model)


def ranker_for(request: Request, texts: list[ClassText]) -> Ranker:
    """The labeller of the request, taught by its project if it names one. Raises FloraError."""
    folder = model_of(request)
    labeller = Labeller(folder, features=feature_cache())
    if request.learn_from is None:
        return labeller
    with Project.open(request.learn_from) as project:
        taught = taught_by(project, labeller, model_key(folder), texts)
    return labeller if taught is None else TaughtRanker(labeller, taught)


def candidate_texts(classes: str | None, file: Path | None) -> list[ClassText]:
    """The candidates that the user typed, or those of a file; FloraError if there is none, or two have one name."""
    if file is None:
        texts = parse_typed(classes or "")
    elif file.suffix.lower() in (".yaml", ".yml"):
        texts = read_texts(file)
    else:
        try:
            texts = parse_typed(file.read_text(encoding="utf-8-sig"))
        except (OSError, UnicodeDecodeError) as error:
            raise FloraError(f"cannot read the actions: {error}", path=file) from None
    if not texts:
        raise FloraError("no action is named", remedy='Give some, as in --classes "drink water; wave hand".')
    names = [text.name.casefold() for text in texts]
    doubled = next((text.name for text in texts if names.count(text.name.casefold()) > 1), None)
    if doubled is not None:
        raise FloraError(f"the action “{doubled}” is named twice", path=file, remedy="Name each action once.")
    return with_known_texts(texts)
