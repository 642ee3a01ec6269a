"""Find which of the user's actions happens when in long recordings, write the segments, compare them with truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from flora_engine.errors import FloraError
from flora_engine.evaluation.segments import segment_measures
from flora_engine.jobs import Job
from flora_engine.labelling.exchange import FORMATS, Recording, format_called, read_segments, write_segments
from flora_engine.labelling.exchange.json_object import FORMAT_NAME, VERSION, as_json
from flora_engine.labelling.folder import recordings
from flora_engine.labelling.segments import Annotation, Segment
from flora_engine.labelling.spreading import spread_for
from flora_engine.labelling.teaching import Ranker
from flora_engine.labelling.timeline import Options, timeline, usual_seconds
from flora_engine.readers import read_sequence
from flora_engine.recipes import label
from flora_engine.recipes.request import UserPath
from flora_engine.semantics.class_texts import ClassText

Seconds = Annotated[float, Field(gt=0)]
_DEFAULT = Options()


class Request(label.Request):
    """As for `label`, and: export, the format that `out` is written in; None takes the one of out's ending.

    out: a file for one recording, a folder for several. truth: true segments of the one recording, in any format.
    lengths: of the windows in seconds. hop, cost, least_seconds: see
    `flora_engine.labelling.timeline.Options`. background: leave stretches without a class.
    """

    export: str | None = None
    truth: UserPath | None = None
    lengths: tuple[Seconds, ...] | None = Field(None, min_length=1)
    hop: Annotated[float, Field(gt=0, le=1)] = _DEFAULT.hop
    cost: Annotated[float, Field(ge=0)] = _DEFAULT.cost
    least_seconds: Annotated[float, Field(ge=0)] = _DEFAULT.least_seconds
    background: bool = _DEFAULT.background

    @model_validator(mode="after")
    def _formats(self) -> Request:
        if self.export is not None and self.export not in FORMATS:
            raise ValueError(f"export is one of {', '.join(FORMATS)}")
        if self.out is None and self.export is not None:
            raise ValueError("give out, the file to export into")
        if self.why or not self.none:
            raise ValueError("why and none are of rankings, not of timelines")
        return self


@dataclass(frozen=True)
class TimelineOfFile:
    """What came of one recording: its segments, or None and the problem. measures: against truth, if there is any."""

    file: Path
    annotation: Annotation | None
    problem: str = ""
    measures: dict[str, float] | None = None

    def as_json(self) -> dict[str, Any]:
        """JSON values, as docs/labels.md says."""
        if self.annotation is None:
            return {"format": FORMAT_NAME, "version": VERSION, "file": str(self.file), "problem": self.problem}
        found = as_json(self.annotation) | {"file": str(self.file)}
        return found if self.measures is None else found | {"measures": self.measures}


@dataclass(frozen=True)
class Result:
    """written: the files of segments. failed: (file, why) of recordings without. recordings: one object for each."""

    written: list[str]
    failed: list[tuple[str, str]]
    recordings: list[dict[str, Any]]


def run(job: Job, request: Request) -> Result:
    """Find the segments of every recording and write them. FloraError, Cancelled; what is written stays."""
    written, failed, found = [], [], []
    for one, out in timelines(job, request):
        found.append(one.as_json())
        if one.annotation is None:
            failed.append((str(one.file), one.problem))
        elif out is not None:
            written.append(str(out))
    return Result(written, failed, found)


def timelines(job: Job, request: Request) -> Iterator[tuple[TimelineOfFile, Path | None]]:
    """What comes of each recording, in order, and the file that its segments were written to.

    Raises FloraError before the first one, and for segments that the format cannot hold; Cancelled.
    """
    files = recordings([*([] if request.folder is None else [request.folder]), *request.files])
    outs = _outs(request, files)
    if request.truth is not None and len(files) != 1:
        raise FloraError("truth is of one recording, and there are several", path=request.truth)
    texts = label.candidate_texts(request.classes, request.classes_file)
    if request.out is not None:
        _check_names(texts, _format(request))
    labeller = label.ranker_for(request, texts)
    for file, out in zip(files, outs, strict=True):
        one = _one(job, labeller, file, texts, request)
        if one.annotation is not None and out is not None:
            write_segments(out, one.annotation, _format(request))
        yield one, out


def _one(job: Job, labeller: Ranker, file: Path, texts: list[ClassText], request: Request) -> TimelineOfFile:
    options = Options(
        lengths=request.lengths,
        hop=request.hop,
        cost=request.cost,
        least_seconds=request.least_seconds,
        background=request.background,
    )
    truth: Sequence[Segment] = ()
    try:
        sequence = read_sequence(file, recipe=label.reading_recipe(request))
        if request.truth is not None:
            recording = Recording(sequence.fps, sequence.frames)
            truth = _as_typed(job, read_segments(request.truth, recording), texts)
        spread = spread_for(job, label.model_of(request), sequence)
        found = timeline(job, labeller, sequence, texts, options, usual_seconds(texts), spread).annotation
    except FloraError as error:
        job.warn(str(error))
        return TimelineOfFile(file, None, str(error))
    if request.truth is None:
        return TimelineOfFile(file, found)
    return TimelineOfFile(file, found, measures=segment_measures(found.segments, truth, found.frames))


def _as_typed(job: Job, truth: Sequence[Segment], texts: list[ClassText]) -> list[Segment]:
    """True segments with the class names that were typed, whatever their letter case; other names warn and stay."""
    typed = {text.name.casefold(): text.name for text in texts}
    unknown = sorted({segment.name for segment in truth if segment.name.casefold() not in typed})
    if unknown:
        job.warn(f"the truth has actions that were not typed and count as missed: {', '.join(unknown)}")
    return [replace(segment, name=typed.get(segment.name.casefold(), segment.name)) for segment in truth]


def _check_names(texts: list[ClassText], export: str) -> None:
    """FloraError if the format cannot hold one of the actions, before minutes of work and not after them."""
    segments = tuple(Segment(text.name, i, i) for i, text in enumerate(texts))
    format_called(export).write(Annotation("", 30.0, len(texts), segments))


def _format(request: Request) -> str:
    """The export format; FloraError if the ending of `out` does not name one."""
    if request.export is not None:
        return request.export
    endings = {".eaf": "elan", ".json": "json", ".csv": "csv"}
    suffix = "" if request.out is None else request.out.suffix.lower()
    if suffix not in endings:
        raise FloraError(
            "the ending does not say which format is meant",
            path=request.out,
            remedy=f"Add --export with one of {', '.join(FORMATS)}.",
        )
    return endings[suffix]


def _outs(request: Request, files: list[Path]) -> list[Path | None]:
    """The file of segments of each recording."""
    if request.out is None:
        return [None] * len(files)
    if len(files) == 1 and not request.out.is_dir():
        return [request.out]
    if request.export is None:
        raise FloraError(
            "several recordings are written into a folder, and the format is not named",
            path=request.out,
            remedy=f"Add --export with one of {', '.join(FORMATS)}.",
        )
    stem, count = Counter(file.stem for file in files).most_common(1)[0]
    if count > 1:
        raise FloraError(
            f"{count} recordings are called “{stem}”, and their segments would be written to one file",
            remedy="Export the folders one by one.",
        )
    suffix = format_called(request.export).suffix
    return [request.out / f"{file.stem}{suffix}" for file in files]
