"""Lines of a log: what is told, what every line inside a block carries, how a line is written."""

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from videoannotator.telemetry.masking import masked_fields

Fields = Mapping[str, Any]
#: Fields of a line, the well-known ones first, as text without the end of the line.
Renderer = Callable[[dict[str, Any]], str]

_bound: ContextVar[Fields] = ContextVar("bound", default={})  # noqa: B039 - never written into
#: What every record of the standard library has; all else came by `extra`.
_OWN = frozenset(vars(logging.LogRecord("", 0, "", 0, "", (), None))) | {"message", "taskName"}
_SAID_TWICE = "color_message"  # by uvicorn: the same once more, in colours
COLOURS = {"debug": "\x1b[2m", "warning": "\x1b[33m", "error": "\x1b[31m", "critical": "\x1b[31m"}
PLAIN = "\x1b[0m"
LEVEL_CHARACTERS, EVENT_CHARACTERS = 7, 30  # of a line for people: what is told stands in columns


class Told(dict[str, Any]):
    """What one of our lines tells: its event and its fields."""


class Logger:
    """Lines are an event's name and its fields: log.info("x", a=1).

    `exc_info` is an exception, or True inside an except block: its traceback is told, too.
    """

    def __init__(self, name: str) -> None:
        """`name` is that of a logger of the standard library."""
        self._logger = logging.getLogger(name)

    def debug(self, event: str, /, **fields: Any) -> None:
        """For who looks for a fault."""
        self.log(logging.DEBUG, event, **fields)

    def info(self, event: str, /, **fields: Any) -> None:
        """What happens anyway."""
        self.log(logging.INFO, event, **fields)

    def warning(self, event: str, /, **fields: Any) -> None:
        """What an operator may have to look at."""
        self.log(logging.WARNING, event, **fields)

    def error(self, event: str, /, **fields: Any) -> None:
        """What an operator must look at."""
        self.log(logging.ERROR, event, **fields)

    def exception(self, event: str, /, **fields: Any) -> None:
        """An error, with the traceback of the except block that it is called in."""
        self.log(logging.ERROR, event, exc_info=True, **fields)

    def log(self, level: int, event: str, /, *, exc_info: Any = None, **fields: Any) -> None:
        """A line of this level of the standard library."""
        if self._logger.isEnabledFor(level):
            told = Told({"event": event, **_bound.get(), **fields})
            self._logger.log(level, told, exc_info=exc_info)


@contextmanager
def bound(**fields: Any) -> Iterator[None]:
    """Every line inside carries `fields`: request_id, job_id, run_id, attempt, worker_id.

    A field that is None is left out.
    """
    known = {name: value for name, value in fields.items() if value is not None}
    token = _bound.set({**_bound.get(), **known})
    try:
        yield
    finally:
        _bound.reset(token)


class Lines(logging.Formatter):
    """Makes every line look alike, ours and those of libraries. Secrets are masked last."""

    def __init__(self, process: str, render: Renderer) -> None:
        """`process` is in every line."""
        super().__init__()
        self._process = process
        self._render = render

    def format(self, record: logging.LogRecord) -> str:
        """The line, with its traceback when it has one."""
        told = dict(record.msg if isinstance(record.msg, Told) else _of_a_library(record))
        first = {
            "time": _time(record.created),
            "level": record.levelname.lower(),
            "event": told.pop("event"),
            "process": self._process,
        }
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            told["stack"] = self.formatStack(record.stack_info)
        return self._render(masked_fields({**first, **told}))


def _time(seconds: float) -> str:
    instant = datetime.fromtimestamp(seconds, UTC)
    return instant.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _of_a_library(record: logging.LogRecord) -> dict[str, Any]:
    extra = {name: value for name, value in vars(record).items() if name not in _OWN}
    extra.pop(_SAID_TWICE, None)
    return {**_bound.get(), **extra, "event": record.getMessage()}


as_json: Renderer = json.JSONEncoder(default=str, ensure_ascii=False).encode


def for_people(*, colours: bool) -> Renderer:
    """Lines for a terminal: no JSON, tracebacks below."""

    def render(line: dict[str, Any]) -> str:
        level = line.pop("level")
        below = [line.pop(name) for name in ("stack", "exception") if name in line]
        head = f"{line.pop('time')} [{level:<{LEVEL_CHARACTERS}}]"
        colour = COLOURS.get(level, "") if colours else ""
        event = f"{colour}{line.pop('event'):<{EVENT_CHARACTERS}}{PLAIN if colour else ''}"
        words = [f"{name}={value}" for name, value in line.items()]
        return "\n".join((" ".join((head, event, *words)), *below))

    return render
