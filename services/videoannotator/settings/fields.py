"""Every setting: its unit, its default and the reason for it."""

from pathlib import Path
from typing import Literal

from pydantic import (
    ByteSize,
    Field,
    PrivateAttr,
    SecretStr,
    field_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from videoannotator.settings.addresses import normalise_database_url
from videoannotator.settings.group import Group
from videoannotator.settings.kinds import (
    ACCESS_KEY,
    GIB,
    HEX_SECRET,
    KIB,
    MIB,
    PIB,
    PORT_OR_NONE,
    Addresses,
    Count,
    Key,
    MaybePort,
    Origins,
    Seconds,
    Secret,
    only,
)
from videoannotator.settings.scheduling import KubernetesSettings, SchedulerSettings
from videoannotator.settings.storage import StorageSettings
from videoannotator.settings.variables import DELIMITER, PREFIX, Origin


class DatabaseSettings(Group):
    """Where rows are."""

    url: str = Field(
        default="",
        description="sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME. "
        "Empty: the file videoannotator.db in the storage folder, which one machine needs no more.",
        json_schema_extra={
            "secret": True,
            **only("sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME"),
        },
    )

    @field_validator("url")
    @classmethod
    def _known_scheme(cls, url: str) -> str:
        normalise_database_url(url)
        return url


class ApiSettings(Group):
    """What the REST interface listens to and takes."""

    host: str = Field(
        default="127.0.0.1",
        description="Address to listen on. This machine only, until somebody decides otherwise.",
    )
    port: int = Field(default=18011, ge=0, le=65535, description="TCP port; 0: any free one.")
    grpc_host: str = Field(
        default="127.0.0.1",
        description="Address to listen on for gRPC. This machine only, as for the port above.",
    )
    grpc_port: MaybePort = Field(
        default=50051,
        json_schema_extra=PORT_OR_NONE,
        description="TCP port for gRPC; 0: any free one; none: no gRPC.",
    )
    root_path: str = Field(
        default="",
        pattern=r"^(/[^?#]*[^/?#])?$",
        json_schema_extra=only("a path as /annotator, with no / at its end"),
        description="Path under which a proxy serves us, as /annotator. Empty: at the root.",
    )
    trusted_proxies: Addresses = Field(
        default=[],
        json_schema_extra=only(
            "addresses or networks with commas between, as 10.0.0.7, 10.1.0.0/16"
        ),
        description="Addresses or networks whose X-Forwarded headers are believed. None by "
        "default, because anybody can send such a header.",
    )
    allowed_origins: Origins = Field(
        default=["http://localhost:19011", "http://127.0.0.1:19011"],
        json_schema_extra=only(
            "scheme://host or scheme://host:port, without a path, with commas between; or * for all"
        ),
        description="Web origins that browsers may call us from; the public viewer's by default, "
        "under both names of this machine.",
    )
    max_upload_bytes: ByteSize = Field(
        default=ByteSize(20 * GIB),
        ge=1,
        le=PIB,
        json_schema_extra=only("a size from 1 byte to 1PiB, in bytes or as 20GiB"),
        description="Largest video, in bytes or as 20GiB. Two hours of 4K are about 20 GiB.",
    )
    max_body_bytes: ByteSize = Field(
        default=ByteSize(MIB),
        ge=KIB,
        le=GIB,
        json_schema_extra=only("a size from 1KiB to 1GiB, in bytes or as 1MiB"),
        description="Largest body of every other request, in bytes or as 1MiB. It is held in "
        "memory, so it is small.",
    )
    uploads_per_minute: Count = Field(
        default=10, description="Uploads per key and minute; 0: no limit."
    )
    max_queued_runs_per_owner: Count = Field(
        default=1000,
        description="Runs that one owner may have waiting; 0: no limit. Keeps a loop in a script "
        "from filling the queue.",
    )
    stop_grace_seconds: Seconds = Field(
        default=5.0,
        description="Time that requests under way get to finish when the server is stopped. An "
        "upload that is cut off must begin again.",
    )
    max_bytes_per_owner: ByteSize = Field(
        default=ByteSize(0),
        ge=0,
        le=PIB,
        json_schema_extra=only("a size from 0 (no limit) to 1PiB, in bytes or as 500GiB"),
        description="Bytes of video per owner; 0: no limit.",
    )


class AuthSettings(Group):
    """Who may call."""

    required: bool = Field(
        default=True,
        description="Whether every request needs a key. Off only on a machine of one person.",
    )
    first_admin_key: Key = Field(
        default=SecretStr(""),
        json_schema_extra=ACCESS_KEY,
        description="Key of the first administrator, who is made where there is no user yet. "
        "Empty: one is made up, and told once.",
    )


class RpcSettings(Group):
    """How our processes trust each other, and how clients trust them, over gRPC."""

    certificate_folder: Path | None = Field(
        default=None,
        json_schema_extra=only("a folder with tls.crt, tls.key and ca.crt, all PEM"),
        description="Folder with tls.crt, tls.key and ca.crt, as a mounted Secret has them. With "
        "it all gRPC over TCP uses TLS; Unix sockets stay plain. Empty: no TLS.",
    )
    server_name: str = Field(
        default="",
        description="Name that the scheduler's certificate is for, when that is not the host in "
        "its address. Certificates of a whole site need one name, pods have many addresses.",
    )
    internal_token: Secret = Field(
        default=SecretStr(""),
        json_schema_extra=HEX_SECRET,
        description="What the api shows to the scheduler. Empty: the file secrets/internal.token "
        "in the storage folder, made by whoever comes first.",
    )
    worker_key: Secret = Field(
        default=SecretStr(""),
        json_schema_extra=HEX_SECRET,
        description="Key from which the token of every worker is computed, the same for all "
        "schedulers of a site. Empty: the file secrets/worker.key in the storage folder.",
    )


class RetrySettings(Group):
    """What is tried again, and when."""

    base_delay_seconds: Seconds = Field(
        default=2.0, description="Delay before the first retry; each later one doubles it."
    )
    max_delay_seconds: Seconds = Field(default=300.0, description="Longest delay before a retry.")
    jitter: float = Field(
        default=0.1, ge=0, lt=1, description="Share by which a delay varies, so that runs spread."
    )
    infrastructure_failures: Count = Field(
        default=3, description="Retries that faults of the machine or cluster may cost."
    )
    pipeline_failures: Count = Field(
        default=0,
        description="Retries that a pipeline's own faults may cost. None: they mostly repeat.",
    )


class TelemetrySettings(Group):
    """What is told about the work."""

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least important line that is written."
    )
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto", description="json for machines; auto: console on a terminal, else json."
    )
    host: str = Field(
        default="127.0.0.1", description="Address to listen on for probes and metrics."
    )
    port: MaybePort = Field(
        default=None,
        json_schema_extra=PORT_OR_NONE,
        description="TCP port of its own for /livez, /readyz and /metrics; 0: any free one; "
        "none: the api answers them on its own port, a scheduler nowhere.",
    )


class Read(BaseSettings):
    """A set of settings. Calling it reads nothing: only the `load_…` functions read."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", validate_default=True)
    _origins: dict[str, Origin] = PrivateAttr(default_factory=dict)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        *sources: PydanticBaseSettingsSource,
        **more: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is given by hand: `load_…` resolves names, and knows where each came from."""
        return (init_settings,)


class Settings(Read):
    """Settings of the services and of one machine."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter=DELIMITER)

    storage: StorageSettings = StorageSettings()
    database: DatabaseSettings = DatabaseSettings()
    api: ApiSettings = ApiSettings()
    auth: AuthSettings = AuthSettings()
    rpc: RpcSettings = RpcSettings()
    scheduler: SchedulerSettings = SchedulerSettings()
    kubernetes: KubernetesSettings = KubernetesSettings()
    retry: RetrySettings = RetrySettings()
    telemetry: TelemetrySettings = TelemetrySettings()

    @property
    def database_url(self) -> str:
        """The address for the database engine, in the one form it takes."""
        return normalise_database_url(self.database.url or self.own_database_url)

    @property
    def own_database_url(self) -> str:
        """The address of the database that is used when none is given, as people write it."""
        return f"sqlite:///{self.storage.root.absolute() / 'videoannotator.db'}"


class WorkerSettings(Read):
    """Settings of an inference service; the launcher sets them."""

    model_config = SettingsConfigDict(env_prefix=PREFIX + "WORKER_")

    id: str = Field(min_length=1, description="Id of the worker, as its row has it.")
    token_sha256: str = Field(
        pattern="^[0-9a-f]{64}$",
        json_schema_extra=only("64 hexadecimal digits"),
        description="SHA-256 of the token that callers must show, hexadecimal.",
    )
    listen: str = Field(
        min_length=1, description="gRPC address to listen on, as unix:/path or 0.0.0.0:50051."
    )
    orphan_grace_seconds: Seconds = Field(
        default=600.0, description="Ends itself when nobody has called for so long."
    )
    stop_grace_seconds: Seconds = Field(
        default=30.0, description="Time the pipeline gets to stop by itself."
    )
    termination_file: Path | None = Field(
        default=None, description="File for the last words, as /dev/termination-log in a pod."
    )
    scratch: Path | None = Field(
        default=None,
        description="Folder for a video that must be fetched, and for results on their way. Empty: "
        "the one for temporary files.",
    )
    offline: bool = Field(
        default=True, description="Forbids downloads of weights: a worker takes what is there."
    )


class ClientSettings(Read):
    """Settings of the command line and of programs that use the SDK."""

    model_config = SettingsConfigDict(env_prefix=PREFIX)

    server: str = Field(
        default="http://localhost:18011",
        pattern="^https?://[^/?#@]+(/[^?#]*)?$",
        json_schema_extra=only("http://HOST:PORT or https://HOST, without a key in it"),
        description="Address of the server; keys do not belong into it.",
    )
    token: SecretStr = Field(default=SecretStr(""), description="Key that the server gave out.")
