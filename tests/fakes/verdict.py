"""Judges what is left when everything has come to its end: journal, rows, bytes, processes."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.fakes.site import Site, journal, overlaps, workers_of
from videoannotator.blobs import keys
from videoannotator.domain.jobs import JOB_FINAL, Run, RunState, Worker, WorkerState
from videoannotator.formats.manifest import MANIFEST_NAME, read_manifest
from videoannotator.store.jobs import Jobs
from videoannotator.store.rows import JobRows


async def faults(site: Site, jobs: Iterable[JobRows], lines: Path) -> list[str]:
    """What is wrong with a site in which all work has ended; `jobs` are those that are left."""
    told = journal(lines)
    found = [*_overlapping(told), *_left_processes(site.settings.storage.root)]
    for job in jobs:
        found += _unended(job)
        found += _out_of_order(job)
        found += _unlike_the_journal(site, job, told)
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


def _left_processes(root: Path) -> Iterator[str]:
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


def _out_of_order(job: JobRows) -> Iterator[str]:
    """CANCELLED comes after GONE, an attempt after the end of the one before it."""
    for run in job.runs:
        late = [one for one in job.workers if one.run_id == run.id and not _gone_before(one, run)]
        if run.state is RunState.CANCELLED and late:
            yield f"run {run.id} was cancelled before its worker was gone"
        own = sorted((a for a in job.attempts if a.run_id == run.id), key=lambda a: a.number)
        for before, after in pairwise(own):
            if before.over_at is None or before.over_at > after.opened_at:
                yield f"attempt {after.number} of {run.id} was opened beside another"


def _gone_before(worker: Worker, run: Run) -> bool:
    """By the one clock of the database."""
    both = worker.gone_at is not None and run.finished_at is not None
    return both and worker.gone_at <= run.finished_at  # type: ignore[operator]


def _unlike_the_journal(site: Site, job: JobRows, told: list[dict[str, Any]]) -> Iterator[str]:
    """A result has its lines and was not worked for again; a line has its attempt."""
    for run in job.runs:
        own = [line for line in told if line["run"] == run.id]
        numbers = {attempt.number for attempt in job.attempts if attempt.run_id == run.id}
        sealed = {number for number in numbers if _manifest(site, job, run, number).is_file()}
        done = {line["attempt"] for line in own if line["outcome"] == "completed"}
        if len(sealed) > 1 or any(line["attempt"] > min(sealed, default=9999) for line in own):
            yield f"run {run.id} was finished and worked on again"
        if (run.state is RunState.SUCCEEDED) != (len(sealed) == 1):
            yield f"run {run.id} is {run.state}, its manifests are {sealed}"
        if not sealed <= done:
            yield f"run {run.id} has a manifest that nobody worked for"
        if not {line["attempt"] for line in own} <= numbers:
            yield f"run {run.id} was worked on by an attempt without a row"


def _manifest(site: Site, job: JobRows, run: Run, number: int) -> Path:
    folder = keys.attempt_folder(job.job.owner_id, job.job.id, run.pipeline, number)
    return site.blobs.path(f"{folder}/{MANIFEST_NAME}")


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
        path = _manifest(site, job, run, next(iter(own.values())).attempt)
        manifest = read_manifest(path.read_bytes())
        if {file.name for file in manifest.files} != own.keys():
            yield f"run {run.id}: rows and manifest differ"
        for file in manifest.files:
            content = (path.parent / file.name).read_bytes()
            if hashlib.sha256(content).hexdigest() != file.sha256:
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
