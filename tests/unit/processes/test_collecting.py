"""What is loaded is not looked through again."""

import gc
from collections.abc import Iterator

import pytest

from videoannotator.processes.collecting import settle


@pytest.fixture
def _thawed() -> Iterator[None]:
    """The collector sees everything again at the end."""
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("_thawed")
def test_what_is_loaded_is_exempt_and_what_comes_later_is_collected() -> None:
    settle()

    assert gc.get_freeze_count() > 0
    assert gc.isenabled()
    assert len(gc.get_objects()) < gc.get_freeze_count()
