"""What the API server's answers and silences mean in our words: pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from videoannotator.domain.errors import (
    Conflict,
    Forbidden,
    InvalidRequest,
    LimitReached,
    NotFound,
    Unavailable,
    VideoAnnotatorError,
)

LONGEST_MESSAGE = 600  #: characters of the API server's own words
LONGEST_WAIT_SECONDS = 300.0  #: that a server may ask for
RIGHTS = (
    "The operator must give this right to the service account of the scheduler; "
    "the Role of the chart has it."
)
CREDENTIALS = (
    "The operator must check the scheduler's service account, or the kubeconfig file "
    "that the setting kubernetes.kubeconfig names."
)
REACHING = (
    "The operator must check that the API server runs, that its address is right and that "
    "a NetworkPolicy lets the scheduler reach it. Running work goes on meanwhile."
)
QUOTA = "Wait until other work of the namespace ends, or ask the operator for a larger quota."
BODY = "The operator must mend the values of the chart."
CERTIFICATE = "The operator must check the certificate authority that is set for the API server."
NAMESPACE = "The operator must check the setting kubernetes.namespace."

#: An API server says it in these words when it has read the object, and when its storage has.
OTHER_UID = ("the UID in the precondition", "UID in precondition")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the API server said."""

    status: int
    body: bytes = b""
    retry_after: str | None = None  #: the header, as it is

    @property
    def fine(self) -> bool:
        """Whether it did what was asked."""
        return 200 <= self.status < 300

    def json(self) -> dict[str, Any]:
        """The body as an object of Kubernetes.

        Raises: Unavailable when it is something else: then it is not the API server that answers.
        """
        try:
            found = json.loads(self.body)
        except ValueError as error:
            raise Unavailable("What answers is not an API server.", hint=REACHING) from error
        if not isinstance(found, dict):
            raise Unavailable("What answers is not an API server.", hint=REACHING)
        return found

    def told(self) -> dict[str, Any]:
        """The Status that explains a failure; empty when there is none."""
        try:
            return self.json()
        except Unavailable:
            return {}


def fault_of(answer: Answer) -> VideoAnnotatorError:
    """What an answer that is not fine means."""
    told = answer.told()
    message = message_of(told) or f"The API server answered with status {answer.status}."
    if answer.status == 403 and "exceeded quota" in message:
        return LimitReached(message, hint=QUOTA, retry_after_seconds=retry_after_of(answer))
    if answer.status == 409 and told.get("reason") == "AlreadyExists":
        return Conflict(message)
    if answer.status in (401, 403):
        return Forbidden(message, hint=RIGHTS if answer.status == 403 else CREDENTIALS)
    if answer.status == 404:
        return NotFound(message, hint=NAMESPACE)
    if answer.status in (408, 409, 410, 429) or not 400 <= answer.status < 500:
        wait = retry_after_of(answer)
        return Unavailable(message, hint=REACHING, retry_after_seconds=wait)
    return InvalidRequest(message, hint=BODY)


def message_of(told: Mapping[str, Any]) -> str:
    """The words of a Status, not too many of them."""
    found = told.get("message")
    text = found.strip() if isinstance(found, str) else ""
    return text if len(text) <= LONGEST_MESSAGE else text[:LONGEST_MESSAGE] + "…"


def retry_after_of(answer: Answer) -> float | None:
    """How long the server asks us to wait, by its header or by its Status."""
    return _seconds(answer.retry_after) or wait_of(answer.told())


def wait_of(told: Mapping[str, Any]) -> float | None:
    """The wait that a Status asks for."""
    details = told.get("details")
    return _seconds(details.get("retryAfterSeconds")) if isinstance(details, Mapping) else None


def is_another_uid(answer: Answer) -> bool:
    """Whether a delete found another object under the name: the one that was meant is gone."""
    message = message_of(answer.told())
    return answer.status == 409 and any(words in message for words in OTHER_UID)


def silence_of(error: BaseException) -> Unavailable:
    """What it means that no whole answer came; the outcome is unknown."""
    if isinstance(error, aiohttp.ClientSSLError):
        return Unavailable(
            "The certificate of the API server of Kubernetes is not accepted.", hint=CERTIFICATE
        )
    if isinstance(error, TimeoutError):
        return Unavailable("The API server of Kubernetes does not answer in time.", hint=REACHING)
    if isinstance(error, aiohttp.ClientConnectorError):
        return Unavailable("The API server of Kubernetes cannot be reached.", hint=REACHING)
    return Unavailable("The connection to the API server of Kubernetes broke.", hint=REACHING)


def _seconds(value: object) -> float | None:
    """A number of seconds, also as text; None when it is none, a date or not positive."""
    try:
        found = float(str(value))
    except ValueError:
        return None
    return min(found, LONGEST_WAIT_SECONDS) if found > 0 else None
