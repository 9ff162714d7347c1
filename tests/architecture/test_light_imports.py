"""What running processes load, in a fresh interpreter: no linter sees through a library."""

import json
import subprocess
import sys

import pytest

from tests.architecture.source import PACKAGE, contract, modules

# What an extra brings; the command and the SDK work without.
EXTRAS = ("alembic", "fastapi", "grpc", "google.protobuf", "orjson", "prometheus_client", "psutil")
SERVERS = ("sqlalchemy", "uvicorn")
#: Of a library that a service does use, what it has no use for when it starts on SQLite.
UNNEEDED = (
    "alembic",
    "mako",
    "psycopg",
    "rich",
    "sqlalchemy.dialects.postgresql",
    "sqlalchemy.orm",
    "typer",
)


def loaded_after(names: list[str]) -> set[str]:
    """Names of all modules in a fresh interpreter that imported `names`."""
    program = (
        "import importlib, json, sys\n"
        "for name in json.loads(sys.argv[1]): importlib.import_module(name)\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, json.dumps(names)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return set(json.loads(result.stdout))


def modules_below(package: str) -> list[str]:
    """Names of the modules of a package (or of one module), `*` allowed in the name."""
    folder = PACKAGE.parent
    found = [
        path
        for match in folder.glob(package.replace(".", "/"))
        for path in modules(match)
        if "migrations" not in path.parts and path.name != "__main__.py"
    ]
    found += folder.glob(package.replace(".", "/") + ".py")
    names = [".".join(path.relative_to(folder).with_suffix("").parts) for path in found]
    return sorted(name.removesuffix(".__init__") for name in names)


def test_the_control_plane_loads_no_model_library() -> None:
    rule = contract("No model library")
    names = [name for package in rule["source_modules"] for name in modules_below(package)]

    heavy = loaded_after(names) & set(rule["forbidden_modules"])

    assert heavy == set()


@pytest.mark.parametrize("package", ["api", "cli", "scheduler", "store", "pipelines.*.spec"])
def test_the_test_above_finds_its_modules(package: str) -> None:
    assert modules_below(f"videoannotator.{package}")


@pytest.mark.parametrize("name", ["videoannotator.client", "videoannotator.cli.main"])
def test_sdk_and_command_start_without_any_extra(name: str) -> None:
    assert loaded_after([name]).isdisjoint((*EXTRAS, *SERVERS))


def test_an_api_loads_what_measures_machines_when_somebody_asks() -> None:
    assert loaded_after(["videoannotator.api.process"]).isdisjoint({"psutil", "httpx"})


@pytest.mark.parametrize("name", ["videoannotator.api.process", "videoannotator.scheduler.process"])
def test_a_service_does_not_load_what_only_an_upgrade_or_another_one_needs(name: str) -> None:
    other = {"videoannotator.api.process": "scheduler", "videoannotator.scheduler.process": "api"}
    loaded = loaded_after([name])

    assert loaded.isdisjoint({*UNNEEDED, f"videoannotator.{other[name]}"})
