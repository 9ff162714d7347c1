"""Telemetry: logs and metrics, alike in every process.

What may live here: how lines look, what every line carries, names of metrics. Logging is light, so
that the SDK can use it; `telemetry.metrics` needs prometheus-client and is for services.
"""

import logging
import sys
from typing import TextIO

from videoannotator.settings import TelemetrySettings
from videoannotator.telemetry.lines import Lines, Logger, as_json, bound, for_people

__all__ = ["bound", "configure", "get_logger", "log"]

#: Loggers that have handlers of their own; their lines shall look like ours.
FOREIGN = ("uvicorn", "uvicorn.error", "uvicorn.access", "alembic", "grpc", "py.warnings")
#: gRPC's logger, and how it tells, with a traceback, of metadata that is not text: a stranger's
#: fault, whose call goes on without it.
GRPC = "grpc._cython.cygrpc"
STRANGERS_FAULT = "Invalid encoding on"
#: Loggers that tell about every single call.
TALKATIVE = ("httpx", "httpcore", "asyncio", "uvicorn.access")


def get_logger(name: str = "videoannotator") -> Logger:
    """The logger of a module. Lines are an event's name and its fields: log.info("x", a=1)."""
    return Logger(name)


log = get_logger()


def configure(process: str, settings: TelemetrySettings, stream: TextIO | None = None) -> None:
    """Makes every line of this process look alike and carry its name, to `stream` or stderr.

    Lines of the standard library's logging, and so of uvicorn, Alembic and gRPC, come out like
    ours. Secrets are masked last, after tracebacks have become text.
    """
    stream = stream or sys.stderr
    console = settings.log_format == "console" or (
        settings.log_format == "auto" and stream.isatty()
    )
    render = for_people(colours=stream.isatty()) if console else as_json
    handler = logging.StreamHandler(stream)
    handler.setFormatter(Lines(process, render))
    _route(handler, settings.log_level.upper())


def _route(handler: logging.Handler, level: str) -> None:
    """All lines through `handler`, whoever wrote them."""
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in FOREIGN:
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(max(root.level, logging.WARNING))
    logging.getLogger(GRPC).addFilter(is_ours)
    logging.captureWarnings(True)


def is_ours(record: logging.LogRecord) -> bool:
    """Whether a line of gRPC's is about us: anybody who reaches a port could fill the log else."""
    return not str(record.msg).startswith(STRANGERS_FAULT)
