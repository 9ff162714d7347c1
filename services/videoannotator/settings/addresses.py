"""Addresses: the forms that are accepted, and what may be shown of them."""

#: What people write -> the form that the database engine takes.
SCHEMES = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}


def normalise_database_url(url: str) -> str:
    """`url` in the one form that the database engine takes; empty stays empty.

    Raises: ValueError when it is none of the databases we know. The message never holds the
    address, which may hold a password.
    """
    if not url:
        return ""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in SCHEMES or not rest:
        raise ValueError("must be sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME")
    return f"{SCHEMES[scheme]}://{rest}"


def masked(url: str) -> str:
    """`url` without its password and without its query, which may hold one."""
    scheme, _, rest = url.partition("://")
    rest, _, query = rest.partition("?")
    login, at, host = rest.rpartition("@")
    user, colon, _ = login.partition(":")
    shown = f"{user}{':***' if colon else ''}{at}{host}" if at else rest
    return f"{scheme}://{shown}{'?***' if query else ''}"
