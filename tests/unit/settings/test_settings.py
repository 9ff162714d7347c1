"""Settings: names, values, refusals, and where each came from."""

from pathlib import Path

import pytest

from videoannotator.domain.errors import InvalidSetting
from videoannotator.settings import (
    Settings,
    effective,
    load_client_settings,
    load_settings,
    load_worker_settings,
)
from videoannotator.settings.variables import OLD_NAMES

OLD = [
    ("STORAGE_ROOT", "/data", lambda s: s.storage.root, Path("/data")),
    ("API_PORT", "8000", lambda s: s.api.port, 8000),
    (
        "ALLOWED_ORIGINS",
        "http://a, http://b",
        lambda s: s.api.allowed_origins,
        ["http://a", "http://b"],
    ),
    ("CORS_ORIGINS", "http://a", lambda s: s.api.allowed_origins, ["http://a"]),
    ("REQUIRE_AUTH", "false", lambda s: s.auth.required, False),
    ("AUTH_REQUIRED", "0", lambda s: s.auth.required, False),
    ("MAX_CONCURRENT_JOBS", "4", lambda s: s.scheduler.max_workers, 4),
    ("MAX_CONCURRENT_GPU_JOBS", "1", lambda s: s.scheduler.max_gpu_workers, 1),
    ("RETRY_BASE_DELAY", "3", lambda s: s.retry.base_delay_seconds, 3.0),
    ("RETRY_MAX_DELAY", "30", lambda s: s.retry.max_delay_seconds, 30.0),
    ("RETRY_JITTER", "0.2", lambda s: s.retry.jitter, 0.2),
    ("DATABASE_URL", "sqlite:///x.db", lambda s: s.database_url, "sqlite+aiosqlite:///x.db"),
]


def origin(settings: Settings, name: str) -> str:
    return next(row.origin for row in effective(settings) if row.setting == name)


def value(settings: Settings, name: str) -> str:
    return next(row.value for row in effective(settings) if row.setting == name)


@pytest.mark.parametrize(("name", "given", "read", "expected"), OLD, ids=[row[0] for row in OLD])
@pytest.mark.parametrize("prefix", ["", "VIDEOANNOTATOR_"])
def test_old_names_are_read_with_and_without_our_prefix(
    prefix, name, given, read, expected
) -> None:
    settings = load_settings({prefix + name: given}, None)

    assert read(settings) == expected
    assert origin(settings, OLD_NAMES[name]) == f"environment {prefix}{name}"


def test_every_old_name_is_tested_above() -> None:
    assert {row[0] for row in OLD} == set(OLD_NAMES)


def test_the_new_name_wins_over_the_old_and_says_so() -> None:
    given = {"STORAGE_ROOT": "/old", "VIDEOANNOTATOR_STORAGE__ROOT": "/new"}

    settings = load_settings(given, None)

    assert settings.storage.root == Path("/new")
    assert (
        origin(settings, "storage.root")
        == "environment VIDEOANNOTATOR_STORAGE__ROOT (not STORAGE_ROOT)"
    )


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("API_PORT=1\nRETRY_JITTER=0.3\n")

    settings = load_settings({"API_PORT": "2"}, dotenv)

    assert (settings.api.port, settings.retry.jitter) == (2, 0.3)
    assert origin(settings, "api.port") == "environment API_PORT (not .env API_PORT)"
    assert origin(settings, "retry.jitter") == ".env RETRY_JITTER"


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(InvalidSetting) as refused:
        load_settings({"API_PORT": "x", "RETRY_JITTER": "y"}, None)

    assert len(refused.value.message.splitlines()) == 2


def test_a_typo_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(InvalidSetting) as refused:
        load_settings({"VIDEOANNOTATOR_API__PROT": "1"}, None)

    assert "VIDEOANNOTATOR_API__PORT?" in refused.value.hint


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("VIDEOANNOTATOR_TOKEN", "va_x"),
        ("VIDEOANNOTATOR_SERVER", "http://h"),
        ("VIDEOANNOTATOR_WORKER_ID", "w"),
        ("VIDEOANNOTATOR_API_PORT", "tcp://10.0.0.7:18011"),
        ("VIDEOANNOTATOR_API_SERVICE_HOST", "10.0.0.7"),
        ("VIDEOANNOTATOR_API_PORT_18011_TCP_ADDR", "10.0.0.7"),
        ("UNRELATED", "x"),
    ],
)
def test_what_others_read_and_what_kubernetes_adds_is_left_alone(name: str, given: str) -> None:
    settings = load_settings({name: given}, None)

    assert settings.api.port == 18011


def test_the_password_of_the_database_is_masked() -> None:
    settings = load_settings({"DATABASE_URL": "postgres://me:hidden@host/db?password=hidden"}, None)

    assert value(settings, "database.url") == "postgres://me:***@host/db?***"
    assert settings.database_url == "postgresql+psycopg://me:hidden@host/db?password=hidden"


@pytest.mark.parametrize("name", ["internal_token", "worker_key"])
def test_a_shared_secret_is_read_and_never_shown(name: str) -> None:
    settings = load_settings({f"VIDEOANNOTATOR_RPC__{name.upper()}": "5ec" + "0" * 61}, None)

    assert getattr(settings.rpc, name).get_secret_value() == "5ec" + "0" * 61
    assert value(settings, f"rpc.{name}") == "***"
    assert "5ec0" not in repr(settings)


@pytest.mark.parametrize(
    ("given", "port", "shown"), [("none", None, "none"), ("None", None, "none"), ("0", 0, "0")]
)
@pytest.mark.parametrize("setting", ["api.grpc_port", "telemetry.port"])
def test_a_port_may_be_none_by_word(setting: str, given: str, port: int | None, shown: str) -> None:
    group, field = setting.split(".")
    name = f"VIDEOANNOTATOR_{group.upper()}__{field.upper()}"

    settings = load_settings({name: given}, None)

    assert getattr(getattr(settings, group), field) == port
    assert value(settings, setting) == shown


@pytest.mark.parametrize("given", ["unix", "0.0.0.0:50052", "[::]:0", "scheduler-0.site:1"])
def test_a_scheduler_listens_to_a_socket_or_a_host_and_a_port(given: str) -> None:
    settings = load_settings({"VIDEOANNOTATOR_SCHEDULER__LISTEN": given}, None)

    assert settings.scheduler.listen == given


def test_without_an_address_the_database_is_a_file_in_the_storage_folder(tmp_path: Path) -> None:
    settings = load_settings({"STORAGE_ROOT": str(tmp_path)}, None)

    assert settings.database_url == f"sqlite+aiosqlite:///{tmp_path}/videoannotator.db"
    assert value(settings, "database.url") == f"sqlite:///{tmp_path}/videoannotator.db"
    assert origin(settings, "database.url") == "default, in VIDEOANNOTATOR_STORAGE__ROOT"


def test_the_viewer_may_call_under_both_names_of_this_machine() -> None:
    assert Settings().api.allowed_origins == ["http://localhost:19011", "http://127.0.0.1:19011"]


def test_sizes_lists_and_limits_are_read_as_people_write_them() -> None:
    given = {
        "VIDEOANNOTATOR_API__MAX_UPLOAD_BYTES": "3MiB",
        "VIDEOANNOTATOR_API__TRUSTED_PROXIES": "10.0.0.1,10.1.0.0/16",
        "VIDEOANNOTATOR_SCHEDULER__MAX_WORKERS_PER_PIPELINE": "a=1, b=2",
    }

    settings = load_settings(given, None)

    assert settings.api.max_upload_bytes == 3 * 1024**2
    assert settings.api.trusted_proxies == ["10.0.0.1", "10.1.0.0/16"]
    assert settings.scheduler.max_workers_per_pipeline == {"a": 1, "b": 2}


def test_every_setting_says_what_it_is_for() -> None:
    assert [row.setting for row in effective(Settings()) if not row.description] == []


def test_settings_made_by_hand_read_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDEOANNOTATOR_API__PORT", "1")

    assert Settings().api.port == 18011


def test_a_worker_without_its_id_is_refused_by_name() -> None:
    with pytest.raises(InvalidSetting, match="VIDEOANNOTATOR_WORKER_ID is missing"):
        load_worker_settings({})


def test_a_worker_reads_its_own_names() -> None:
    given = {"ID": "w1", "TOKEN_SHA256": "0" * 64, "LISTEN": "unix:/x", "STOP_GRACE_SECONDS": "1.5"}

    worker = load_worker_settings({f"VIDEOANNOTATOR_WORKER_{key}": v for key, v in given.items()})

    assert (worker.id, worker.listen, worker.stop_grace_seconds) == ("w1", "unix:/x", 1.5)
    assert worker.offline


def test_the_clients_key_is_never_shown() -> None:
    settings = load_client_settings({"VIDEOANNOTATOR_TOKEN": "va_hidden"}, None)

    assert settings.token.get_secret_value() == "va_hidden"
    assert [row.value for row in effective(settings) if row.setting == "token"] == ["***"]
