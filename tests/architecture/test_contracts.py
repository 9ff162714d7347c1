"""The import contracts of pyproject.toml: kept by the tree, and broken by what must break them."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source import PACKAGE, ROOT, imported, modules, shown

LAYERS = "Each package imports only what is below it"
LIGHT = "No model library is importable from the control plane"


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Checks the contracts on the package in `folder`."""
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    return subprocess.run(
        [
            sys.executable,
            "-c",
            program,
            "--no-logo",
            "--no-cache",
            "--config",
            str(ROOT / "pyproject.toml"),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package, to break."""
    ignored = shutil.ignore_patterns("__pycache__", "static")
    shutil.copytree(PACKAGE, tmp_path / "videoannotator", ignore=ignored)
    return tmp_path


def test_the_tree_keeps_its_contracts(copy: Path) -> None:
    result = lint_imports(copy)

    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("module", "line", "broken"),
    [
        ("store/__init__.py", "import numpy", LIGHT),
        ("cli/__init__.py", "def late():\n    from scenedetect import detect", LIGHT),
        ("api/__init__.py", "def late():\n    import videoannotator.media.frames", LIGHT),
        (
            "pipelines/catalogue.py",
            "import videoannotator.pipelines.scene_detection.pipeline",
            LIGHT,
        ),
        ("blobs/__init__.py", "import videoannotator.store", LAYERS),
        ("domain/__init__.py", "import videoannotator.settings", LAYERS),
        ("scheduler/__init__.py", "import videoannotator.api", LAYERS),
        ("helpers/__init__.py", "", LAYERS),
        (
            "pipelines/voice_activity/spec.py",
            "import videoannotator.pipelines.scene_detection.spec",
            "Pipelines know nothing of each other",
        ),
        ("pipelines/another/__init__.py", "", "Pipelines know nothing of each other"),
        (
            "inference/__init__.py",
            "import videoannotator.store",
            "What does the annotating never sees the database",
        ),
        (
            "scheduler/launchers/process.py",
            "import kubernetes",
            "Only scheduler.launchers.kubernetes imports a Kubernetes client",
        ),
    ],
)
def test_a_forbidden_import_breaks_its_contract(
    copy: Path, module: str, line: str, broken: str
) -> None:
    path = copy / "videoannotator" / module
    path.parent.mkdir(exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")

    result = lint_imports(copy)

    assert result.returncode == 1, result.stdout + result.stderr
    assert any(
        broken in shown_line and "BROKEN" in shown_line for shown_line in result.stdout.splitlines()
    ), result.stdout


def test_the_domain_imports_the_standard_library_only() -> None:
    foreign = [
        f"{shown(path, node)} {name}"
        for path in modules(PACKAGE / "domain")
        for node, name in imported(path)
        if name.split(".")[0] not in sys.stdlib_module_names
        and not name.startswith("videoannotator.domain")
    ]

    assert foreign == []
