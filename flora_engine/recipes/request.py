"""What every request of a recipe has in common."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from flora_engine.errors import FloraError

UserPath = Annotated[Path, AfterValidator(lambda path: path.expanduser())]  # a path as a person writes it


class Request(BaseModel):
    """The arguments of one recipe, checked: unknown keys are refused, `~` is understood in every path."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def of(cls, /, **arguments: Any) -> Self:
        """The request with these arguments; FloraError says everything that is wrong with them."""
        try:
            return cls.model_validate(arguments)
        except ValidationError as error:
            problems = "; ".join(_problem(detail) for detail in error.errors(include_url=False))
            raise FloraError(f"wrong arguments: {problems}") from None


def _problem(detail: Any) -> str:
    where = ".".join(str(part) for part in detail["loc"])
    text = str(detail["ctx"]["error"]) if detail["type"] == "value_error" else str(detail["msg"])
    return f"{where}: {text}" if where else text
