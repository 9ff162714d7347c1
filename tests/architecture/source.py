"""The source tree as data, for the tests that read it."""

import ast
import gc
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "services" / "videoannotator"
TESTS = ROOT / "tests"


def modules(folder: Path = PACKAGE) -> list[Path]:
    """Every module written by hand below `folder`."""
    return sorted(path for path in folder.rglob("*.py") if "_pb2" not in path.name)


@cache
def tree(path: Path) -> ast.Module:
    """The syntax tree of a module.

    Without garbage collection: a task that is collected meanwhile and logs its error parses too,
    which the parser of Python 3.11 does not survive ("recursion depth mismatch").
    """
    gc.disable()
    try:
        return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    finally:
        gc.enable()


def shown(path: Path, node: ast.AST | None = None) -> str:
    """A place in the tree, as an editor opens it."""
    line = f":{node.lineno}" if isinstance(node, ast.stmt | ast.expr | ast.excepthandler) else ""
    return f"{path.relative_to(ROOT)}{line}"


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method of a module."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def imported(path: Path) -> Iterator[tuple[ast.stmt, str]]:
    """Every import statement of a module with the full name of what it imports."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node, node.module or ""


@cache
def pyproject() -> dict[str, Any]:
    """The project's one configuration file."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def contract(name: str) -> dict[str, Any]:
    """The import contract whose name contains `name`."""
    contracts = pyproject()["tool"]["importlinter"]["contracts"]
    (found,) = [one for one in contracts if name in one["name"]]
    return dict(found)
