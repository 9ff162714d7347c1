"""The queue for everybody; drain and abandon for administrators. Only wants are written here."""

from dataclasses import dataclass, replace

from videoannotator.api.auth import require_admin
from videoannotator.api.operations.auditing import Hook, use_case
from videoannotator.api.wake import SchedulerClient
from videoannotator.domain.access import Principal
from videoannotator.domain.leadership import Leadership
from videoannotator.rpc.queue import Queue, Slot, Waiting
from videoannotator.store.leader import Leader
from videoannotator.store.workers import Workers


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteOperations:
    """What a caller may ask of the scheduler."""

    leader: Leader
    workers: Workers
    scheduler: SchedulerClient
    hook: Hook

    @use_case("queue.read")
    async def queue(self, principal: Principal) -> Queue:
        """Who waits for what; of others without ids. Raises: Unavailable."""
        return seen_by(principal, await self.scheduler.queue())

    @use_case("scheduler.drain", recorded=True)
    async def drain(self, principal: Principal, on: bool) -> Leadership:
        """Asks that nothing new is launched, or that it is again. Raises: Forbidden."""
        require_admin(principal)
        await self.leader.request_drain(on)
        self.scheduler.wake()
        return await self.leader.read()

    @use_case("worker.abandon", recorded=True)
    async def abandon(self, principal: Principal, worker_id: str) -> None:
        """Asks that a worker that cannot be proved gone is given up.

        Raises: Forbidden, WorkerNotFound.
        """
        require_admin(principal)
        await self.workers.request_abandon(worker_id)
        self.scheduler.wake()


def seen_by(principal: Principal, queue: Queue) -> Queue:
    """The queue without the ids of what others own, unless an administrator asks."""
    if principal.sees_all:
        return queue
    return replace(
        queue,
        waiting=tuple(_waiting(each, principal) for each in queue.waiting),
        slots=tuple(_slot(each, principal) for each in queue.slots),
    )


def _waiting(each: Waiting, principal: Principal) -> Waiting:
    if each.owner_id == principal.user_id:
        return each
    return replace(each, run_id="", job_id="", owner_id="")


def _slot(each: Slot, principal: Principal) -> Slot:
    if each.owner_id == principal.user_id:
        return each
    return replace(each, worker_id="", run_id="", job_id="", owner_id="")
