"""Problems of a configuration in plain words."""

from __future__ import annotations

import difflib
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from flora_engine.config.kinds import DescriptorsConfig, EncoderConfig, FloraConfig, PipelineConfig

Location = tuple[int | str, ...]  # keys and list places from the top of the file
Fault = tuple[Location, str]  # what is wrong, and where in the file


def place(detail: ErrorDetails) -> Location:
    """Where in the file; pydantic puts the kind in front."""
    return () if detail["type"].startswith("union_tag") else detail["loc"][1:]


def dotted(location: Location) -> str:
    return ".".join(str(part) for part in location) or "file"


_MODELS = {"descriptors": DescriptorsConfig, "encoder": EncoderConfig, "flora": FloraConfig, "pipeline": PipelineConfig}
_LIMITS = {"greater_than": "more than {gt}", "greater_than_equal": "at least {ge}"}
_LIMITS |= {"less_than": "less than {lt}", "less_than_equal": "at most {le}"}
_KINDS = {"int": "a whole number", "float": "a number", "bool": "true or false", "string": "text", "path": "a path"}
_KINDS |= {"tuple": "a list", "list": "a list", "model": "keys and values", "dict": "keys and values"}


def plain_words(detail: ErrorDetails) -> str:
    """A problem in plain words."""
    kind, context, value = detail["type"], detail.get("ctx", {}), detail["input"]
    expected = _KINDS.get(kind.split("_")[0])
    text = f"is {value!r}; expected {expected}" if expected else detail["msg"]
    if kind in _LIMITS:
        text = f"is {value}; must be {_LIMITS[kind].format(**context)}"
    elif kind.startswith("union_tag"):
        text = "kind must be descriptors, encoder, flora or pipeline"
    elif kind == "missing":
        text = "is missing"
    elif kind == "extra_forbidden":
        text = "is not a known key" + _did_you_mean(detail)
    elif kind == "literal_error":
        text = f"is {value!r}; expected {context['expected']}"
    elif kind == "too_short":
        text = "must not be empty"
    elif kind == "value_error":
        text = str(context["error"])
    return text


def _did_you_mean(detail: ErrorDetails) -> str:
    """A hint where the key is close to a known one of the same section."""
    model: Any = _MODELS[str(detail["loc"][0])]
    for part in detail["loc"][1:-1]:
        if isinstance(part, str):
            model = _section_type(model.model_fields[part].annotation)
    close = difflib.get_close_matches(str(detail["loc"][-1]), list(model.model_fields), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _section_type(annotation: Any) -> Any:
    """The section inside `Section`, `Section | None` or `tuple[Section, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(found for part in get_args(annotation) if (found := _section_type(part)) is not None)
