"""A leader that fails, with the settings of a real site: when does the next one go on?"""

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import get_args

from bench import Figure
from bench.submitting import sample
from tests.fakes.failover import How, Stage, Story, ended_well
from tests.fakes.postgres import PostgresServer
from tests.fakes.separate import separate_site
from tests.fakes.site import PLUGINS, Site

WORK_SECONDS = 40.0  #: much more than a lease: workers are at work when the next leader comes
LEASE_SECONDS = 15.0
AT_ONCE_SECONDS = 1.0


async def told(how: How, folder: Path, url: str) -> Story:
    """One failure on PostgreSQL, with two workers at work."""
    with separate_site(folder, url, times={}) as separate:
        site = await Site.open(separate.settings)
        try:
            return await Stage(separate, site, folder).play(how, sample(), WORK_SECONDS)
        finally:
            await site.close()


def figures_of(story: Story) -> list[Figure]:
    """When the standby leads, and when it has heard of every worker."""
    line = story.timeline
    heard = [seconds for seconds, what in line.entries if what == "a worker is attached again"]
    target = AT_ONCE_SECONDS if story.how == "stopped" else LEASE_SECONDS
    leads = Figure(
        what=f"leader {story.how}: the standby leads",
        runs=(line.seconds("the standby leads"),),
        unit="s",
        target=target,
        more_is_better=False,
    )
    return [
        leads,
        Figure(what=f"leader {story.how}: every worker is heard of", runs=(max(heard),), unit="s"),
    ]


def measure() -> list[Figure]:
    """Every way to fail, once; prints what happened."""
    sys.path.insert(0, str(PLUGINS))
    figures = []
    with PostgresServer() as server, tempfile.TemporaryDirectory() as name:
        for number, how in enumerate(get_args(How)):
            folder = Path(name) / str(number)
            folder.mkdir()
            story = asyncio.run(told(how, folder, server.create(f"failover_{number}")))
            print(f"\n{story.timeline}\n", flush=True)
            if not ended_well(story.after) or story.changed:
                raise SystemExit(f"The leader was {how}, and the work was not done as it must be.")
            figures += figures_of(story)
    return figures
