"""errors.md: the error tree with its answers, and why runs fail."""

from collections.abc import Iterator

from reference.markdown import code, meanings, page, table
from videoannotator.api.problems import (
    FRAMEWORK_CODES,
    HINTS,
    RETRY_AFTER_SECONDS,
    answer_of_kind,
)
from videoannotator.domain.errors import VideoAnnotatorError
from videoannotator.domain.failures import RULES, Budget
from videoannotator.rpc.status import CODES


def subclasses(kind: type[VideoAnnotatorError]) -> Iterator[type[VideoAnnotatorError]]:
    """A class of errors and all below it, in the order of the tree."""
    yield kind
    for below in kind.__subclasses__():
        yield from subclasses(below)


def summary(kind: type) -> str:
    """The first line of a docstring, as a sentence."""
    return (kind.__doc__ or "").strip().splitlines()[0].rstrip(".") + "."


def _errors() -> str:
    rows = []
    for kind in subclasses(VideoAnnotatorError):
        answer = answer_of_kind(kind)
        status = next(CODES[each] for each in kind.__mro__ if each in CODES)
        hint = kind.hint or HINTS.get(answer.status, "")
        answered = (code(answer.code), str(answer.status), code(status.name))
        rows.append((*answered, code(kind.__name__), summary(kind), hint))
    return table(["code", "HTTP", "gRPC", "error", "what happened", "what to do"], rows)


def _framework() -> str:
    rows = [(code(name), str(status), HINTS.get(status, "")) for status, name in _sorted()]
    return table(["code", "HTTP", "what to do"], rows)


def _sorted() -> list[tuple[int, str]]:
    return sorted(FRAMEWORK_CODES.items())


def _failures() -> str:
    rows = [
        (code(each.value), rule.evidence, rule.budget.value, rule.remedy.value, rule.hint)
        for each, rule in RULES.items()
    ]
    return table(["code", "how it is told", "who pays", "what is done", "what to do"], rows)


def _budgets() -> str:
    told = meanings(Budget)
    return table(
        ["who pays", "what it means"],
        [(each.value, told.get(each.value, "")) for each in Budget],
    )


def page_of_errors() -> str:
    """The page."""
    return page(
        "Errors",
        "A request that is refused or fails is answered with one of these. REST answers in one "
        "shape, `ErrorBody` in [rest.md](rest.md). gRPC ends the call with the status; the trailer "
        "`videoannotator-code` is the code, `videoannotator-error-bin` is the error as JSON. "
        "Messages are for people and may change; codes stay. Where nothing is said of what to do, "
        "the message says it.",
        "## Errors of requests",
        _errors(),
        "An answer with 401 carries `WWW-Authenticate: Bearer`, one with 503 "
        f"`Retry-After: {RETRY_AFTER_SECONDS}`, one with 429 `Retry-After` when it is known. "
        "A field that is missing, of a wrong type or out of bounds is 422 with `INVALID_REQUEST`.",
        "## Errors of the HTTP server itself",
        "These are answered before a route is found, or by what surrounds it, in the same shape. "
        "An error without a code of its own is `HTTP_ERROR`.",
        _framework(),
        "## Failures of runs",
        "A run that failed says why in `error.code`. Whether it is tried again depends on who "
        "pays for the retry.",
        _failures(),
        _budgets(),
        "The settings `retry.infrastructure_failures` and `retry.pipeline_failures` say how many "
        "retries each pays for: [settings.md](settings.md).",
    )
