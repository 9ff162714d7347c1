"""Judges what is left when everything has come to its end: journal, rows, bytes, processes."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.fakes.site import Site, journal, overlaps, workers_of
from videoannotator.blobs import keys
from videoannotator.domain.jobs import JOB_FINAL, RunState, WorkerState
from videoannotator.formats.manifest import read_manifest
from videoannotator.store.jobs import Jobs
from videoannotator.store.rows import JobRows


async def faults(site: Site, jobs: Iterable[JobRows], lines: Path) -> list[str]:
    """What is wrong with a site in which all work has ended; `jobs` are those that are left."""
    told = journal(lines)
    found = [*_overlapping(told), *_left_processes(site.settings.storage.root, told)]
    for job in jobs:
        found += _unended(job)
        found += _unlike_the_journal(job, told)
        found += [fault async for fault in _of_results(site, job)]
    found += [f"half a file: {key}" for key in _partial(site.settings.storage.root)]
    found += _unburied(site.settings.storage.root)
    return found


def _overlapping(told: list[dict[str, Any]]) -> Iterator[str]:
    """The pipeline's own lock tells; the order of the lines is looked at as well."""
    for line in told:
        if line["event"] == "overlap":
            yield f"two processes worked on run {line['run']}"
    for run in overlaps(told):
        yield f"two processes of run {run} lived"
    starts = Counter((each["run"], each["attempt"]) for each in told if each["event"] == "started")
    for attempt, count in starts.items():
        if count > 1:
            yield f"attempt {attempt} was worked on {count} times"
    yield from _done_twice(told)


def _done_twice(told: list[dict[str, Any]]) -> Iterator[str]:
    done: set[str] = set()
    for line in told:
        if line["event"] == "started" and line["run"] in done:
            yield f"run {line['run']} was repeated although it was finished"
        if line["outcome"] == "completed":
            done.add(line["run"])


def _left_processes(root: Path, told: list[dict[str, Any]]) -> Iterator[str]:
    for process in workers_of(root):
        yield f"left behind: {process}"


def _unended(job: JobRows) -> Iterator[str]:
    if job.job.state not in JOB_FINAL:
        yield f"job {job.job.id} is {job.job.state}"
    for worker in job.workers:
        if worker.state is not WorkerState.GONE:
            yield f"worker {worker.id} is {worker.state}: its slot is not free"
    for attempt in job.attempts:
        if attempt.open:
            yield f"attempt {attempt.number} of {attempt.run_id} is open"


def _unlike_the_journal(job: JobRows, told: list[dict[str, Any]]) -> Iterator[str]:
    """A result has its line; a line has its attempt."""
    known = {(attempt.run_id, attempt.number) for attempt in job.attempts}
    for run in job.runs:
        own = [line for line in told if line["run"] == run.id]
        done = [line for line in own if line["outcome"] == "completed"]
        if run.state is RunState.SUCCEEDED and len(done) != 1:
            yield f"run {run.id} succeeded, {len(done)} lines say so"
        if any((run.id, line["attempt"]) not in known for line in own):
            yield f"run {run.id} was worked on by an attempt without a row"


async def _of_results(site: Site, job: JobRows) -> Any:
    """A succeeded run has exactly the files of its manifest; no other has a result."""
    artifacts = await Jobs(site.database).artifacts(site.user, job.job.id)
    for run in job.runs:
        own = {one.name: one for one in artifacts if one.run_id == run.id}
        if run.state is not RunState.SUCCEEDED:
            if own:
                yield f"run {run.id} is {run.state} and has results"
            continue
        if not own:
            yield f"run {run.id} succeeded without results"
            continue
        number = next(iter(own.values())).attempt
        folder = keys.attempt_folder(job.job.owner_id, job.job.id, run.pipeline, number)
        manifest = read_manifest(site.blobs.path(f"{folder}/{keys.MANIFEST}").read_bytes())
        if {file.name for file in manifest.files} != own.keys():
            yield f"run {run.id}: rows and manifest differ"
        for file in manifest.files:
            if await site.blobs.sha256(f"{folder}/{file.name}") != file.sha256:
                yield f"run {run.id}: {file.name} is not what the manifest says"


def _partial(root: Path) -> Iterator[Path]:
    for path in root.rglob("*"):
        if path.is_file() and path.name.startswith(".partial-"):
            yield path


def _unburied(root: Path) -> Iterator[str]:
    """A worker's folder without a tombstone is one that a launcher still takes for living."""
    for folder in (root / "workers").glob("*"):
        if not (folder / "gone").exists():
            facts = sorted(path.name for path in folder.iterdir())
            yield f"worker {folder.name} has no tombstone: {json.dumps(facts)}"
