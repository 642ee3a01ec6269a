"""The examples of the tutorial and of the pages by task: commands are run, other commands at least parse."""

from __future__ import annotations

import argparse
import importlib
import re
import shlex
from pathlib import Path

import pytest

from flora_engine.cli import COMMANDS, main

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGES = [DOCS / "tutorial.md", *sorted((DOCS / "howto").glob("*.md"))]
_BLOCK = re.compile(r"^( *)```(\w*)(?: title=(\S+))?\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path) -> list[tuple[str, str, str]]:
    """(language, title, text without the indentation of a list) of every block of code."""
    found = _BLOCK.findall(page.read_text("utf-8"))
    return [(language, title, re.sub(f"^{indent}", "", text, flags=re.M)) for indent, language, title, text in found]


def commands(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("flora ")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_commands_of_a_page_work_one_after_the_other(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for language, title, text in blocks(page):
        if title:
            Path(title).write_text(text, encoding="utf-8")
        if language == "sh":
            assert commands(text) == text.splitlines(), "only commands of flora, one per line"
            for line in commands(text):
                status = main(shlex.split(line)[1:])
                assert status == 0, f"{line}\n{capsys.readouterr()}"
        elif not title:
            for line in commands(text):
                parsed(shlex.split(line)[1:])


def parsed(words: list[str]) -> argparse.Namespace:
    """The arguments of a command that takes too long here, or needs files of others. SystemExit if they are wrong."""
    name, *rest = words
    parser = argparse.ArgumentParser(prog=f"flora {name}")
    importlib.import_module(f"flora_engine.commands.{COMMANDS[name][0]}").add_arguments(parser)
    return parser.parse_args(rest)


def test_every_configuration_that_a_page_names_is_there() -> None:
    named = {name for page in PAGES for name in re.findall(r"\bconfigs/[\w/]+(?:\.yaml)?", page.read_text("utf-8"))}
    assert named and all((DOCS.parent / name).exists() for name in named)


def test_at_least_one_command_of_each_page_by_task_is_run() -> None:
    ran = {page.stem for page in PAGES if any(language == "sh" for language, _, _ in blocks(page))}
    assert ran == {page.stem for page in PAGES}
