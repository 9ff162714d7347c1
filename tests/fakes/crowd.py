"""Several processes that do one thing at the same moment; each says in a line how it went.

`python -m tests.fakes.crowd ACT ARGUMENT COUNT` imports everything once and forks.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from videoannotator.domain.errors import VideoAnnotatorError
from videoannotator.rpc.keyfiles import read_or_make
from videoannotator.store.access import Access
from videoannotator.store.engine import Database
from videoannotator.store.schema import upgrade

ROOT = Path(__file__).parents[2]


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


def make_secret(folder: str) -> str:
    """The secret that they share."""
    return read_or_make(Path(folder), "worker.key")


def migrate(url: str) -> str:
    """Nothing but that it went well."""
    upgrade(url)
    return "upgraded"


def make_administrator(url: str) -> str:
    """The secret of the first administrator, for the one who made it."""

    async def make() -> str | None:
        database = Database.open(url)
        secret = await Access(database).bootstrap_admin()
        await database.close()
        return secret

    return asyncio.run(make()) or "none"


ACTS: dict[str, Callable[[str], str]] = {
    act.__name__: act for act in (make_secret, migrate, make_administrator)
}


def main(name: str, argument: str, count: str) -> None:
    """Forks; the children begin when the last one is there."""
    gate, opener = os.pipe()
    children = []
    for _ in range(int(count)):
        child = os.fork()
        if child == 0:
            os.close(opener)
            os.read(gate, 1)
            os.write(1, f"{_outcome(ACTS[name], argument)}\n".encode())
            os._exit(0)
        children.append(child)
    os.close(opener)
    for child in children:
        os.waitpid(child, 0)


def _outcome(act: Callable[[str], str], argument: str) -> str:
    try:
        return act(argument)
    except VideoAnnotatorError as error:
        return f"{type(error).__name__}: {error.__cause__!r}"


if __name__ == "__main__":
    main(*sys.argv[1:])
