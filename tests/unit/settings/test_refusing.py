"""Refusals: every setting that can be wrong names its variable, its value and what is allowed."""

from collections.abc import Callable

import pytest

from videoannotator.domain.errors import InvalidSetting
from videoannotator.settings import (
    ClientSettings,
    Settings,
    WorkerSettings,
    load_client_settings,
    load_settings,
    load_worker_settings,
    settings_of,
)

COUNT = "a whole number at least 0 and at most 1000000000"
SOME = "a whole number at least 1 and at most 1000000000"
SECONDS = "a number more than 0 and at most 1000000000"
ADDRESSES = "addresses or networks with commas between, as 10.0.0.7, 10.1.0.0/16"
ORIGINS = "scheme://host or scheme://host:port, without a path, with commas between; or * for all"
PORT_OR_NONE = "a whole number at least 0 and at most 65535, or none"
DATABASE = "sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME"

#: setting -> values that are refused, and what is allowed
REFUSED = {
    "API__PORT": (("x", "-1", "65536", "1.5"), "a whole number at least 0 and at most 65535"),
    "API__GRPC_PORT": (("x", "-1", "65536", "never"), PORT_OR_NONE),
    "API__ROOT_PATH": (("annotator", "/a/", "/", "/a?b"), "a path as /annotator, with no / at"),
    "API__TRUSTED_PROXIES": (
        ("proxy", "*", "10.0.0.256", "10.1.0.7/16", "10.0.0.1,x", "[1]"),
        ADDRESSES,
    ),
    "API__ALLOWED_ORIGINS": (
        ("localhost:19011", "http://a/", "http://a/b", "http://a:0", "http://a:65536", "http://"),
        ORIGINS,
    ),
    "API__MAX_UPLOAD_BYTES": (("many", "0", "-1", "2PiB", "nan"), "a size from 1 byte to 1PiB"),
    "API__MAX_BODY_BYTES": (("0", "1023", "2GiB"), "a size from 1KiB to 1GiB"),
    "API__MAX_BYTES_PER_OWNER": (("-1", "x", "2PiB"), "a size from 0 (no limit) to 1PiB"),
    "API__UPLOADS_PER_MINUTE": (("-1", "1.5", "99999999999999999999"), COUNT),
    "API__MAX_QUEUED_RUNS_PER_OWNER": (("-1", "99999999999999999999"), COUNT),
    "API__STOP_GRACE_SECONDS": (("0", "-1", "soon"), SECONDS),
    "STORAGE__URL": (
        ("bucket", "s3://", "s3://Bucket", "s3://b", "s3://bucket/../x", "s3://bucket//x", "/data"),
        "s3://BUCKET or s3://BUCKET/PREFIX, or none",
    ),
    "STORAGE__ENDPOINT": (("minio:9000", "ftp://minio", "http://key:secret@minio"), "https://HOST"),
    "STORAGE__REGION": (("EU Central",), "a name as eu-central-1"),
    "STORAGE__SIGNED_SECONDS": (
        ("0", "604801", "inf"),
        "a number more than 0 and at most 604800",
    ),
    "STORAGE__RESIGN_SECONDS": (("0", "x", "inf"), SECONDS),
    "AUTH__REQUIRED": (("maybe", "2"), "true or false"),
    "SCHEDULER__LAUNCHER": (("docker", "Kubernetes"), "process, kubernetes"),
    "SCHEDULER__LISTEN": (
        ("50052", "host", "unix:/x", "host:65536", "a b:1", "::1:50052", "http://host:1"),
        "unix, or HOST:PORT as 0.0.0.0:50052",
    ),
    "SCHEDULER__ADDRESS": (("50052", "host:", ":1", "host:-1"), "HOST:PORT, as scheduler-0."),
    "SCHEDULER__MAX_WORKERS": (("0", "two"), SOME),
    "SCHEDULER__MAX_GPU_WORKERS": (("-1",), COUNT),
    "SCHEDULER__MAX_WORKERS_PER_OWNER": (("-1",), COUNT),
    "SCHEDULER__MAX_WORKERS_PER_PIPELINE": (
        ("speech", "speech=-1", "speech=x", "=1", "{"),
        "NAME=NUMBER with commas between, each number at least 0",
    ),
    "SCHEDULER__GPUS": (("-1", "all"), COUNT),
    "SCHEDULER__UNPLACED_WINDOW": (("0",), SOME),
    **{
        f"SCHEDULER__{name}_SECONDS": (("0", "-1", "x", "nan", "inf", "1e999"), SECONDS)
        for name in (
            *("TICK", "SWEEP", "LEASE", "RENEW", "KEEPALIVE", "ORPHAN_GRACE", "STOP_GRACE"),
            *("PULL_TIMEOUT", "START_TIMEOUT", "NO_PROGRESS", "SECOND_LOOK"),
        )
    },
    "RETRY__BASE_DELAY_SECONDS": (("0", "inf"), SECONDS),
    "RETRY__MAX_DELAY_SECONDS": (("0", "inf"), SECONDS),
    "RETRY__JITTER": (("1", "-0.1", "nan"), "a number at least 0 and less than 1"),
    "RETRY__INFRASTRUCTURE_FAILURES": (("-1",), COUNT),
    "RETRY__PIPELINE_FAILURES": (("-1",), COUNT),
    "TELEMETRY__LOG_LEVEL": (("loud",), "debug, info, warning, error"),
    "TELEMETRY__LOG_FORMAT": (("xml",), "auto, json, console"),
    "TELEMETRY__PORT": (("x", "-1", "65536"), PORT_OR_NONE),
}
#: Every text is a path or a name; what holds secrets has tests of its own below.
NEVER_WRONG = {
    *("STORAGE__ROOT", "API__HOST", "API__GRPC_HOST", "TELEMETRY__HOST"),
    *("RPC__CERTIFICATE_FOLDER", "RPC__SERVER_NAME"),
    *("KUBERNETES__SITE_FILE", "KUBERNETES__KUBECONFIG"),
    *("KUBERNETES__NAMESPACE", "KUBERNETES__RELEASE"),
    *("STORAGE__ACCESS_KEY_ID", "STORAGE__SECRET_ACCESS_KEY"),
    *("DATABASE__URL", "RPC__INTERNAL_TOKEN", "RPC__WORKER_KEY", "AUTH__FIRST_ADMIN_KEY"),
}

WORKER = {"ID": "w1", "TOKEN_SHA256": "0" * 64, "LISTEN": "unix:/x"}
WORKER_REFUSED = {
    "TOKEN_SHA256": (("x", "0" * 63), "64 hexadecimal digits"),
    "ORPHAN_GRACE_SECONDS": (("0", "inf"), SECONDS),
    "STOP_GRACE_SECONDS": (("0", "inf"), SECONDS),
    "OFFLINE": (("perhaps",), "true or false"),
}


def rows(refused: dict[str, tuple[tuple[str, ...], str]]) -> list[tuple[str, str, str]]:
    return [(name, value, told) for name, (values, told) in refused.items() for value in values]


def expect_refused(load: Callable[[], object], name: str, value: str, allowed: str) -> None:
    with pytest.raises(InvalidSetting) as refused:
        load()

    assert refused.value.field == name
    assert f"{name} has a value '{value}' that is not allowed. Allowed: " in refused.value.message
    assert allowed in refused.value.message


@pytest.mark.parametrize(("setting", "value", "allowed"), rows(REFUSED))
def test_a_bad_value_is_refused_with_its_name_value_and_what_is_allowed(
    setting: str, value: str, allowed: str
) -> None:
    name = f"VIDEOANNOTATOR_{setting}"

    expect_refused(lambda: load_settings({name: value}, None), name, value, allowed)


@pytest.mark.parametrize(("setting", "value", "allowed"), rows(WORKER_REFUSED))
def test_a_bad_value_of_a_worker_is_refused(setting: str, value: str, allowed: str) -> None:
    given = {f"VIDEOANNOTATOR_WORKER_{key}": each for key, each in WORKER.items()}
    name = f"VIDEOANNOTATOR_WORKER_{setting}"

    expect_refused(lambda: load_worker_settings({**given, name: value}), name, value, allowed)


@pytest.mark.parametrize("value", ["host:1", "ftp://host", "http://key@host", "http://host?x"])
def test_a_bad_address_of_a_server_is_refused(value: str) -> None:
    name = "VIDEOANNOTATOR_SERVER"

    expect_refused(
        lambda: load_client_settings({name: value}, None), name, value, "http://HOST:PORT"
    )


def test_every_setting_is_tested_here() -> None:
    names = {each.replace(".", "__").upper() for each in settings_of(Settings)}
    worker = {each.upper() for each in settings_of(WorkerSettings)}

    assert names == set(REFUSED) | NEVER_WRONG
    assert worker - set(WORKER_REFUSED) == {"ID", "LISTEN", "TERMINATION_FILE", "SCRATCH"}
    assert set(settings_of(ClientSettings)) == {"server", "token"}


def test_an_old_name_is_refused_under_that_name() -> None:
    expect_refused(
        lambda: load_settings({"CORS_ORIGINS": "viewer"}, None), "CORS_ORIGINS", "viewer", ORIGINS
    )


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("mysql://me:hidden@host/x", "mysql://***"),
        ("postgres:me:hidden@host/x", "***"),
        ("hidden", "***"),
        ("me:hidden@host://x", "***"),
    ],
)
def test_a_bad_address_of_a_database_is_refused_without_its_password(
    given: str, shown: str
) -> None:
    expect_refused(
        lambda: load_settings({"DATABASE_URL": given}, None), "DATABASE_URL", shown, DATABASE
    )


@pytest.mark.parametrize("name", ["INTERNAL_TOKEN", "WORKER_KEY"])
@pytest.mark.parametrize("given", ["hidden", "0" * 63, "0" * 65, "G" * 64, "va_" + "0" * 61])
def test_a_bad_secret_is_refused_without_showing_it(name: str, given: str) -> None:
    variable = f"VIDEOANNOTATOR_RPC__{name}"

    expect_refused(
        lambda: load_settings({variable: given}, None), variable, "***", "64 hexadecimal digits"
    )


@pytest.mark.parametrize("given", ["hidden", "va_short", "0" * 60, "va_" + "x" * 39 + "!"])
def test_a_first_key_that_might_be_guessed_is_refused_without_showing_it(given: str) -> None:
    name = "VIDEOANNOTATOR_AUTH__FIRST_ADMIN_KEY"

    expect_refused(lambda: load_settings({name: given}, None), name, "***", "va_ and 40 to 200")


@pytest.mark.parametrize(
    ("given", "value", "allowed"),
    [
        ({"RENEW": "15"}, "15", "less than VIDEOANNOTATOR_SCHEDULER__LEASE_SECONDS, which is 15"),
        ({"RENEW": "9", "LEASE": "8"}, "9", "LEASE_SECONDS, which is 8"),
        ({"LEASE": "2.5"}, "5", "LEASE_SECONDS, which is 2.5"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused_by_name(
    given: dict[str, str], value: str, allowed: str
) -> None:
    named = {f"VIDEOANNOTATOR_SCHEDULER__{key}_SECONDS": each for key, each in given.items()}

    expect_refused(
        lambda: load_settings(named, None),
        "VIDEOANNOTATOR_SCHEDULER__RENEW_SECONDS",
        value,
        allowed,
    )


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("*", ["*"]),
        ("HTTP://Viewer.Example:8443", ["http://viewer.example:8443"]),
        ("http://[::1]:19011, https://a", ["http://[::1]:19011", "https://a"]),
    ],
)
def test_origins_are_read_in_the_form_that_browsers_send(given: str, read: list[str]) -> None:
    settings = load_settings({"VIDEOANNOTATOR_API__ALLOWED_ORIGINS": given}, None)

    assert settings.api.allowed_origins == read


def test_proxies_may_be_of_both_families_and_networks() -> None:
    given = "10.0.0.7, 2001:db8::1, 10.1.0.0/16"

    settings = load_settings({"VIDEOANNOTATOR_API__TRUSTED_PROXIES": given}, None)

    assert settings.api.trusted_proxies == ["10.0.0.7", "2001:db8::1", "10.1.0.0/16"]
