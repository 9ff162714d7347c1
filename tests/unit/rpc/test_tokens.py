"""The token of a worker."""

import hashlib
import hmac

import pytest

from videoannotator.rpc.tokens import matches, sha256_hex, worker_token


def test_a_token_is_the_hmac_of_the_worker_id() -> None:
    token = worker_token(b"key", "abc123abc123")

    assert token == hmac.digest(b"key", b"abc123abc123", "sha256").hex()


@pytest.mark.parametrize(
    ("key", "worker_id"), [(b"other key", "abc123abc123"), (b"key", "abc123abc124")]
)
def test_another_key_or_another_worker_gives_another_token(key: bytes, worker_id: str) -> None:
    assert worker_token(key, worker_id) != worker_token(b"key", "abc123abc123")


def test_only_the_sha256_is_needed_to_know_a_token() -> None:
    token = worker_token(b"key", "abc123abc123")

    assert sha256_hex(token) == hashlib.sha256(token.encode()).hexdigest()
    assert matches(token, sha256_hex(token))


@pytest.mark.parametrize("wrong", ["", "x", "ü", worker_token(b"key", "abc123abc124")])
def test_a_wrong_token_does_not_match(wrong: str) -> None:
    assert not matches(wrong, sha256_hex(worker_token(b"key", "abc123abc123")))


def test_the_sha256_itself_is_no_token() -> None:
    known = sha256_hex(worker_token(b"key", "abc123abc123"))

    assert not matches(known, known)
