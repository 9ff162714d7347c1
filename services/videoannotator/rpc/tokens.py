"""The token of a worker: computed by every leader, known to the worker only by its SHA-256."""

import hashlib
import hmac


def worker_token(key: bytes, worker_id: str) -> str:
    """HMAC-SHA-256 of the worker's id under the worker key, hexadecimal."""
    return hmac.new(key, worker_id.encode(), hashlib.sha256).hexdigest()


def sha256_hex(token: str) -> str:
    """What the worker's row and environment hold of its token."""
    return hashlib.sha256(token.encode()).hexdigest()


def matches(token: str, sha256: str) -> bool:
    """Whether `token` is the one with this SHA-256; takes the same time for every wrong one."""
    return hmac.compare_digest(sha256_hex(token).encode(), sha256.lower().encode())
