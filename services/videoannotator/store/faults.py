"""What the database says when it fails, as errors of ours."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from videoannotator.domain.errors import (
    Conflict,
    DatabaseUnavailable,
    InvalidRequest,
    SchemaMismatch,
    StorageFull,
    VideoAnnotatorError,
)

BUSY = "The database is busy."
FULL = re.compile(r"disk is full|53100")
MISSING = re.compile(r"no such (table|column)|has no column|42P01|42703")
#: What another try may not meet again: a lock held too long (55P03), a statement that took too long
#: (57014), a deadlock (40P01), on a replica a conflict with recovery (40001), memory (53200).
PASSING = re.compile(r"is locked|55P03|57014|40P01|40001|53200")
# A refused connection carries no code; these are the server's and the driver's English words.
CROWDED = re.compile(
    r"too many (clients|connections)|connection slots are reserved|no more connections|53300"
)
LOGIN = re.compile(
    r"authentication failed|(role|database|user) \"[^\"]*\" does not exist|no such (user|database)"
    r"|no password supplied|no pg_hba\.conf entry|not permitted to log in|is not allowed"
    r"|permission denied for database|does not support SSL|certificate|invalid (connection|port)"
)


def refused_for_good(refusal: Exception) -> bool:
    """A connection that is refused for a reason that waiting does not mend."""
    return LOGIN.search(str(refusal)) is not None


def no_connection_free(refusal: Exception) -> bool:
    """A connection that is refused because others have them all."""
    return CROWDED.search(str(refusal)) is not None


def database_error(error: DBAPIError) -> VideoAnnotatorError:
    """The answer to a database's error. Its words tell neither paths nor SQL."""
    if isinstance(error, IntegrityError):
        return Conflict("This would contradict what is stored.")
    if isinstance(error, DataError):
        return InvalidRequest("A value is too long or too large to be stored.")
    said = f"{error.orig} {getattr(error.orig, 'sqlstate', '')}"
    for words, answer in ANSWERS:
        if words.search(said):
            return answer()
    return DatabaseUnavailable()


def _login_refused() -> VideoAnnotatorError:
    return DatabaseUnavailable(
        "The database refuses this program.",
        hint="The operator must check user, password and name in the setting database.url.",
    )


ANSWERS: tuple[tuple[re.Pattern[str], Callable[[], VideoAnnotatorError]], ...] = (
    (FULL, lambda: StorageFull("The disk of the database is full.")),
    (MISSING, SchemaMismatch),
    (PASSING, lambda: DatabaseUnavailable(BUSY)),
    (CROWDED, lambda: DatabaseUnavailable("The database has no connection free.")),
    (LOGIN, _login_refused),
)


@contextmanager
def translated() -> Iterator[None]:
    """Raises the database's errors as ours, chained."""
    try:
        yield
    except DBAPIError as error:
        raise database_error(error) from error
    except NoConnectionFree as error:
        raise DatabaseUnavailable(BUSY) from error
