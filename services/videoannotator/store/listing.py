"""The query behind a list of jobs."""

from sqlalchemy import ColumnElement, FromClause, Select, exists, func, or_, select

from videoannotator.domain.access import Principal
from videoannotator.domain.jobs import JobKind
from videoannotator.store import tables as t
from videoannotator.store.rows import JobFilter
from videoannotator.store.visibility import job_visible


def conditions(principal: Principal, which: JobFilter) -> list[ColumnElement[bool]]:
    """What a listed job fulfils, over jobs joined with videos."""
    job = t.jobs.c
    where = [job.kind == JobKind.ANNOTATION, job_visible(principal)]
    if which.status is not None:
        where.append(job.state == which.status)
    if which.owner_id is not None:
        where.append(job.owner_id == _storable(which.owner_id))
    if which.created_after is not None:
        where.append(job.created_at >= which.created_after)
    if which.created_before is not None:
        where.append(job.created_at < which.created_before)
    if which.pipeline is not None:
        name = _storable(which.pipeline)
        where.append(exists().where(t.runs.c.job_id == job.id, t.runs.c.pipeline == name))
    if which.search:
        where.append(_found_by(which.search))
    return where


def _storable(words: str) -> str:
    """The same words, where PostgreSQL takes them; with NUL in them they are nobody's name."""
    return words.replace("\x00", "\ufffd")


def _found_by(words: str) -> ColumnElement[bool]:
    words = _storable(words)
    # As JobRows.video_name.
    name = func.coalesce(func.nullif(t.jobs.c.video_name, ""), t.videos.c.display_name)
    return or_(
        name.icontains(words, autoescape=True),
        t.jobs.c.id.istartswith(words, autoescape=True),
    )


def page_of(
    where: list[ColumnElement[bool]], which: JobFilter, page: int, per_page: int
) -> Select[str]:
    """The ids of one page. Jobs of the same moment are ordered by id: pages never overlap."""
    order = (t.jobs.c.created_at, t.jobs.c.id)
    return (
        select(t.jobs.c.id)
        .select_from(_looked_at(which))
        .where(*where)
        .order_by(*(order if which.oldest_first else (column.desc() for column in order)))
        .limit(per_page)
        .offset((page - 1) * per_page)
    )


def count_of(where: list[ColumnElement[bool]], which: JobFilter) -> Select[int]:
    """How many jobs there are on all pages together."""
    return select(func.count()).select_from(_looked_at(which)).where(*where)


def _looked_at(which: JobFilter) -> FromClause:
    """Videos only where their names are searched: an index alone answers without them."""
    return t.jobs.join(t.videos) if which.search else t.jobs
