"""What the database says when it fails, as errors of ours."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from videoannotator.domain.errors import (
    Conflict,
    DatabaseUnavailable,
    SchemaMismatch,
    StorageFull,
    VideoAnnotatorError,
)

FULL = re.compile(r"disk is full|53100")
MISSING = re.compile(r"no such (table|column)|has no column|42P01|42703")


def database_error(error: DBAPIError) -> VideoAnnotatorError:
    """The answer to a database's error. Its words tell neither paths nor SQL."""
    said = f"{error.orig} {getattr(error.orig, 'sqlstate', '')}"
    if isinstance(error, IntegrityError):
        return Conflict("This would contradict what is stored.")
    if FULL.search(said):
        return StorageFull("The disk of the database is full.")
    if MISSING.search(said):
        return SchemaMismatch()
    if "locked" in said:
        return DatabaseUnavailable("The database is busy.")
    return DatabaseUnavailable()


@contextmanager
def translated() -> Iterator[None]:
    """Raises the database's errors as ours, chained."""
    try:
        yield
    except DBAPIError as error:
        raise database_error(error) from error
    except NoConnectionFree as error:
        raise DatabaseUnavailable("The database is busy.") from error
