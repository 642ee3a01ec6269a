"""A run as one HTML file."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from flora_engine.cli import main
from flora_engine.errors import FloraError
from flora_engine.jobs import Job
from flora_engine.runs.folder import RunFolder
from flora_engine.runs.listing import Notes, write_notes
from flora_engine.runs.report import report, write_report


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    run = RunFolder.create(tmp_path, "one", {"kind": "encoder", "data": {"dataset": "a <b> & c"}})
    job = Job()
    with run.recording(job):
        for part in ("fold <1>", "fold 2"):
            with job.part(part):
                for step in range(2500):
                    value = float("nan") if step == 6 else 1 / (1 + step)
                    job.emit("metric", name="loss", step=step, value=value)
        job.emit("metric", name="one point", step=3, value=1.0)
        job.emit("metric", name="nothing", step=1, value=float("inf"))
        streams = {"joint": {"epoch": 1, "accuracy": 0.5, "loss": 1.0, "checkpoint": "checkpoints/a"}}
        run.write_result({"kind": "encoder", "streams": streams})
    write_notes(run.path, Notes(title="The <best>", text="keep & show"))
    return run


def test_a_report_is_whole_and_needs_nothing_else(run: RunFolder) -> None:
    text = report(run)
    inside = text.split("<body>")[1].split("</body>")[0].replace("<br>", "")
    body = ElementTree.fromstring(f"<body>{inside}</body>")
    assert "The <best>" in "".join(body.itertext()) and "keep & show" in "".join(body.itertext())
    assert "a <b> & c" in "".join(body.find("pre").itertext())  # type: ignore[union-attr]
    paths = body.findall(".//path")
    assert len(paths) == 3 and all("nan" not in path.get("d", "") for path in paths)
    assert paths[0].get("d", "").count("M") == 2, "a gap where the loss was not a number"
    assert "held-out accuracy 50.0%" in text
    assert "http" not in text and "src=" not in text and len(text) < 200_000


def test_the_command_writes_it(run: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "report.html"
    assert main(["runs", "--runs", str(tmp_path), "report", run.path.name, "-o", str(out)]) == 0
    assert out.read_text().startswith("<!doctype html>") and str(out) in capsys.readouterr().out
    with pytest.raises(FloraError, match="cannot be written"):
        write_report(run, out / "below a file.html")


def test_a_run_without_anything(tmp_path: Path) -> None:
    text = report(RunFolder.create(tmp_path, "new", {}))
    assert "no results yet" in text and "never started" in text and "<svg" not in text
