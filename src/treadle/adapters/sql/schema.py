"""The tables, as they are at the newest migration.

Changing one needs a migration too: a test compares a fresh `create_all` with what the migrations make.
Conventions: instants are integers of UTC microseconds, JSON is text in canonical form, booleans are 0 and 1,
and all text compares by code point on every database.
"""

from __future__ import annotations

import sqlalchemy as sa

REVISION = "0001"
"""The newest migration; a store at another revision is migrated, or refused if it is newer."""

metadata = sa.MetaData(
    naming_convention={
        "ix": "%(table_name)s_by_%(column_0_N_name)s",
        "uq": "%(table_name)s_one_%(column_0_N_name)s",
        "fk": "%(table_name)s_%(column_0_N_name)s_of_%(referred_table_name)s",
        "pk": "%(table_name)s_key",
    }
)

Text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
Int = sa.BigInteger()
Counter = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""SQLite numbers rows by itself only when the type reads exactly INTEGER."""


def _text(
    name: str, *args: sa.schema.SchemaItem, primary_key: bool = False, null: bool = False
) -> sa.Column[str]:
    return sa.Column(name, Text, *args, primary_key=primary_key, nullable=null)


def _int(
    name: str, *args: sa.schema.SchemaItem, primary_key: bool = False, null: bool = False
) -> sa.Column[int]:
    return sa.Column(name, Int, *args, primary_key=primary_key, autoincrement=False, nullable=null)


events = sa.Table(
    "events",
    metadata,
    sa.Column("cursor", Counter, primary_key=True, autoincrement=True),
    _int("at"),
    _text("kind"),
    _text("subject"),
    _text("data"),
    _text("key", null=True),
    _text("world"),
    sa.Index("events_by_kind", "kind", "cursor"),
    sa.Index("events_by_subject", "subject", "cursor"),
    sqlite_autoincrement=True,
)
sa.Index(
    "events_one_key",
    events.c.world,
    events.c.kind,
    events.c.key,
    unique=True,
    sqlite_where=events.c.key.is_not(None),
    postgresql_where=events.c.key.is_not(None),
)

consumers = sa.Table("consumers", metadata, _text("consumer", primary_key=True), _int("position"))

checkpoints = sa.Table(
    "checkpoints", metadata, _text("name", primary_key=True), _text("value"), _int("at"), _int("epoch")
)

experiments = sa.Table(
    "experiments",
    metadata,
    _int("experiment_id", primary_key=True),
    _text("name"),
    _text("lifecycle"),
    _int("created"),
    _int("updated"),
    sa.UniqueConstraint("name"),
)
experiment_tags = sa.Table(
    "experiment_tags",
    metadata,
    _int("experiment_id", sa.ForeignKey("experiments.experiment_id"), primary_key=True),
    _text("key", primary_key=True),
    _text("value"),
)

runs = sa.Table(
    "runs",
    metadata,
    _text("run_id", primary_key=True),
    _int("experiment_id", sa.ForeignKey("experiments.experiment_id")),
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
    sa.Index("runs_by_started", "started", "run_id"),
    sa.Index("runs_by_experiment", "experiment_id", "started", "run_id"),
    sa.Index("runs_by_pipeline", "pipeline", "started", "run_id"),
)
_RUN = "runs.run_id"
params = sa.Table(
    "params",
    metadata,
    _text("run_id", sa.ForeignKey(_RUN), primary_key=True),
    _text("key", primary_key=True),
    _text("value"),
)
run_tags = sa.Table(
    "run_tags",
    metadata,
    _text("run_id", sa.ForeignKey(_RUN), primary_key=True),
    _text("key", primary_key=True),
    _text("value"),
)
metrics = sa.Table(
    "metrics",
    metadata,
    _text("run_id", sa.ForeignKey(_RUN), primary_key=True),
    _text("key", primary_key=True),
    _int("step", primary_key=True),
    _int("timestamp", primary_key=True),
    sa.Column("value", sa.Double(), primary_key=True, nullable=False),
    _int("is_nan", primary_key=True),
    sqlite_with_rowid=False,
)
latest_metrics = sa.Table(
    "latest_metrics",
    metadata,
    _text("run_id", sa.ForeignKey(_RUN), primary_key=True),
    _text("key", primary_key=True),
    _int("step"),
    _int("timestamp"),
    sa.Column("value", sa.Double(), nullable=False),
    _int("is_nan"),
)
dataset_inputs = sa.Table(
    "dataset_inputs",
    metadata,
    _text("run_id", sa.ForeignKey(_RUN), primary_key=True),
    _text("name", primary_key=True),
    _text("digest", primary_key=True),
    _text("context", primary_key=True),
    _text("source_type"),
    _text("source"),
    _text("schema"),
    _text("profile"),
    _text("tags"),
)
model_outputs = sa.Table(
    "model_outputs",
    metadata,
    _text("run_id", sa.ForeignKey(_RUN), primary_key=True),
    _text("model_id", primary_key=True),
    _int("step", primary_key=True),
)
steps = sa.Table(
    "steps",
    metadata,
    _text("run_id", sa.ForeignKey(_RUN), primary_key=True),
    _int("step_index", primary_key=True),
    _int("attempt", primary_key=True),
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
    sa.Index("steps_by_cache_key", "cache_key", "ended"),
)

models = sa.Table(
    "models",
    metadata,
    _text("name", primary_key=True),
    _text("description"),
    _int("created"),
    _int("updated"),
)
model_tags = sa.Table(
    "model_tags",
    metadata,
    _text("model", sa.ForeignKey("models.name"), primary_key=True),
    _text("key", primary_key=True),
    _text("value"),
)
model_versions = sa.Table(
    "model_versions",
    metadata,
    _text("model", sa.ForeignKey("models.name"), primary_key=True),
    _int("version", primary_key=True),
    _text("run_id", null=True),
    _text("package", null=True),
    _text("source"),
    _text("description"),
    _text("status"),
    _text("stage"),
    _int("created"),
    _int("updated"),
    sa.Index("model_versions_by_run", "run_id"),
)


def _of_version() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["model", "version"], ["model_versions.model", "model_versions.version"])


version_tags = sa.Table(
    "version_tags",
    metadata,
    _text("model", primary_key=True),
    _int("version", primary_key=True),
    _text("key", primary_key=True),
    _text("value"),
    _of_version(),
)
aliases = sa.Table(
    "aliases",
    metadata,
    _text("model", primary_key=True),
    _text("alias", primary_key=True),
    _int("version"),
    _int("at"),
    _of_version(),
)
alias_changes = sa.Table(
    "alias_changes",
    metadata,
    _int("cursor", sa.ForeignKey("events.cursor"), primary_key=True),
    _text("model"),
    _text("alias"),
    _int("version", null=True),
    _int("previous", null=True),
    _int("at"),
    _text("reason"),
    sa.Index("alias_changes_by_alias", "model", "alias", "cursor"),
)
verdicts = sa.Table(
    "verdicts",
    metadata,
    _int("cursor", sa.ForeignKey("events.cursor"), primary_key=True),
    _text("model"),
    _int("version"),
    _int("at"),
    _text("verdict"),
    _text("reasons"),
    _text("evidence"),
    _of_version(),
    sa.Index("verdicts_by_version", "model", "version", "cursor"),
)

datasets = sa.Table(
    "datasets",
    metadata,
    _text("name", primary_key=True),
    _int("version", primary_key=True),
    _text("schema_hash"),
    _text("content_hash"),
    _int("rows"),
    _text("code_digest", null=True),
    _int("created"),
    sa.Index("datasets_by_content", "name", "content_hash"),
)


def _of_dataset(name: str, version: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([name, version], ["datasets.name", "datasets.version"])


dataset_parents = sa.Table(
    "dataset_parents",
    metadata,
    _text("name", primary_key=True),
    _int("version", primary_key=True),
    _int("position", primary_key=True),
    _text("parent_name"),
    _int("parent_version"),
    _of_dataset("name", "version"),
    _of_dataset("parent_name", "parent_version"),
    sa.Index("dataset_parents_by_parent", "parent_name", "parent_version"),
)
dataset_tags = sa.Table(
    "dataset_tags",
    metadata,
    _text("name", primary_key=True),
    _int("version", primary_key=True),
    _text("key", primary_key=True),
    _text("value"),
    _of_dataset("name", "version"),
)

definitions = sa.Table(
    "definitions",
    metadata,
    _text("kind", primary_key=True),
    _text("name", primary_key=True),
    _int("version", primary_key=True),
    _text("digest"),
    _text("body"),
    _int("at"),
)

jobs = sa.Table(
    "jobs",
    metadata,
    _text("job_id", primary_key=True),
    _int("queued", sa.ForeignKey("events.cursor")),
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
    sa.Index("jobs_by_state", "state", "queued"),
)
