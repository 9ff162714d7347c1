"""How the code is shaped: what the linter cannot count."""

import ast
import re
from pathlib import Path

import pytest

from tests.architecture.source import (
    PACKAGE,
    ROOT,
    TESTS,
    functions,
    modules,
    pyproject,
    shown,
    tree,
)
from videoannotator import __version__

LONGEST_MODULE_LINES = 400
LONGEST_TEST_MODULE_LINES = 600
LONGEST_FUNCTION_LINES = 60
NINETIETH_PERCENTILE_LINES = 40


def lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function from `def` to its last one."""
    return (node.end_lineno or node.lineno) - node.lineno + 1


@pytest.mark.parametrize(
    ("folder", "longest"),
    [(PACKAGE, LONGEST_MODULE_LINES), (TESTS, LONGEST_TEST_MODULE_LINES)],
    ids=["services", "tests"],
)
def test_no_module_is_too_long_to_read(folder: Path, longest: int) -> None:
    sizes = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in modules(folder)}

    too_long = {shown(path): size for path, size in sizes.items() if size > longest}

    assert too_long == {}


def test_no_function_is_too_long_to_read() -> None:
    too_long = [
        f"{shown(path, function)} {function.name}: {lines(function)}"
        for path in modules()
        for function in functions(path)
        if lines(function) > LONGEST_FUNCTION_LINES
    ]

    assert too_long == []


def test_functions_are_short_on_the_whole() -> None:
    sizes = sorted(lines(function) for path in modules() for function in functions(path))

    assert sizes[len(sizes) * 9 // 10] < NINETIETH_PERCENTILE_LINES


def test_every_package_says_what_may_live_in_it() -> None:
    silent = [
        shown(path) for path in PACKAGE.rglob("__init__.py") if not ast.get_docstring(tree(path))
    ]

    assert silent == []


def test_only_the_settings_read_the_environment() -> None:
    readers = [
        shown(path)
        for path in modules()
        if PACKAGE / "settings" not in path.parents
        and re.search(r"\bos\.(environ|getenv)|from os import.*environ", path.read_text("utf-8"))
    ]

    assert readers == []


def test_no_error_is_caught_blindly() -> None:
    blind = [
        shown(path, node)
        for path in modules()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in ("Exception", "BaseException"))
    ]

    assert blind == []


def test_nothing_in_the_product_knows_its_tests() -> None:
    mentions = [
        shown(path)
        for path in modules()
        if re.search(r"\btests[/.]|\bpytest\b|import tests", path.read_text("utf-8"))
    ]

    assert mentions == []


def test_compiler_and_runtime_of_the_contracts_are_one_version() -> None:
    build = pyproject()["build-system"]["requires"]
    development = pyproject()["dependency-groups"]["dev"]
    (pin,) = [one for one in build if one.startswith("grpcio-tools==")]
    lock = (ROOT / "uv.lock").read_text(encoding="utf-8")

    locked = re.search(r'^name = "grpcio"\nversion = "(.+)"', lock, re.MULTILINE)

    assert locked
    assert pin == f"grpcio-tools=={locked[1]}"
    assert pin in development


def test_citation_and_changelog_speak_of_this_version() -> None:
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

    assert f"\nversion: {__version__}\n" in citation
    assert f"\n## [{__version__}]" in changelog
