"""The images: Dockerfile, Makefile, extras, pipelines and chart speak of the same ones."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.architecture.source import ROOT, contract, pyproject
from videoannotator.pipelines.catalogue import Catalogue
from videoannotator.scheduler.launchers.kubernetes.site import NOBODY

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
STAGE = re.compile(r"^FROM (\S+) AS (\S+)$", re.MULTILINE)
INSTALL = re.compile(r"^FROM tools AS (\S+)-packages\nRUN .* install-packages (.+)$", re.MULTILINE)
#: Stages that only others build on.
INNER = {"tools", "program", "runtime", "worker"}

#: Every distribution in the control image, ours left out. What is added here is in every api and
#: scheduler: nothing that decodes, computes or infers.
IN_CONTROL = """
    aiohappyeyeballs aiohttp aiohttp-retry aiosignal aiosqlite alembic annotated-doc
    annotated-types anyio attrs certifi charset-normalizer click durationpy fastapi frozenlist
    greenlet grpcio grpcio-health-checking grpcio-reflection h11 httpcore httptools httpx idna
    kubernetes mako markdown-it-py markupsafe mdurl multidict multipart oauthlib obstore
    opentelemetry-api orjson prometheus-client propcache protobuf psutil psycopg psycopg-binary
    pydantic pydantic-core pydantic-settings pygments python-dateutil python-dotenv pyyaml requests
    requests-oauthlib rich shellingham sqlalchemy starlette typer typing-extensions
    typing-inspection tzdata urllib3 uvicorn uvloop watchfiles websocket-client websockets yarl
"""


def targets() -> set[str]:
    """The images that the Dockerfile offers."""
    stages = {name for _, name in STAGE.findall(DOCKERFILE)}
    return {name for name in stages - INNER if not name.endswith("-packages")}


def extras_of(target: str) -> list[str]:
    """The extras whose dependencies an image holds."""
    return dict(INSTALL.findall(DOCKERFILE))[target].split()


def exported(target: str) -> set[str]:
    """Names of the distributions that are installed into an image on Linux, from the lock file."""
    command = [str(Path(sys.prefix) / "bin" / "uv"), "export", "--quiet", "--frozen", "--offline"]
    command += ["--no-default-groups", "--no-emit-project", "--no-hashes", "--no-annotate"]
    command += [word for extra in extras_of(target) for word in ("--extra", extra)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    lines = [line for line in result.stdout.splitlines() if not line.startswith("#")]
    return {line.split("==")[0] for line in lines if "sys_platform == 'win32'" not in line}


def test_every_image_installs_its_own_dependencies() -> None:
    assert {name for name, _ in INSTALL.findall(DOCKERFILE)} == targets()


@pytest.mark.parametrize("target", sorted(targets()))
def test_an_image_is_made_of_extras_that_there_are(target: str) -> None:
    known = pyproject()["project"]["optional-dependencies"]

    assert set(extras_of(target)) <= set(known)


def test_an_image_of_a_worker_holds_the_extra_of_its_name() -> None:
    workers = targets() - {"control"}

    assert {target: extras_of(target) for target in workers} == {name: [name] for name in workers}


def test_every_pipeline_has_an_image() -> None:
    catalogue = Catalogue.load()  # it may know pipelines of other tests, too
    ours = pyproject()["project"]["entry-points"]["videoannotator.pipelines"]
    needed = {catalogue.get(name).extra for name in ours}

    assert needed <= targets()


def test_make_builds_every_image() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")

    (built,) = re.findall(r"^IMAGES \?= (.+)$", makefile, re.MULTILINE)

    assert set(built.split(",")) == targets()


def test_the_chart_names_images_that_there_are() -> None:
    values = yaml.safe_load((ROOT / "charts/videoannotator/values.yaml").read_text("utf-8"))
    named = [values["image"]["control"], *(each["image"] for each in values["pipelines"].values())]

    repositories = {image["repository"] for image in named}

    assert repositories <= {f"videoannotator/{target}" for target in targets()}


def test_images_run_as_the_user_that_the_files_belong_to() -> None:
    assert f"\nUSER {NOBODY}:{NOBODY}\n" in DOCKERFILE
    assert f"groupadd --gid {NOBODY}" in DOCKERFILE
    assert f"useradd --uid {NOBODY} --gid {NOBODY}" in DOCKERFILE


def test_no_image_is_made_of_a_stage_that_builds() -> None:
    parents = {name: parent for parent, name in STAGE.findall(DOCKERFILE)}

    assert {parents[target] for target in targets()} == {"runtime", "worker"}
    assert parents["worker"] == "runtime"
    assert parents["runtime"] == "${BASE_IMAGE}"


def test_what_is_given_to_a_build_reaches_no_image() -> None:
    final = DOCKERFILE[DOCKERFILE.index("AS runtime") :]

    assert re.findall(r"^(?:ARG|COPY (?!--from))", final, re.MULTILINE) == []


def test_a_change_of_the_code_installs_no_dependency() -> None:
    tools = DOCKERFILE[DOCKERFILE.index("AS tools") : DOCKERFILE.index("AS control-packages")]

    copied = re.findall(r"^COPY (.+) \S+$", tools, re.MULTILINE)

    assert [word for line in copied for word in line.split() if "images/" not in word] == [
        "pyproject.toml",
        "uv.lock",
    ]


def test_the_control_image_holds_what_it_should_and_nothing_else() -> None:
    assert sorted(exported("control")) == sorted(IN_CONTROL.split())


def test_the_control_image_holds_no_model_library() -> None:
    heavy = set(contract("No model library")["forbidden_modules"])

    assert exported("control").isdisjoint({name.replace("_", "-") for name in heavy})


def test_the_test_above_knows_how_model_libraries_are_called() -> None:
    assert {"av", "numpy"} <= exported("scene")
    assert {"faster-whisper", "onnxruntime"} <= exported("speech")


@pytest.mark.parametrize("script", sorted((ROOT / "images").iterdir()), ids=lambda path: path.name)
def test_a_script_of_the_images_is_a_program(script: Path) -> None:
    assert script.stat().st_mode & 0o111
    shell = script.read_text(encoding="utf-8").splitlines()[0].removeprefix("#!").split()
    checked = subprocess.run([*shell, "-n", str(script)], capture_output=True, check=False)

    assert checked.returncode == 0, checked.stderr
