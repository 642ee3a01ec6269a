"""Configuration values that name an entry of a registry: checked by it, and listed by it in help and schemas."""

from __future__ import annotations

import importlib.util
import pkgutil
from collections.abc import Iterable
from typing import Any

from pydantic import AfterValidator, WithJsonSchema


def one_of(names: Iterable[str]) -> tuple[AfterValidator, WithJsonSchema]:
    """Metadata for ``Annotated[str, *one_of(NAMES)]``: a text that must be one of `names`."""
    known = tuple(names)

    def check(value: str) -> str:
        if value not in known:
            raise ValueError(f"is {value!r}; expected {_listed(known)}")
        return value

    schema: dict[str, Any] = {"type": "string", "enum": list(known)}
    return AfterValidator(check), WithJsonSchema(schema)


def modules_of(package: str) -> tuple[str, ...]:
    """Names of the modules of a package, in alphabetical order, without importing them; subpackages do not count."""
    spec = importlib.util.find_spec(package)
    assert spec is not None and spec.submodule_search_locations is not None
    return tuple(sorted(m.name for m in pkgutil.iter_modules(spec.submodule_search_locations) if not m.ispkg))


def _listed(names: tuple[str, ...]) -> str:
    quoted = [repr(name) for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"
