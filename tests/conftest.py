"""What holds for every test: nothing of the developer's settings, long tests first."""

import os
from collections.abc import Iterator

import hypothesis
import pytest

from tests.fakes import databases, s3

# A shared machine is slow now and then; a time limit per example says nothing about the code.
# Where a change is judged, it is judged by the same examples every time.
hypothesis.settings.register_profile(
    "house", deadline=None, print_blob=True, derandomize=bool(os.environ.get("CI"))
)
hypothesis.settings.load_profile("house")

OLD_NAMES = (
    "ALLOWED_ORIGINS",
    "AUTH_REQUIRED",
    "CORS_ORIGINS",
    "DATABASE_URL",
    "MAX_CONCURRENT_GPU_JOBS",
    "MAX_CONCURRENT_JOBS",
    "REQUIRE_AUTH",
    "RETRY_BASE_DELAY",
    "RETRY_JITTER",
    "RETRY_MAX_DELAY",
    "STORAGE_ROOT",
)


#: Who needs one of these works on the database of the run.
ON_A_DATABASE = {"database", "empty_database", "nursery", "separate", "site"}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Which database the sites of the tests use."""
    parser.addoption(
        "--database",
        choices=databases.KINDS,
        default="sqlite",
        help="database of the sites in tests (default: %(default)s); postgresql runs only tests "
        "that have a site, and no contracts of the store, which run on both anyway",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Removes the settings of the developer's own server; makes ready for databases."""
    for name in list(os.environ):
        if name.startswith("VIDEOANNOTATOR_") or name in OLD_NAMES:
            del os.environ[name]
    config.addinivalue_line("markers", "sqlite(reason): about files of SQLite")
    config.addinivalue_line(
        "markers", "postgresql: about a server of PostgreSQL, or long: make test-postgresql runs it"
    )
    if not hasattr(config, "workerinput"):  # xdist's workers share what their controller made
        alive = databases.begin(config.getoption("--database"))
        config.add_cleanup(lambda: databases.end(alive))


@pytest.fixture(scope="session")
def s3_server() -> Iterator[s3.S3Server]:
    """A real S3 server; every storage on it is a test's own."""
    with s3.started() as server:
        yield server


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Drops the databases of the sites that the test had below its own folder."""
    folder = getattr(item, "funcargs", {}).get("tmp_path")
    if folder is not None:
        databases.forget(folder)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Puts the slow tests first, so that the quick ones fill the gaps beside them."""
    on_postgresql = config.getoption("--database") == "postgresql"
    belongs = _differs_on_postgresql if on_postgresql else _runs_on_sqlite
    left_out = {item for item in items if not belongs(item)}
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]
    if on_postgresql:
        for item in items:
            _skip_sqlite(item)
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def _runs_on_sqlite(item: pytest.Item) -> bool:
    return item.get_closest_marker("postgresql") is None


def _differs_on_postgresql(item: pytest.Item) -> bool:
    if not _runs_on_sqlite(item):
        return True
    names = set(getattr(item, "fixturenames", ()))
    return bool(names & ON_A_DATABASE) and "database_url" not in names


def _skip_sqlite(item: pytest.Item) -> None:
    marker = item.get_closest_marker("sqlite")
    if marker is not None:
        item.add_marker(pytest.mark.skip(reason=marker.args[0]))
