"""Where the files that ship with the program are, and where it may keep what it can make again."""

from __future__ import annotations

import importlib.resources
import os
import sys
from pathlib import Path

PACKAGE = Path(str(importlib.resources.files("flora_engine")))


def _root() -> Path:
    """The folder of `resources` and `configs`: inside an installed package, or beside it in a checkout."""
    shipped = PACKAGE / "_shipped"
    return shipped if shipped.is_dir() else PACKAGE.parent


RESOURCES = _root() / "resources"
CONFIGS = _root() / "configs"


def cache_folder() -> Path:
    """The user's folder for files that can be made again: $FLORA_CACHE, else the platform's cache folder."""
    if chosen := os.environ.get("FLORA_CACHE"):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "Flora Studio" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "Flora Studio"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "flora-studio"
