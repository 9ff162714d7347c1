"""What a scheduler reads of a cluster's site before it asks the cluster anything."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.kube.cluster import FakeCluster
from tests.fakes.rows import a_job, a_run, a_worker
from videoannotator.domain.errors import InvalidSetting, PipelineUnavailable
from videoannotator.domain.jobs import Resources
from videoannotator.pipelines.catalogue import Catalogue, Readiness, catalogue_of
from videoannotator.pipelines.interface import Parameters, PipelineSpec
from videoannotator.scheduler.launchers.kubernetes import names
from videoannotator.scheduler.launchers.kubernetes.launcher import BODY
from videoannotator.scheduler.launchers.kubernetes.opening import open_workers
from videoannotator.scheduler.places import MOUNTED_RESULTS, MOUNTED_VIDEO, MountedPlaces
from videoannotator.scheduler.worker_body import Draft
from videoannotator.settings import Settings

SITE: dict[str, Any] = {
    "release": "va",
    "namespace": "ns",
    "volumeClaim": "storage",
    "runAsUser": 10_001,
    "runAsGroup": 10_002,
    "pipelines": {
        "p": {"image": "p:1", "gpus": 2, "nodeSelector": {"gpu": "a100"}},
        "part": {"image": "q:1", "runtimeClass": "nvidia"},
    },
}


def spec(name: str, extra: str = "none", gpus: int = 0) -> PipelineSpec:
    """A pipeline that needs something that is not installed here."""
    return PipelineSpec(
        name=name,
        display_name=name,
        description="Does nothing.",
        version="1",
        parameters=Parameters,
        outputs=(),
        implementation="none:None",
        requires=("no_such_module",),
        extra=extra,
        resources=Resources(gpus=gpus),
    )


CATALOGUE = Catalogue(
    {name: spec(name, extra, 1) for name, extra in (("p", "x"), ("q", "part"), ("r", "y"))}
)


def settings(folder: Path, site: dict[str, Any] | None = None, **groups: Any) -> Settings:
    """Settings of a scheduler whose site's file says this."""
    (folder / "site.json").write_text(json.dumps(SITE if site is None else site))
    kubernetes = {
        "site_file": folder / "site.json",
        "kubeconfig": FakeCluster().kubeconfig(folder),
        **groups.pop("kubernetes", {}),
    }
    return Settings(
        storage={"root": folder, **groups.pop("storage", {})},  # type: ignore[arg-type]
        scheduler={"launcher": "kubernetes"},  # type: ignore[arg-type]
        kubernetes=kubernetes,  # type: ignore[arg-type]
        **groups,
    )


def without(key: str) -> dict[str, Any]:
    """The site without one of its facts."""
    return {name: value for name, value in SITE.items() if name != key}


async def test_what_the_site_decides_reaches_limits_and_shapes(tmp_path: Path) -> None:
    workers = await open_workers(settings(tmp_path), CATALOGUE)
    await workers.launcher.close()

    assert workers.gpus == {"p": 2, "q": 1}
    assert workers.shapes["p"] != workers.shapes["q"]
    assert workers.owner == (10_001, 10_002)
    assert list(workers.missing) == ["r"]


async def test_a_setting_wins_over_the_file(tmp_path: Path) -> None:
    own = {"namespace": "other", "release": "mine"}

    workers = await open_workers(settings(tmp_path, kubernetes=own), CATALOGUE)
    await workers.launcher.close()

    assert (workers.site.namespace, workers.site.release) == ("other", "mine")


async def test_the_stored_body_is_the_whole_kubernetes_job_and_its_backstop(
    tmp_path: Path,
) -> None:
    rows = a_job(a_run(pipeline="p"))
    draft = Draft(
        worker_id="w" * 12,
        rows=rows,
        run=rows.runs[0],
        attempt=3,
        epoch=7,
        spec=CATALOGUE.get("p"),
    )
    workers = await open_workers(settings(tmp_path), CATALOGUE)
    await workers.launcher.close()

    body = dict(workers.body(draft, "0" * 64))

    metadata, pod = body[BODY]["metadata"], body[BODY]["spec"]["template"]["spec"]
    mounts = {
        each["mountPath"]: each.get("subPath") for each in pod["containers"][0]["volumeMounts"]
    }
    assert body["active_deadline_seconds"] == pod["activeDeadlineSeconds"]
    assert metadata["name"] == f"va-p-{'w' * 12}"
    assert metadata["annotations"][names.EPOCH] == "7"
    assert mounts[str(Path(MOUNTED_VIDEO).parent)] == "videos/ada/v"
    assert mounts[MOUNTED_RESULTS] == "jobs/ada/j/p/3"


async def test_a_pipeline_without_an_image_has_no_body(tmp_path: Path) -> None:
    rows = a_job(a_run(pipeline="r"))
    draft = Draft(
        worker_id="w", rows=rows, run=rows.runs[0], attempt=1, epoch=1, spec=CATALOGUE.get("r")
    )
    workers = await open_workers(settings(tmp_path), CATALOGUE)
    await workers.launcher.close()

    with pytest.raises(PipelineUnavailable):
        workers.body(draft, "")


@pytest.mark.parametrize(
    ("site", "groups", "told"),
    [
        (None, {"kubernetes": {"site_file": None}}, "KUBERNETES__SITE_FILE must name"),
        (None, {"kubernetes": {"site_file": Path("/nowhere")}}, "cannot be read"),
        (without("release"), {}, "release"),
        (without("volumeClaim"), {}, "no volume claim"),
        (SITE | {"certificateSecret": "c"}, {}, "or neither"),
        (None, {"rpc": {"certificate_folder": Path("/c"), "server_name": "x"}}, "or neither"),
        (
            SITE | {"certificateSecret": "c"},
            {"rpc": {"certificate_folder": Path("/c")}},
            "addresses of their pods",
        ),
        (None, {"kubernetes": {"kubeconfig": Path("/nowhere")}}, "cannot be read"),
    ],
)
async def test_what_cannot_work_is_refused_with_the_way_out(
    tmp_path: Path, site: dict[str, Any] | None, groups: dict[str, Any], told: str
) -> None:
    chosen = settings(tmp_path, site, **groups)

    with pytest.raises(InvalidSetting, match=told) as refused:
        await open_workers(chosen, CATALOGUE)

    assert refused.value.hint


async def test_an_api_of_a_cluster_offers_what_the_site_has_an_image_for(tmp_path: Path) -> None:
    found = catalogue_of(settings(tmp_path, SITE | {"pipelines": {"scene": {"image": "s:1"}}}))

    ready = {name for name in found.specs if found.availability(name).state is Readiness.AVAILABLE}
    refused = found.availability("voice_activity")

    assert ready == {"scene_detection"}
    assert refused.reason == "It has no image in this cluster."
    with pytest.raises(PipelineUnavailable, match="no image"):
        found.require("voice_activity")


async def test_the_folder_for_results_is_given_to_the_workers(tmp_path: Path) -> None:
    rows = a_job(a_run(pipeline="p"))
    worker = a_worker(rows.runs[0])
    places = MountedPlaces(tmp_path, (os.getuid(), os.getgid()))

    await places.prepare(rows, worker)
    await places.prepare(rows, worker)

    assert (tmp_path / "jobs/ada/j/p/1").is_dir()
    at = await places.of(rows, worker)
    assert (at.path, at.directory) == (MOUNTED_VIDEO, MOUNTED_RESULTS)
