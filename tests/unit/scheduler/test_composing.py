"""Where a site's sockets lie."""

import tempfile
from pathlib import Path

import pytest

from videoannotator.scheduler.composing import socket_folder
from videoannotator.scheduler.launchers.process import fits_a_socket


def test_sockets_lie_in_the_folder_for_temporary_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/var/tmp")

    assert socket_folder(Path("/srv/storage")).parent == Path("/var/tmp")


def test_a_long_folder_for_temporary_files_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", f"/scratch/{'long' * 25}")

    folder = socket_folder(Path("/srv/storage"))

    assert folder.parent == Path("/tmp")
    assert fits_a_socket(folder)


def test_every_storage_has_its_own_sockets() -> None:
    assert socket_folder(Path("/srv/a")) != socket_folder(Path("/srv/b"))
