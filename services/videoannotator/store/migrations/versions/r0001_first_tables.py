"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

ID = sa.String(64)
WORD = sa.String(32)
INSTANT = sa.String(27).with_variant(sa.TIMESTAMP(timezone=True), "postgresql")
ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Makes the tables, and the one leader row."""
    for make in TABLES:
        make()
    op.execute("INSERT INTO leader (id, epoch) VALUES (1, 0)")


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", ROW_NUMBER, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("user_id", ID),
        sa.Column("key_id", ID),
        sa.Column("action", ID, nullable=False),
        sa.Column("object_id", sa.String(length=255)),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
        sqlite_autoincrement=True,
    )


def _events() -> None:
    op.create_table(
        "events",
        sa.Column("id", ROW_NUMBER, nullable=False),
        sa.Column("kind", WORD, nullable=False),
        sa.Column("job_id", ID, nullable=False),
        sa.Column("owner_id", ID, nullable=False),
        sa.Column("group_id", ID),
        sa.Column("run_id", ID),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_events_job_id_id", "events", ["job_id", "id"])
    op.create_index("ix_events_owner_id_id", "events", ["owner_id", "id"])


def _groups() -> None:
    op.create_table(
        "groups",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_groups"),
        sa.UniqueConstraint("name", name="uq_groups_name"),
    )


def _leader() -> None:
    op.create_table(
        "leader",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("holder", sa.String(length=255)),
        sa.Column("address", sa.Text()),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("expires_at", INSTANT),
        sa.Column("drain_requested_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_leader"),
    )


def _users() -> None:
    op.create_table(
        "users",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("role", WORD, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("name", name="uq_users_name"),
    )


def _api_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("prefix", sa.String(length=16), nullable=False),
        sa.Column("sha256", ID, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT),
        sa.Column("revoked_at", INSTANT),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_api_keys_user_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.UniqueConstraint("sha256", name="uq_api_keys_sha256"),
    )
    op.create_index("ix_api_keys_prefix", "api_keys", ["prefix"])


def _memberships() -> None:
    op.create_table(
        "memberships",
        sa.Column("user_id", ID, nullable=False),
        sa.Column("group_id", ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["group_id"], ["groups.id"], name="fk_memberships_group_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_memberships_user_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "group_id", name="pk_memberships"),
    )


def _videos() -> None:
    op.create_table(
        "videos",
        sa.Column("id", ID, nullable=False),
        sa.Column("owner_id", ID, nullable=False),
        sa.Column("group_id", ID),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", ID, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("probe", sa.JSON()),
        sa.Column("delete_requested_at", INSTANT),
        sa.ForeignKeyConstraint(["group_id"], ["groups.id"], name="fk_videos_group_id"),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name="fk_videos_owner_id"),
        sa.PrimaryKeyConstraint("id", name="pk_videos"),
    )
    op.create_index(
        "uq_videos_kept",
        "videos",
        ["owner_id", "sha256"],
        unique=True,
        sqlite_where=sa.text("delete_requested_at IS NULL"),
        postgresql_where=sa.text("delete_requested_at IS NULL"),
    )


def _jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", ID, nullable=False),
        sa.Column("kind", WORD, nullable=False),
        sa.Column("owner_id", ID, nullable=False),
        sa.Column("group_id", ID),
        sa.Column("video_id", ID, nullable=False),
        sa.Column("video_name", sa.Text(), nullable=False),
        sa.Column("config", sa.JSON(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("state", WORD, nullable=False),
        sa.Column("cancel_requested_at", INSTANT),
        sa.Column("delete_requested_at", INSTANT),
        sa.Column("idempotency_key", sa.String(length=255)),
        sa.Column("request_sha256", ID),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.Column("started_at", INSTANT),
        sa.Column("completed_at", INSTANT),
        sa.Column("cancelled_at", INSTANT),
        sa.Column("error_message", sa.Text()),
        sa.ForeignKeyConstraint(["group_id"], ["groups.id"], name="fk_jobs_group_id"),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name="fk_jobs_owner_id"),
        sa.ForeignKeyConstraint(["video_id"], ["videos.id"], name="fk_jobs_video_id"),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
    )
    op.create_index(
        "ix_jobs_listed",
        "jobs",
        ["kind", "created_at", "id"],
        unique=False,
        sqlite_where=sa.text("delete_requested_at IS NULL"),
        postgresql_where=sa.text("delete_requested_at IS NULL"),
    )
    op.create_index(
        "ix_jobs_listed_by_state",
        "jobs",
        ["kind", "state", "created_at", "id"],
        unique=False,
        sqlite_where=sa.text("delete_requested_at IS NULL"),
        postgresql_where=sa.text("delete_requested_at IS NULL"),
    )
    op.create_index(
        "ix_jobs_delete_requested",
        "jobs",
        ["id"],
        unique=False,
        sqlite_where=sa.text("delete_requested_at IS NOT NULL"),
        postgresql_where=sa.text("delete_requested_at IS NOT NULL"),
    )
    op.create_index("ix_jobs_owner_id_created_at", "jobs", ["owner_id", "created_at"])
    op.create_index("ix_jobs_state", "jobs", ["state"])
    op.create_index("ix_jobs_video_id", "jobs", ["video_id"])
    op.create_index(
        "uq_jobs_owner_id_idempotency_key", "jobs", ["owner_id", "idempotency_key"], unique=True
    )


def _runs() -> None:
    op.create_table(
        "runs",
        sa.Column("id", ID, nullable=False),
        sa.Column("job_id", ID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("pipeline", sa.String(length=255), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("ignored_parameters", sa.JSON(), nullable=False),
        sa.Column("resources", sa.JSON(), nullable=False),
        sa.Column("state", WORD, nullable=False),
        sa.Column("infrastructure_failures", sa.Integer(), nullable=False),
        sa.Column("pipeline_failures", sa.Integer(), nullable=False),
        sa.Column("not_before", INSTANT),
        sa.Column("failure", sa.JSON()),
        sa.Column("progress", sa.JSON(), nullable=False),
        sa.Column("summary", sa.JSON(), nullable=False),
        sa.Column("waiting_reason", sa.Text(), nullable=False),
        sa.Column("queue_position", sa.Integer()),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("started_at", INSTANT),
        sa.Column("finished_at", INSTANT),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_runs_job_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
    )
    op.create_index("ix_runs_state", "runs", ["state"])
    op.create_index("uq_runs_job_id_position", "runs", ["job_id", "position"], unique=True)


def _artifacts() -> None:
    op.create_table(
        "artifacts",
        sa.Column("id", ID, nullable=False),
        sa.Column("job_id", ID, nullable=False),
        sa.Column("run_id", ID, nullable=False),
        sa.Column("pipeline", sa.String(length=255), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("public_name", sa.Text(), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("media_type", sa.String(length=255), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name="fk_artifacts_job_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["run_id"], ["runs.id"], name="fk_artifacts_run_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_artifacts"),
    )
    op.create_index("ix_artifacts_job_id", "artifacts", ["job_id"])
    op.create_index(
        "uq_artifacts_run_id_attempt_name", "artifacts", ["run_id", "attempt", "name"], unique=True
    )


def _attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("run_id", ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("worker_id", ID, nullable=False),
        sa.Column("opened_at", INSTANT, nullable=False),
        sa.Column("over_at", INSTANT),
        sa.Column("outcome", WORD),
        sa.Column("failure", sa.JSON()),
        sa.ForeignKeyConstraint(
            ["run_id"], ["runs.id"], name="fk_attempts_run_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", "number", name="pk_attempts"),
    )
    op.create_index(
        "uq_attempts_open",
        "attempts",
        ["run_id"],
        unique=True,
        sqlite_where=sa.text("over_at IS NULL"),
        postgresql_where=sa.text("over_at IS NULL"),
    )


def _workers() -> None:
    op.create_table(
        "workers",
        sa.Column("id", ID, nullable=False),
        sa.Column("run_id", ID, nullable=False),
        sa.Column("job_id", ID, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("state", WORD, nullable=False),
        sa.Column("launcher", sa.String(length=32), nullable=False),
        sa.Column("token_sha256", ID, nullable=False),
        sa.Column("key_version", sa.Integer(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("gpus", sa.JSON(), nullable=False),
        sa.Column("resources", sa.JSON(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("create_sent_at", INSTANT),
        sa.Column("identity", sa.Text()),
        sa.Column("up_at", INSTANT),
        sa.Column("last_contact_at", INSTANT),
        sa.Column("stopping_at", INSTANT),
        sa.Column("end_seen_at", INSTANT),
        sa.Column("failure", sa.JSON()),
        sa.Column("abandon_requested_at", INSTANT),
        sa.Column("unproven_since", INSTANT),
        sa.Column("gone_at", INSTANT),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name="fk_workers_job_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["run_id"], ["runs.id"], name="fk_workers_run_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_workers"),
    )
    op.create_index("ix_workers_job_id", "workers", ["job_id"])
    op.create_index("ix_workers_run_id", "workers", ["run_id"])
    op.create_index("ix_workers_state", "workers", ["state"])


TABLES = (
    _audit,
    _events,
    _groups,
    _leader,
    _users,
    _api_keys,
    _memberships,
    _videos,
    _jobs,
    _runs,
    _artifacts,
    _attempts,
    _workers,
)
