"""Users, groups and keys. Of a key only its SHA-256 is stored."""

import secrets
from datetime import datetime
from hashlib import sha256
from uuid import uuid4

from sqlalchemy import ColumnElement, and_, func, insert, or_, select, text, update
from sqlalchemy.exc import IntegrityError

from videoannotator.domain.access import ApiKey, Principal, Role, User
from videoannotator.domain.errors import Conflict, NotFound, Unauthenticated
from videoannotator.store import tables as t
from videoannotator.store.connections import AsyncConnection
from videoannotator.store.engine import Database
from videoannotator.store.known_keys import known_keys
from videoannotator.store.reading import clock, records
from videoannotator.store.records import key_of, key_values, user_of, user_values
from videoannotator.store.types import by_bytes, database_now

SECRET_PREFIX = "va_"  # noqa: S105 - not a secret, but what one begins with
SECRET_BYTES = 32  # 256 bits: nobody guesses it, so a plain hash is enough
SHOWN_CHARACTERS = 8
LOCAL_USER = "local"  # id of the administrator of a site without authentication
BOOTSTRAP_LOCK = 0x7661_0002


def _digest(secret: str) -> str:
    return sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


class Access:
    """Who may come in."""

    def __init__(self, database: Database) -> None:
        """Reads and writes `database`."""
        self._database = database
        self._known = known_keys(database)

    async def create_user(self, name: str, role: Role) -> User:
        """Adds a user. Raises: Conflict when the name is taken."""
        async with self._database.writing() as connection:
            return await _add_user(connection, str(uuid4()), name, role)

    async def users(self) -> list[User]:
        """All users, by name."""
        query = select(t.users).order_by(by_bytes(t.users.c.name))
        async with self._database.reading() as connection:
            return await records(connection, query, user_of)

    async def create_key(
        self, user_id: str, name: str, expires_at: datetime | None = None
    ) -> tuple[ApiKey, str]:
        """Makes a key; its secret is returned this once. Raises: NotFound when there is no user."""
        async with self._database.writing() as connection:
            known = select(t.users.c.id).where(t.users.c.id == user_id)
            if await connection.scalar(known) is None:
                raise NotFound("There is no such user.")
            return await _add_key(connection, user_id, name, expires_at)

    async def principal(self, secret: str) -> Principal:
        """Whose key it is, as of now or a second ago at most.

        Raises: Unauthenticated when it is unknown, revoked or expired.
        """
        sha256, changes = _digest(secret), self._known.changes
        principal = self._known.get(sha256)
        if principal is None:
            principal = await self._look_up(sha256)
            self._known.keep(sha256, principal, changes)
        return principal

    async def _look_up(self, sha256: str) -> Principal:
        c = t.api_keys.c
        query = (
            select(t.users, c.id.label("key_id"))
            .join_from(t.api_keys, t.users)
            .where(c.sha256 == sha256, _valid())
        )
        async with self._database.reading() as connection:
            found = (await connection.execute(query)).mappings().one_or_none()
            if found is None:
                raise Unauthenticated
            return await _principal(connection, user_of(found), found["key_id"])

    async def keys(self, user_id: str | None = None) -> list[ApiKey]:
        """The keys of one user, or of all; also those that are over."""
        query = select(t.api_keys).order_by(t.api_keys.c.created_at, t.api_keys.c.id)
        if user_id is not None:
            query = query.where(t.api_keys.c.user_id == user_id)
        async with self._database.reading() as connection:
            return await records(connection, query, key_of)

    async def revoke(self, prefix_or_id: str) -> ApiKey:
        """Ends a key at once; again changes nothing.

        Raises: NotFound when there is none, Conflict when the prefix is that of several.
        """
        c = t.api_keys.c
        async with self._database.writing() as connection:
            prefix = prefix_or_id.removeprefix(SECRET_PREFIX)
            query = select(t.api_keys).where(or_(c.id == prefix_or_id, c.prefix == prefix))
            found = await records(connection, query, key_of)
            if not found:
                raise NotFound("There is no such key.", hint="List them: videoannotator token list")
            if len(found) > 1:
                raise Conflict("Several keys begin like this.", hint="Give the key's id.")
            now = await clock(connection)
            await connection.execute(
                update(t.api_keys)
                .where(c.id == found[0].id, c.revoked_at.is_(None))
                .values(revoked_at=now)
            )
            query = select(t.api_keys).where(c.id == found[0].id)
            (revoked,) = await records(connection, query, key_of)
        self._known.forget()
        return revoked

    async def add_to_group(self, user_id: str, group_name: str) -> str:
        """Makes a user a member of a group, and the group when it is new. Returns its id."""
        async with self._database.writing() as connection:
            group_id = await connection.scalar(
                select(t.groups.c.id).where(t.groups.c.name == group_name)
            )
            if group_id is None:
                group_id = str(uuid4())
                now = await clock(connection)
                values = {"id": group_id, "name": group_name, "created_at": now}
                await connection.execute(insert(t.groups).values(values))
            membership = {"user_id": user_id, "group_id": group_id}
            if group_id not in await _groups(connection, user_id):
                await connection.execute(insert(t.memberships).values(membership))
        self._known.forget()
        return group_id

    async def bootstrap_admin(self, given: str = "") -> str | None:
        """Makes the first administrator; returns its key's secret, None when there are users.

        `given` is the secret to take; empty: one is made up.
        """
        async with self._database.writing() as connection:
            await _lock_bootstrap(connection)
            query = select(func.count()).select_from(t.users).where(t.users.c.id != LOCAL_USER)
            if (await connection.execute(query)).scalar_one():
                return None
            user = await _add_user(connection, str(uuid4()), "admin", Role.ADMIN)
            _, secret = await _add_key(connection, user.id, "first key", None, given)
            return secret

    async def open_principal(self) -> Principal:
        """The one administrator of a site without authentication."""
        query = select(t.users).where(t.users.c.id == LOCAL_USER)
        async with self._database.reading() as connection:
            found = await records(connection, query, user_of)
            if found:
                return await _principal(connection, found[0], None)
        async with self._database.writing() as connection:
            await _lock_bootstrap(connection)
            found = await records(connection, query, user_of)
            if not found:
                found = [await _add_user(connection, LOCAL_USER, LOCAL_USER, Role.ADMIN)]
            return await _principal(connection, found[0], None)


def _valid() -> ColumnElement[bool]:
    c = t.api_keys.c
    return and_(c.revoked_at.is_(None), or_(c.expires_at.is_(None), c.expires_at > database_now()))


async def _lock_bootstrap(connection: AsyncConnection) -> None:
    if connection.dialect.name == "postgresql":
        await connection.execute(text(f"SELECT pg_advisory_xact_lock({BOOTSTRAP_LOCK})"))


async def _add_user(connection: AsyncConnection, user_id: str, name: str, role: Role) -> User:
    user = User(id=user_id, name=name, role=role, created_at=await clock(connection))
    try:
        await connection.execute(insert(t.users).values(user_values(user)))
    except IntegrityError as error:
        raise Conflict("There is a user of this name already.") from error
    return user


async def _add_key(
    connection: AsyncConnection,
    user_id: str,
    name: str,
    expires_at: datetime | None,
    given: str = "",
) -> tuple[ApiKey, str]:
    secret = given or SECRET_PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    key = ApiKey(
        id=str(uuid4()),
        user_id=user_id,
        name=name,
        prefix=secret.removeprefix(SECRET_PREFIX)[:SHOWN_CHARACTERS],
        sha256=_digest(secret),
        created_at=await clock(connection),
        expires_at=expires_at,
    )
    await connection.execute(insert(t.api_keys).values(key_values(key)))
    return key, secret


async def _groups(connection: AsyncConnection, user_id: str) -> tuple[str, ...]:
    c = t.memberships.c
    query = select(c.group_id).where(c.user_id == user_id).order_by(c.group_id)
    return tuple((await connection.execute(query)).scalars())


async def _principal(connection: AsyncConnection, user: User, key_id: str | None) -> Principal:
    return Principal(
        user_id=user.id,
        name=user.name,
        role=user.role,
        group_ids=await _groups(connection, user.id),
        key_id=key_id,
    )
