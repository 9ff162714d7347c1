"""Two thousand damaged requests: forms to the api, messages to every gRPC service."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fuzz import calls, uploads
from tests.fuzz.sources import write_sources
from tests.fuzz.supervising import Campaign, numbers, run

UPLOADS = CALLS = 1000
AT_ONCE = 125


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("first", range(0, UPLOADS, AT_ONCE))
def test_no_damaged_submission_harms_the_api(
    first: int, tmp_path: Path, judged: Callable[[Campaign], None]
) -> None:
    chosen = numbers(uploads.PART, first, first + AT_ONCE)
    if not chosen:
        pytest.skip("another input was named")
    write_sources(tmp_path / "sources")

    campaign = run(uploads.PART, uploads.__name__, tmp_path, chosen)

    judged(campaign)
    assert len(campaign.ended) == len(chosen)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("first", range(0, CALLS, AT_ONCE))
def test_no_damaged_call_harms_a_service(
    first: int, tmp_path: Path, judged: Callable[[Campaign], None]
) -> None:
    chosen = numbers(calls.PART, first, first + AT_ONCE)
    if not chosen:
        pytest.skip("another input was named")
    write_sources(tmp_path / "sources")

    campaign = run(calls.PART, calls.__name__, tmp_path, chosen)

    judged(campaign)
    assert len(campaign.ended) == len(chosen)
