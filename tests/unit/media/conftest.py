"""Test videos, each written once for all tests."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes.videos import Clip

Writer = Callable[[Clip, str], Path]


@pytest.fixture(scope="session")
def clip_file(tmp_path_factory: pytest.TempPathFactory) -> Writer:
    """Writes a clip with a suffix; the same clip gives the same file, which nobody changes."""
    folder = tmp_path_factory.mktemp("clips")
    written: dict[tuple[Clip, str], Path] = {}

    def write(clip: Clip, suffix: str = ".mp4") -> Path:
        key = (clip, suffix)
        if key not in written:
            written[key] = clip.write(folder / f"clip{len(written)}{suffix}")
        return written[key]

    return write
