"""Differences of two runs, seed by seed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flora_engine.cli import main
from flora_engine.errors import FloraError
from flora_engine.runs.folder import RunFolder
from flora_engine.runs.report import write_results
from flora_engine.runs.results import read_result
from flora_engine.runs.tables import differences, result_table


def result(seeds: list[int], values: list[float]) -> dict[str, Any]:
    accuracy = {"mean": sum(values) / len(values), "error": None, "values": values}
    outcome = {"zsl": {"accuracy": accuracy}, "seeds": seeds, "chance": 0.2, "seconds": {"all": 1.0}}
    heads = {"flora": {"held-out": outcome}}
    own: dict[str, Any] = {"benchmark": "a/b", "texts": {}, "low_shot": None, "samples": {}, "minutes": 1.0}
    return {"kind": "flora", "heads": heads, **own}


def test_what_both_runs_share_cancels_out() -> None:
    base = read_result(result([0, 1, 2], [0.5, 0.7, 0.3]))
    other = read_result(result([2, 0, 1], [0.32, 0.51, 0.73]))
    found = differences(other, base)["flora, held-out: ZSL"]
    assert found.mean == pytest.approx(0.02) and found.seeds == 3
    assert found.error == pytest.approx(0.01 / 3**0.5), "although the seeds themselves differ by 0.4"
    assert str(found) == "+2.0 ± 0.6 (3 seeds)"
    assert differences(base, base)["flora, held-out: ZSL"].mean == 0


def test_runs_that_share_little() -> None:
    base = read_result(result([0, 1], [0.5, 0.7]))
    one = differences(read_result(result([1, 9], [0.6, 0.9])), base)["flora, held-out: ZSL"]
    assert str(one) == "-10.0 (1 seed)"
    assert differences(read_result(result([7], [0.6])), base) == {} == differences(None, base)


def test_the_command_prints_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, values in (("a", [0.5, 0.7]), ("b", [0.6, 0.8])):
        run = RunFolder.at(tmp_path / name, {"kind": "flora"})
        run.write_result(result([0, 1], values))
    assert main(["runs", "compare", str(tmp_path / "a"), str(tmp_path / "b")]) == 0
    assert "+10.0 ± 0.0 (2 seeds)" in capsys.readouterr().out


def test_results_are_written_as_a_table(tmp_path: Path) -> None:
    run = RunFolder.at(tmp_path / "a", {"kind": "flora"})
    with pytest.raises(FloraError, match="no results yet"):
        write_results(run, tmp_path / "a.csv")
    run.write_result(result([0, 1], [0.5, 0.7]))
    write_results(run, tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text().splitlines()[:2] == ["number,value", '"flora, held-out: ZSL",60.0%']
    with pytest.raises(FloraError, match="cannot be written"):
        write_results(run, tmp_path / "a.csv" / "b.csv")


def test_the_table_compares_each_head_with_flora_and_says_what_it_costs() -> None:
    found = result([0, 1], [0.5, 0.7])
    better = result([0, 1], [0.6, 0.9])["heads"]["flora"]["held-out"]
    cost = {"seconds": {"mean": 1.26, "error": None}, "parameters": {"mean": 123456.0, "error": None}}
    gated = {"gate_harmonic": {"mean": 0.4, "error": None}}
    found["heads"]["devise"] = {"held-out": {**better, "cost": cost, "gzsl": gated}}
    read = read_result(found)
    assert read is not None
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in result_table(read).splitlines() if "|" in line]
    head, _, flora, devise = (dict(zip(rows[0], row, strict=True)) for row in rows)
    assert "beyond flora" in head and flora["beyond flora"] == "–" == flora["seconds"]
    assert devise["beyond flora"] == "+15.0 ± 5.0 (2 seeds)" and devise["gated"] == "40.0%"
    assert devise["seconds"] == "1.3" and devise["parameters"] == "123,456"


def test_columns_that_are_empty_in_every_row_are_left_out() -> None:
    read = read_result(result([0], [0.5]))
    assert read is not None
    head, under, *rows = result_table(read).splitlines()
    columns = [cell.strip() for cell in head.strip("|").split("|")]
    assert columns == ["head", "protocol", "ZSL", "minutes"] and under == "|---|---|---|---|"
    assert rows[0].startswith("| flora | held-out | 50.0% |")
