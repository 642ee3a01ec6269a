"""`flora COMMAND …`: everything the window does, without a window.

Each command is a module of `flora_engine.commands` with `add_arguments(parser)` and `run(arguments) -> int`;
it is imported only when it is asked for, so that `flora label` does not pay for what training needs.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from types import ModuleType

from flora_engine import __version__
from flora_engine.errors import Cancelled, FloraError, explained

# command -> (module, one line of help; kept here so that `flora --help` imports nothing)
COMMANDS: dict[str, tuple[str, str]] = {
    "gui": ("gui", "open the window"),
    "info": ("info", "say what a recording holds"),
    "convert": ("convert", "write a recording in another format"),
    "recipe": ("recipe", "list, show, test and make recipes that say how files are to be read"),
    "label": ("label", "rank your own actions for recordings"),
    "import": ("import_", "bring recordings into a project"),
    "prepare": ("prepare", "prepare NTU RGB+D or PKU-MMD as published"),
    "verify": ("verify", "check that a project holds what was imported"),
    "export": ("export", "write a project's published npz layouts, labels or splits"),
    "train-encoder": ("train_encoder", "train Shift-GCN on the seen classes"),
    "extract": ("extract", "write encoder features of a split"),
    "train": ("train", "train Flora, from raw files or from features"),
    "bundle": ("bundle", "give a trained run the encoder with which it labels"),
    "evaluate": ("evaluate", "evaluate a run again"),
    "compare": ("compare", "train all heads on the same features and print one table"),
    "texts": ("texts", "encode class texts once, for the trainings that follow"),
    "lexicon": ("lexicon", "check lexicon files, and show what is expected of an action"),
    "config": ("config", "check configuration files"),
    "runs": ("runs", "list, show, compare and prune runs"),
    "demo": ("demo", "write plainly synthetic recordings to try the program with"),
    "desktop": ("desktop", "put the window into the desktop's menu, or remove it"),
    "doctor": ("doctor", "say what this machine can do and what to fix"),
    "report": ("report", "pack what helps to find a fault into one file, after asking"),
}


def _module(command: str) -> ModuleType:
    return importlib.import_module(f"flora_engine.commands.{COMMANDS[command][0]}")


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit status: 0 done, 1 the user can fix it, 2 wrong usage, 130 cancelled."""
    argv = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(
        prog="flora", description="Skeleton action analysis with actions in your own words."
    )
    parser.add_argument("--version", action="version", version=f"Flora Studio {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    chosen = next((word for word in argv if word in COMMANDS), None)
    for name, (_, help_line) in COMMANDS.items():
        sub = commands.add_parser(name, help=help_line, description=help_line)
        if name == chosen:
            _module(name).add_arguments(sub)
    arguments = parser.parse_args(argv)
    try:
        return int(_module(arguments.command).run(arguments))
    except FloraError as error:
        print(f"flora: {error}", file=sys.stderr)
        return 1
    except (ModuleNotFoundError, MemoryError, RuntimeError, OSError) as error:
        if isinstance(error, BrokenPipeError):  # whoever reads the output has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        if (known := explained(error)) is None:
            raise
        print(f"flora: {known}", file=sys.stderr)
        return 1
    except (Cancelled, KeyboardInterrupt):
        print("flora: stopped", file=sys.stderr)
        return 130


if __name__ == "__main__":
    raise SystemExit(main())
