"""`flora gui [FILE|FOLDER|PROJECT…]`: open the window."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="*", type=Path, metavar="FILE|FOLDER|PROJECT", help="what to open at once")
    parser.add_argument("--demo", action="store_true", help="open the demo recordings, written at the first time")


def run(arguments: argparse.Namespace) -> int:
    # By name, for the engine itself knows no Qt.
    application = importlib.import_module("app.application")
    return int(application.main([path.absolute() for path in arguments.paths], demo=arguments.demo))
