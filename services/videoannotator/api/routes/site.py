"""The queue, the wants of an operator, keys."""

from dataclasses import asdict
from typing import Any

from videoannotator.api.answers import answers
from videoannotator.api.bodies.site import (
    AbandonBody,
    CapacityBody,
    DrainBody,
    DrainRequest,
    KeyBody,
    KeyListBody,
    KeyRequest,
    MeBody,
    NewKeyBody,
    QueueBody,
    SlotBody,
    WaitingBody,
)
from videoannotator.api.routes.documented import KeyId, WorkerId
from videoannotator.api.routes.requests import Caller, Use
from videoannotator.api.routes.routing import router_for
from videoannotator.domain.access import ApiKey
from videoannotator.domain.errors import Forbidden, NotFound, Unavailable, WorkerNotFound
from videoannotator.rpc.queue import Queue

router = router_for("site", "/api/v1")


def _capacity(queue: Queue) -> CapacityBody:
    return CapacityBody(
        max_workers=queue.max_workers,
        max_gpu_workers=queue.max_gpu_workers,
        workers=len(queue.slots),
        gpu_workers=sum(slot.gpus > 0 for slot in queue.slots),
        gpus=sum(slot.gpus for slot in queue.slots),
        draining=queue.draining,
        slots=[SlotBody(**asdict(slot)) for slot in queue.slots],
        ticked_at=queue.ticked_at,
        trouble=queue.trouble,
    )


@router.get("/queue", response_description="The queue.", responses=answers(Unavailable))
async def get_queue(use: Use, caller: Caller) -> QueueBody:
    """Lists the runs that wait, first to go first, and what each waits for."""
    found = await use.site.queue(caller)
    waiting = [WaitingBody(**asdict(each)) for each in found.waiting]
    return QueueBody(waiting=waiting, total=len(waiting), **dict(_capacity(found)))


@router.get("/capacity", response_description="What is in use.", responses=answers(Unavailable))
async def get_capacity(use: Use, caller: Caller) -> CapacityBody:
    """Shows which workers hold a place, and how many there may be."""
    return _capacity(await use.site.queue(caller))


@router.post(
    "/scheduler/drain", response_description="What is wanted now.", responses=answers(Forbidden)
)
async def drain_scheduler(
    use: Use, caller: Caller, wanted: DrainRequest | None = None
) -> DrainBody:
    """Lets nothing new be started, or lets it again. For administrators."""
    leadership = await use.site.drain(caller, wanted.on if wanted else True)
    since = leadership.drain_requested_at
    return DrainBody(draining=since is not None, drain_requested_at=since)


@router.post(
    "/workers/{worker_id}/abandon",
    status_code=202,
    response_description="It will be given up.",
    responses=answers(Forbidden, WorkerNotFound),
)
async def abandon_worker(worker_id: WorkerId, use: Use, caller: Caller) -> AbandonBody:
    """Gives up a worker that cannot be proved gone, so that its place is free.

    For administrators. What the worker does from then on counts no more.
    """
    await use.site.abandon(caller, worker_id)
    return AbandonBody(worker_id=worker_id, abandon_requested=True)


def _key(key: ApiKey) -> dict[str, Any]:
    return {name: getattr(key, name) for name in KeyBody.model_fields}


@router.get("/tokens", response_description="The keys.")
async def list_keys(use: Use, caller: Caller) -> KeyListBody:
    """Lists the caller's keys; all of them for an administrator."""
    return KeyListBody(tokens=[KeyBody(**_key(key)) for key in await use.tokens.keys(caller)])


@router.post(
    "/tokens",
    status_code=201,
    response_description="The key, with its secret.",
    responses=answers(Forbidden, NotFound),
)
async def create_key(wanted: KeyRequest, use: Use, caller: Caller) -> NewKeyBody:
    """Makes a key. Its secret is in the answer and nowhere else."""
    new = await use.tokens.create(
        caller, name=wanted.name, user_id=wanted.user_id, expires_at=wanted.expires_at
    )
    return NewKeyBody(**_key(new.key), token=new.secret)


@router.delete(
    "/tokens/{key_id}", response_description="The key, ended.", responses=answers(NotFound)
)
async def revoke_key(key_id: KeyId, use: Use, caller: Caller) -> KeyBody:
    """Ends a key at once."""
    return KeyBody(**_key(await use.tokens.revoke(caller, key_id)))


@router.get("/me", response_description="The user.")
async def get_me(caller: Caller) -> MeBody:
    """Shows whose key this is."""
    return MeBody(
        user_id=caller.user_id,
        name=caller.name,
        role=caller.role,
        group_ids=list(caller.group_ids),
        key_id=caller.key_id,
    )
