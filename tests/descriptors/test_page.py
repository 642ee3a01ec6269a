"""docs/descriptors.md agrees with the catalogue, and values are said in words."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import numpy as np
import pytest
from bodies import person, recording

from flora_engine.descriptors import analyse, catalogue, say
from flora_engine.descriptors.catalogue import STATISTICS

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "descriptors.md").read_text(encoding="utf-8")


def test_the_table_is_that_of_the_catalogue() -> None:
    written = runpy.run_path(str(DOCS / "write_descriptors.py"))["page"](PAGE)
    assert written == PAGE, "run python docs/write_descriptors.py"
    assert all(f"| `{name}` |" in PAGE for name in catalogue())
    assert all(f"`{statistic}`" in PAGE for statistic in STATISTICS)


def test_the_example_prints_what_stands_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    raised = recording(person(right_arm=(175.0, 0.0)))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("flora_engine.readers.read_sequence", lambda _: raised)
    exec(compile(code, "docs/descriptors.md", "exec"), {})
    assert "the right hand is lifted high, above the head (1.1 torsos, " in capsys.readouterr().out


def test_values_in_words() -> None:
    lift = np.interp(np.arange(90) / 30, [0, 1, 1.2, 1.8, 2, 3], [5, 5, 170, 170, 5, 5])
    found = analyse(recording(person(left_arm=(lift, 45.0))))

    def words(name: str, score: float) -> str:
        entry = catalogue()[name]
        return say(entry, float(found.values[list(catalogue()).index(name)]), score, found.moment(entry))

    assert re.fullmatch(
        r"the left hand is lifted high, above the head \(1\.[01] torsos, 1\.\d–1\.\d s\)",
        words("active_hand_height_max", 1),
    )
    assert re.fullmatch(r"the right hand stays low \(-1\.\d torsos, .*\)", words("right_hand_height_max", -1))
    assert re.fullmatch(
        r"the left hand is above the shoulders for much of the time \(\d\d%, .*\)",
        words("active_hand_raised_share", 0.5),
    )
    assert re.fullmatch(r"the trunk stays upright \(0°, .*\)", words("trunk_bend_max", -0.5))
    assert re.fullmatch(
        r"a hand makes one movement or none \(\d\.\d per second, .*\)", words("active_hand_repetition_rate", -0.2)
    )
