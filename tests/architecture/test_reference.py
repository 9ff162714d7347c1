"""docs/reference lists everything, and its staleness is told."""

from pathlib import Path

import pytest

from reference import __main__ as reference
from reference.pages import pages
from videoannotator.domain import errors
from videoannotator.domain.failures import Code
from videoannotator.settings import ClientSettings, Settings, WorkerSettings, settings_of, variable
from videoannotator.settings.variables import OLD_NAMES

PAGES = pages()


def test_the_same_program_gives_the_same_pages() -> None:
    assert pages() == PAGES


def test_every_error_and_every_reason_of_a_failure_is_listed() -> None:
    kinds = [each for each in vars(errors).values() if isinstance(each, type)]
    names = [each.__name__ for each in kinds if issubclass(each, Exception)] + list(Code)

    assert [name for name in names if f"`{name}`" not in PAGES["errors.md"]] == []


def test_every_setting_is_listed_with_its_older_names() -> None:
    names = [variable(name) for name in settings_of(Settings)]
    names += [variable(name, "VIDEOANNOTATOR_WORKER_") for name in settings_of(WorkerSettings)]
    names += [variable(name) for name in settings_of(ClientSettings)] + list(OLD_NAMES)

    assert [name for name in names if f"`{name}`" not in PAGES["settings.md"]] == []


def test_no_default_is_of_this_machine() -> None:
    told = "".join(PAGES.values())

    assert str(Path.home()) not in told or Path.home() == Path("/")
    assert str(reference.FOLDER.parents[1]) not in told


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another place for the pages, which are made once."""
    monkeypatch.setattr(reference, "FOLDER", tmp_path)
    monkeypatch.setattr(reference, "pages", lambda: PAGES)
    return tmp_path


@pytest.mark.parametrize("page", ["rest.md", "strange.md"])
def test_a_stale_page_is_told_with_the_command_that_writes_it(
    folder: Path, capsys: pytest.CaptureFixture[str], page: str
) -> None:
    reference.write()
    assert reference.check() == 0

    (folder / page).write_text("old\n", encoding="utf-8")

    assert reference.check() == 1
    told = capsys.readouterr()
    assert f"docs/reference/{page}" in told.out
    assert "make reference" in told.err


def test_writing_removes_what_no_longer_belongs_there(folder: Path) -> None:
    (folder / "strange.md").write_text("old\n", encoding="utf-8")

    reference.write()

    assert sorted(path.name for path in folder.iterdir()) == sorted(PAGES)
