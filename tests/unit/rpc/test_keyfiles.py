"""Secrets of a site: given, or made once in the folder that its processes share."""

from pathlib import Path
from typing import Any

import pytest

from videoannotator.domain.errors import InvalidSetting
from videoannotator.rpc.keyfiles import internal_token, worker_key
from videoannotator.settings import Settings

SECRET = "a1" * 32


def settings(root: Path, url: str = "", **rpc: str) -> Settings:
    """Settings of a site whose bytes are in a folder, or at `url`."""
    given: dict[str, Any] = {"storage": {"root": root, "url": url}, "rpc": rpc}
    return Settings(**given)


def test_with_a_shared_folder_they_are_made_once(tmp_path: Path) -> None:
    token, key = internal_token(settings(tmp_path)), worker_key(settings(tmp_path))

    assert (internal_token(settings(tmp_path)), worker_key(settings(tmp_path))) == (token, key)


@pytest.mark.parametrize(
    ("secret", "name"),
    [
        (internal_token, "VIDEOANNOTATOR_RPC__INTERNAL_TOKEN"),
        (worker_key, "VIDEOANNOTATOR_RPC__WORKER_KEY"),
    ],
)
def test_without_one_they_must_be_given(tmp_path: Path, secret: Any, name: str) -> None:
    with pytest.raises(InvalidSetting) as refused:
        secret(settings(tmp_path, "s3://bucket"))

    assert refused.value.field == name
    assert name in refused.value.message
    assert "openssl" in refused.value.hint
    assert list(tmp_path.iterdir()) == []


def test_what_is_given_counts(tmp_path: Path) -> None:
    given = settings(tmp_path, "s3://bucket", internal_token=SECRET, worker_key=SECRET)

    assert internal_token(given) == SECRET
    assert worker_key(given) == bytes.fromhex(SECRET)
