"""Puts together what a scheduler needs of a cluster, from settings and the site's file."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from videoannotator.blobs import keys
from videoannotator.domain.errors import InvalidSetting, PipelineUnavailable
from videoannotator.pipelines.catalogue import Catalogue
from videoannotator.pipelines.interface import PipelineSpec
from videoannotator.scheduler.launchers.kubernetes.bodies import (
    WorkerIdentity,
    active_deadline_seconds,
    body_of,
)
from videoannotator.scheduler.launchers.kubernetes.cluster import Cluster
from videoannotator.scheduler.launchers.kubernetes.launcher import BODY, KubernetesLauncher, Terms
from videoannotator.scheduler.launchers.kubernetes.site import Placement, Site, read_site
from videoannotator.scheduler.worker_body import Draft
from videoannotator.settings import Settings, variable

SITE_FILE = "kubernetes.site_file"
CERTIFICATES = "rpc.certificate_folder"
SERVER_NAME = "rpc.server_name"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterWorkers:
    """The launcher of one site, and what its scheduler must know of the site's workers."""

    launcher: KubernetesLauncher
    site: Site
    gpus: Mapping[str, int]  #: of each worker, by pipeline
    shapes: Mapping[str, str]  #: what else decides where a worker fits, by pipeline
    missing: Mapping[str, str]  #: why a pipeline cannot run here, by pipeline

    @property
    def owner(self) -> tuple[int, int]:
        """User and group of the workers: theirs must be the folders that they write into."""
        return self.site.run_as_user, self.site.run_as_group

    def body(self, draft: Draft, token_sha256: str) -> Mapping[str, Any]:
        """The body of one worker. Raises: PipelineUnavailable."""
        owner_id, job_id = draft.rows.job.owner_id, draft.rows.job.id
        body = body_of(
            self.site,
            WorkerIdentity(
                worker_id=draft.worker_id,
                token_sha256=token_sha256,
                run=draft.run,
                job_id=job_id,
                owner_id=owner_id,
                attempt=draft.attempt,
                epoch=draft.epoch,
                spec=draft.spec,
                video_folder=draft.rows.video.key.rpartition("/")[0],
                attempt_folder=keys.attempt_folder(
                    owner_id, job_id, draft.run.pipeline, draft.attempt
                ),
                avoided_nodes=self.launcher.avoided_nodes,
            ),
        )
        return {BODY: body, "active_deadline_seconds": active_deadline_seconds(body)}


async def open_workers(settings: Settings, catalogue: Catalogue) -> ClusterWorkers:
    """The workers of the site that the settings name. Nothing is asked of the cluster yet.

    Raises: InvalidSetting.
    """
    site = site_of(settings)
    check_together(settings, site)
    cluster = await Cluster.open(site.namespace, settings.kubernetes.kubeconfig)
    placed = dict(_placed(site, catalogue))
    gpus = {
        spec.name: spec.resources.gpus if place.gpus is None else place.gpus
        for spec, place in placed.values()
    }
    terms = Terms(
        release=site.release,
        second_look_seconds=settings.scheduler.second_look_seconds,
        gpus=gpus,
    )
    return ClusterWorkers(
        launcher=KubernetesLauncher(cluster, terms),
        site=site,
        gpus=gpus,
        shapes={name: shape_of(place) for name, (_, place) in placed.items()},
        missing=dict(_missing(site, catalogue)),
    )


def site_of(settings: Settings) -> Site:
    """What the operator decided. Raises: InvalidSetting."""
    path = settings.kubernetes.site_file
    if path is None:
        raise InvalidSetting(
            f"{variable(SITE_FILE)} must name the file that describes the workers' site.",
            hint="The chart writes it and sets the variable.",
            field=SITE_FILE,
        )
    site = read_site(_text(path))
    given = {"namespace": settings.kubernetes.namespace, "release": settings.kubernetes.release}
    return site.model_copy(update={name: value for name, value in given.items() if value})


def check_together(settings: Settings, site: Site) -> None:
    """Raises: InvalidSetting when workers and scheduler could never reach each other's bytes."""
    has_certificates = settings.rpc.certificate_folder is not None
    if has_certificates != (site.certificate_secret is not None):
        raise InvalidSetting(
            "Scheduler and workers must both have certificates, or neither.",
            hint=f"Set {variable(CERTIFICATES)} and certificateSecret in the site's file together.",
            field=CERTIFICATES,
        )
    if has_certificates and not settings.rpc.server_name:
        raise InvalidSetting(
            "Workers are called by the addresses of their pods, for which no certificate can be.",
            hint=f"Set {variable(SERVER_NAME)} to the name that the certificate is for.",
            field=SERVER_NAME,
        )
    if site.volume_claim is None and not settings.storage.url:
        raise InvalidSetting(
            "Workers have no storage: the site has no volume claim, and no bucket is set.",
            hint=f"Set volumeClaim in the site's file, or {variable('storage.url')}.",
            field="storage.url",
        )


def shape_of(place: Placement) -> str:
    """What decides, beside the number of GPUs, on which nodes workers fit."""
    selector = ",".join(f"{key}={value}" for key, value in sorted(place.node_selector.items()))
    return f"{place.gpu_resource} {place.runtime_class or ''} {selector}"


def _placed(
    site: Site, catalogue: Catalogue
) -> Iterator[tuple[str, tuple[PipelineSpec, Placement]]]:
    for spec in catalogue.specs.values():
        try:
            yield spec.name, (spec, site.placement(spec))
        except PipelineUnavailable:
            continue


def _missing(site: Site, catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    for spec in catalogue.specs.values():
        try:
            site.placement(spec)
        except PipelineUnavailable as error:
            yield spec.name, f"{error.message} {error.hint}"


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSetting(
            f"The file that {variable(SITE_FILE)} names cannot be read.",
            hint=f"What is wrong: {getattr(error, 'strerror', None) or error}.",
            field=SITE_FILE,
        ) from error
