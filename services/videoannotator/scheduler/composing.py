"""Puts a scheduler together from settings, for one machine or for a cluster."""

import hashlib
import os
import socket
import tempfile
import uuid
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from videoannotator.blobs.interface import BlobStore
from videoannotator.domain.errors import InvalidSetting
from videoannotator.domain.failures import RetryPolicy
from videoannotator.pipelines.catalogue import Catalogue
from videoannotator.rpc.certificates import certificates_of
from videoannotator.rpc.keyfiles import internal_token, worker_key
from videoannotator.rpc.tokens import sha256_hex
from videoannotator.rpc.worker import WorkerClient
from videoannotator.scheduler.drive import Timing
from videoannotator.scheduler.launchers.process import (
    ProcessLauncher,
    fits_a_socket,
    prepare_sockets,
)
from videoannotator.scheduler.loop import Pace
from videoannotator.scheduler.places import LocalPlaces, MountedPlaces, Places
from videoannotator.scheduler.policy import Policy
from videoannotator.scheduler.service import Scheduler, Terms
from videoannotator.scheduler.shell import Dial, Parts
from videoannotator.scheduler.signed_places import signed_places
from videoannotator.scheduler.worker_body import LocalProcess, WorkerTemplate
from videoannotator.settings import UNIX, Settings, environment, variable
from videoannotator.store.engine import Database
from videoannotator.store.leader import Leader
from videoannotator.store.schedule import Schedule
from videoannotator.store.videos import Videos

if TYPE_CHECKING:
    from videoannotator.scheduler.launchers.kubernetes.opening import ClusterWorkers

#: A worker in a cluster that told its end has so long to end by itself. What is deleted at once is
#: seen to end by nobody when the leadership changes just then.
OWN_END_SECONDS = 5.0


async def scheduler_of(
    settings: Settings, database: Database, blobs: BlobStore, catalogue: Catalogue
) -> Scheduler:
    """The scheduler that the settings ask for.

    Raises: InvalidSetting, StorageError.
    """
    if settings.scheduler.launcher == "kubernetes":
        return await cluster_scheduler(settings, database, blobs, catalogue)
    return local_scheduler(settings, database, blobs, catalogue)


def local_scheduler(
    settings: Settings, database: Database, blobs: BlobStore, catalogue: Catalogue
) -> Scheduler:
    """A scheduler whose workers are processes of this machine.

    Raises: InvalidSetting, StorageError.
    """
    root = settings.storage.root.absolute()
    sockets = socket_folder(root)
    launcher = ProcessLauncher(
        root / "workers", sockets, settings.scheduler.stop_grace_seconds, environment()
    )
    chosen = policy(settings, launcher.late_create_seconds)
    parts = Parts(
        schedule=Schedule(database),
        videos=Videos(database),
        blobs=blobs,
        places=signed_places(settings.storage, catalogue) or LocalPlaces(root),
        launcher=launcher,
        catalogue=catalogue,
        template=_template(settings),
        # On one machine every worker has its place at once.
        policy=replace(
            chosen,
            local_gpus=settings.scheduler.gpus,
            unplaced_window=max(chosen.unplaced_window, chosen.max_workers),
        ),
        timing=Timing(keepalive_seconds=settings.scheduler.keepalive_seconds),
        sweep_seconds=settings.scheduler.sweep_seconds,
    )
    return Scheduler(parts, Leader(database), _terms(settings, sockets))


async def cluster_scheduler(
    settings: Settings,
    database: Database,
    blobs: BlobStore,
    catalogue: Catalogue,
    places: Places | None = None,
    dial: Dial | None = None,
) -> Scheduler:
    """A scheduler whose workers are Kubernetes Jobs.

    `places` are those of workers that see the storage in another way than pods do, `dial` reaches
    those that are not where their pods are.

    Raises: InvalidSetting, StorageError.
    """
    workers = await _cluster_workers(settings, catalogue)
    certificates = certificates_of(settings.rpc)
    root = settings.storage.root.absolute()
    launcher = workers.launcher
    parts = Parts(
        schedule=Schedule(database),
        videos=Videos(database),
        blobs=blobs,
        places=places
        or signed_places(settings.storage, catalogue)
        or MountedPlaces(root, workers.owner),
        launcher=launcher,
        catalogue=catalogue,
        template=WorkerTemplate(
            launcher=launcher.name, key=worker_key(settings), body=workers.body
        ),
        policy=replace(
            policy(settings, launcher.late_create_seconds),
            own_end_seconds=OWN_END_SECONDS,
            gpus=workers.gpus,
            shapes=workers.shapes,
            missing=workers.missing,
        ),
        timing=Timing(keepalive_seconds=settings.scheduler.keepalive_seconds),
        dial=dial or (lambda target, token: WorkerClient(target, token, certificates=certificates)),
        sweep_seconds=settings.scheduler.sweep_seconds,
    )
    sockets = socket_folder(root)
    if settings.scheduler.listen == UNIX:
        prepare_sockets(sockets)
    terms = _terms(settings, sockets)
    # The watch rings when something happens: looking more often sees no more.
    pace = replace(terms.pace, quick_seconds=terms.pace.tick_seconds)
    return Scheduler(parts, Leader(database), replace(terms, pace=pace))


async def _cluster_workers(settings: Settings, catalogue: Catalogue) -> "ClusterWorkers":
    try:  # only here: one machine needs no client of a cluster
        from videoannotator.scheduler.launchers.kubernetes.opening import open_workers
    except ModuleNotFoundError as error:
        raise InvalidSetting(
            f"{variable('scheduler.launcher')} is kubernetes, and its client is not installed.",
            hint="Install it: pip install 'videoannotator[kubernetes]'.",
            field="scheduler.launcher",
        ) from error
    return await open_workers(settings, catalogue)


def socket_folder(root: Path) -> Path:
    """A short path of our own: a Unix socket's name has about a hundred bytes.

    It lies in the folder for temporary files, or in /tmp where that one's path is too long.
    """
    digest = hashlib.sha256(os.fsencode(root)).hexdigest()[:10]
    name = f"va-{os.getuid()}-{digest}"
    usual = Path(tempfile.gettempdir()) / name
    return usual if fits_a_socket(usual) else Path("/tmp") / name  # noqa: S108 - mode 0700, checked


def policy(settings: Settings, late_create_seconds: float) -> Policy:
    """Limits and timings as the site set them."""
    chosen = settings.scheduler
    retry = settings.retry
    return Policy(
        max_workers=chosen.max_workers,
        max_gpu_workers=chosen.max_gpu_workers,
        max_workers_per_owner=chosen.max_workers_per_owner,
        max_workers_per_pipeline=chosen.max_workers_per_pipeline,
        unplaced_window=chosen.unplaced_window,
        orphan_grace_seconds=chosen.orphan_grace_seconds,
        late_create_seconds=late_create_seconds,
        pull_timeout_seconds=chosen.pull_timeout_seconds,
        start_timeout_seconds=chosen.start_timeout_seconds,
        no_progress_seconds=chosen.no_progress_seconds,
        second_look_seconds=chosen.second_look_seconds,
        retry=RetryPolicy(
            infrastructure_failures=retry.infrastructure_failures,
            pipeline_failures=retry.pipeline_failures,
            base_delay_seconds=retry.base_delay_seconds,
            max_delay_seconds=retry.max_delay_seconds,
            jitter=retry.jitter,
        ),
    )


def _template(settings: Settings) -> WorkerTemplate:
    return WorkerTemplate(
        launcher=ProcessLauncher.name,
        key=worker_key(settings),
        body=LocalProcess(
            orphan_grace_seconds=settings.scheduler.orphan_grace_seconds,
            stop_grace_seconds=settings.scheduler.stop_grace_seconds,
            log_level=settings.telemetry.log_level,
        ),
    )


def _terms(settings: Settings, sockets: Path) -> Terms:
    chosen = settings.scheduler
    name = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:6]}"
    return Terms(
        holder=name,
        listen=f"unix:{sockets / f's{os.getpid()}.sock'}"
        if chosen.listen == UNIX
        else chosen.listen,
        internal_token_sha256=sha256_hex(internal_token(settings)),
        address=chosen.address,
        certificates=certificates_of(settings.rpc),
        lease_seconds=chosen.lease_seconds,
        renew_seconds=chosen.renew_seconds,
        stop_grace_seconds=chosen.stop_grace_seconds,
        pace=Pace(tick_seconds=chosen.tick_seconds),
    )
