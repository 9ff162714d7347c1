"""Puts a scheduler together from settings, for one machine."""

import hashlib
import os
import socket
import tempfile
import uuid
from pathlib import Path

from videoannotator.blobs.interface import BlobStore
from videoannotator.domain.failures import RetryPolicy
from videoannotator.pipelines.catalogue import Catalogue
from videoannotator.rpc.certificates import certificates_of
from videoannotator.rpc.keyfiles import internal_token, worker_key
from videoannotator.rpc.tokens import sha256_hex
from videoannotator.scheduler.drive import Timing
from videoannotator.scheduler.launchers.process import ProcessLauncher, fits_a_socket
from videoannotator.scheduler.loop import Pace
from videoannotator.scheduler.places import LocalPlaces
from videoannotator.scheduler.policy import Policy
from videoannotator.scheduler.service import Scheduler, Terms
from videoannotator.scheduler.shell import Parts
from videoannotator.scheduler.signed_places import signed_places
from videoannotator.scheduler.worker_body import LocalProcess, WorkerTemplate
from videoannotator.settings import UNIX, Settings, environment
from videoannotator.store.engine import Database
from videoannotator.store.leader import Leader
from videoannotator.store.schedule import Schedule
from videoannotator.store.videos import Videos


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
    parts = Parts(
        schedule=Schedule(database),
        videos=Videos(database),
        blobs=blobs,
        places=signed_places(settings.storage, catalogue) or LocalPlaces(root),
        launcher=launcher,
        catalogue=catalogue,
        template=_template(settings),
        policy=policy(settings, launcher.late_create_seconds),
        timing=Timing(keepalive_seconds=settings.scheduler.keepalive_seconds),
        sweep_seconds=settings.scheduler.sweep_seconds,
    )
    return Scheduler(parts, Leader(database), _terms(settings, sockets))


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
        local_gpus=chosen.gpus,
        unplaced_window=max(chosen.unplaced_window, chosen.max_workers),
        orphan_grace_seconds=chosen.orphan_grace_seconds,
        late_create_seconds=late_create_seconds,
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
