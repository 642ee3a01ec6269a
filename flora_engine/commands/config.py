"""`flora config check FILE…`: validate configurations and list all that is wrong at once."""

from __future__ import annotations

import argparse
from pathlib import Path

from flora_engine.config import AnyConfig, DescriptorsConfig, EncoderConfig, FloraConfig, load_config
from flora_engine.datasets.benchmarks import load_benchmark
from flora_engine.errors import FloraError
from flora_engine.semantics.class_texts import load_class_texts
from flora_engine.semantics.text_checks import check_texts


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=["check"])
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a configuration, or a folder of them")


def run(arguments: argparse.Namespace) -> int:
    """0 if every file is valid, else 1; the problems of all files are printed."""
    files = [file for path in arguments.files for file in _configs(path)]
    wrong = 0
    for file in files:
        try:
            config = load_config(file)
            _check_foreign_texts(config, file)
            print(f"{file}: valid, {_summary(config)}")
        except FloraError as error:
            wrong += 1
            print(error)
    if wrong:
        print(f"{wrong} of {len(files)} configurations are not valid")
    return 1 if wrong else 0


def _check_foreign_texts(config: AnyConfig, file: Path) -> None:
    """Class texts of the user's own must be there and differ from each other; ours are tested."""
    if isinstance(config, EncoderConfig | DescriptorsConfig) or config.texts.texts is None:
        return
    datasets = [load_benchmark(config.benchmark).dataset] if isinstance(config, FloraConfig) else []
    datasets += [] if isinstance(config, FloraConfig) else [data.dataset for data in config.data]
    problems = [
        problem for name in datasets for problem in check_texts(load_class_texts(name, config.texts.texts.expanduser()))
    ]
    if problems:
        raise FloraError("\n  ".join(["the class texts are not in order:", *problems]), path=file)


def _configs(path: Path) -> list[Path]:
    """The file itself, or every YAML file below a folder. Raises FloraError if a folder holds none."""
    if not path.is_dir():
        return [path]
    found = sorted([*path.rglob("*.yaml"), *path.rglob("*.yml")])
    if not found:
        raise FloraError("no configuration (*.yaml) in this folder", path=path)
    return found


def _summary(config: AnyConfig) -> str:
    if isinstance(config, FloraConfig):
        origin = "" if config.data is None else f" from {config.data.project or config.data.raw}"
        return f"flora on {config.benchmark}{origin}"
    if isinstance(config, EncoderConfig):
        what = config.benchmark or (config.split.name if config.split else "")
        return f"encoder on {what} ({', '.join(config.encoder.streams)})"
    if isinstance(config, DescriptorsConfig):
        return f"descriptors of {' + '.join(data.dataset for data in config.data)}"
    return f"pipeline on {' + '.join(data.dataset for data in config.data)}, {len(config.splits)} splits"
