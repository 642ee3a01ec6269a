"""JSON with bounds: size, depth and numbers are checked before anything is made of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flora_engine.errors import FloraError
from flora_engine.readers import _input


def load(path: Path) -> Any:
    """The parsed file; FloraError, with the line, where it is not JSON."""
    data = _input.read_bytes(path, _input.MAX_JSON_BYTES)
    try:
        return json.loads(data.decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise FloraError(f"is not valid JSON: {error.msg}", path=path, where=where, remedy=_input.COPY_AGAIN) from None
    except UnicodeDecodeError as error:
        raise FloraError(
            "is not UTF-8 text", path=path, where=f"byte {error.start}", remedy=_input.COPY_AGAIN
        ) from None
    except (RecursionError, ValueError) as error:  # absurdly deep nesting, an integer of thousands of digits
        raise FloraError(f"is not usable JSON ({_input.shown(error)})", path=path, remedy=_input.COPY_AGAIN) from None


def floats(value: Any) -> NDArray[np.float64] | None:
    """Nested lists of numbers as an array; None where they are ragged or hold anything but numbers."""
    try:
        array = np.array(value)
    except (ValueError, OverflowError):
        return None
    return array.astype(np.float64) if array.dtype.kind in "iuf" else None
