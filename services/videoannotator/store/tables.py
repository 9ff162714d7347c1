"""The tables. The migrations make them; a test compares the two."""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

from videoannotator.domain.access import Role
from videoannotator.domain.events import EventKind
from videoannotator.domain.jobs import AttemptOutcome, JobKind, JobState, RunState, WorkerState
from videoannotator.store.types import Instant, Prose, Word, document, partial_index

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)


def _id(name: str = "id") -> Column[str]:
    return Column(name, String(64), primary_key=True)


def _ref(name: str, target: str, *, null: bool = False, cascade: bool = False) -> Column[str]:
    key = ForeignKey(target, ondelete="CASCADE" if cascade else None)
    return Column(name, String(64), key, nullable=null)


users = Table(
    "users",
    metadata,
    _id(),
    Column("name", String(255), nullable=False, unique=True),
    Column("role", Word(Role), nullable=False),
    Column("created_at", Instant, nullable=False),
)

groups = Table(
    "groups",
    metadata,
    _id(),
    Column("name", String(255), nullable=False, unique=True),
    Column("created_at", Instant, nullable=False),
)

memberships = Table(
    "memberships",
    metadata,
    Column("user_id", String(64), ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("group_id", String(64), ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True),
)

api_keys = Table(
    "api_keys",
    metadata,
    _id(),
    _ref("user_id", "users.id", cascade=True),
    Column("name", String(255), nullable=False),
    Column("prefix", String(16), nullable=False, index=True),
    Column("sha256", String(64), nullable=False, unique=True),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("revoked_at", Instant),
)

videos = Table(
    "videos",
    metadata,
    _id(),
    _ref("owner_id", "users.id"),
    _ref("group_id", "groups.id", null=True),
    Column("display_name", Prose, nullable=False),
    Column("key", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("probe", document()),
    Column("delete_requested_at", Instant),
    # One row for the same bytes of one owner; a deleted one does not count.
    partial_index(
        "uq_videos_kept",
        "owner_id",
        "sha256",
        unique=True,
        where="delete_requested_at IS NULL",
    ),
)

jobs = Table(
    "jobs",
    metadata,
    _id(),
    Column("kind", Word(JobKind), nullable=False),
    _ref("owner_id", "users.id"),
    _ref("group_id", "groups.id", null=True),
    _ref("video_id", "videos.id"),
    Column("video_name", Prose, nullable=False),
    Column("config", document(), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("state", Word(JobState), nullable=False, index=True),
    Column("cancel_requested_at", Instant),  # written by the api
    Column("delete_requested_at", Instant),  # written by the api
    Column("idempotency_key", String(255)),
    Column("request_sha256", String(64)),  # of the request that came with the key
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("started_at", Instant),
    Column("completed_at", Instant),
    Column("cancelled_at", Instant),
    Column("error_message", Text),
    # Lists and their counts are read from these alone, and in their order.
    partial_index(
        "ix_jobs_listed",
        *("kind", "created_at", "id"),
        where="delete_requested_at IS NULL",
    ),
    partial_index(
        "ix_jobs_listed_by_state",
        *("kind", "state", "created_at", "id"),
        where="delete_requested_at IS NULL",
    ),
    Index("ix_jobs_owner_id_created_at", "owner_id", "created_at"),
    Index("ix_jobs_video_id", "video_id"),
    # NULLs are distinct on both databases: jobs without a key do not collide.
    Index("uq_jobs_owner_id_idempotency_key", "owner_id", "idempotency_key", unique=True),
    partial_index(
        "ix_jobs_delete_requested",
        "id",
        where="delete_requested_at IS NOT NULL",
    ),
)

runs = Table(
    "runs",
    metadata,
    _id(),
    _ref("job_id", "jobs.id", cascade=True),
    Column("position", Integer, nullable=False),
    Column("pipeline", String(255), nullable=False),
    Column("parameters", document(), nullable=False),
    Column("ignored_parameters", document(), nullable=False),
    Column("resources", document(), nullable=False),
    Column("state", Word(RunState), nullable=False, index=True),
    Column("infrastructure_failures", Integer, nullable=False),
    Column("pipeline_failures", Integer, nullable=False),
    Column("not_before", Instant),
    Column("failure", document()),
    Column("progress", document(), nullable=False),
    Column("summary", document(), nullable=False),
    Column("waiting_reason", Prose, nullable=False),
    Column("queue_position", Integer),
    Column("created_at", Instant, nullable=False),
    Column("started_at", Instant),
    Column("finished_at", Instant),
    Index("uq_runs_job_id_position", "job_id", "position", unique=True),
)

attempts = Table(
    "attempts",
    metadata,
    Column("run_id", String(64), ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("worker_id", String(64), nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("over_at", Instant),
    Column("outcome", Word(AttemptOutcome)),
    Column("failure", document()),
    # A run cannot be executed twice at once, whatever the network does.
    partial_index(
        "uq_attempts_open",
        "run_id",
        unique=True,
        where="over_at IS NULL",
    ),
)

workers = Table(
    "workers",
    metadata,
    _id(),
    _ref("run_id", "runs.id", cascade=True),
    _ref("job_id", "jobs.id", cascade=True),
    Column("attempt", Integer, nullable=False),
    Column("state", Word(WorkerState), nullable=False, index=True),
    Column("launcher", String(32), nullable=False),
    Column("token_sha256", String(64), nullable=False),
    Column("key_version", Integer, nullable=False),
    Column("body", document(), nullable=False),
    Column("gpus", document(), nullable=False),
    Column("resources", document(), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("create_sent_at", Instant),
    Column("identity", Prose),
    Column("up_at", Instant),
    Column("last_contact_at", Instant),
    Column("stopping_at", Instant),
    Column("end_seen_at", Instant),
    Column("failure", document()),
    Column("abandon_requested_at", Instant),  # written by the api
    Column("unproven_since", Instant),
    Column("gone_at", Instant),
    Index("ix_workers_job_id", "job_id"),
    Index("ix_workers_run_id", "run_id"),
)

artifacts = Table(
    "artifacts",
    metadata,
    _id(),
    _ref("job_id", "jobs.id", cascade=True),
    _ref("run_id", "runs.id", cascade=True),
    Column("pipeline", String(255), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("name", String(255), nullable=False),
    Column("public_name", Text, nullable=False),
    Column("role", String(32), nullable=False),
    Column("position", Integer, nullable=False),
    Column("media_type", String(255), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Index("ix_artifacts_job_id", "job_id"),
    Index("uq_artifacts_run_id_attempt_name", "run_id", "attempt", "name", unique=True),
)

events = Table(
    "events",
    metadata,
    # BIGINT would not be the row id on SQLite. AUTOINCREMENT: a purge never frees an id.
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("kind", Word(EventKind), nullable=False),
    Column("job_id", String(64), nullable=False),
    Column("owner_id", String(64), nullable=False),
    Column("group_id", String(64)),
    Column("run_id", String(64)),
    Column("data", document(), nullable=False),
    Column("created_at", Instant, nullable=False),
    Index("ix_events_job_id_id", "job_id", "id"),
    Index("ix_events_owner_id_id", "owner_id", "id"),
    sqlite_autoincrement=True,
)

leader = Table(
    "leader",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # one row, 1
    Column("holder", String(255)),
    Column("address", Text),
    Column("epoch", Integer, nullable=False),
    Column("expires_at", Instant),
    Column("drain_requested_at", Instant),  # written by the api
)

audit = Table(
    "audit",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("at", Instant, nullable=False),
    Column("user_id", String(64)),
    Column("key_id", String(64)),
    Column("action", String(64), nullable=False),
    Column("object_id", String(255)),
    Column("detail", document(), nullable=False),
    sqlite_autoincrement=True,
)

LEADER_ROW = 1
