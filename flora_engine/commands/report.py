"""`flora report`: what somebody who looks for a fault needs, in one file, after asking."""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import io
import zipfile
from pathlib import Path

from flora_engine.commands import doctor
from flora_engine.errors import FloraError
from flora_engine.files import replacing
from flora_engine.resources import log_path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", nargs="?", type=Path, default=Path("flora-report.zip"), help="the archive to write")
    parser.add_argument("--yes", action="store_true", help="write it without asking")


def _doctor() -> str:
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        doctor.run(argparse.Namespace(prepare=False))
    return text.getvalue()


def _packages() -> str:
    found = {f"{one.metadata['Name']} {one.version}" for one in importlib.metadata.distributions()}
    return "\n".join(sorted(found, key=str.casefold)) + "\n"


def _log() -> str:
    """The window's log and its older parts, newest last; empty if there is none."""
    files = sorted(log_path().parent.glob(f"{log_path().name}*"), reverse=True)
    return "".join(file.read_text(encoding="utf-8", errors="replace") for file in files)


def contents() -> dict[str, str]:
    """The files of a report by name, with the home folder written as "~"."""
    parts = {"doctor.txt": _doctor(), "packages.txt": _packages(), "window.log": _log()}
    return {name: text.replace(str(Path.home()), "~") for name, text in parts.items() if text}


def _agreed(question: str) -> bool:
    try:
        return input(question).strip().lower() == "y"
    except EOFError:  # nobody is there to answer
        return False


def run(arguments: argparse.Namespace) -> int:
    if arguments.file.exists():
        raise FloraError("exists already", path=arguments.file, remedy="Give another file name.")
    parts = contents()
    for name, text in parts.items():
        print(f"{name}: {len(text.splitlines())} lines")
    if "window.log" in parts:
        print(f"The log can hold names of files and folders. Read it before you send it: {log_path()}")
    if not arguments.yes and not _agreed(f"Write {arguments.file}? [y/N] "):
        print("nothing was written")
        return 1
    with replacing(arguments.file) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    print(f"wrote {arguments.file}; nothing was sent anywhere")
    return 0
