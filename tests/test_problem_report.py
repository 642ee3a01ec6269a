"""`flora report` packs what it names, only after a yes, and writes the home folder as "~"."""

from __future__ import annotations

import builtins
import zipfile
from pathlib import Path

import pytest

from flora_engine.cli import main
from flora_engine.resources import log_path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("FLORA_CACHE", str(tmp_path / "cache"))
    log_path().parent.mkdir(parents=True)
    log_path().write_text(f"ERROR new: {tmp_path}/secret\n", encoding="utf-8")
    log_path().with_name("window.log.1").write_text("ERROR old\n", encoding="utf-8")
    return tmp_path


def test_a_yes_writes_it_and_anything_else_does_not(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = home / "report.zip"
    monkeypatch.setattr(builtins, "input", lambda _: "")
    assert main(["report", str(file)]) == 1 and not file.exists()
    monkeypatch.setattr(builtins, "input", lambda _: "y")
    assert main(["report", str(file)]) == 0
    with zipfile.ZipFile(file) as archive:
        text = {name: archive.read(name).decode() for name in archive.namelist()}
    assert set(text) == {"doctor.txt", "packages.txt", "window.log"}
    assert text["window.log"] == "ERROR old\nERROR new: ~/secret\n"
    assert "Python" in text["doctor.txt"] and "numpy " in text["packages.txt"]
    assert not [name for name, part in text.items() if str(home) in part]
    assert main(["report", str(file), "--yes"]) == 1  # it never replaces a file
