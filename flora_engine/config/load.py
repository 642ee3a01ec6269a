"""Configuration files: typed, validated whole before anything starts, all errors at once, unknown keys refused.

Problems come from three places and are reported together: the types of the sections (pydantic), what the keys of one
section require of each other (validators of the section), and what sections require of each other (`checks`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from flora_engine.config.checks import between_sections
from flora_engine.config.class_names import with_class_numbers
from flora_engine.config.kinds import AnyConfig, Config
from flora_engine.config.messages import Fault, Location, dotted, place, plain_words
from flora_engine.errors import FloraError

_ADAPTER: TypeAdapter[AnyConfig] = TypeAdapter(Config)


def parse_config(data: Any, path: Path | None = None) -> AnyConfig:
    """Validate a plain mapping; FloraError lists every problem, one a line, with the path of its key."""
    config, problems = _validate(data)
    if config is None:
        raise _error([f"{dotted(location)}: {text}" for location, text in problems], path)
    return config


def problems_of(data: Any) -> list[Fault]:
    """Everything that is wrong with a plain mapping: the place of each problem, and the problem in words."""
    return _validate(data)[1]


def load_config(path: Path) -> AnyConfig:
    """Read and validate a YAML file; FloraError lists every problem with its line."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except OSError as error:
        raise FloraError(f"cannot read the configuration: {error.strerror}", path=path) from None
    except (UnicodeDecodeError, yaml.YAMLError, ValueError, RecursionError) as error:
        raise FloraError(f"not readable as YAML: {' '.join(str(error).split())}", path=path) from None
    config, problems = _validate(data)
    problems = [*_repeated_keys(tree, ()), *problems]
    if config is None or problems:
        lines = [(_line(tree, location), f"{dotted(location)}: {text}") for location, text in problems]
        raise _error([f"line {line}, {text}" for line, text in sorted(lines)], path)
    return config


def _error(problems: list[str], path: Path | None) -> FloraError:
    return FloraError("\n  ".join(["the configuration is not valid:", *problems]), path=path)


def _validate(data: Any) -> tuple[AnyConfig | None, list[Fault]]:
    """The configuration, or None and all problems."""
    if not isinstance(data, dict):
        return None, [((), "expected keys and values")]
    config = None
    data, unnamed = with_class_numbers(data)
    problems: list[Fault] = []
    try:
        config = _ADAPTER.validate_python(data)
    except ValidationError as error:
        problems = [(place(detail), plain_words(detail)) for detail in error.errors(include_url=False)]
    problems += [*unnamed, *between_sections(data)]
    return (None if problems else config), problems


# Lines of a YAML file


def _line(tree: yaml.Node | None, location: Location) -> int:
    """The line, from 1, of the deepest part of `location` that the file has."""
    node, line = tree, 1
    for part in location:
        if isinstance(node, yaml.MappingNode):
            found = [(key, value) for key, value in node.value if key.value == str(part)]
            if not found:
                break
            line, node = found[-1][0].start_mark.line + 1, found[-1][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line


def _repeated_keys(node: yaml.Node | None, location: Location) -> list[Fault]:
    """YAML keeps the last of two equal keys silently; here that is a problem."""
    problems: list[Fault] = []
    if isinstance(node, yaml.MappingNode):
        keys = [str(key.value) for key, _ in node.value]
        problems += [((*location, key), "is given twice") for key in sorted(set(keys)) if keys.count(key) > 1]
        for key, value in node.value:
            problems += _repeated_keys(value, (*location, str(key.value)))
    elif isinstance(node, yaml.SequenceNode):
        for place, value in enumerate(node.value):
            problems += _repeated_keys(value, (*location, place))
    return problems
