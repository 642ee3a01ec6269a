"""How labelled recordings are found and prepared: the `data` section of a configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from flora_engine.choices import one_of
from flora_engine.preprocessing import PREPARATIONS

PreparationName = Annotated[str, *one_of(PREPARATIONS)]


class RecordingSettings(BaseModel):
    """Where labelled recordings come from: a raw folder read by the registry, a motion archive (raw names the file), or
    a project. dataset names resources/datasets/NAME.yaml (classes, texts); any other name means a project's own.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    dataset: str
    raw: Path | None = None
    project: Path | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.raw is not None and self.project is not None:
            raise ValueError("give raw or project, not both")
        return self


class DataSettings(RecordingSettings):
    """Recordings, and how they are prepared for an encoder.

    preparations "clip" and "matched_clip" (for a model that is to read several sensors) are ours: see
    preprocessing.clip. persons 1 keeps the first person alone, which halves the work if nobody else is ever there.
    """

    preparation: PreparationName = "clip"
    frames: int = Field(64, ge=4, le=2000)
    persons: Literal[1, 2] = 2
