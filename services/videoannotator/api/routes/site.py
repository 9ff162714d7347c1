"""The queue, the wants of an operator, keys."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, Field

from videoannotator.api.routes.requests import Caller, Use
from videoannotator.api.schemas import Instant, rfc3339
from videoannotator.domain.access import ApiKey
from videoannotator.rpc.queue import Queue

router = APIRouter(prefix="/api/v1", tags=["site"])


def _shown(record: dict[str, Any]) -> dict[str, Any]:
    return {
        key: rfc3339(value) if isinstance(value, datetime) else value
        for key, value in record.items()
    }


def _capacity(queue: Queue) -> dict[str, Any]:
    return {
        "max_workers": queue.max_workers,
        "max_gpu_workers": queue.max_gpu_workers,
        "workers": len(queue.slots),
        "gpu_workers": sum(slot.gpus > 0 for slot in queue.slots),
        "gpus": sum(slot.gpus for slot in queue.slots),
        "draining": queue.draining,
        "slots": [_shown(asdict(slot)) for slot in queue.slots],
        "ticked_at": rfc3339(queue.ticked_at) if queue.ticked_at else None,
    }


@router.get("/queue")
async def queue(use: Use, caller: Caller) -> dict[str, Any]:
    """Lists the runs that wait, first to go first, and why."""
    found = await use.site.queue(caller)
    waiting = [_shown(asdict(each)) for each in found.waiting]
    return {"waiting": waiting, "total": len(waiting), **_capacity(found)}


@router.get("/capacity")
async def capacity(use: Use, caller: Caller) -> dict[str, Any]:
    """Shows what is in use."""
    return _capacity(await use.site.queue(caller))


class DrainRequest(BaseModel):
    """Whether to drain."""

    on: bool = True


@router.post("/scheduler/drain")
async def drain(use: Use, caller: Caller, wanted: DrainRequest | None = None) -> dict[str, Any]:
    """Lets nothing new be launched, or lets it again."""
    leadership = await use.site.drain(caller, wanted.on if wanted else True)
    since = leadership.drain_requested_at
    return {"draining": since is not None, "drain_requested_at": since and rfc3339(since)}


@router.post("/workers/{worker_id}/abandon", status_code=202)
async def abandon(worker_id: str, use: Use, caller: Caller) -> dict[str, Any]:
    """Gives up a worker that cannot be proved gone: its slot is free then."""
    await use.site.abandon(caller, worker_id)
    return {"worker_id": worker_id, "abandon_requested": True}


class KeyBody(BaseModel):
    """A key, without its secret."""

    id: str
    user_id: str
    name: str
    prefix: str
    created_at: Instant
    expires_at: Instant | None
    revoked_at: Instant | None


class NewKeyBody(KeyBody):
    """A new key. The secret is shown this once."""

    token: str


class KeyRequest(BaseModel):
    """A key that is asked for."""

    name: str = Field(min_length=1, max_length=255)
    user_id: str | None = Field(None, max_length=64)
    expires_at: AwareDatetime | None = None


def _key(key: ApiKey) -> dict[str, Any]:
    return {name: getattr(key, name) for name in KeyBody.model_fields}


@router.get("/tokens")
async def list_tokens(use: Use, caller: Caller) -> dict[str, list[KeyBody]]:
    """Lists the caller's keys; all of them for an administrator."""
    return {"tokens": [KeyBody(**_key(key)) for key in await use.tokens.keys(caller)]}


@router.post("/tokens", status_code=201)
async def create_token(wanted: KeyRequest, use: Use, caller: Caller) -> NewKeyBody:
    """Makes a key. Its secret is in the answer and nowhere else."""
    new = await use.tokens.create(
        caller, name=wanted.name, user_id=wanted.user_id, expires_at=wanted.expires_at
    )
    return NewKeyBody(**_key(new.key), token=new.secret)


@router.delete("/tokens/{key_id}")
async def revoke_token(key_id: str, use: Use, caller: Caller) -> KeyBody:
    """Ends a key at once."""
    return KeyBody(**_key(await use.tokens.revoke(caller, key_id)))


@router.get("/me")
async def me(caller: Caller) -> dict[str, Any]:
    """Shows whose key this is."""
    return {
        "user_id": caller.user_id,
        "name": caller.name,
        "role": caller.role,
        "group_ids": list(caller.group_ids),
        "key_id": caller.key_id,
    }
