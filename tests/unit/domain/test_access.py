"""Who is who, without saying it."""

import re

from videoannotator.domain.access import owner_hash


def test_an_owner_is_hidden_and_told_from_others() -> None:
    hidden = owner_hash("4be0643f-1d98-473b-97cd-ca98a65347dd")

    assert re.fullmatch("[0-9a-f]{16}", hidden)
    assert hidden == owner_hash("4be0643f-1d98-473b-97cd-ca98a65347dd")
    assert hidden != owner_hash("4be0643f-1d98-473b-97cd-ca98a65347de")
