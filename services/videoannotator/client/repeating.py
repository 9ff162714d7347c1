"""What is tried again, and when."""

from dataclasses import dataclass

import httpx

#: The server, or something before it, could not serve now.
LATER = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How often and how long a request is tried again."""

    tries: int = 4  #: with the first one
    base_delay_seconds: float = 0.5
    max_delay_seconds: float = 8.0
    longest_wait_seconds: float = 60.0  #: a server that asks for more is not waited for


def delay_seconds(
    patience: Patience, tried: int, retry_after_seconds: float | None, dice: float
) -> float | None:
    """How long to wait before the next try; None: do not try again.

    `tried` counts the tries so far, `dice` is a random number in [0, 1) that spreads the delay over
    its upper half, so that many clients do not come back together.
    """
    if tried >= patience.tries:
        return None
    if retry_after_seconds is not None:
        return retry_after_seconds if retry_after_seconds <= patience.longest_wait_seconds else None
    doubled = patience.base_delay_seconds * 2.0 ** (tried - 1)
    return min(doubled, patience.max_delay_seconds) * (0.5 + dice / 2)


def retry_after_seconds(response: httpx.Response) -> float | None:
    """What the header Retry-After asks for, None when it is missing or a date."""
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isdigit() else None
