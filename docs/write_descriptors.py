"""Write the table of docs/descriptors.md from the catalogue.

    python docs/write_descriptors.py

A test compares the page with the catalogue.
"""

from __future__ import annotations

from pathlib import Path

from flora_engine.descriptors import catalogue
from flora_engine.files import write_text

PAGE = Path(__file__).resolve().parent / "descriptors.md"
BEGIN, END = "<!-- table: python docs/write_descriptors.py -->\n", "<!-- end of table -->\n"


def table() -> str:
    """One row per descriptor, in the catalogue's order."""
    lines = ["| name | unit | a high value | a low value | measured |", "|---|---|---|---|---|"]
    for entry in catalogue().values():
        lines.append(f"| `{entry.name}` | {entry.unit or '–'} | {entry.high} | {entry.low} | {entry.definition} |")
    return "\n".join(lines) + "\n"


def page(text: str) -> str:
    """The page with its table replaced."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}{table()}{END}{after}"


if __name__ == "__main__":
    write_text(PAGE, page(PAGE.read_text(encoding="utf-8")))
