"""How fast requests may leave: a token bucket, pure."""

from dataclasses import dataclass, replace

RATE_PER_SECOND = 20.0  #: requests to the API server, in the long run
BURST = 30.0  #: requests that may leave at once after a quiet time


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """A token bucket. Below zero are tokens that are promised to requests that wait."""

    rate_per_second: float = RATE_PER_SECOND
    burst: float = BURST
    tokens: float = BURST
    at: float  #: when `tokens` was right, seconds of a monotonic clock


def wait_of(bucket: Bucket, now: float) -> float:
    """Seconds that the next request would wait for its token."""
    return max(0.0, (1.0 - _filled(bucket, now).tokens) / bucket.rate_per_second)


def taken(bucket: Bucket, now: float) -> Bucket:
    """The bucket after one more request has its token, or the promise of one."""
    filled = _filled(bucket, now)
    return replace(filled, tokens=filled.tokens - 1.0)


def _filled(bucket: Bucket, now: float) -> Bucket:
    """The bucket as it is at `now`; a clock that goes backwards fills nothing."""
    passed = max(0.0, now - bucket.at)
    tokens = min(bucket.burst, bucket.tokens + passed * bucket.rate_per_second)
    return replace(bucket, tokens=tokens, at=max(now, bucket.at))
