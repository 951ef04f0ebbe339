"""Every table of the first release."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables, and the experiment that always exists."""
    _create_store()
    _create_datasets()
    _create_runs()
    _create_run_parts()
    _create_models()
    _create_decisions()
    default = sa.table(
        "experiments",
        *(sa.column(name) for name in ("experiment_id", "name", "lifecycle", "created", "updated")),
    )
    op.execute(
        default.insert().values(experiment_id=0, name="Default", lifecycle="active", created=0, updated=0)
    )


def _text(name: str, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=null)


def _int(name: str, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=null)


def _create_store() -> None:
    op.create_table(
        "checkpoints",
        _text("name"),
        _text("value"),
        _int("at"),
        _int("epoch"),
        sa.PrimaryKeyConstraint("name", name="checkpoints_key"),
    )
    op.create_table(
        "consumers",
        _text("consumer"),
        _int("position"),
        sa.PrimaryKeyConstraint("consumer", name="consumers_key"),
    )
    op.create_table(
        "events",
        sa.Column(
            "cursor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        _int("at"),
        _text("kind"),
        _text("subject"),
        _text("data"),
        _text("key", null=True),
        _text("world"),
        sa.PrimaryKeyConstraint("cursor", name="events_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("events_by_kind", "events", ["kind", "cursor"])
    op.create_index("events_by_subject", "events", ["subject", "cursor"])
    op.create_index(
        "events_one_key",
        "events",
        ["world", "kind", "key"],
        unique=True,
        sqlite_where=sa.text('"key" IS NOT NULL'),
        postgresql_where=sa.text('"key" IS NOT NULL'),
    )
    op.create_table(
        "definitions",
        _text("kind"),
        _text("name"),
        _int("version"),
        _text("digest"),
        _text("body"),
        _int("at"),
        sa.PrimaryKeyConstraint("kind", "name", "version", name="definitions_key"),
    )
    op.create_table(
        "jobs",
        _text("job_id"),
        _int("queued"),
        _text("kind"),
        _text("payload"),
        _text("key", null=True),
        _text("state"),
        _int("epoch"),
        _text("owner", null=True),
        _int("granted", null=True),
        _int("expires", null=True),
        _int("created"),
        _int("started", null=True),
        _int("ended", null=True),
        _text("result"),
        _text("error", null=True),
        sa.ForeignKeyConstraint(["queued"], ["events.cursor"], name="jobs_queued_of_events"),
        sa.PrimaryKeyConstraint("job_id", name="jobs_key"),
    )
    op.create_index("jobs_by_state", "jobs", ["state", "queued"])


def _create_datasets() -> None:
    op.create_table(
        "datasets",
        _text("name"),
        _int("version"),
        _text("schema_hash"),
        _text("content_hash"),
        _int("rows"),
        _text("code_digest", null=True),
        _int("created"),
        sa.PrimaryKeyConstraint("name", "version", name="datasets_key"),
    )
    op.create_index("datasets_by_content", "datasets", ["name", "content_hash"])
    op.create_table(
        "dataset_parents",
        _text("name"),
        _int("version"),
        _int("position"),
        _text("parent_name"),
        _int("parent_version"),
        sa.ForeignKeyConstraint(
            ["name", "version"],
            ["datasets.name", "datasets.version"],
            name="dataset_parents_name_version_of_datasets",
        ),
        sa.ForeignKeyConstraint(
            ["parent_name", "parent_version"],
            ["datasets.name", "datasets.version"],
            name="dataset_parents_parent_name_parent_version_of_datasets",
        ),
        sa.PrimaryKeyConstraint("name", "version", "position", name="dataset_parents_key"),
    )
    op.create_index("dataset_parents_by_parent", "dataset_parents", ["parent_name", "parent_version"])
    op.create_table(
        "dataset_tags",
        _text("name"),
        _int("version"),
        _text("key"),
        _text("value"),
        sa.ForeignKeyConstraint(
            ["name", "version"],
            ["datasets.name", "datasets.version"],
            name="dataset_tags_name_version_of_datasets",
        ),
        sa.PrimaryKeyConstraint("name", "version", "key", name="dataset_tags_key"),
    )


def _create_runs() -> None:
    op.create_table(
        "experiments",
        _int("experiment_id"),
        _text("name"),
        _text("lifecycle"),
        _int("created"),
        _int("updated"),
        sa.PrimaryKeyConstraint("experiment_id", name="experiments_key"),
        sa.UniqueConstraint("name", name="experiments_one_name"),
    )
    op.create_table(
        "experiment_tags",
        _int("experiment_id"),
        _text("key"),
        _text("value"),
        sa.ForeignKeyConstraint(
            ["experiment_id"],
            ["experiments.experiment_id"],
            name="experiment_tags_experiment_id_of_experiments",
        ),
        sa.PrimaryKeyConstraint("experiment_id", "key", name="experiment_tags_key"),
    )
    op.create_table(
        "runs",
        _text("run_id"),
        _int("experiment_id"),
        _text("name"),
        _text("status"),
        _int("started"),
        _int("ended", null=True),
        _text("lifecycle"),
        _int("hidden_by_experiment"),
        _text("user_name"),
        _text("pipeline", null=True),
        _text("pipeline_version", null=True),
        _text("code_commit", null=True),
        _text("environment", null=True),
        sa.ForeignKeyConstraint(
            ["experiment_id"], ["experiments.experiment_id"], name="runs_experiment_id_of_experiments"
        ),
        sa.PrimaryKeyConstraint("run_id", name="runs_key"),
    )
    op.create_index("runs_by_experiment", "runs", ["experiment_id", "started", "run_id"])
    op.create_index("runs_by_pipeline", "runs", ["pipeline", "started", "run_id"])
    op.create_index("runs_by_started", "runs", ["started", "run_id"])
    op.create_table(
        "params",
        _text("run_id"),
        _text("key"),
        _text("value"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name="params_run_id_of_runs"),
        sa.PrimaryKeyConstraint("run_id", "key", name="params_key"),
    )
    op.create_table(
        "run_tags",
        _text("run_id"),
        _text("key"),
        _text("value"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name="run_tags_run_id_of_runs"),
        sa.PrimaryKeyConstraint("run_id", "key", name="run_tags_key"),
    )
    op.create_table(
        "metrics",
        _text("run_id"),
        _text("key"),
        _int("step"),
        _int("timestamp"),
        sa.Column("value", sa.Double(), nullable=False),
        _int("is_nan"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name="metrics_run_id_of_runs"),
        sa.PrimaryKeyConstraint("run_id", "key", "step", "timestamp", "value", "is_nan", name="metrics_key"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "latest_metrics",
        _text("run_id"),
        _text("key"),
        _int("step"),
        _int("timestamp"),
        sa.Column("value", sa.Double(), nullable=False),
        _int("is_nan"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name="latest_metrics_run_id_of_runs"),
        sa.PrimaryKeyConstraint("run_id", "key", name="latest_metrics_key"),
    )


def _create_run_parts() -> None:
    op.create_table(
        "dataset_inputs",
        _text("run_id"),
        _text("name"),
        _text("digest"),
        _text("context"),
        _text("source_type"),
        _text("source"),
        _text("schema"),
        _text("profile"),
        _text("tags"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name="dataset_inputs_run_id_of_runs"),
        sa.PrimaryKeyConstraint("run_id", "name", "digest", "context", name="dataset_inputs_key"),
    )
    op.create_table(
        "model_outputs",
        _text("run_id"),
        _text("model_id"),
        _int("step"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name="model_outputs_run_id_of_runs"),
        sa.PrimaryKeyConstraint("run_id", "model_id", "step", name="model_outputs_key"),
    )
    op.create_table(
        "steps",
        _text("run_id"),
        _int("step_index"),
        _int("attempt"),
        _text("name"),
        _text("version"),
        _text("cache_key", null=True),
        _text("status"),
        _int("started"),
        _int("ended", null=True),
        _text("executor"),
        _text("params"),
        _text("inputs"),
        _text("outputs"),
        _text("error", null=True),
        _text("cached_run", null=True),
        _int("cached_index", null=True),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name="steps_run_id_of_runs"),
        sa.PrimaryKeyConstraint("run_id", "step_index", "attempt", name="steps_key"),
    )
    op.create_index("steps_by_cache_key", "steps", ["cache_key", "ended"])


def _create_models() -> None:
    op.create_table(
        "models",
        _text("name"),
        _text("description"),
        _int("created"),
        _int("updated"),
        sa.PrimaryKeyConstraint("name", name="models_key"),
    )
    op.create_table(
        "model_tags",
        _text("model"),
        _text("key"),
        _text("value"),
        sa.ForeignKeyConstraint(["model"], ["models.name"], name="model_tags_model_of_models"),
        sa.PrimaryKeyConstraint("model", "key", name="model_tags_key"),
    )
    op.create_table(
        "model_versions",
        _text("model"),
        _int("version"),
        _text("run_id", null=True),
        _text("package", null=True),
        _text("source"),
        _text("description"),
        _text("status"),
        _text("stage"),
        _int("created"),
        _int("updated"),
        sa.ForeignKeyConstraint(["model"], ["models.name"], name="model_versions_model_of_models"),
        sa.PrimaryKeyConstraint("model", "version", name="model_versions_key"),
    )
    op.create_index("model_versions_by_run", "model_versions", ["run_id"])
    op.create_table(
        "version_tags",
        _text("model"),
        _int("version"),
        _text("key"),
        _text("value"),
        sa.ForeignKeyConstraint(
            ["model", "version"],
            ["model_versions.model", "model_versions.version"],
            name="version_tags_model_version_of_model_versions",
        ),
        sa.PrimaryKeyConstraint("model", "version", "key", name="version_tags_key"),
    )


def _create_decisions() -> None:
    op.create_table(
        "aliases",
        _text("model"),
        _text("alias"),
        _int("version"),
        _int("at"),
        sa.ForeignKeyConstraint(
            ["model", "version"],
            ["model_versions.model", "model_versions.version"],
            name="aliases_model_version_of_model_versions",
        ),
        sa.PrimaryKeyConstraint("model", "alias", name="aliases_key"),
    )
    op.create_table(
        "alias_changes",
        _int("cursor"),
        _text("model"),
        _text("alias"),
        _int("version", null=True),
        _int("previous", null=True),
        _int("at"),
        _text("reason"),
        sa.ForeignKeyConstraint(["cursor"], ["events.cursor"], name="alias_changes_cursor_of_events"),
        sa.PrimaryKeyConstraint("cursor", name="alias_changes_key"),
    )
    op.create_index("alias_changes_by_alias", "alias_changes", ["model", "alias", "cursor"])
    op.create_table(
        "verdicts",
        _int("cursor"),
        _text("model"),
        _int("version"),
        _int("at"),
        _text("verdict"),
        _text("reasons"),
        _text("evidence"),
        sa.ForeignKeyConstraint(["cursor"], ["events.cursor"], name="verdicts_cursor_of_events"),
        sa.ForeignKeyConstraint(
            ["model", "version"],
            ["model_versions.model", "model_versions.version"],
            name="verdicts_model_version_of_model_versions",
        ),
        sa.PrimaryKeyConstraint("cursor", name="verdicts_key"),
    )
    op.create_index("verdicts_by_version", "verdicts", ["model", "version", "cursor"])
