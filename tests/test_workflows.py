"""The workflows of .github: what a run would refuse, or would quietly do otherwise than it looks.

A part of what actionlint checks, without its program: keys, contexts, references between jobs, and the matrix.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
_TOP = {"name", "on", "permissions", "concurrency", "jobs", "env", "defaults"}
_JOB = {
    *("name", "runs-on", "needs", "if", "permissions", "strategy", "steps", "timeout-minutes", "env", "outputs"),
    *("continue-on-error", "defaults", "environment"),
}
_STEP = {"name", "id", "if", "uses", "run", "with", "env", "shell", "working-directory", "continue-on-error"}
_EVENTS = {"push", "pull_request", "schedule", "workflow_dispatch"}
_CONTEXTS = {"matrix", "runner", "github", "steps", "needs", "env", "secrets"}
_EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")
_SYSTEMS = {"ubuntu-latest", "windows-latest", "macos-latest"}


class _Loader(yaml.SafeLoader):
    """YAML 1.1 takes the key `on` for a truth value; GitHub does not."""


_Loader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def load(file: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.load(file.read_text("utf-8"), _Loader)
    return loaded


def matrix_rows(job: dict[str, Any]) -> list[dict[str, Any]]:
    """One dict of values per combination, as GitHub makes them."""
    matrix = dict(job.get("strategy", {}).get("matrix", {}))
    include = matrix.pop("include", [])
    rows: list[dict[str, Any]] = [{}]
    for key, values in matrix.items():
        rows = [{**row, key: value} for row in rows for value in values]
    return [*(row for row in rows if row), *include] or [{}]


def texts(node: Any) -> Iterator[str]:
    """Every text of a job."""
    if isinstance(node, dict):
        for value in node.values():
            yield from texts(value)
    elif isinstance(node, list):
        for value in node:
            yield from texts(value)
    elif isinstance(node, str):
        yield node


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_workflow_has_the_form_that_github_takes(file: Path) -> None:
    workflow = load(file)
    assert set(workflow) <= _TOP and {"name", "on", "permissions", "jobs"} <= set(workflow)
    assert set(workflow["on"]) <= _EVENTS
    for name, job in workflow["jobs"].items():
        assert re.fullmatch(r"[a-z_][\w-]*", name) and set(job) <= _JOB, name
        assert int(job["timeout-minutes"]) <= 120, "a job that hangs costs hours"
        needs = job.get("needs", [])
        assert set([needs] if isinstance(needs, str) else needs) <= set(workflow["jobs"]) - {name}
        for step in job["steps"]:
            assert set(step) <= _STEP and ("uses" in step) != ("run" in step), step
            assert "with" not in step or "uses" in step, step
            assert "uses" not in step or re.fullmatch(r"[\w-]+/[\w-]+@v\d+", step["uses"]), step


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_expression_names_something_that_exists(file: Path) -> None:
    for name, job in load(file)["jobs"].items():
        keys = set.intersection(*(set(row) for row in matrix_rows(job)))
        for text in texts({key: value for key, value in job.items() if key != "strategy"}):
            for expression in _EXPRESSION.findall(text):
                context, _, key = expression.partition(".")
                assert context in _CONTEXTS, f"{name}: {expression}"
                assert context != "matrix" or key in keys, f"{name}: {expression}"
        for row in matrix_rows(job):
            system = _EXPRESSION.sub(lambda found, row=row: str(row[found[1].partition(".")[2]]), job["runs-on"])
            assert system in _SYSTEMS
            assert isinstance(row.get("python", ""), str), "3.10 without quotation marks is the number 3.1"


def test_what_is_downloaded_was_uploaded_and_what_runs_is_there() -> None:
    for file in FILES:
        text = file.read_text("utf-8")
        for script in re.findall(r"python (\S+\.py)", text):
            assert (ROOT / script).is_file(), script
        for constraints in re.findall(r"--constraints (\S+)", text):
            assert (ROOT / constraints).is_file()
        assert ("download-artifact" in text) <= ("upload-artifact" in text)


def test_the_versions_of_python_reach_from_the_lowest_to_the_newest() -> None:
    rows = [row for file in FILES for job in load(file)["jobs"].values() for row in matrix_rows(job)]
    assert {row["python"] for row in rows if "python" in row} >= {"3.11", "3.12", "3.13", "3.14"}
    weekly = [row["versions"] for row in matrix_rows(load(FILES[-1])["jobs"]["versions"])]
    assert FILES[-1].stem == "weekly"
    assert any("--newest" in row for row in weekly) and any("lowest.txt" in row for row in weekly)


def test_pre_commit_runs_the_checks_that_take_seconds() -> None:
    hooks = [hook for repo in load(ROOT / ".pre-commit-config.yaml")["repos"] for hook in repo["hooks"]]
    assert {hook["id"] for hook in hooks} == {"ruff-format", "ruff-check", "mypy"}
    assert all(hook["entry"].startswith("python -m ") for hook in hooks)
