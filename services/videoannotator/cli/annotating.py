"""Annotating videos at a server: send, show, fetch, tell."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from videoannotator.cli.exits import ExitCode, exit_code_of
from videoannotator.cli.output import say, write_table
from videoannotator.cli.progress import Board, board, found
from videoannotator.cli.videos import folders_for
from videoannotator.client import Client, Job, Run
from videoannotator.domain.errors import PipelineUnavailable
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
    folder: Path
    job: Job
    files: tuple[Path, ...] = ()


def annotate(server: str, token: str, order: Order) -> list[Outcome]:
    """Annotates every video and saves its files; shows progress meanwhile."""
    with Client(server, token) as client, board() as shown:
        pipelines = order.pipelines or runnable(client)
        outcomes = [
            Outcome(video=video, folder=folder, job=_submit(client, shown, video, pipelines, order))
            for video, folder in zip(
                order.videos, folders_for(order.videos, order.output), strict=True
            )
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
        looked = [replace(each, job=client.job(each.job.id)) for each in open_ones]
        for each in looked:
            shown.show(each.video.name, each.job)
            if each.job.ended:
                yield _saved(client, each)
        open_ones = [each for each in looked if not each.job.ended]
        if open_ones:
            time.sleep(LOOK_SECONDS)


def _saved(client: Client, outcome: Outcome) -> Outcome:
    if not outcome.job.files:
        return outcome
    return replace(outcome, files=tuple(client.download(outcome.job.id, outcome.folder)))


def failed(outcomes: Sequence[Outcome]) -> bool:
    """Whether anything did not succeed."""
    return any(
        exit_code_of(each.job.status, tuple(run.status for run in each.job.runs)) is not ExitCode.OK
        for each in outcomes
    )


def told(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """The outcomes for a program: the server's own words, and the files."""
    return [
        {"video": str(each.video), "files": [str(path) for path in each.files], "job": each.job.raw}
        for each in outcomes
    ]


def write_outcomes(outcomes: Sequence[Outcome]) -> None:
    """The table in the end, and what to do about what failed."""
    columns = ("VIDEO", "PIPELINE", "STATE", "FOUND", "#FILES", "#SECONDS", "#TIMES REAL TIME")
    rows = [_row(each, run) for each in outcomes for run in each.job.runs]
    write_table(columns, rows)
    for each in outcomes:
        _tell_failures(each)
        if each.files:
            say(f"{len(each.files)} files in {each.folder}")


def _row(outcome: Outcome, run: Run) -> tuple[object, ...]:
    seconds = run.seconds
    return (
        outcome.video.name,
        run.pipeline,
        run.status,
        found(run),
        len(run.artifacts),
        "" if seconds is None else f"{seconds:.1f}",
        real_time(outcome.job.video_duration_seconds, run),
    )


def real_time(media_seconds: float | None, run: Run) -> str:
    """Seconds of video for each second of work, `12.3`; empty when it did not finish."""
    if run.status is not RunState.SUCCEEDED or not run.seconds or not media_seconds:
        return ""
    return f"{media_seconds / run.seconds:.1f}"


def _tell_failures(outcome: Outcome) -> None:
    for run in outcome.job.runs:
        if run.status is RunState.FAILED and run.error is not None:
            say(f"{outcome.video.name}: {run.pipeline}: {run.error.message} {run.error.hint}")
            for line in run.error.log_tail[-5:]:
                say(f"  {line}")
