"""Imports point one way, the engine needs no Qt, the window and labelling need no torch."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# A package may import at module level only from packages of a lower rank, or from itself; training, evaluation and
# labelling are one layer, in which only cycles are forbidden.
RANK = {
    "errors": 0, "jobs": 0, "files": 0, "resources": 0,
    "skeleton": 1,
    "readers": 2, "preprocessing": 2,
    "demo": 3, "datasets": 3,
    "config": 4, "models": 4, "semantics": 4,
    "evaluation": 5, "labelling": 5, "training": 5,
    "worker": 6, "commands": 6, "cli": 7,
}  # fmt: skip


def _modules(package: str) -> dict[str, Path]:
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in (ROOT / package).rglob("*.py")
    }


def _imports(path: Path, module_level: bool) -> Iterator[str]:
    """Absolute names of what a file imports; module_level leaves out imports inside functions and TYPE_CHECKING."""
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
        if not (module_level and (inner or typing_only)):
            nodes.extend(ast.iter_child_nodes(node))


def _edges() -> dict[str, set[str]]:
    modules = {**_modules("flora_engine"), **_modules("app")}
    return {
        name: {target for target in _imports(path, module_level=True) if target in modules and target != name}
        for name, path in modules.items()
    }


def test_no_module_imports_itself_through_others() -> None:
    edges, state = _edges(), dict[str, int]()

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


def test_engine_packages_import_only_downward() -> None:
    wrong = []
    for name, targets in _edges().items():
        if not name.startswith("flora_engine."):
            continue
        own = name.split(".")[1]
        for target in targets:
            parts = target.split(".")
            if parts[0] != "flora_engine" or len(parts) < 2 or parts[1] == own:
                continue
            if RANK[parts[1]] > RANK[own] or (RANK[parts[1]] == RANK[own] and RANK[own] not in (0, 4, 5)):
                wrong.append(f"{name} → {target}")
    assert not wrong


def test_no_qt_in_the_engine_and_no_torch_in_the_window() -> None:
    for path in _modules("flora_engine").values():
        assert not [n for n in _imports(path, False) if n.split(".")[0] in ("PySide6", "pyqtgraph", "app")], path
    for path in _modules("app").values():
        assert not [n for n in _imports(path, False) if n.split(".")[0] == "torch"], path


def test_gui_command_is_the_only_bridge_to_the_window() -> None:
    bridges = [name for name, path in _modules("flora_engine").items() if "import app" in path.read_text("utf-8")]
    assert bridges in ([], ["flora_engine.commands.gui"])


@pytest.mark.parametrize("blocked", ["PySide6", "torch"])
def test_light_packages_import_with_the_heavy_ones_blocked(blocked: str) -> None:
    light = [
        "skeleton",
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
