"""Puts the use cases together."""

import time
from dataclasses import dataclass

from videoannotator.api.feed import Feed
from videoannotator.api.limits import PerMinute
from videoannotator.api.operations.auditing import AuditHook
from videoannotator.api.operations.jobs import JobOperations
from videoannotator.api.operations.pipelines import PipelineOperations
from videoannotator.api.operations.results import ResultOperations
from videoannotator.api.operations.site import SiteOperations
from videoannotator.api.operations.system import SystemOperations
from videoannotator.api.operations.tokens import TokenOperations
from videoannotator.api.operations.watching import WatchOperations
from videoannotator.api.outlook import Lookout
from videoannotator.api.wake import SchedulerClient
from videoannotator.blobs.interface import BlobStore
from videoannotator.pipelines.catalogue import Catalogue
from videoannotator.settings import Settings
from videoannotator.store.access import Access
from videoannotator.store.audit import Audit
from videoannotator.store.engine import Database
from videoannotator.store.events import Events
from videoannotator.store.jobs import Jobs
from videoannotator.store.leader import Leader
from videoannotator.store.videos import Videos
from videoannotator.store.workers import Workers


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """Every use case, by concept."""

    jobs: JobOperations
    results: ResultOperations
    pipelines: PipelineOperations
    watching: WatchOperations
    system: SystemOperations
    site: SiteOperations
    tokens: TokenOperations

    @property
    def closed(self) -> bool:
        """The process is ending: what has no end by itself ends now."""
        return self.watching.feed.closed

    async def close(self) -> None:
        """Ends every stream of events; what was assembled from stays the caller's."""
        await self.watching.feed.close()


def assemble(
    settings: Settings,
    database: Database,
    blobs: BlobStore,
    catalogue: Catalogue,
    scheduler: SchedulerClient,
) -> Operations:
    """The use cases on these parts; they share one audit hook."""
    hook = AuditHook(Audit(database))
    jobs, workers, leader = Jobs(database), Workers(database), Leader(database)
    events = Events(database)
    return Operations(
        jobs=JobOperations(
            jobs=jobs,
            videos=Videos(database),
            blobs=blobs,
            catalogue=catalogue,
            scheduler=scheduler,
            limits=settings.api,
            uploads=PerMinute(settings.api.uploads_per_minute, time.monotonic),
            hook=hook,
        ),
        results=ResultOperations(jobs=jobs, blobs=blobs, hook=hook),
        pipelines=PipelineOperations(catalogue=catalogue, hook=hook),
        watching=WatchOperations(jobs=jobs, events=events, feed=Feed(events, jobs), hook=hook),
        system=SystemOperations(
            jobs=jobs,
            workers=workers,
            leader=leader,
            catalogue=catalogue,
            settings=settings,
            blobs=blobs,
            lookout=Lookout(scheduler),
            started=time.monotonic(),
            hook=hook,
        ),
        site=SiteOperations(leader=leader, workers=workers, scheduler=scheduler, hook=hook),
        tokens=TokenOperations(access=Access(database), hook=hook),
    )
