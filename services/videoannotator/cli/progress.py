"""Progress: bars on a terminal, plain lines elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn

from videoannotator.cli.failures import cut
from videoannotator.cli.output import duration, on_terminal, say
from videoannotator.client.records import Job, Run
from videoannotator.domain.jobs import RunState

STEP = 0.1  #: share of a run after which a plain line is written


class Board(Protocol):
    """Shows how far jobs are."""

    def show(self, name: str, job: Job) -> None:
        """Shows the job of the video `name` as it is now."""
        ...

    def sent(self, name: str, sent_bytes: int, size_bytes: int) -> None:
        """Shows how much of a video is sent."""
        ...


@contextmanager
def board() -> Iterator[Board]:
    """Bars when somebody watches a terminal, else lines."""
    if not on_terminal():
        yield Lines()
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=30),
        TaskProgressColumn(),
        TextColumn("{task.fields[told]}", markup=False),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield Bars(progress)


class Lines:
    """A line for each change that matters."""

    def __init__(self) -> None:
        """Nothing is shown yet."""
        self._shown: dict[tuple[str, str], Run] = {}

    def show(self, name: str, job: Job) -> None:
        """Writes what is new in `job`."""
        for run in job.runs:
            key = (job.id, run.pipeline)
            if worth_telling(self._shown.get(key), run):
                self._shown[key] = run
                say(f"{name}: {run.pipeline}: {state(run)}")

    def sent(self, name: str, sent_bytes: int, size_bytes: int) -> None:
        """Writes nothing: the first line comes when the server has it."""


class Bars:
    """A bar for each video on its way and each run."""

    def __init__(self, progress: Progress) -> None:
        """Draws on `progress`."""
        self._progress = progress
        self._tasks: dict[tuple[str, str], TaskID] = {}

    def show(self, name: str, job: Job) -> None:
        """Moves the bars of `job`."""
        for run in job.runs:
            label = f"{name}  {run.pipeline}"
            share = 1.0 if run.status is RunState.SUCCEEDED else run.progress
            self._move((job.id, run.pipeline), label, share, state(run))

    def sent(self, name: str, sent_bytes: int, size_bytes: int) -> None:
        """Moves the bar of a video on its way."""
        share = sent_bytes / size_bytes if size_bytes else 1.0
        self._move((name, ""), f"{name}  sending", share, "")

    def _move(self, key: tuple[str, str], label: str, share: float, told: str) -> None:
        if key not in self._tasks:
            self._tasks[key] = self._progress.add_task(label, total=1.0, told=told)
        self._progress.update(self._tasks[key], completed=share, told=told)


def worth_telling(before: Run | None, now: Run) -> bool:
    """Whether a line about `now` says something new."""
    if before is None or before.status is not now.status or before.attempt != now.attempt:
        return True
    if not now.ended and before.waiting_reason != now.waiting_reason:
        return True
    return now.progress - before.progress >= STEP


def state(run: Run) -> str:
    """A run in a few words: `running, detect, 45 %, 12.3x`, `failed: no audio (MEDIA_ERROR)`."""
    if run.error is not None and run.status is RunState.FAILED:
        return f"failed: {cut(run.error.message)} ({run.error.code})"
    parts = [str(run.status)]
    if run.status is RunState.RUNNING:
        parts += [run.stage, f"{run.progress:.0%}", f"{run.rate:.1f}x" if run.rate else ""]
    elif run.status in (RunState.PENDING, RunState.STARTING):
        parts.append(run.waiting_reason)
    elif run.status is RunState.SUCCEEDED:
        parts += [found(run), duration(run.seconds)]
    return ", ".join(part for part in parts if part)


def found(run: Run) -> str:
    """What a run found: `12 scenes`."""
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in run.summary.items())
