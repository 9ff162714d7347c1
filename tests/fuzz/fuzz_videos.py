"""Four thousand damaged videos through what a worker does with one."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fuzz import videos
from tests.fuzz.sources import write_sources
from tests.fuzz.supervising import Campaign, numbers, run

VIDEOS = 4000
AT_ONCE = 250  #: inputs of one child


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("first", range(0, VIDEOS, AT_ONCE))
def test_no_damaged_video_harms_its_reader(
    first: int, tmp_path: Path, judged: Callable[[Campaign], None]
) -> None:
    chosen = numbers(videos.PART, first, first + AT_ONCE)
    if not chosen:
        pytest.skip("another input was named")
    write_sources(tmp_path / "sources")

    campaign = run(videos.PART, videos.__name__, tmp_path, chosen)

    judged(campaign)
    assert len(campaign.ended) == len(chosen)
