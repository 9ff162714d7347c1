"""Settings of the storage: what they are made of, and what does not fit together."""

import pytest

from videoannotator.domain.errors import InvalidSetting
from videoannotator.settings import Settings, effective, load_settings

PREFIX = "VIDEOANNOTATOR_STORAGE__"


def loaded(**given: str) -> Settings:
    """Settings with these of the storage."""
    return load_settings({PREFIX + name.upper(): value for name, value in given.items()}, None)


@pytest.mark.parametrize(
    ("url", "bucket", "prefix"),
    [
        ("", "", ""),
        ("none", "", ""),
        ("s3://bucket", "bucket", ""),
        ("s3://bucket/", "bucket", ""),
        ("s3://my.bucket-1/some/prefix/", "my.bucket-1", "some/prefix"),
    ],
)
def test_a_url_names_a_bucket_and_a_prefix(url: str, bucket: str, prefix: str) -> None:
    storage = loaded(url=url).storage

    assert (storage.bucket, storage.prefix) == (bucket, prefix)
    assert bool(storage.url) is bool(bucket)


@pytest.mark.parametrize(
    ("given", "field", "told"),
    [
        ({"signed_seconds": "60", "resign_seconds": "60"}, "RESIGN_SECONDS", "less than"),
        ({"signed_seconds": "60"}, "RESIGN_SECONDS", "SIGNED_SECONDS, which is 60"),
        ({"access_key_id": "key"}, "SECRET_ACCESS_KEY", "together with"),
        ({"secret_access_key": "secret-value"}, "SECRET_ACCESS_KEY", "together with"),
        ({"endpoint": "https://s3.example.org"}, "URL", "s3://BUCKET/PREFIX"),
    ],
)
def test_what_does_not_fit_together_is_refused(
    given: dict[str, str], field: str, told: str
) -> None:
    with pytest.raises(InvalidSetting) as refused:
        loaded(**given)

    assert refused.value.field == PREFIX + field
    assert told in refused.value.message
    assert "secret-value" not in refused.value.message


def test_keys_are_never_shown() -> None:
    settings = loaded(url="s3://bucket", access_key_id="key-value", secret_access_key="other-value")

    shown = " ".join([*(row.value for row in effective(settings)), repr(settings)])

    assert "key-value" not in shown
    assert "other-value" not in shown
