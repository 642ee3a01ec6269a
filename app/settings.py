"""What the window remembers between starts: one small JSON file, checked when it is read. Qt-free."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from flora_engine.files import write_text
from flora_engine.resources import settings_folder

VERSION = 1
# Version of a file -> what makes its values those of the next version. Whoever raises VERSION adds the step here; a new
# field needs neither.
UPGRADES: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}
THEMES = ("system", "light", "dark")
_RECENT = 12
DEFAULT_CLASSES = "drink water\nwave hand\nsit down\nstand up\nwalk\nthrow something\nkick\nshake hands"


@dataclass(frozen=True)
class Settings:
    """theme: one of THEMES. bundle: folder of the model, "" for the built-in model. runs: the folder
    of runs that was used last, "" for none. geometry, layout: Qt's own
    window state in base64. recent: newest first. actions: colours and keys of actions, as
    `flora_engine.semantics.action_lists` writes them.
    """

    theme: str = "system"
    speed: float = 1.0
    loop: bool = True
    joint_names: bool = False
    classes: str = DEFAULT_CLASSES
    bundle: str = ""
    runs: str = ""
    recent: tuple[str, ...] = field(default_factory=tuple)
    geometry: str = ""
    layout: str = ""
    actions: str = ""

    def with_recent(self, path: str) -> Settings:
        """The same with `path` first in the list."""
        others = tuple(other for other in self.recent if other != path)
        return replace(self, recent=(path, *others)[:_RECENT])


def settings_path() -> Path:
    """The settings file: $FLORA_SETTINGS, else in the platform's folder for settings."""
    if chosen := os.environ.get("FLORA_SETTINGS"):
        return Path(chosen)
    return settings_folder() / "settings.json"


def load_settings(path: Path) -> Settings:
    """Read `path`, of an older version step by step. Values that are missing or wrong get their defaults.

    Of a newer version's file everything is taken that this one knows; `save_settings` then keeps a copy of it.
    """
    data = _read(path)
    for version in range(_version(data), VERSION):
        if version in UPGRADES:
            data = UPGRADES[version](data)
    return _checked(data)


def _read(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _version(data: dict[str, Any]) -> int:
    found = data.get("version")
    return found if type(found) is int else VERSION


def save_settings(path: Path, settings: Settings) -> None:
    """Write `path` in one step. A file of another version is copied first, for the program that wrote it."""
    if (found := _version(_read(path))) != VERSION:
        shutil.copy(path, path.with_suffix(f".version{found}{path.suffix}"))
    write_text(path, json.dumps({"version": VERSION, **asdict(settings)}, indent=2, ensure_ascii=False) + "\n")


class SettingsFile:
    """The settings in use, and the file that keeps them between starts."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now = load_settings(path)

    def change(self, **changes: Any) -> None:
        """Set some fields."""
        self.now = replace(self.now, **changes)

    def add_recent(self, path: Path) -> None:
        """Remember `path` as the last thing that was opened."""
        self.now = self.now.with_recent(str(path))

    def start_folder(self) -> Path:
        """Where file dialogs start: the folder of what was opened last."""
        return Path(self.now.recent[0]).parent if self.now.recent else Path.home()

    def save(self) -> None:
        """Write the file in one step; raises OSError."""
        save_settings(self.path, self.now)


def _checked(data: dict[str, Any]) -> Settings:
    defaults = Settings()
    good: dict[str, Any] = {}
    for item in fields(Settings):
        value, default = data.get(item.name), getattr(defaults, item.name)
        if isinstance(default, tuple) and isinstance(value, list) and all(isinstance(v, str) for v in value):
            good[item.name] = tuple(value)
        elif isinstance(default, float) and isinstance(value, int | float) and not isinstance(value, bool):
            good[item.name] = float(value)
        elif type(value) is type(default):
            good[item.name] = value
    if good.get("theme") not in THEMES:
        good.pop("theme", None)
    return Settings(**good)
