"""What Schemathesis checks of every answer besides its own rules."""

import re

import schemathesis

#: What only the inside knows: stack traces, SQL, paths of this machine, names of modules.
INTERNAL = re.compile(
    r"Traceback|File \"|\.py\b|site-packages|sqlalchemy|sqlite3\.|psycopg|asyncpg|SELECT |INSERT "
    r"|UPDATE .* SET|DELETE FROM|/(home|root|tmp|usr|var|work)/"
)


@schemathesis.check
def tells_nothing_internal(
    ctx: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case
) -> None:
    """No message tells how it is made."""
    if response.status_code < 400:
        return
    found = INTERNAL.search(response.content.decode(errors="replace"))
    assert found is None, f"tells something internal: {found}"
