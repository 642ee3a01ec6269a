"""Kinds of text encoders. A new kind is one module here and its name in `_MODULES`."""

from __future__ import annotations

from typing import cast

from flora_engine.semantics.encoders import bert, clip
from flora_engine.semantics.encoders.base import Kind

_MODULES = (bert, clip)
KINDS: dict[str, Kind] = {module.NAME: cast(Kind, module) for module in _MODULES}
KIND_OF_MODEL_TYPE: dict[str, str] = {
    model_type: kind.NAME for kind in KINDS.values() for model_type in kind.MODEL_TYPES
}
