"""Watching a job: events, broken streams, and a server without events."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.server import API, Answer, FakeServer, envelope, job_body, run_body
from videoannotator.client import Client
from videoannotator.client.watching import ServerEvent, parsed
from videoannotator.domain import errors
from videoannotator.domain.jobs import JobState

JOB = f"{API}/jobs/j1"
EVENTS = f"{JOB}/events"


def stream(text: str) -> Answer:
    return Answer(body=text.encode(), headers={"Content-Type": "text/event-stream"})


def going(progress: float) -> Answer:
    run = run_body("running", progress=progress)
    return Answer(body=job_body("running", progress=progress, runs=[run]))


DONE = Answer(body=job_body())


def test_the_job_comes_at_once_and_after_each_event(client: Client, server: FakeServer) -> None:
    server.says("GET", JOB, going(0.1), going(0.5), DONE)
    server.says("GET", EVENTS, stream("id: 1\nevent: job.update\ndata: {}\n\ndata: {}\n\n"))

    seen = [(job.status, job.progress) for job in client.watch("j1")]

    assert seen == [(JobState.RUNNING, 0.1), (JobState.RUNNING, 0.5), (JobState.COMPLETED, 0.0)]


def test_an_event_that_changes_nothing_is_not_told(client: Client, server: FakeServer) -> None:
    server.says("GET", JOB, going(0.1), going(0.1), DONE)
    server.says("GET", EVENTS, stream("data: {}\n\ndata: {}\n\n"))

    assert len(list(client.watch("j1"))) == 2


def test_a_job_that_has_ended_needs_no_stream(client: Client, server: FakeServer) -> None:
    server.says("GET", JOB, DONE)

    assert len(list(client.watch("j1"))) == 1
    assert EVENTS not in server.paths()


def test_a_broken_stream_is_taken_up_after_the_last_event(
    client: Client, server: FakeServer
) -> None:
    server.says("GET", JOB, going(0.1), going(0.2), going(0.3), DONE)
    broken = Answer(body=b"id: 7\ndata: {}\n\nid: 8\nda", missing_bytes=9)
    server.says("GET", EVENTS, broken, stream("id: 9\ndata: {}\n\n"))

    assert [job.progress for job in client.watch("j1")] == [0.1, 0.2, 0.3, 0.0]

    streams = [asked for asked in server.asked if asked.path == EVENTS]
    assert "Last-Event-ID" not in streams[0].headers
    assert streams[1].headers["Last-Event-ID"] == "7"


@pytest.mark.parametrize("status", [404, 405, 500, 503])
def test_without_events_the_client_asks_once_a_second(
    client: Client, server: FakeServer, waits: list[float], status: int
) -> None:
    server.says("GET", JOB, *(going(0.1) for _ in range(6)), DONE)
    server.gives("GET", EVENTS, envelope("X", "No."), status)

    seen = list(client.watch("j1"))

    assert seen[-1].ended
    assert set(waits) == {1.0}


def test_a_key_that_ends_meanwhile_is_told(client: Client, server: FakeServer) -> None:
    server.says("GET", JOB, going(0.1))
    server.gives("GET", EVENTS, envelope("HTTP_ERROR", "No."), 401)

    with pytest.raises(errors.Unauthenticated):
        list(client.watch("j1"))


def test_a_job_that_is_deleted_meanwhile_is_told(client: Client, server: FakeServer) -> None:
    gone = Answer(status=404, body=envelope("JOB_NOT_FOUND", "Job not found"))
    server.says("GET", JOB, going(0.1), gone)
    server.says("GET", EVENTS, stream("data: {}\n\n"))

    with pytest.raises(errors.JobNotFound):
        list(client.watch("j1"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("data: {}\n\n", [ServerEvent()]),
        (
            'event: job.log\nid: 5\ndata: {"a":\ndata: 1}\n\n',
            [ServerEvent(name="job.log", id="5", data={"a": 1})],
        ),
        (": heartbeat\n\n", []),
        ("data: broken\n\n", [ServerEvent()]),
        ("data: {}\n", []),
    ],
)
def test_events_are_read_as_the_standard_says(text: str, expected: list[ServerEvent]) -> None:
    assert list(parsed(text.splitlines())) == expected


@given(st.lists(st.text(st.characters(exclude_characters="\r\n"))))
def test_any_lines_are_survived(lines: list[str]) -> None:
    assert len(list(parsed([*lines, ""]))) <= len(lines)
