"""Settings survive anything in their file; the command table is whole; colours can be read."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest

from app import settings as settings_module
from app.commands import COMMANDS, MENUS, State, key_text, matching, title_of, with_key
from app.formats import file_filter, format_names
from app.settings import VERSION, Settings, load_settings, save_settings, settings_path
from app.theme import DARK, LIGHT, Theme
from app.viewer.playback import SPEEDS
from flora_engine.readers import READERS
from flora_engine.resources import cache_folder

ROOT = Path(__file__).resolve().parents[2]


def test_settings_come_back(tmp_path: Path) -> None:
    settings = Settings(theme="dark", speed=0.5, loop=False, classes="a\nb").with_recent("/x").with_recent("/y")
    save_settings(tmp_path / "deep" / "s.json", settings)
    assert load_settings(tmp_path / "deep" / "s.json") == settings
    assert settings.with_recent("/x").recent == ("/x", "/y")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": "x"}', "\x00\xff"])
def test_broken_settings_are_the_defaults(tmp_path: Path, text: str) -> None:
    (tmp_path / "s.json").write_text(text, encoding="latin-1")
    assert load_settings(tmp_path / "s.json") == Settings()


def test_wrong_values_fall_back_one_by_one(tmp_path: Path) -> None:
    text = f'{{"version": {VERSION}, "theme": "mauve", "speed": "fast", "loop": false, "recent": [1], "extra": 3}}'
    (tmp_path / "s.json").write_text(text)
    assert load_settings(tmp_path / "s.json") == Settings(loop=False)


def test_settings_of_an_older_version_become_those_of_this_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = {"version": 1, "dark": True, "loop": False, "recent": ["/x"]}
    (tmp_path / "s.json").write_text(json.dumps(old))
    monkeypatch.setattr(settings_module, "VERSION", 3)
    steps = {
        1: lambda data: {**data, "colours": "dark" if data["dark"] else "light"},
        2: lambda data: {**data, "theme": data["colours"]},
    }
    monkeypatch.setattr(settings_module, "UPGRADES", steps)
    settings = load_settings(tmp_path / "s.json")
    assert settings == Settings(theme="dark", loop=False, recent=("/x",))
    save_settings(tmp_path / "s.json", settings)
    assert json.loads((tmp_path / "s.version1.json").read_text()) == old
    assert json.loads((tmp_path / "s.json").read_text())["version"] == 3
    monkeypatch.setattr(settings_module, "UPGRADES", {})
    assert load_settings(tmp_path / "s.json") == settings  # of this version: no step


def test_of_settings_of_a_newer_version_what_is_known_is_taken_and_a_copy_kept(tmp_path: Path) -> None:
    newer = {"version": VERSION + 1, "theme": "dark", "speed": {"left": 2}, "more": 3}
    (tmp_path / "s.json").write_text(json.dumps(newer))
    assert load_settings(tmp_path / "s.json") == Settings(theme="dark")
    save_settings(tmp_path / "s.json", Settings())
    assert json.loads((tmp_path / f"s.version{VERSION + 1}.json").read_text()) == newer
    save_settings(tmp_path / "s.json", Settings(loop=False))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s.json", f"s.version{VERSION + 1}.json"]


def test_no_step_of_the_settings_is_missing() -> None:
    assert set(settings_module.UPGRADES) <= set(range(1, VERSION))


def test_settings_path_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLORA_SETTINGS", "/a/b.json")
    assert settings_path() == Path("/a/b.json")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="folders of Linux")
def test_folders_stay_where_they_were_on_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FLORA_SETTINGS", "FLORA_CACHE", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/h")
    assert settings_path() == Path("/h/.config/flora-studio/settings.json")
    assert cache_folder() == Path("/h/.cache/flora-studio")
    monkeypatch.setenv("XDG_CONFIG_HOME", "/c")
    monkeypatch.setenv("XDG_CACHE_HOME", "/k")
    assert settings_path() == Path("/c/flora-studio/settings.json")
    assert cache_folder() == Path("/k/flora-studio")


def test_every_command_has_an_id_of_its_own_and_a_menu() -> None:
    assert len({command.id for command in COMMANDS}) == len(COMMANDS)
    assert all(command.menu in MENUS for command in COMMANDS)


def test_no_two_commands_share_a_shortcut() -> None:
    keys = [key for command in COMMANDS for key in command.shortcuts]
    assert len(keys) == len(set(keys))


def test_commands_are_enabled_by_what_they_need() -> None:
    def enabled(state: State) -> set[str]:
        return {command.id for command in COMMANDS if command.enabled(state)}

    nothing = enabled(State())
    assert {"file.open", "file.prepare", "actions.model", "help.palette"} <= nothing
    assert enabled(State(recording=True)) - nothing >= {"playback.toggle", "actions.copy", "view.fit"}
    assert enabled(State(project=True)) - nothing == {
        *("file.export", "library.classes", "library.splits", "library.statistics"),
        *("actions.save_taught", "actions.batch", "actions.review"),
    }
    moves = State(project=True, editable=True, selected=True, undo="a", redo="b", undoable=True)
    edits = {f"library.{name}" for name in ("undo", "redo", "set_class", "clear_class", "remove")}
    assert enabled(moves) - enabled(State(project=True)) == edits | {"actions.learn"}
    assert not edits & enabled(replace(moves, editable=False, undoable=False))
    on_segment = {f"timeline.{name}" for name in ("split", "merge", "delete", "relabel", "start_here", "end_here")}
    assert on_segment <= enabled(State(segments=True, chosen=True)) and not on_segment & enabled(State(segments=True))
    assert not on_segment & enabled(State(chosen=True)), "what a model found is not edited"
    assert not edits & enabled(replace(moves, selected=False, undo=None, redo=None))


def test_keys_and_speeds_are_spelt_from_their_tables() -> None:
    assert key_text("library.undo") == "Ctrl+Z" and key_text("file.prepare") == ""
    assert with_key("playback.loop") == "Loop (L)" and with_key("file.prepare") == title_of("file.prepare")
    hints = {command.id: command.hint for command in COMMANDS}
    assert f"{SPEEDS[-1]:g}×" in hints["playback.faster"] and f"{SPEEDS[0]:g}×" in hints["playback.slower"]


@pytest.mark.parametrize("path", sorted((ROOT / "app").rglob("*.py")), ids=lambda path: path.name)
def test_no_other_file_of_the_window_spells_keys_out(path: Path) -> None:
    keys = [key for command in COMMANDS for key in command.shortcuts if "+" in key[:-1] or key in ("Del", "F11")]
    text = path.read_text(encoding="utf-8")
    if path.name != "commands.py":
        assert not [key for key in keys if re.search(rf"(?<!\w){re.escape(key)}(?!\w)", text)]


def test_the_page_of_the_window_names_keys_that_exist() -> None:
    keys = {key for command in COMMANDS for key in command.shortcuts}
    named = re.findall(r"`((?:Ctrl\+|Shift\+)[^`]+|F\d+|Del|[A-Z])`", (ROOT / "docs" / "window.md").read_text("utf-8"))
    assert len(named) > 5 and set(named) <= keys


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


def test_dialogs_and_the_readme_name_the_formats_of_the_readers() -> None:
    for reader in READERS:
        assert all(f"*{suffix}" in file_filter().split(";;")[0] for suffix in reader.suffixes)
        assert reader.title in file_filter() and reader.short in format_names()
    assert format_names() in " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
