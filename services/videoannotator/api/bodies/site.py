"""The queue, what is in use, keys and whose they are."""

from pydantic import BaseModel, Field, StrictBool

from videoannotator.api.bodies.times import Given, Instant
from videoannotator.domain.access import Role


class SlotBody(BaseModel):
    """A worker that holds a place. Ids of what others own are empty texts."""

    worker_id: str = Field(description="Id of the worker.")
    run_id: str = Field(description="Id of its run.")
    job_id: str = Field(description="Id of the job.")
    owner_id: str = Field(description="Id of the job's owner.")
    pipeline: str = Field(description="Name of the pipeline.")
    state: str = Field(description="launching, up or stopping.", examples=["up"])
    since: Instant | None = Field(description="Since when it has been in this state.")
    gpus: int = Field(ge=0, description="GPUs that it holds.")
    unproven_since: Instant | None = Field(
        description="Since when it should be gone and cannot be proved gone; null: no such thing."
    )


class CapacityBody(BaseModel):
    """What is in use."""

    max_workers: int = Field(ge=0, description="Most workers at a time.")
    max_gpu_workers: int = Field(ge=0, description="Most workers with a GPU at a time.")
    workers: int = Field(ge=0, description="Workers that hold a place.")
    gpu_workers: int = Field(ge=0, description="Those of them that hold a GPU.")
    gpus: int = Field(ge=0, description="GPUs that are held.")
    draining: bool = Field(description="Whether nothing new is started.")
    slots: list[SlotBody] = Field(description="The workers that hold a place.")
    ticked_at: Instant | None = Field(
        description="When the scheduler last looked at everything; null: not yet."
    )
    trouble: str = Field(
        description="Why workers can be neither seen nor started now, such as a stale watch of "
        "the cluster; empty when they can."
    )


class WaitingBody(BaseModel):
    """A run that waits. Ids of what others own are empty texts."""

    run_id: str = Field(description="Id of the run.")
    job_id: str = Field(description="Id of its job.")
    owner_id: str = Field(description="Id of the job's owner.")
    pipeline: str = Field(description="Name of the pipeline.")
    position: int = Field(ge=1, description="Place in the queue, from 1.")
    reason: str = Field(description="What it waits for.")


class QueueBody(CapacityBody):
    """Who waits for what, and what is in use."""

    waiting: list[WaitingBody] = Field(description="Runs that wait, first to go first.")
    total: int = Field(ge=0, description="Their number.")


class DrainRequest(BaseModel):
    """Whether to drain."""

    on: StrictBool = Field(True, description="true: nothing new is started; false: it is again.")


class DrainBody(BaseModel):
    """Whether nothing new is started."""

    draining: bool = Field(description="Whether nothing new is started.")
    drain_requested_at: Instant | None = Field(description="Since when; null when it does not.")


class AbandonBody(BaseModel):
    """A worker that will be given up."""

    worker_id: str = Field(description="Id of the worker.")
    abandon_requested: bool = Field(description="Always true.")


class KeyBody(BaseModel):
    """A key, without its secret."""

    id: str = Field(description="Id of the key.")
    user_id: str = Field(description="Id of the user whose key it is.")
    name: str = Field(description="What it is for.", examples=["laptop"])
    prefix: str = Field(description="First characters of the secret, to know it by.")
    created_at: Instant = Field(description="When it was made.")
    expires_at: Instant | None = Field(description="When it ends by itself; null: never.")
    revoked_at: Instant | None = Field(description="When it was ended; null: it was not.")


class KeyListBody(BaseModel):
    """Keys, without their secrets."""

    tokens: list[KeyBody] = Field(description="The keys.")


class NewKeyBody(KeyBody):
    """A new key. The secret is shown this once."""

    token: str = Field(description="The secret. Keep it: it is shown this once.")


class KeyRequest(BaseModel):
    """A key that is asked for."""

    name: str = Field(
        min_length=1, max_length=255, description="What it is for.", examples=["laptop"]
    )
    user_id: str | None = Field(
        None, max_length=64, description="Whose key it shall be, for administrators. Null: yours."
    )
    expires_at: Given | None = Field(
        None, description="When it shall end by itself; null: never. Without a zone it is UTC."
    )


class MeBody(BaseModel):
    """Whose key this is."""

    user_id: str = Field(description="Id of the user.")
    name: str = Field(description="Name of the user.")
    role: Role = Field(description="What the user may do.")
    group_ids: list[str] = Field(description="Groups whose jobs the user may see.")
    key_id: str | None = Field(description="Id of the key; null when none is needed here.")
