"""Settings survive anything in their file; the command table is whole; colours can be read."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from app.commands import COMMANDS, MENUS, matching
from app.main_window import MainWindow
from app.settings import VERSION, Settings, load_settings, save_settings, settings_path
from app.theme import DARK, LIGHT, Theme
from app.viewer.player import PLAYER_COMMANDS


def test_settings_come_back(tmp_path: Path) -> None:
    settings = Settings(theme="dark", speed=0.5, loop=False, classes="a\nb").with_recent("/x").with_recent("/y")
    save_settings(tmp_path / "deep" / "s.json", settings)
    assert load_settings(tmp_path / "deep" / "s.json") == settings
    assert settings.with_recent("/x").recent == ("/x", "/y")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 99, "theme": "dark"}', "\x00\xff"])
def test_broken_settings_are_the_defaults(tmp_path: Path, text: str) -> None:
    (tmp_path / "s.json").write_text(text, encoding="latin-1")
    assert load_settings(tmp_path / "s.json") == Settings()


def test_wrong_values_fall_back_one_by_one(tmp_path: Path) -> None:
    text = f'{{"version": {VERSION}, "theme": "mauve", "speed": "fast", "loop": false, "recent": [1], "extra": 3}}'
    (tmp_path / "s.json").write_text(text)
    assert load_settings(tmp_path / "s.json") == Settings(loop=False)


def test_settings_path_can_be_chosen() -> None:
    assert settings_path({"FLORA_SETTINGS": "/a/b.json"}) == Path("/a/b.json")
    assert settings_path({"XDG_CONFIG_HOME": "/c"}) == Path("/c/flora-studio/settings.json")


def test_every_command_has_a_menu_and_one_handler_and_every_handler_a_command() -> None:
    assert len({command.id for command in COMMANDS}) == len(COMMANDS)
    assert all(command.menu in MENUS for command in COMMANDS)
    prefixes = tuple(f"_{menu.lower()}_" for menu in MENUS)
    of_window = [name for name in vars(MainWindow) if name.startswith(prefixes)]
    handlers = of_window + ["_" + id.replace(".", "_") for id in PLAYER_COMMANDS]
    assert sorted(handlers) == sorted("_" + command.id.replace(".", "_") for command in COMMANDS)


def test_no_two_commands_share_a_shortcut() -> None:
    keys = [key for command in COMMANDS for key in command.shortcuts]
    assert len(keys) == len(set(keys))


def test_words_find_commands() -> None:
    assert matching("demo")[0].id == "file.demo"
    assert [c.id for c in matching("view names")] == ["view.names"]
    assert matching("zzz") == [] and len(matching("")) == len(COMMANDS)


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)
def test_text_can_be_read(theme: Theme) -> None:
    for text, background in (
        (theme.text, theme.window),
        (theme.text, theme.surface),
        (theme.text, theme.raised),
        (theme.text, theme.stage),
        (theme.muted, theme.window),
        (theme.muted, theme.surface),
        (theme.on_accent, theme.accent),
        (theme.on_warning, theme.warning),
        (theme.accent, theme.window),
    ):
        assert _contrast(text, background) >= 4.5, (theme.name, text, background)
    assert {f.name for f in fields(Theme)} >= {"grid", "stage"}
