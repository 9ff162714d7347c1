"""Who did what, for the operator."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select

from videoannotator.domain.access import Principal
from videoannotator.store import tables as t
from videoannotator.store.engine import Database
from videoannotator.store.prepared import Asked
from videoannotator.store.reading import clock, records
from videoannotator.store.together import together

INSERT = insert(t.audit).inline()


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that somebody did."""

    id: int
    at: datetime
    user_id: str | None  #: None: nobody was known, as for a refused key
    key_id: str | None
    action: str
    object_id: str | None
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What somebody does, before it is known to what. Secrets do not belong into `detail`."""

    principal: Principal | None
    action: str
    detail: Mapping[str, Any] = field(default_factory=dict)


def writing(use: Used, object_id: str | None, now: datetime) -> Asked:
    """What writes an entry, in the transaction of what was done: both are there, or neither."""
    values = {
        "at": now,
        "user_id": use.principal and use.principal.user_id,
        "key_id": use.principal and use.principal.key_id,
        "action": use.action,
        "object_id": object_id,
        "detail": dict(use.detail),
    }
    return INSERT, values


class Audit:
    """Appends to the audit log; nothing changes it."""

    def __init__(self, database: Database) -> None:
        """Writes to `database`."""
        self._database = database

    async def record(
        self,
        principal: Principal | None,
        action: str,
        object_id: str | None = None,
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """Writes down that `principal` did `action`. Secrets do not belong into `detail`."""
        async with self._database.writing() as connection:
            use = Used(principal=principal, action=action, detail=detail or {})
            await together(connection, [writing(use, object_id, await clock(connection))])

    async def newest(self, limit: int = 100) -> list[Entry]:
        """The latest entries, newest first."""
        query = select(t.audit).order_by(t.audit.c.id.desc()).limit(limit)
        async with self._database.reading() as connection:
            return await records(connection, query, lambda row: Entry(**row))
