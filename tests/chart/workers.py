"""The Kubernetes Jobs that the scheduler would make of what the chart tells it."""

from datetime import UTC, datetime

from tests.chart.rendering import Body, the
from videoannotator.domain.jobs import Run
from videoannotator.pipelines.catalogue import Catalogue
from videoannotator.pipelines.interface import PipelineSpec
from videoannotator.scheduler.launchers.kubernetes.bodies import WorkerIdentity, body_of
from videoannotator.scheduler.launchers.kubernetes.site import Site, read_site

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def site_of(objects: list[Body]) -> Site:
    """The file of the site, read by the program. Raises: InvalidSetting."""
    return read_site(the(objects, "ConfigMap", "-site")["data"]["site.json"])


def worker_bodies(objects: list[Body]) -> list[Body]:
    """One for each pipeline that the site has."""
    site = site_of(objects)
    specs = [spec for spec in Catalogue.load().specs.values() if spec.name in site.pipelines]
    return [body_of(site, _who(spec)) for spec in specs]


def _who(spec: PipelineSpec) -> WorkerIdentity:
    run = Run(
        id="run",
        job_id="job",
        position=0,
        pipeline=spec.name,
        resources=spec.resources,
        created_at=NOW,
    )
    return WorkerIdentity(
        worker_id="w00000000001",
        token_sha256="0" * 64,
        run=run,
        job_id="job",
        owner_id="owner",
        attempt=1,
        epoch=1,
        spec=spec,
        video_folder="videos/owner/video",
        attempt_folder=f"jobs/owner/job/{spec.name}/1",
    )
