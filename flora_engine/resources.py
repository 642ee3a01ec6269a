"""Where the files that ship with the program are."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESOURCES = ROOT / "resources"
CONFIGS = ROOT / "configs"
