"""Whole sites: a database, a storage, a scheduler and real worker processes."""

import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from tests.fakes.mortal import Nursery
from tests.fakes.site import PLUGINS, Site, plugins_on_path, quick_settings, workers_of


@pytest.fixture(autouse=True)
def _plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """The journal pipeline is found here and in every child process."""
    monkeypatch.syspath_prepend(str(PLUGINS))
    for name, value in plugins_on_path().items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of grey, without sound."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(20):
            grey = np.full((48, 64, 3), number * 10, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """A site that leaves no process behind."""
    opened = await Site.open(quick_settings(tmp_path / "storage"))
    yield opened
    await opened.close()
    left = workers_of(tmp_path)
    for process in left:
        process.kill()
    assert not left, f"processes were left behind: {left}"


def pytest_configure() -> None:
    """Entry points of the test pipelines are read from the path."""
    if str(PLUGINS) not in sys.path:
        sys.path.insert(0, str(PLUGINS))
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")


@pytest.fixture(scope="session")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    """Makes schedulers that can be killed."""
    opened = Nursery(tmp_path_factory.mktemp("nursery"))
    yield opened
    opened.close()
