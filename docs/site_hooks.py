"""What the pages of the site take from the program: help of commands, keys of configurations, files outside docs."""

from __future__ import annotations

import argparse
import importlib
import os.path
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

from flora_engine.cli import COMMANDS
from flora_engine.config.kinds import DescriptorsConfig, EncoderConfig, FloraConfig, PipelineConfig

ROOT = Path(__file__).resolve().parent.parent
# Pages whose text lies elsewhere in the repository.
PAGES = {
    "model-card.md": "resources/models/builtin/MODEL_CARD.md",
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
}
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)#:]+)(#[^)]*)?\)")


def commands() -> str:
    """One section per command, as argparse prints it at a width of its own."""
    parts = []
    for name, (module, line) in COMMANDS.items():
        parser = argparse.ArgumentParser(
            prog=f"flora {name}", description=line, formatter_class=lambda prog: argparse.HelpFormatter(prog, width=100)
        )
        importlib.import_module(f"flora_engine.commands.{module}").add_arguments(parser)
        parts.append(f"## {name}\n\n```text\n{parser.format_help()}```\n")
    return "\n".join(parts)


def _type_of(key: dict[str, Any]) -> str:
    if "$ref" in key:
        name = key["$ref"].rsplit("/", 1)[1]
        return f"[{name}](#{name.lower()})"
    if "enum" in key:
        return ", ".join(f"`{value}`" for value in key["enum"])
    if "anyOf" in key:
        return " or ".join(dict.fromkeys(_type_of(one) for one in key["anyOf"]))
    if key.get("type") == "array":
        return f"list of {_type_of(key.get('items', {})) or 'values'}"
    return str(key.get("const") or key.get("type", ""))


def _limits(key: dict[str, Any]) -> str:
    words = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    return " ".join(f"{sign} {key[name]}" for name, sign in words.items() if name in key)


def _section(name: str, schema: dict[str, Any]) -> str:
    lines = [f"## {name}", "", schema.get("description", ""), ""]
    lines += ["| key | type | limits | default | meaning |", "|---|---|---|---|---|"]
    for key, value in schema.get("properties", {}).items():
        default = f"`{value['default']}`" if "default" in value else "required"
        default = "see its section" if isinstance(value.get("default"), dict) else default
        meaning = value.get("description", "")
        lines.append(f"| `{key}` | {_type_of(value)} | {_limits(value)} | {default} | {meaning} |")
    return "\n".join(lines) + "\n"


def configuration() -> str:
    """One section per kind of configuration and per section that they share, from the models that check them."""
    sections: dict[str, dict[str, Any]] = {}
    for model in (DescriptorsConfig, EncoderConfig, FloraConfig, PipelineConfig):
        schema = model.model_json_schema()
        sections |= {model.__name__: schema, **{n: d for n, d in schema.get("$defs", {}).items() if "properties" in d}}
    return "\n".join(_section(name, schema) for name, schema in sections.items())


def on_files(files: Any, config: Any) -> Any:
    """Called by mkdocs once: adds the pages of `PAGES`."""
    for name, source in PAGES.items():
        files.append(File.generated(config, name, content=(ROOT / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, files: Any, **_: Any) -> str:
    """Called by mkdocs for every page. Links lead to pages; a file that is not a page is named instead."""
    here = page.file.src_uri
    folder = posixpath.dirname(PAGES.get(here, f"docs/{here}"))
    pages = {source: name for name, source in PAGES.items()}

    def linked(match: re.Match[str]) -> str:
        text, target, place = match[1], posixpath.normpath(posixpath.join(folder, match[2])), match[3] or ""
        name = pages.get(target, target.removeprefix("docs/"))
        if files.get_file_from_path(name):
            return f"[{text}]({os.path.relpath(name, posixpath.dirname(here) or '.').replace(os.sep, '/')}{place})"
        if (ROOT / target).exists():
            return f"{text} (`{target}`)"
        return match[0]  # mkdocs then says that the link is broken

    for mark, made in (("<!-- commands -->", commands), ("<!-- configuration -->", configuration)):
        if mark in markdown:
            markdown = markdown.replace(mark, made())
    return LINK.sub(linked, markdown)
