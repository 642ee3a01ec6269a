"""JSON: one object per recording, the same that `flora label --timeline --json` prints (docs/labels.md)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from flora_engine.labelling.exchange._common import Format, Recording, Row, from_frames
from flora_engine.labelling.segments import Annotation

FORMAT_NAME, VERSION = "flora-segments", 1


def as_json(annotation: Annotation) -> dict[str, Any]:
    """JSON values, as docs/labels.md says."""
    segments = [
        {"name": s.name, "start": s.start, "end": s.end, "score": None if s.score is None else round(s.score, 6)}
        for s in annotation.segments
    ]
    head: dict[str, Any] = {"format": FORMAT_NAME, "version": VERSION, "file": annotation.file}
    return head | {"fps": annotation.fps, "frames": annotation.frames, "segments": segments}


def write(annotation: Annotation) -> str:
    return json.dumps(as_json(annotation), ensure_ascii=False, indent=1) + "\n"


def claims(text: str) -> bool:
    return text.lstrip().startswith("{")


def read(text: str, recording: Recording) -> Iterator[Row]:
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        yield f"line {error.lineno}", f"not readable as JSON: {error.msg}"
        return
    except (ValueError, RecursionError) as error:
        yield "line 1", f"not readable as JSON: {error}"
        return
    if not isinstance(data, dict) or data.get("format") != FORMAT_NAME:
        yield "the start", f"the object has no format “{FORMAT_NAME}”"
    elif data.get("version") != VERSION:
        yield "version", f"this program reads version {VERSION}, and the file has {data.get('version')!r}"
    elif not isinstance(data.get("segments"), list):
        yield "segments", "there is no list of segments"
    elif (fps := data.get("fps")) is not None and (not isinstance(fps, (int, float)) or fps != recording.fps):
        yield "fps", f"the segments count {fps!r} frames per second, and the recording has {recording.fps:g}"
    else:
        for number, one in enumerate(data["segments"], 1):
            yield f"segment {number}", _segment(one)


def _segment(one: Any) -> Any:
    if not isinstance(one, dict) or not {"name", "start", "end"} <= one.keys():
        return "a segment is an object with name, start, end and score"
    if not isinstance(one["name"], str) or type(one["start"]) is not int or type(one["end"]) is not int:
        return "name is a text, and start and end are whole numbers"
    score = one.get("score")
    return from_frames(one["name"], str(one["start"]), str(one["end"]), "" if score is None else str(score))


FORMAT = Format("json", "JSON, one object per recording", ".json", claims, write, read)
