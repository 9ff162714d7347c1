"""Who sees what, as conditions inside the queries."""

import re
from typing import Any

from sqlalchemy import Column, ColumnElement, and_, or_, true
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from videoannotator.domain.access import Principal
from videoannotator.store import tables as t

ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def well_formed(object_id: str) -> bool:
    """It may be an id of ours; anything else is not looked for."""
    return ID.fullmatch(object_id) is not None


def job_visible(principal: Principal) -> ColumnElement[bool]:
    """The job is not hidden, and the caller owns it, is in its group, or sees all."""
    return and_(t.jobs.c.delete_requested_at.is_(None), _may_see(principal, t.jobs.c))


def video_visible(principal: Principal) -> ColumnElement[bool]:
    """The video is not hidden, and the caller owns it, is in its group, or sees all."""
    return and_(t.videos.c.delete_requested_at.is_(None), _may_see(principal, t.videos.c))


def _may_see(
    principal: Principal, c: ReadOnlyColumnCollection[str, Column[Any]]
) -> ColumnElement[bool]:
    if principal.sees_all:
        return true()
    return or_(c.owner_id == principal.user_id, c.group_id.in_(principal.group_ids))
