"""Addresses of databases that are refused, in words for whoever set them."""

import pytest

from videoannotator.domain.errors import InvalidSetting
from videoannotator.store.engine import parse_url


@pytest.mark.parametrize(
    "url",
    ["postgresql://user:hidden@host:port/name", "mysql://user:hidden@host/name", "hidden", ""],
)
def test_an_address_that_cannot_be_read_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(InvalidSetting, match="cannot be read") as refused:
        parse_url(url)

    assert "PORT is a number" in refused.value.hint
    assert "hidden" not in refused.value.message + refused.value.hint
