"""What is in an image, and what is not."""

import json
import re
from pathlib import Path

import pytest

from tests.architecture.source import ROOT, contract
from tests.images.container import Image
from videoannotator import __version__

OWN = Path("opt/videoannotator")
CONTROL_BYTES = 200_000_000
BUILDERS = ("uv", "pip", "hatchling", "grpcio_tools", "wheel")


def files(image: Image) -> list[Path]:
    """Every file of ours in an image."""
    return [path for path in (image.root / OWN).rglob("*") if path.is_file()]


def distributions(image: Image) -> set[str]:
    """Names of what is installed, as folders of site-packages have them."""
    found = (image.root / OWN).rglob("*.dist-info")
    return {path.name.split("-")[0].lower() for path in found}


def test_the_control_image_is_small(control: Image) -> None:
    size = sum(path.lstat().st_size for path in (control.root / OWN).rglob("*"))

    assert size < CONTROL_BYTES


def test_the_control_image_holds_no_model_library(control: Image) -> None:
    heavy = set(contract("No model library")["forbidden_modules"])
    packages = {path.name for path in (control.root / OWN).glob("packages/lib/*/site-packages/*")}

    assert packages
    assert packages & heavy == set()


def test_nothing_that_builds_is_in_an_image(image: Image) -> None:
    assert "videoannotator" in distributions(image)
    assert distributions(image).isdisjoint(BUILDERS)
    assert not (image.root / "build").exists()
    assert not (image.root / "opt/tools").exists()
    assert list((image.root / "tmp").iterdir()) == []


def test_everything_is_compiled_already(image: Image) -> None:
    sources = [path for path in files(image) if path.suffix == ".py" and "/bin/" not in str(path)]

    missing = [
        path
        for path in sources
        if not list((path.parent / "__pycache__").glob(f"{path.stem}.cpython-*.pyc"))
    ]

    # Some libraries ship sources for other versions of Python, or to be filled in.
    assert len(missing) < len(sources) / 100
    assert [path for path in missing if "videoannotator/program" in str(path)] == []


def test_an_image_tells_its_version_and_revision(image: Image) -> None:
    labels = image.config["Labels"]

    assert labels["org.opencontainers.image.version"] == __version__
    assert re.fullmatch("[0-9a-f]{40}", labels["org.opencontainers.image.revision"])
    assert labels["org.opencontainers.image.licenses"] == "MIT"


def test_nothing_in_an_image_tells_of_the_machine_that_built_it(image: Image) -> None:
    strangers = [str(ROOT), str(Path.home()), "PRIVATE KEY-----"]
    told = json.dumps({"config": image.config, "history": image.history})
    own = re.compile("|".join(re.escape(word) for word in strangers).encode())

    tellers = [
        str(path.relative_to(image.root))
        for path in files(image)
        if "videoannotator/program" in str(path) and own.search(path.read_bytes())
    ]

    assert tellers == []
    assert not own.search(told.encode())


@pytest.mark.parametrize("name", ["PIP_INDEX_URL", "UV_DEFAULT_INDEX", "http_proxy", "HTTPS_PROXY"])
def test_no_image_remembers_what_its_build_was_given(image: Image, name: str) -> None:
    told = json.dumps({"config": image.config, "history": image.history})

    assert name.lower() not in told.lower()


def test_no_file_of_ours_can_be_changed_by_the_user_that_runs(image: Image) -> None:
    uid = int(image.config["User"].split(":")[0])

    writable = [
        path
        for path in (image.root / OWN).rglob("*")
        if not path.is_symlink() and (path.stat().st_uid == uid or path.stat().st_mode & 0o002)
    ]

    assert writable == []
