"""Annotating videos at a server: send, show, fetch, tell."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from videoannotator.cli.exits import ExitCode, exit_code_of
from videoannotator.cli.failures import failure_lines
from videoannotator.cli.folders import Folders, folders_in, sha256_of
from videoannotator.cli.output import say, write_table
from videoannotator.cli.progress import Board, board, found
from videoannotator.client import Client, Job, Run
from videoannotator.domain.errors import (
    InvalidConfig,
    InvalidRequest,
    PipelineUnavailable,
    StorageError,
    VideoAnnotatorError,
)
from videoannotator.domain.jobs import RunState

LOOK_SECONDS = 0.5
AVAILABLE = "available"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is wanted."""

    videos: Sequence[Path]
    pipelines: Sequence[str]  #: empty: all that can run
    config: Mapping[str, Any]
    output: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one video."""

    video: Path
    folder: Path | None = None
    job: Job | None = None  #: None: it could not be sent, for the reason in `error`
    error: VideoAnnotatorError | None = None
    files: tuple[Path, ...] = ()

    @property
    def runs(self) -> tuple[Run, ...]:
        """What was asked for on it."""
        return self.job.runs if self.job else ()


def annotate(server: str, token: str, order: Order) -> list[Outcome]:
    """Annotates every video and saves its files; shows progress meanwhile.

    A video that cannot be sent does not hold up the others.
    """
    with Client(server, token) as client, board() as shown, folders_in(order.output) as folders:
        pipelines = order.pipelines or runnable(client)
        outcomes = [
            _sent(client, shown, folders, video, pipelines, order) for video in order.videos
        ]
        return sorted(
            _followed(client, shown, outcomes), key=lambda each: order.videos.index(each.video)
        )


def runnable(client: Client) -> list[str]:
    """The pipelines that can run at the server. Raises: PipelineUnavailable when there is none."""
    known = client.pipelines()
    names = [each.name for each in known if each.availability.state in ("", AVAILABLE)]
    if not names:
        hints = [each.availability.command for each in known if each.availability.command]
        raise PipelineUnavailable("No pipeline can run here.", hint="\n".join(hints))
    return names


def _sent(
    client: Client,
    shown: Board,
    folders: Folders,
    video: Path,
    pipelines: Sequence[str],
    order: Order,
) -> Outcome:
    """The outcome so far of a video that is sent. Raises: what would hold for every video."""
    try:
        job = _submit(client, shown, video, pipelines, order)
    except InvalidConfig:
        raise
    except (InvalidRequest, StorageError) as error:
        say(f"{video.name}: {error.message} {error.hint}".rstrip())
        return Outcome(video=video, error=error)
    folder = folders.claim(video, job.video_sha256 or sha256_of(video))
    return Outcome(video=video, folder=folder, job=job)


def _submit(
    client: Client, shown: Board, video: Path, pipelines: Sequence[str], order: Order
) -> Job:
    return client.submit(
        video,
        pipelines,
        {name: each for name, each in order.config.items() if name in pipelines},
        report=lambda sent, size: shown.sent(video.name, sent, size),
    )


def _followed(client: Client, shown: Board, outcomes: list[Outcome]) -> Iterator[Outcome]:
    """Each outcome when its job has ended, with its files saved."""
    open_ones = outcomes
    while open_ones:
        looked = [_looked(client, shown, each) for each in open_ones]
        yield from (_saved(client, each) for each in looked if _ended(each))
        open_ones = [each for each in looked if not _ended(each)]
        if open_ones:
            time.sleep(LOOK_SECONDS)


def _looked(client: Client, shown: Board, outcome: Outcome) -> Outcome:
    if outcome.job is None:
        return outcome
    job = client.job(outcome.job.id)
    shown.show(outcome.video.name, job)
    return replace(outcome, job=job)


def _ended(outcome: Outcome) -> bool:
    return outcome.job is None or outcome.job.ended


def _saved(client: Client, outcome: Outcome) -> Outcome:
    if outcome.job is None or outcome.folder is None or not outcome.job.files:
        return outcome
    return replace(outcome, files=tuple(client.download(outcome.job.id, outcome.folder)))


def failed(outcomes: Sequence[Outcome]) -> bool:
    """Whether anything did not succeed."""
    return any(
        each.job is None
        or exit_code_of(each.job.status, tuple(run.status for run in each.runs)) is not ExitCode.OK
        for each in outcomes
    )


def told(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """The outcomes for a program: the server's own words, and the files."""
    return [
        {
            "video": str(each.video),
            "files": [str(path) for path in each.files],
            "job": each.job.raw if each.job else None,
            "error": {"message": each.error.message, "hint": each.error.hint}
            if each.error
            else None,
        }
        for each in outcomes
    ]


def write_outcomes(outcomes: Sequence[Outcome], *, verbose: bool = False) -> None:
    """The table in the end, and what to do about what failed; `verbose`: with the worker's log."""
    columns = ("VIDEO", "PIPELINE", "STATE", "FOUND", "#FILES", "#SECONDS", "#TIMES REAL TIME")
    write_table(columns, [row for each in outcomes for row in _rows(each)])
    for each in outcomes:
        _tell_failures(each, verbose)
        if each.files:
            say(f"{len(each.files)} files in {each.folder}")


def _rows(outcome: Outcome) -> list[tuple[object, ...]]:
    if outcome.job is None:
        return [(outcome.video.name, "", "not sent", "", 0, "", "")]
    media_seconds = outcome.job.video_duration_seconds
    return [(outcome.video.name, *_cells(run, media_seconds)) for run in outcome.runs]


def _cells(run: Run, media_seconds: float | None) -> tuple[object, ...]:
    return (
        run.pipeline,
        run.status,
        found(run),
        len(run.artifacts),
        "" if run.seconds is None else f"{run.seconds:.1f}",
        real_time(media_seconds, run),
    )


def real_time(media_seconds: float | None, run: Run) -> str:
    """Seconds of video for each second of work, `12.3`; empty when it did not finish."""
    if run.status is not RunState.SUCCEEDED or not run.seconds or not media_seconds:
        return ""
    return f"{media_seconds / run.seconds:.1f}"


def _tell_failures(outcome: Outcome, verbose: bool) -> None:
    for run in outcome.runs:
        if run.status is RunState.FAILED and run.error is not None:
            first, *more = failure_lines(run.error, verbose=verbose)
            say("\n  ".join((f"{outcome.video.name}: {run.pipeline}: {first}", *more)))
