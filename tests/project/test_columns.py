"""A new number about recordings is one row of columns.NUMBERS: everything else takes its name from there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from project_samples import filled_project, recording

from flora_engine.errors import FloraError
from flora_engine.project import Incoming
from flora_engine.project.columns import whole_number

# Run in a process of its own: the table of numbers gets another row before anything else is imported.
SCRIPT = """
import importlib.util, sqlite3, sys
from pathlib import Path

spec = importlib.util.find_spec("flora_engine")
path = Path(spec.origin).parent / "project" / "columns.py"
text = path.read_text(encoding="utf-8").replace("NUMBERS = (", 'NUMBERS = (Number("weather", "Weather"),', 1)
columns = type(sys)("flora_engine.project.columns")
sys.modules[columns.__name__] = columns
exec(compile(text, str(path), "exec"), columns.__dict__)
assert columns.NAMES[0] == "weather"

from project_samples import recording
from app.library.query import common_values
from app.library.table_model import COLUMNS
from flora_engine.datasets.importing import read_labels
from flora_engine.datasets.labelled import NUMBERS
from flora_engine.project import DATABASE, Incoming, Project, schema
from flora_engine.project.filters import select, sort_rows
from flora_engine.project.statistics import statistics

schema.VERSION += 1
schema.MIGRATIONS[schema.VERSION - 1] = lambda connection: schema.add_number(connection, "weather")
schema.OLDEST_READABLE = schema.VERSION
folder = Path(sys.argv[1])
with Project.open(folder, "write") as project:  # made by the program without the number
    assert project.table.numbers["weather"].tolist() == [0, 0, 0]
    sequence = recording(50)
    sequence.metadata["weather"] = 7
    (id,) = project.recordings.add([Incoming(sequence)])
    assert project.recordings.read(id).metadata == sequence.metadata
    table = project.table
assert table.numbers["weather"].tolist() == [0, 0, 0, 7]
assert select(table, "weather:7").tolist() == [3]
assert sort_rows(table, select(table, ""), "weather", descending=True)[0] == 3
assert statistics(table).numbers["weather"] == {0: 3, 7: 1}
assert [column.text(table, 3) for column in COLUMNS if column.title == "Weather"] == ["7"]
assert common_values(table, "weather") == [("0", 3), ("7", 1)]
assert "weather" in NUMBERS
(folder / "classes.csv").write_text("file,class,weather\\na.npz,walk,5\\n", encoding="utf-8")
assert read_labels(folder / "classes.csv")["a.npz"].numbers == {"weather": 5}
with Project.create(folder / "new") as project:
    project.recordings.add([Incoming(sequence)])
    assert project.table.numbers["weather"].tolist() == [7]
"""


def test_a_new_number_is_one_row(tmp_path: Path) -> None:
    filled_project(tmp_path / "p", 3).close()
    tests = Path(__file__).resolve().parent.parent
    path = os.pathsep.join([str(tests.parent), str(tests)])
    env = {**os.environ, "PYTHONPATH": path, "QT_QPA_PLATFORM": "offscreen"}
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "p")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("value", ["anna", "1.5", 2**31, -(2**40), 10**30, 1.5, None, "", "9" * 5000])
def test_what_is_not_a_whole_number_is_refused(tmp_path: Path, value: object) -> None:
    with pytest.raises(FloraError, match=r"subject should be a whole number"):
        whole_number({"subject": value}, "subject")
    with filled_project(tmp_path / "p", 3) as project:
        bad = recording(60)
        bad.metadata["subject"] = value  # type: ignore[assignment]
        with pytest.raises(FloraError, match=r"S060\.npz: subject should be a whole number"):
            project.recordings.add([Incoming(recording(61)), Incoming(bad)])
        assert len(project.table) == 3
        assert project.recordings.verify() == []


def test_numbers_at_the_edge_come_back(tmp_path: Path) -> None:
    with filled_project(tmp_path / "p", 3) as project:
        sequence = recording(60)
        sequence.metadata["subject"] = 2**31 - 1
        assert project.recordings.add([Incoming(sequence)]) == [4]
        assert project.table.numbers["subject"][3] == np.int32(2**31 - 1)
        assert project.recordings.read(4).metadata["subject"] == 2**31 - 1
