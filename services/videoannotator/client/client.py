"""The client: one method for each thing that a server does."""

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

from videoannotator.client.pipelines import Pipeline, Validation
from videoannotator.client.queue import Queue
from videoannotator.client.reading import fields
from videoannotator.client.records import File, Health, Job, JobPage, Results, Token
from videoannotator.client.saving import Report, WatchedFile, local_name, save, typed_errors
from videoannotator.client.transport import Busy, Transport
from videoannotator.client.watching import signals
from videoannotator.domain.errors import NothingFinished
from videoannotator.domain.jobs import JobState

TOKENS = "/api/v1/tokens"
JOBS = "/api/v1/jobs"
PIPELINES = "/api/v1/pipelines"


class Client:
    """A server's interface. Close it, or use it with `with`."""

    def __init__(
        self,
        server: str,
        token: str = "",
        *,
        transport: Transport | None = None,
        busy: Busy | None = None,
    ) -> None:
        """`server` is its address, `token` one of its keys; empty: it asks for none.

        `busy` is told why and how long the client waits before it asks again, when the server takes
        no more for now.
        """
        self._transport = transport or Transport(server, token, busy=busy)

    def __enter__(self) -> Self:
        """The client itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Closes it."""
        self.close()

    def close(self) -> None:
        """Closes every connection."""
        self._transport.close()

    def submit(
        self,
        video: Path | str,
        pipelines: Sequence[str],
        config: Mapping[str, Any] | None = None,
        *,
        priority: int = 0,
        idempotency_key: str | None = None,
        report: Report | None = None,
    ) -> Job:
        """Sends a video and asks for `pipelines` on it, with `config` as {pipeline: parameters}.

        The file is streamed from the disk; `report` is told the bytes read so far and their number.
        A key is made when none is given, so that sending it twice still makes one job.
        """
        form = {
            "selected_pipelines": ",".join(pipelines),
            "config": json.dumps(config or {}),
            "priority": str(priority),
        }
        key = idempotency_key or secrets.token_hex(16)
        path = Path(video)
        with ExitStack() as opened, typed_errors(path):
            file = opened.enter_context(path.open("rb"))
            watched = WatchedFile(file, path.stat().st_size, report or (lambda sent, size: None))
            answer = self._transport.json(
                "POST",
                JOBS,
                repeatable=True,
                data=form,
                files=lambda: {"video": (path.name, watched)},
                headers={"Idempotency-Key": key},
            )
        return Job.read(fields(answer))

    def job(self, job_id: str) -> Job:
        """One job. Raises: JobNotFound."""
        return Job.read(fields(self._transport.json("GET", _job(job_id))))

    def job_page(
        self,
        page: int = 1,
        per_page: int = 20,
        *,
        status: JobState | None = None,
        pipeline: str | None = None,
        search: str | None = None,
    ) -> JobPage:
        """One page of the jobs, the newest first; `per_page` is 1 to 100."""
        asked = {
            "page": page,
            "per_page": per_page,
            "status_filter": status,
            "pipeline": pipeline,
            "search": search,
        }
        params = {name: str(value) for name, value in asked.items() if value is not None}
        return JobPage.read(fields(self._transport.json("GET", JOBS, params=params)))

    def jobs(
        self,
        *,
        status: JobState | None = None,
        pipeline: str | None = None,
        search: str | None = None,
    ) -> Iterator[Job]:
        """Every job, the newest first. One that moves to the next page meanwhile comes once."""
        seen: set[str] = set()
        number = 1
        while True:
            page = self.job_page(number, 100, status=status, pipeline=pipeline, search=search)
            yield from (job for job in page.jobs if job.id not in seen)
            seen.update(job.id for job in page.jobs)
            if not page.jobs or number * page.per_page >= page.total:
                return
            number += 1

    def cancel(self, job_id: str) -> Job:
        """Asks for a job's end. Raises: JobNotFound, JobAlreadyEnded."""
        # Cancelling twice is cancelling once: it may be sent again.
        answer = self._transport.json("POST", f"{_job(job_id)}/cancel", repeatable=True)
        return Job.read(fields(answer))

    def delete(self, job_id: str) -> None:
        """Removes a job, its results, and its video when no other job uses it."""
        self._transport.json("DELETE", _job(job_id))

    def results(self, job_id: str) -> Results:
        """What became of a job so far."""
        return Results.read(fields(self._transport.json("GET", f"{_job(job_id)}/results")))

    def download(
        self, job_id: str, folder: Path | str, pipelines: Sequence[str] = ()
    ) -> list[Path]:
        """Saves every result file of a job in `folder`, or those of `pipelines`; returns the paths.

        Each is written under another name and renamed when it is whole and its SHA-256 is right.
        Raises: NothingFinished when there is none, StorageError.
        """
        chosen = [
            file for file in self.job(job_id).files if not pipelines or file.pipeline in pipelines
        ]
        if not chosen:
            raise NothingFinished()
        saved: list[Path] = []
        for file in chosen:
            name = local_name(file.name, (path.name for path in saved))
            saved.append(self._save(file, Path(folder) / name))
        return saved

    def artifacts(self, job_id: str, path: Path | str) -> Path:
        """Saves the ZIP of a job's video and results as `path`. Raises: NothingFinished."""
        target = Path(path)
        return self._transport.fetch(
            self._transport.server + f"{_job(job_id)}/artifacts",
            lambda response: save(response.iter_bytes(), target),
        )

    def _save(self, file: File, path: Path) -> Path:
        def use(response: httpx.Response) -> Path:
            return save(response.iter_bytes(), path, file.sha256)

        return self._transport.fetch(file.download_url, use)

    def watch(self, job_id: str) -> Iterator[Job]:
        """A job now and after each change, until it has ended.

        Listens to the server's events, takes a broken connection up again, and asks once a second
        where there are no events.
        """
        job = self.job(job_id)
        yield job
        if job.ended:
            return
        for _ in signals(self._transport, f"{_job(job_id)}/events", self._transport.sleep):
            now = self.job(job_id)
            if now != job:
                yield now
            if now.ended:
                return
            job = now

    def pipelines(self) -> list[Pipeline]:
        """The pipelines of the server."""
        answer = fields(self._transport.json("GET", PIPELINES))
        return [Pipeline.read(fields(each)) for each in answer.get("pipelines") or ()]

    def pipeline(self, name: str) -> Pipeline:
        """One pipeline. Raises: PipelineNotFound."""
        path = f"{PIPELINES}/{quote(name, safe='')}"
        return Pipeline.read(fields(self._transport.json("GET", path)))

    def validate(self, config: Mapping[str, Any], pipelines: Sequence[str] = ()) -> Validation:
        """Whether the server would accept `config`, as {pipeline: parameters}."""
        body: dict[str, Any] = {"config": dict(config)}
        if pipelines:
            body["selected_pipelines"] = list(pipelines)
        answer = self._transport.json("POST", "/api/v1/config/validate", repeatable=True, json=body)
        return Validation.read(fields(answer))

    def health(self) -> Health:
        """How the server is. Raises: Unavailable when a part that is needed is down."""
        return Health.read(fields(self._transport.json("GET", "/api/v1/health")))

    def tokens(self) -> list[Token]:
        """The caller's keys; all of them for an administrator."""
        answer = fields(self._transport.json("GET", TOKENS))
        return [Token.read(fields(each)) for each in answer.get("tokens") or ()]

    def create_token(self, name: str, expires_at: datetime | None = None) -> Token:
        """Makes a key for the caller; its `secret` is told this once, so it is never repeated."""
        body = {"name": name, "expires_at": expires_at and expires_at.isoformat()}
        return Token.read(fields(self._transport.json("POST", TOKENS, json=body)))

    def revoke_token(self, token_id: str) -> Token:
        """Ends a key at once. Raises: NotFound."""
        path = f"{TOKENS}/{quote(token_id, safe='')}"
        return Token.read(fields(self._transport.json("DELETE", path)))

    def queue(self) -> Queue:
        """Who waits for what, and which workers are at it."""
        return Queue.read(fields(self._transport.json("GET", "/api/v1/queue")))

    def drain(self, on: bool = True) -> None:
        """Asks the scheduler to launch nothing new, or again. For administrators."""
        self._transport.json("POST", "/api/v1/scheduler/drain", repeatable=True, json={"on": on})

    def abandon(self, worker_id: str) -> None:
        """Asks that a worker that cannot be proved gone is given up. For administrators.

        Raises: WorkerNotFound.
        """
        path = f"/api/v1/workers/{quote(worker_id, safe='')}/abandon"
        self._transport.json("POST", path, repeatable=True)


def _job(job_id: str) -> str:
    return f"{JOBS}/{quote(job_id, safe='')}"
