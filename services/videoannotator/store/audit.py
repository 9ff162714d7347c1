"""Who did what, for the operator."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select

from videoannotator.domain.access import Principal
from videoannotator.store import tables as t
from videoannotator.store.engine import Database
from videoannotator.store.reading import clock, records


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
            await connection.execute(
                insert(t.audit).values(
                    at=await clock(connection),
                    user_id=principal and principal.user_id,
                    key_id=principal and principal.key_id,
                    action=action,
                    object_id=object_id,
                    detail=dict(detail or {}),
                )
            )

    async def newest(self, limit: int = 100) -> list[Entry]:
        """The latest entries, newest first."""
        query = select(t.audit).order_by(t.audit.c.id.desc()).limit(limit)
        async with self._database.reading() as connection:
            return await records(connection, query, lambda row: Entry(**row))
