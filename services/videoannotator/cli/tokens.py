"""`videoannotator token …`: keys, straight in the database of this machine's settings."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from videoannotator.cli.options import Json
from videoannotator.cli.output import moment, say, write, write_json, write_table
from videoannotator.domain.access import ApiKey, Role, User
from videoannotator.domain.errors import Conflict

if TYPE_CHECKING:
    from videoannotator.store.access import Access
    from videoannotator.store.engine import Database

app = typer.Typer(help="Make, list and revoke keys.", no_args_is_help=True)

T = TypeVar("T")


@app.command()
def create(
    user: Annotated[str, typer.Option(help="Whose key; made when there is none of that name.")],
    role: Annotated[Role | None, typer.Option(help="Of a user who is made.")] = None,
    name: Annotated[str, typer.Option(help="What the key is for.")] = "",
    expires_days: Annotated[
        int | None, typer.Option(min=1, help="Days until it ends; by default never.")
    ] = None,
    json: Json = False,
) -> None:
    """Make a key. It is shown once and never again."""

    async def make(access: "Access") -> tuple[ApiKey, str]:
        owner = await _user(access, user, role)
        ends = datetime.now(UTC) + timedelta(days=expires_days) if expires_days else None
        return await access.create_key(owner.id, name or f"{user}'s key", ends)

    key, secret = _with_access(make, "token.create")
    if json:
        write_json({**_told(key, user), "token": secret})
        return
    write(secret)
    say("Keep this key: it is not shown again. Use it as VIDEOANNOTATOR_TOKEN.")


@app.command("list")
def list_tokens(
    user: Annotated[str | None, typer.Option(help="Only those of this user.")] = None,
    json: Json = False,
) -> None:
    """List the keys, without their secrets."""

    async def read(database: "Database") -> tuple[list[ApiKey], dict[str, str]]:
        from videoannotator.store.access import Access

        access = Access(database)
        return await access.keys(), {each.id: each.name for each in await access.users()}

    keys, owners = _in_database(read)
    shown = [key for key in keys if user is None or owners.get(key.user_id) == user]
    if json:
        write_json({"tokens": [_told(key, owners.get(key.user_id, "")) for key in shown]})
        return
    columns = ("KEY", "USER", "NAME", "CREATED", "ENDS", "STATE")
    write_table(columns, [_row(key, owners.get(key.user_id, "")) for key in shown])


@app.command()
def revoke(
    key: Annotated[str, typer.Argument(metavar="KEY", help="Its id or its first characters.")],
    json: Json = False,
) -> None:
    """End a key at once."""

    async def end(access: "Access") -> tuple[ApiKey, None]:
        return await access.revoke(key), None

    revoked, _ = _with_access(end, "token.revoke")
    if json:
        write_json(_told(revoked, ""))
    else:
        say(f"The key va_{revoked.prefix}… is revoked.")


async def _user(access: "Access", name: str, role: Role | None) -> User:
    found = next((each for each in await access.users() if each.name == name), None)
    if found is None:
        return await access.create_user(name, role or Role.RESEARCHER)
    if role is not None and found.role is not role:
        raise Conflict(
            f"{name} is a {found.role} already.", hint="Leave --role away or name another user."
        )
    return found


def _with_access(
    use: "Callable[[Access], Awaitable[tuple[ApiKey, T]]]", action: str
) -> tuple[ApiKey, T]:
    """What `use` makes of the keys, written down in the audit log as `action`."""

    async def run(database: "Database") -> tuple[ApiKey, T]:
        from videoannotator.store.access import Access
        from videoannotator.store.audit import Audit

        key, more = await use(Access(database))
        await Audit(database).record(None, action, key.id, {"by": "command line"})
        return key, more

    return _in_database(run)


def _in_database(use: "Callable[[Database], Awaitable[T]]") -> T:
    """What `use` makes of the database, which must have our schema."""
    from videoannotator.settings import load_settings
    from videoannotator.store import schema
    from videoannotator.store.engine import Database

    url = load_settings().database_url
    schema.check(url)

    async def run() -> T:
        database = Database.open(url)
        try:
            return await use(database)
        finally:
            await database.close()

    return asyncio.run(run())


def _told(key: ApiKey, user: str) -> dict[str, Any]:
    times = {
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
    }
    shown = {name: time.isoformat() if time else None for name, time in times.items()}
    return {"id": key.id, "prefix": key.prefix, "name": key.name, "user": user, **shown}


def _row(key: ApiKey, user: str) -> tuple[object, ...]:
    ends, now = key.expires_at, datetime.now(UTC)
    ended = "ended" if ends is not None and ends <= now else "valid"
    state = "revoked" if key.revoked_at else ended
    return (f"va_{key.prefix}…", user, key.name, moment(key.created_at), moment(ends), state)
