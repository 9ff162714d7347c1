"""What is shipped: the wheel holds everything that is not a module, and starts from nothing."""

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.architecture.source import PACKAGE, ROOT

UV = Path(sys.prefix) / "bin" / "uv"
# Made by others than git: compiled contracts are looked for by name below.
LEFT_OUT = ("__pycache__", "_pb2")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def uv(*arguments: str | Path, cwd: Path = ROOT) -> None:
    """Runs uv, from its cache where that is enough."""
    command = [str(UV), *map(str, arguments)]
    result = subprocess.run([*command, "--offline"], cwd=cwd, capture_output=True, check=False)
    if result.returncode != 0:
        result = subprocess.run(command, cwd=cwd, capture_output=True, check=False)
    assert result.returncode == 0, result.stderr.decode()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of what git would hand out."""
    folder = tmp_path_factory.mktemp("wheel")
    ignored = shutil.ignore_patterns("__pycache__", "*_pb2*")
    for name in ("services", "protos"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md"):
        shutil.copy(ROOT / name, folder)
    uv("build", "--wheel", "--python", sys.executable, "--out-dir", "dist", cwd=folder)
    (built,) = (folder / "dist").glob("*.whl")
    return built


def test_the_wheel_holds_the_whole_package(wheel: Path) -> None:
    wanted = {
        str(path.relative_to(PACKAGE.parent))
        for path in PACKAGE.rglob("*")
        if path.is_file() and not any(part in str(path) for part in LEFT_OUT)
    }

    shipped = set(zipfile.ZipFile(wheel).namelist())

    assert wanted - shipped == set()


def test_the_wheel_holds_the_compiled_contracts(wheel: Path) -> None:
    contracts = [path.stem for path in (ROOT / "protos/videoannotator/v1").glob("*.proto")]
    endings = ("_pb2.py", "_pb2.pyi", "_pb2_grpc.py")
    wanted = {f"videoannotator/v1/{name}{ending}" for name in contracts for ending in endings}

    shipped = set(zipfile.ZipFile(wheel).namelist())

    assert contracts
    assert wanted - shipped == set()


def test_the_wheel_is_typed_and_holds_nothing_foreign(wheel: Path) -> None:
    shipped = zipfile.ZipFile(wheel).namelist()

    foreign = [
        name for name in shipped if not re.match(r"videoannotator(/|-[\d.]+\.dist-info/)", name)
    ]

    assert "videoannotator/py.typed" in shipped
    assert foreign == []


def test_the_command_works_from_the_wheel_alone(wheel: Path, tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    uv("venv", "--python", sys.executable, venv)
    uv("pip", "install", "--python", venv / "bin" / "python", wheel)

    shown = subprocess.run(
        [str(venv / "bin" / "videoannotator"), "version"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert shown.returncode == 0, shown.stderr
    assert re.search(r"\d+\.\d+\.\d+", shown.stdout)
