"""Telemetry: logs and metrics, alike in every process.

What may live here: how lines look, what every line carries, names of metrics. Logging is light, so
that the SDK can use it; `telemetry.metrics` needs prometheus-client and is for services.
"""

import logging
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, TextIO

import structlog
from structlog.stdlib import BoundLogger, ProcessorFormatter

from videoannotator.settings import TelemetrySettings
from videoannotator.telemetry.masking import mask

__all__ = ["bound", "configure", "get_logger", "log", "mask"]

#: Loggers that have handlers of their own; their lines shall look like ours.
FOREIGN = ("uvicorn", "uvicorn.error", "uvicorn.access", "alembic", "grpc", "py.warnings")
#: gRPC's logger, and how it tells, with a traceback, of metadata that is not text: a stranger's
#: fault, whose call goes on without it.
GRPC = "grpc._cython.cygrpc"
STRANGERS_FAULT = "Invalid encoding on"
#: Loggers that tell about every single call.
TALKATIVE = ("httpx", "httpcore", "asyncio", "uvicorn.access")

_SHARED: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
]

# Until `configure`, lines go where the program around us sends its own: as for any library.
structlog.configure(
    processors=[
        structlog.stdlib.filter_by_level,
        *_SHARED,
        structlog.stdlib.PositionalArgumentsFormatter(),
        ProcessorFormatter.wrap_for_formatter,
    ],
    wrapper_class=BoundLogger,
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=False,
)


def get_logger(name: str = "videoannotator") -> BoundLogger:
    """The logger of a module. Lines are an event's name and its fields: log.info("x", a=1)."""
    logger: BoundLogger = structlog.stdlib.get_logger(name)
    return logger


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
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=_SHARED,
            processors=[
                ProcessorFormatter.remove_processors_meta,
                _named(process),
                structlog.processors.StackInfoRenderer(),
                structlog.processors.format_exc_info,
                mask,
                *_renderers(console, stream),
            ],
        )
    )
    _route(handler, settings.log_level.upper())


@contextmanager
def bound(**fields: Any) -> Iterator[None]:
    """Every line inside carries `fields`: request_id, job_id, run_id, attempt, worker_id.

    A field that is None is left out.
    """
    known = {name: value for name, value in fields.items() if value is not None}
    with structlog.contextvars.bound_contextvars(**known):
        yield


def _named(process: str) -> structlog.typing.Processor:
    def name(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event.pop("color_message", None)  # uvicorn says the same once more, in colours
        first = {key: event.pop(key) for key in ("time", "level", "event") if key in event}
        return {**first, "process": process, **event}

    return name


def _renderers(console: bool, stream: TextIO) -> list[structlog.typing.Processor]:
    if console:
        plain = structlog.dev.plain_traceback
        renderer = structlog.dev.ConsoleRenderer(
            colors=stream.isatty(), exception_formatter=plain, timestamp_key="time"
        )
        return [renderer]
    return [structlog.processors.JSONRenderer(default=str, ensure_ascii=False)]


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
