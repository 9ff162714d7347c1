"""Addresses: the forms that are accepted, and what may be shown of them."""

import ipaddress
import re

ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://([a-z0-9_.-]+|\[[0-9a-f:.]+\])(:(?P<port>\d{1,5}))?")
LAST_PORT = 65535

#: The word for a Unix socket that the program places by itself.
UNIX = "unix"
#: As 10.0.0.7:50052, [::]:50052 or scheduler-0.site:50052.
ENDPOINT = re.compile(r"(?P<host>[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]):(?P<port>\d{1,5})")

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


def checked_address(text: str) -> str:
    """`text`, which is an IP address or a network. Raises: ValueError."""
    ipaddress.ip_network(text)  # strict: 10.1.0.7/16 is neither, and would match nothing
    return text


def checked_origin(text: str) -> str:
    """A web origin in the form in which browsers send it, or `*`. Raises: ValueError."""
    origin = text.lower()
    found = ORIGIN.fullmatch(origin)
    if origin != "*" and not (found and int(found["port"] or 1) in range(1, LAST_PORT + 1)):
        raise ValueError("is no origin")
    return origin


def checked_endpoint(text: str) -> str:
    """`text`, which is HOST:PORT, or empty. Raises: ValueError."""
    found = ENDPOINT.fullmatch(text)
    if text and not (found and int(found["port"]) <= LAST_PORT):
        raise ValueError("is not HOST:PORT")
    return text


def checked_listen(text: str) -> str:
    """`text`, which is HOST:PORT or the word `unix`. Raises: ValueError."""
    if text != UNIX and not checked_endpoint(text):
        raise ValueError("is not HOST:PORT")
    return text


def kind_of(url: str) -> str:
    """What may be shown of an address that is refused: `mysql://***`, or `***`."""
    scheme, separator, _ = url.partition("://")
    return f"{scheme}://***" if separator and re.fullmatch(r"[\w+.-]+", scheme) else "***"


def masked(url: str) -> str:
    """`url` without its password and without its query, which may hold one."""
    scheme, _, rest = url.partition("://")
    rest, _, query = rest.partition("?")
    login, at, host = rest.rpartition("@")
    user, colon, _ = login.partition(":")
    shown = f"{user}{':***' if colon else ''}{at}{host}" if at else rest
    return f"{scheme}://{shown}{'?***' if query else ''}"
