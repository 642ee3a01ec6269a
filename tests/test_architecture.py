"""Imports point one way, the engine needs no Qt, the window and labelling need no torch."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# Packages and modules of the engine from the ground up. Each imports only from those before it, and from itself.
ORDER = (
    *("choices", "errors", "files", "jobs", "resources", "array_cache", "locking", "processes", "inference"),
    *("skeleton", "descriptors", "preprocessing", "readers", "demo", "project", "datasets"),
    *("models", "semantics", "config", "runs", "training", "heads", "labelling", "evaluation"),
    *("recipes", "commands", "worker", "cli"),
)

# The same for the window. Its table of commands names parts of the window in types only.
WINDOW = (
    *("settings", "theme", "icons", "formats", "tables", "demo", "viewer.playback", "commands"),
    *("workers", "widgets", "notice", "session", "viewer", "dialogs", "library", "labelling", "timeline", "training"),
    *("welcome", "docks", "controllers", "menus", "main_window", "application", "__main__"),
)


def _modules(package: str) -> dict[str, Path]:
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in (ROOT / package).rglob("*.py")
    }


def _imports(path: Path, module_level: bool, typing: bool = True) -> Iterator[str]:
    """Absolute names of what a file imports; module_level leaves out imports inside functions and TYPE_CHECKING.

    typing: whether those of TYPE_CHECKING count, if module_level does not leave them out anyway.
    """
    nodes: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        inner = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        typing_only = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        if not (module_level and (inner or typing_only)) and (typing or not typing_only):
            nodes.extend(ast.iter_child_nodes(node))


def _edges(module_level: bool, typing: bool = True) -> dict[str, set[str]]:
    modules = {**_modules("flora_engine"), **_modules("app")}
    return {
        name: {target for target in _imports(path, module_level, typing) if target in modules and target != name}
        for name, path in modules.items()
    }


def test_no_module_imports_itself_through_others() -> None:
    """Imports inside functions count; those for type checkers alone are never carried out."""
    edges, state = _edges(module_level=False, typing=False), dict[str, int]()

    def visit(name: str, trail: list[str]) -> None:
        assert state.get(name) != 1, f"import cycle: {' → '.join([*trail[trail.index(name) :], name])}"
        if state.get(name) == 2:
            return
        state[name] = 1
        for target in edges[name]:
            # A package's __init__ naming its own modules is no cycle.
            if not target.startswith(f"{name}.") and not name.startswith(f"{target}."):
                visit(target, [*trail, name])
        state[name] = 2

    for name in edges:
        visit(name, [])


def test_every_part_of_the_engine_has_its_place() -> None:
    folder = ROOT / "flora_engine"
    parts = {path.stem for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert parts - {"__init__"} == set(ORDER)


def test_the_map_of_the_house_names_every_part_in_order() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    table = page.split("### `flora_engine`")[1].split("###")[0]
    assert tuple(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == ORDER, "CONTRIBUTING.md, The map of the house"
    window = page.split("### `app`")[1].split("\n## ")[0]
    cells = re.findall(r"^\| (`.*?`) \|", window, re.MULTILINE)
    parts = {path.stem for path in (ROOT / "app").iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert set(re.findall(r"`(\w+)`", " ".join(cells))) == {p for p in parts if not p.startswith("__")}


def test_engine_packages_import_only_downward() -> None:
    """Imports inside functions count too."""
    wrong = []
    for name, targets in _edges(module_level=False).items():
        if not name.startswith("flora_engine."):
            continue
        own = name.split(".")[1]
        for target in targets:
            parts = target.split(".")
            if parts[0] != "flora_engine" or len(parts) < 2 or parts[1] == own:
                continue
            if ORDER.index(parts[1]) > ORDER.index(own):
                wrong.append(f"{name} → {target}")
    assert not wrong, "\n".join(wrong)


def _rank(name: str) -> int:
    """The place of a module of the window in WINDOW, by the longest name there that it begins with."""
    parts = name.split(".")[1:]
    names = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next(WINDOW.index(name) for name in names if name in WINDOW)


def test_parts_of_the_window_import_only_downward() -> None:
    modules = _modules("app")
    wrong = [
        f"{name} → {target}"
        for name, path in modules.items()
        for target in _imports(path, module_level=False, typing=False)
        if name != "app" and target in modules and target != "app" and _rank(target) > _rank(name)
    ]
    assert not wrong, "\n".join(wrong)
    assert {_rank(name) for name in modules if name != "app"} == set(range(len(WINDOW))), "a name that nothing has"


def test_the_check_of_directions_can_fail(tmp_path: Path) -> None:
    source = tmp_path / "low.py"
    source.write_text("def f():\n    from flora_engine.commands import label\n")
    assert "flora_engine.commands.label" in set(_imports(source, module_level=False))
    assert not set(_imports(source, module_level=True))
    source.write_text("if TYPE_CHECKING:\n    import app.main_window\ndef f():\n    import app.menus\n")
    assert set(_imports(source, module_level=False, typing=False)) == {"app.menus"}
    assert _rank("app.main_window") > _rank("app.viewer.player") > _rank("app.viewer.playback")


def test_no_qt_in_the_engine_and_no_torch_in_the_window() -> None:
    for path in _modules("flora_engine").values():
        assert not [n for n in _imports(path, False) if n.split(".")[0] in ("PySide6", "pyqtgraph", "app")], path
    for path in _modules("app").values():
        assert not [n for n in _imports(path, False) if n.split(".")[0] == "torch"], path


def test_the_window_and_the_worker_use_recipes_not_commands() -> None:
    users = [*_modules("app").values(), ROOT / "flora_engine" / "worker.py"]
    commands = {path: [n for n in _imports(path, False) if n.startswith("flora_engine.commands")] for path in users}
    assert not {path: names for path, names in commands.items() if names}


def test_gui_command_is_the_only_bridge_to_the_window() -> None:
    """It names the window in a text, because an import would tie the engine to Qt."""
    bridges = [name for name, path in _modules("flora_engine").items() if '"app.' in path.read_text("utf-8")]
    assert bridges == ["flora_engine.commands.gui"]


@pytest.mark.parametrize("blocked", ["PySide6", "torch"])
def test_light_packages_import_with_the_heavy_ones_blocked(blocked: str) -> None:
    light = [
        "skeleton",
        "descriptors",
        "readers",
        "preprocessing",
        "datasets",
        "semantics",
        "labelling.labeller",
        "config",
        "cli",
        "demo",
    ]
    names = _modules("flora_engine") if blocked == "PySide6" else [f"flora_engine.{part}" for part in light]
    wanted = [name for name in names if name != "flora_engine.commands.gui" and "triton" not in name]
    code = f"import sys, importlib\nsys.modules[{blocked!r}] = None\nfor n in {wanted!r}: importlib.import_module(n)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_window_starts_with_torch_blocked() -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import app.application, app.main_window\n"
        "assert 'torch' not in [name for name, module in sys.modules.items() if module is not None]"
    )
    env = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT, env=env)
    assert done.returncode == 0, done.stderr


def test_the_program_folder_leaves_out_no_module_of_qt_that_the_window_imports() -> None:
    spec = (ROOT / "bundling" / "flora-studio.spec").read_text("utf-8")
    left_out = set(re.findall(r'"(PySide6\.Qt\w+)"', spec.split("UNUSED = [")[1].split("]\n")[0]))
    imported = {name for path in _modules("app").values() for name in _imports(path, module_level=False)}
    assert left_out and not left_out & imported
