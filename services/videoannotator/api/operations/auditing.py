"""The one hook that every use case passes."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from videoannotator.domain.access import Principal
from videoannotator.store.audit import Audit
from videoannotator.telemetry import log

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """Somebody did something, and it succeeded."""

    action: str  #: as `job.cancel`
    principal: Principal | None  #: None: a stranger, on what is public
    object_id: str | None
    recorded: bool  #: it changed something, or somebody must answer for it


class Hook(Protocol):
    """Is told of every use."""

    async def __call__(self, use: Use) -> None:
        """Called after the use case has succeeded."""


class Audited(Protocol):
    """Has the hook."""

    @property
    def hook(self) -> Hook:
        """The one audit hook."""


A = TypeVar("A", bound=Audited)
Caller = TypeVar("Caller", Principal, Principal | None)
Method = Callable[Concatenate[A, Caller, P], Awaitable[R]]


def use_case(
    action: str, *, recorded: bool = False
) -> Callable[[Method[A, Caller, P, R]], Method[A, Caller, P, R]]:
    """Makes a method of the use cases pass the hook.

    The object is the method's first argument after the caller, or what it returned.
    """

    def decorate(method: Method[A, Caller, P, R]) -> Method[A, Caller, P, R]:
        @wraps(method)
        async def used(self: A, principal: Caller, /, *args: P.args, **kwargs: P.kwargs) -> R:
            result = await method(self, principal, *args, **kwargs)
            object_id = _object_id(*args, result)
            await self.hook(
                Use(action=action, principal=principal, object_id=object_id, recorded=recorded)
            )
            return result

        used.__use_case__ = action  # type: ignore[attr-defined]
        return used

    return decorate


def _object_id(*candidates: object) -> str | None:
    """The id of the thing: a text argument, or the `id` of a record, or of its job."""
    for each in candidates:
        if isinstance(each, str):
            return each
        found = getattr(getattr(each, "job", each), "id", None)
        if isinstance(found, str):
            return found
    return None


class AuditHook:
    """Writes what was changed into the audit log, and tells the rest to the debug log."""

    def __init__(self, audit: Audit) -> None:
        """`audit` takes the entries."""
        self._audit = audit

    async def __call__(self, use: Use) -> None:
        """Records a use."""
        if use.recorded:
            await self._audit.record(use.principal, use.action, use.object_id)
        log.debug("used", action=use.action, object_id=use.object_id)
