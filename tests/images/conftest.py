"""Images that `make images` has built."""

import os
from collections.abc import Iterator

import pytest

from tests.images.container import Image, opened
from videoannotator import __version__

TAG = os.environ.get("IMAGE_TAG") or __version__
TARGETS = tuple((os.environ.get("IMAGES") or "control,scene,speech").split(","))


@pytest.fixture(scope="session", params=TARGETS)
def image(request: pytest.FixtureRequest) -> Iterator[Image]:
    """Each image that was asked for, opened."""
    with opened(request.param, TAG) as found:
        yield found


@pytest.fixture(scope="session", params=[each for each in TARGETS if each != "control"])
def worker(request: pytest.FixtureRequest) -> Iterator[Image]:
    """Each image of a worker that was asked for."""
    with opened(request.param, TAG) as found:
        yield found


@pytest.fixture(scope="session")
def control() -> Iterator[Image]:
    """The image of api, scheduler and migrations."""
    with opened("control", TAG) as found:
        yield found
