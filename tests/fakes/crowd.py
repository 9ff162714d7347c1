"""Several processes that do one thing at the same moment; each says in a line how it went.

`python -m tests.fakes.crowd ACT ARGUMENT COUNT` imports everything once and forks.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import text

from videoannotator.domain.errors import VideoAnnotatorError
from videoannotator.rpc.keyfiles import read_or_make
from videoannotator.store.access import Access
from videoannotator.store.engine import Database
from videoannotator.store.schema import upgrade

ROOT = Path(__file__).parents[2]

#: Returns when everybody has called it.
Together = Callable[[], None]


async def all_at_once(act: str, argument: str, count: int = 4) -> list[str]:
    """What each of `count` processes said."""
    ran = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "tests.fakes.crowd", act, argument, str(count)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        timeout=100,
        check=True,
    )
    return ran.stdout.splitlines()


def make_secret(folder: str, together: Together) -> str:
    """The secret that they share."""
    together()
    return read_or_make(Path(folder), "worker.key")


def migrate(url: str, together: Together) -> str:
    """Nothing but that it went well."""
    together()
    upgrade(url)
    return "upgraded"


def make_administrator(url: str, together: Together) -> str:
    """The secret of the first administrator, for the one who made it.

    All are connected before anybody begins: connecting would put them one behind the other.
    """

    async def make() -> str | None:
        database = Database.open(url)
        async with database.writing() as connection:
            await connection.execute(text("SELECT 1"))
        together()
        secret = await Access(database).bootstrap_admin()
        await database.close()
        return secret

    return asyncio.run(make()) or "none"


ACTS: dict[str, Callable[[str, Together], str]] = {
    act.__name__: act for act in (make_secret, migrate, make_administrator)
}


def main(name: str, argument: str, count: str) -> None:
    """Forks; the children go on when the last one is ready."""
    gate, opener = os.pipe()
    heard, ready = os.pipe()

    def together() -> None:
        os.write(ready, b".")
        os.read(gate, 1)  # its end: nobody writes into it

    children = []
    for _ in range(int(count)):
        child = os.fork()
        if child == 0:
            os.close(opener)
            os.write(1, f"{_outcome(ACTS[name], argument, together)}\n".encode())
            os._exit(0)
        children.append(child)
    os.close(ready)
    for _ in children:
        os.read(heard, 1)
    os.close(opener)
    for child in children:
        os.waitpid(child, 0)


def _outcome(act: Callable[[str, Together], str], argument: str, together: Together) -> str:
    try:
        return act(argument, together)
    except VideoAnnotatorError as error:
        return f"{type(error).__name__}: {error.__cause__!r}"


if __name__ == "__main__":
    main(*sys.argv[1:])
