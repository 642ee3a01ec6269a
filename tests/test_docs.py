"""References from the code to documents, between documents and from documents to files lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from flora_engine import __version__

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
    "page", sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]), ids=lambda path: path.name
)
def test_every_relative_link_leads_to_a_file(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_every_file_that_the_guide_for_contributors_names_exists() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    tops = "|".join(path.name for path in ROOT.iterdir() if not path.name.startswith(".") or path.name == ".github")
    named = set(re.findall(rf"`((?:{tops})(?:/[\w./-]+)?)`", text))
    assert len(named) > 30
    missing = {name for name in named if "NAME" not in name and not (ROOT / name).exists()}
    assert not missing
    folders = {name.rsplit("/", 1)[0] for name in named if "NAME" in name}
    assert folders and all((ROOT / folder).is_dir() for folder in folders)


def test_the_index_of_decisions_names_each_record_by_its_title() -> None:
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text("utf-8")
    records = sorted(folder.glob("[0-9]*.md"))
    numbers = [path.name[:4] for path in records]
    assert numbers == [f"{number:04}" for number in range(1, len(records) + 1)]
    for path in records:
        title = path.read_text("utf-8").splitlines()[0].removeprefix("# ")
        assert f"| [{path.name[:4]}]({path.name}) | {title} |" in index


def test_citation_names_this_version() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert cited["version"] == __version__ and cited["license"] == "Apache-2.0"
    for reference in cited["references"]:
        assert reference["authors"] and reference["year"] and reference["title"]


@pytest.mark.parametrize("name", ["bug.yml", "idea.yml"])
def test_issue_forms_have_what_forms_need(name: str) -> None:
    form = yaml.safe_load((ROOT / ".github" / "ISSUE_TEMPLATE" / name).read_text("utf-8"))
    assert form["name"] and form["description"]
    for part in form["body"]:
        assert part["type"] in ("markdown", "textarea", "input") and part["attributes"]
        assert part["type"] == "markdown" or part["id"]


def test_the_five_lines_to_label_name_the_action(capsys: pytest.CaptureFixture[str]) -> None:
    page = (ROOT / "docs" / "reference" / "python.md").read_text("utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) == 5
    exec(compile(code, "docs/reference/python.md", "exec"), {})
    assert capsys.readouterr().out.strip() == "wave"
