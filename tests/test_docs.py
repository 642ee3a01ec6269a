"""References from the code to documents lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CODE = [
    path
    for folder in ("flora_engine", "app", "tests", "experiments", "benchmarks")
    for path in (ROOT / folder).rglob("*.py")
]
METHOD = re.compile(r"docs/method\.md,\s+(?:#\s+)?sections?\s+(\d(?:(?:,| to| and)\s+\d)*)")


def test_every_section_of_the_method_that_the_code_names_exists() -> None:
    headings = {
        int(number) for number in re.findall(r"^## (\d)\. ", (ROOT / "docs/method.md").read_text("utf-8"), re.MULTILINE)
    }
    found = [
        (path, int(number))
        for path in CODE
        for sections in METHOD.findall(path.read_text("utf-8"))
        for number in re.findall(r"\d", sections)
    ]
    assert len(found) > 30
    assert not [(path, number) for path, number in found if number not in headings]


@pytest.mark.parametrize(
    "page", sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]), ids=lambda path: path.name
)
def test_every_relative_link_leads_to_a_file(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target
