"""The scheduler on a cluster of fake nodes, beside a client that only creates.

A cluster of its own, without containers: kwok says that pods run, and one server answers for all
workers. The launcher, the scheduler, the database, the API server and Kubernetes' controllers are
the real ones. `cluster=N` measures with N Kubernetes Jobs; the default is 1,000.
"""

import asyncio
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from bench import Figure
from bench.kwok import raw
from bench.kwok.plane import Plane, plane
from bench.kwok.stages import nodes_for
from bench.kwok.stand import FOR_EVER_SECONDS, NAMESPACE, Stand, standing
from bench.services import databases, place

SIZE = 1_000
AT_REST = 200
SHORT_SECONDS = 2.0  #: of work, where many come and go
LONGEST_SECONDS_EACH = 3.0  #: of waiting for one of many
LEAST_SECONDS = 300.0
REST_SECONDS = 60.0
SETTLE_SECONDS = 10.0
AWAY_SECONDS = 30.0
WATCHES = 2
KILLED_AT = (0.25, 0.5, 0.75)  #: of the runs have ended
SILENCE_SECONDS = 200.0


def measure(size: int = SIZE) -> list[Figure]:
    """All figures, with so many Kubernetes Jobs."""
    return asyncio.run(measured(size))


async def measured(size: int) -> list[Figure]:
    """Each measurement finds the cluster as the one before has left it: with nothing to do."""
    with tempfile.TemporaryDirectory(prefix="bench-kwok-") as name, place(databases()[-1]) as here:
        nodes = nodes_for(2 * size)  # the raw client's stay
        with plane(Path(name) / "cluster", nodes) as made:
            made.namespace(raw.NAMESPACE, here.root)
            async with standing(made, here, size) as stand:
                launched = shown(await launching(stand, made, size))
                restarted = shown(await restarting(stand, size))
                await finishing(stand)
                quiet = shown(await resting(stand, min(size, AT_REST)))
                await finishing(stand)
                faulted = shown(await faulting(stand, size))
                return [*launched, *restarted, *faulted, *quiet]


def told(what: str) -> None:
    """What is measured now, for whoever waits."""
    print(f"  {datetime.now(UTC):%H:%M:%S} {what}", file=sys.stderr, flush=True)


def shown(figures: list[Figure]) -> list[Figure]:
    """The figures, told at once: the next ones take long."""
    for each in figures:
        told(f"{each.what}: {each.value:,.2f} {each.unit}")
    return figures


def limit(size: int) -> float:
    """The longest time that so many may take."""
    return LEAST_SECONDS + size * LONGEST_SECONDS_EACH


# --- launching


async def launching(stand: Stand, made: Plane, size: int) -> list[Figure]:
    """From the first create to the last pod that runs: a raw client, then we."""
    told(f"a raw client creates {size}")
    began = await raw.create_all(made.address, made.places.pki, size)
    ceiling = await all_run(stand, raw.NAMESPACE, size, began)
    told(f"the raw client: {ceiling:.2f} /s; its pods stay, and do nothing")
    # Their controller writes first of each of them that it is ready, and then creates ours.
    await stand.until("the raw client's are told ready", lambda: settled(made, size), limit(size))
    told(f"we launch {size}")
    await stand.submit(size, FOR_EVER_SECONDS)
    seen = stand.forget()
    began_ours = time.monotonic()
    await stand.start()
    idle = time.monotonic() - began_ours
    await stand.until("the first is created", lambda: seen.first_create_at is not None, 60.0)
    first = seen.first_create_at or began_ours
    ours = await all_run(stand, NAMESPACE, size, first)
    workers = stand.workers
    await stand.until("all work", lambda: workers.attached(1) == size, limit(size))
    return [
        Figure(
            what=f"{size:,} created until running, each second",
            runs=(ours,),
            unit="/s",
            target=round(0.9 * ceiling, 2),
            beside="a raw client",
            others=(ceiling,),
        ),
        Figure(what="start of a scheduler, without pods", runs=(idle,), unit="s"),
        Figure(
            what="requests of each launch",
            runs=(seen.requests / size,),
            unit="",
            more_is_better=False,
        ),
    ]


def settled(made: Plane, size: int) -> bool:
    """Whether the controller has nothing left to do for the raw client."""
    words = (
        "get",
        "jobs",
        f"--namespace={raw.NAMESPACE}",
        "-o",
        "jsonpath={.items[*].status.ready}",
    )
    return made.kubectl(*words).split() == ["1"] * size


async def all_run(stand: Stand, namespace: str, size: int, began: float) -> float:
    """Waits until so many pods run; how many began to in each second."""
    running = stand.workers.journal.running_at[namespace]
    what = f"{size} pods run in {namespace}"
    await stand.until(what, lambda: len(running) >= size, limit(size))
    return size / (max(running.values()) - began)


# --- restarting


async def restarting(stand: Stand, size: int) -> list[Figure]:
    """A new scheduler among so many that live: until it has attached to all."""
    took = []
    for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
        told(f"a restart among {size}, after {number.name}")
        epoch = await stand.epoch()
        await stand.stop(number)
        began = time.monotonic()
        await stand.start()
        await stand.until("all are attached", _reattached(stand, epoch + 1, size), limit(size))
        took.append(time.monotonic() - began)
    *orderly, killed = took
    return [
        Figure(
            what=f"restart to attached, {size:,} live",
            runs=tuple(orderly),
            unit="s",
            target=10.0,
            more_is_better=False,
        ),
        Figure(
            what="the same after kill -9, with the lease of 15 s",
            runs=(killed,),
            unit="s",
            more_is_better=False,
        ),
    ]


def _reattached(stand: Stand, epoch: int, size: int) -> Callable[[], bool]:
    return lambda: stand.workers.attached(epoch) >= size


async def finishing(stand: Stand) -> None:
    """Everybody ends; waits until nothing is left."""
    told("all end")
    stand.workers.release.set()
    await over(stand, stand.submitted)
    stand.workers.release.clear()


async def over(stand: Stand, runs: int) -> None:
    """Waits until so many runs have ended and no worker lives."""
    await stand.until_ended(runs, limit(runs))
    await stand.until("no worker lives", lambda: not stand.workers.lives, limit(runs))


# --- faults


async def faulting(stand: Stand, size: int) -> list[Figure]:
    """Short runs with a share of requests that fail and a scheduler that is killed."""
    told(f"{size} with injected faults")
    before = await stand.ended()
    seen = stand.forget()
    await stand.submit(size, SHORT_SECONDS)
    stand.proxy.injecting = True
    began = time.monotonic()
    for share in KILLED_AT:
        await stand.until_ended(len(before) + round(share * size), limit(size))
        told(f"the scheduler is killed, with {share:.0%} ended")
        await stand.restart(signal.SIGKILL)
    await over(stand, stand.submitted)
    took = time.monotonic() - began
    stand.proxy.injecting = False
    told(f"injected: {dict(seen.faults)}")
    return [
        *await judged(stand),
        Figure(
            what=f"{size:,} of {SHORT_SECONDS:.0f} s from submitted to ended, with faults",
            runs=(size / took,),
            unit="/s",
        ),
        Figure(what="faults injected", runs=(float(seen.faults.total()),), unit=""),
    ]


async def judged(stand: Stand) -> list[Figure]:
    """What was lost and what was done twice, of all runs so far, by the workers' journal."""
    ended, journal = await stand.ended(), stand.workers.journal
    states = Counter(ended.values())
    told(f"ended: {dict(states)}; attempts beyond the first: {extra(journal.started)}")
    lost = sum(state != "succeeded" or not journal.written[run] for run, state in ended.items())
    twice = extra(journal.written) + journal.overlaps.total()
    return [
        Figure(
            what=f"lost, of {len(ended):,} runs that ended",
            runs=(float(lost),),
            unit="",
            target=0.0,
            more_is_better=False,
        ),
        Figure(
            what=f"done twice, of {len(ended):,} runs that ended",
            runs=(float(twice),),
            unit="",
            target=0.0,
            more_is_better=False,
        ),
        Figure(what="attempts beyond the first", runs=(float(extra(journal.started)),), unit=""),
    ]


def extra(counts: Counter[str]) -> int:
    """By how much everything together exceeds one of each."""
    return sum(max(0, count - 1) for count in counts.values())


# --- rest, and what disturbs it


async def resting(stand: Stand, size: int) -> list[Figure]:
    """Requests at rest and while every one fails; then a path that dies."""
    told(f"{size} at rest")
    await stand.submit(size, FOR_EVER_SECONDS)
    lives = stand.workers.lives
    await stand.until("all live", lambda: len(lives) == size, limit(size))
    await asyncio.sleep(SETTLE_SECONDS)
    rest = await requests_each_second(stand)
    told("every request fails")
    stand.proxy.broken = True
    stand.proxy.cut()
    await stand.submit(5, FOR_EVER_SECONDS)
    at_first = await requests_each_second(stand)
    failing = await requests_each_second(stand)
    seen = stand.forget()
    stand.proxy.broken = False
    mended = await _healed(stand, len(seen.opened))
    return [
        Figure(
            what=f"requests each second, {size} running",
            runs=(rest,),
            unit="/s",
            target=0.5,
            more_is_better=False,
        ),
        Figure(
            what="the same and 5 launches, all answered with 500, the second minute",
            runs=(failing,),
            unit="/s",
            target=1.0,
            more_is_better=False,
            beside="the first minute",
            others=(at_first,),
        ),
        _healing("after the last 500", mended),
        *await dying(stand),
    ]


async def requests_each_second(stand: Stand) -> float:
    """To the API server, over a while."""
    seen = stand.forget()
    await asyncio.sleep(REST_SECONDS)
    told(f"in {REST_SECONDS:.0f} s: {dict(seen.asked)}")
    return seen.requests / REST_SECONDS


async def dying(stand: Stand) -> list[Figure]:
    """A path that goes silent, and an API server that is not there."""
    told("the path dies")
    await asyncio.sleep(SETTLE_SECONDS)
    seen = stand.forget()
    began = time.monotonic()
    with stand.proxy.silent():
        given_up = lambda: len(seen.closed) >= WATCHES  # noqa: E731 - asked again and again
        await stand.until("the dead watches are given up", given_up, SILENCE_SECONDS)
        noticed = max(seen.closed) - began
    healed = await _healed(stand, len(seen.opened))
    told("the API server is away")
    await asyncio.sleep(SETTLE_SECONDS)
    stand.proxy.gone = True
    stand.proxy.cut()
    await asyncio.sleep(AWAY_SECONDS)
    seen = stand.forget()
    stand.proxy.gone = False
    back = await _healed(stand, len(seen.opened))
    return [
        Figure(
            what="a dead watch: noticed after",
            runs=(noticed,),
            unit="s",
            target=75.0,
            more_is_better=False,
        ),
        _healing("after the path is back", healed),
        _healing(f"after an API server that was away for {AWAY_SECONDS:.0f} s", back),
    ]


async def _healed(stand: Stand, opened: int) -> float:
    """Seconds until both watches are open again."""
    seen = stand.proxy.seen
    return await stand.until(
        "the watches are open again", lambda: len(seen.opened) >= opened + WATCHES, SILENCE_SECONDS
    )


def _healing(when: str, seconds: float) -> Figure:
    return Figure(
        what=f"watches open again {when}",
        runs=(seconds,),
        unit="s",
        target=5.0,
        more_is_better=False,
    )
