"""What is loaded is not looked through again."""

import gc
from collections.abc import Iterator
from contextlib import suppress

import pytest

from videoannotator.processes.collecting import loading, settle


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


def test_nothing_is_collected_while_modules_are_loaded() -> None:
    with suppress(ImportError), loading():
        enabled = gc.isenabled()
        raise ImportError

    assert (enabled, gc.isenabled()) == (False, True)
