"""Logs: one shape for every line, and no secret in any."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from videoannotator.settings import TelemetrySettings
from videoannotator.telemetry import GRPC, bound, configure, get_logger, log
from videoannotator.telemetry.masking import masked

KEY = "va_abcDEF123-_xyz"


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    before, level = root.handlers, root.level
    yield
    root.handlers = before
    root.setLevel(level)
    logging.captureWarnings(False)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def configured(log_format: str = "json", log_level: str = "info") -> io.StringIO:
    stream = io.StringIO()
    settings = TelemetrySettings.model_validate({"log_format": log_format, "log_level": log_level})
    configure("api", settings, stream)
    return stream


def test_a_line_is_json_with_its_process_and_what_is_bound() -> None:
    stream = configured()

    with bound(request_id="r1", job_id=None):
        log.info("taken", count=3)
    log.info("after")

    first, second = lines(stream)
    assert list(first)[:4] == ["time", "level", "event", "process"]
    assert first["event"] == "taken"
    assert (first["process"], first["request_id"], first["count"]) == ("api", "r1", 3)
    assert "job_id" not in first
    assert "request_id" not in second


@pytest.mark.parametrize("name", ["uvicorn.error", "alembic.runtime.migration", "grpc._cython"])
def test_lines_of_libraries_look_like_ours(name: str) -> None:
    logging.getLogger(name.partition(".")[0]).handlers = [logging.NullHandler()]
    stream = configured()

    with bound(worker_id="w1"):
        logging.getLogger(name).warning("went %s", "wrong", extra={"color_message": "x"})

    (line,) = lines(stream)
    assert line["event"] == "went wrong"
    assert (line["level"], line["process"], line["worker_id"]) == ("warning", "api", "w1")
    assert "color_message" not in line


def test_metadata_that_is_not_text_is_a_strangers_fault_and_not_told() -> None:
    stream = configured()

    logging.getLogger(GRPC).error("Invalid encoding on %s", b"\xfa")
    logging.getLogger(GRPC).error("Unhandled exception in a servicer")

    assert [line["event"] for line in lines(stream)] == ["Unhandled exception in a servicer"]


def test_lines_below_the_level_are_not_written() -> None:
    stream = configured(log_level="warning")

    log.info("small talk")
    logging.getLogger("alembic").info("small talk")
    log.warning("important")

    assert [line["event"] for line in lines(stream)] == ["important"]


def test_a_console_gets_words_and_not_json() -> None:
    stream = configured("console")

    get_logger("x").info("taken", authorization="Bearer abc", count=3)

    assert "taken" in stream.getvalue()
    assert "count=3" in stream.getvalue()
    assert "abc" not in stream.getvalue()
    assert not stream.getvalue().startswith("{")


def test_a_console_gets_a_traceback_below_the_line() -> None:
    stream = configured("console")

    log.error("broke", exc_info=ValueError("no number"), count=3)

    line, *below = stream.getvalue().splitlines()
    assert "[error  ] broke" in line
    assert line.endswith("process=api count=3")
    assert below == ["ValueError: no number"]


def test_what_a_library_adds_to_a_line_is_a_field() -> None:
    stream = configured()

    logging.getLogger("alembic").warning("slow", extra={"seconds": 3.5})

    (line,) = lines(stream)
    assert set(line) == {"time", "level", "event", "process", "seconds"}
    assert line["seconds"] == 3.5


def test_the_time_of_a_line_has_always_the_same_width(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = configured()
    monkeypatch.setattr("time.time", lambda: 1_800_000_000.0)

    log.info("on the second")

    assert lines(stream)[0]["time"] == "2027-01-15T08:00:00.000000Z"


def test_a_traceback_is_written_without_secrets() -> None:
    stream = configured()

    try:
        raise ValueError(f"refused {KEY}")
    except ValueError:
        log.exception("broke")

    (line,) = lines(stream)
    assert "ValueError: refused va_***" in line["exception"]
    assert KEY not in stream.getvalue()


def test_a_library_cannot_write_a_secret_either() -> None:
    stream = configured()

    logging.getLogger("uvicorn.error").error("GET %s by %s", f"/x?token={KEY}", f"Bearer {KEY}")

    assert lines(stream)[0]["event"] == "GET /x?*** by Bearer ***"


@pytest.mark.parametrize(
    ("name", "given", "shown"),
    [
        ("authorization", "Bearer abc", "***"),
        ("Authorization", b"Bearer abc", "***"),
        ("internal_token", "abc", "***"),
        ("password", "abc", "***"),
        ("cookie", "a=b", "***"),
        ("headers", {"Authorization": "x", "Accept": "y"}, {"Authorization": "***", "Accept": "y"}),
        ("event", f"key {KEY} used", "key va_*** used"),
        ("url", "https://s3/bucket/x?X-Amz-Signature=abc", "https://s3/bucket/x?***"),
        ("url", "s3://bucket/x?sig=abc and more", "s3://bucket/x?*** and more"),
        ("path", "/api/v1/events/stream?token=abc", "/api/v1/events/stream?***"),
        ("url", "postgresql://me:abc@host/db", "postgresql://me:***@host/db"),
        ("error", ValueError(f"bad {KEY}"), "bad va_***"),
        ("urls", ["https://a/b?c=d"], ["https://a/b?***"]),
        ("token_sha256", "00ff", "00ff"),
        ("seconds", 1.5, 1.5),
        ("count", 3, 3),
        ("nothing", None, None),
        ("event", "is this right? yes", "is this right? yes"),
    ],
)
def test_secrets_are_masked_and_nothing_else(name: str, given: object, shown: object) -> None:
    assert masked(given, name) == shown
