"""Where the files that ship with the program are, and where it may keep what it can make again."""

from __future__ import annotations

import hashlib
import importlib.resources
import os
from collections.abc import Sequence
from pathlib import Path

import platformdirs

from flora_engine import __version__

NAME = "flora-studio"  # of the folders below the user's home
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
    return platformdirs.user_cache_path(NAME, appauthor=False)


def code_key(sources: Sequence[str]) -> str:
    """Changes with the version and with these files and folders of the program, so that a cache never outlives the code
    that filled it.
    """
    digest = hashlib.sha256(__version__.encode())
    for source in sources:
        path = PACKAGE / source
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(file.read_bytes() if file.is_file() else b"")
    return digest.hexdigest()


def settings_folder() -> Path:
    """The platform's folder for what the window remembers between starts."""
    return platformdirs.user_config_path(NAME, appauthor=False)


def lexicon_folder() -> Path:
    """The user's folder of lexicon files: $FLORA_LEXICON, else in the platform's folder for settings."""
    if chosen := os.environ.get("FLORA_LEXICON"):
        return Path(chosen).expanduser()
    return settings_folder() / "lexicon"


def recipes_folder() -> Path:
    """The user's folder of reading recipes: $FLORA_RECIPES, else in the platform's folder for settings."""
    if chosen := os.environ.get("FLORA_RECIPES"):
        return Path(chosen).expanduser()
    return settings_folder() / "recipes"


def log_path() -> Path:
    """The log of the window: errors that nothing handled, with their tracebacks."""
    return cache_folder() / "logs" / "window.log"
