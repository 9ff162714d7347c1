"""SQLAlchemy's connections for asyncio, without its object mapper.

`sqlalchemy.ext.asyncio` loads the mapper for its sessions, which nothing here uses, and some
megabytes of every service with it. Its module of connections needs none of it. The package is left
to be imported in full by whoever wants it, with the same classes.
"""

import sys
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, module_from_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

__all__ = ["AsyncConnection", "AsyncEngine", "create_async_engine"]

PACKAGE = "sqlalchemy.ext.asyncio"


def _loaded(name: str) -> object:
    """A module of the package, whose own `__init__` is not run for it."""
    if PACKAGE in sys.modules:
        return import_module(name)
    spec = find_spec(PACKAGE)
    assert isinstance(spec, ModuleSpec)  # noqa: S101 - SQLAlchemy was imported
    sys.modules[PACKAGE] = module_from_spec(spec)  # made, with its path, and not executed
    try:
        return import_module(name)
    finally:
        del sys.modules[PACKAGE]


if not TYPE_CHECKING:
    _engine = _loaded(f"{PACKAGE}.engine")
    AsyncConnection = _engine.AsyncConnection
    AsyncEngine = _engine.AsyncEngine
    create_async_engine = _engine.create_async_engine
