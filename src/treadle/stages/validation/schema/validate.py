"""Validation: a profile or rows against a schema, every anomaly at once."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from treadle.records.anomalies import Anomaly, Severity, Validation
from treadle.records.instants import Instant
from treadle.records.profiles import Profile
from treadle.records.schemas import DatasetSchema
from treadle.stages.validation.schema.compare import compare
from treadle.stages.validation.schema.from_profile import facts_of_profile
from treadle.stages.validation.schema.from_rows import ALONE, Around, facts_of_rows
from treadle.stages.validation.schema.judge import judge

_ORDER = (Severity.STOP, Severity.WARN, Severity.INFO)


def validate(
    profile: Profile,
    schema: DatasetSchema,
    environment: str = "training",
    *,
    previous: Profile | None = None,
    training: Profile | None = None,
    now: Instant | None = None,
) -> Validation:
    """Hold a profile against a schema. Pure; no row is read: cost O(columns).

    Rules that only rows show (row rules, keys, references …) come out as `statistic_missing`: give the rows to
    `validate_rows`.

    Args:
        profile: what the data hold.
        schema: what is expected of them.
        environment: where they are used; `serving` may do without labels.
        previous: the profile of the data before these; asked for by `drift`, `min_ratio` and the change of units.
        training: the profile of the data that was trained on; asked for by `skew`.
        now: the instant that freshness is measured from.
    """
    found = [
        *judge(facts_of_profile(profile, schema), schema, environment, now=now, rows_given=False),
        *compare(profile, schema, environment, previous=previous, training=training),
    ]
    return _validation(schema, environment, profile.rows, found)


def validate_rows(
    rows: pl.DataFrame | pl.LazyFrame,
    schema: DatasetSchema,
    environment: str = "training",
    *,
    around: Around = ALONE,
    profile: Profile | None = None,
    previous: Profile | None = None,
    training: Profile | None = None,
    now: Instant | None = None,
) -> Validation:
    """Hold rows against a schema: exact counts, example rows, and the rules that no profile knows.

    Args:
        rows: the data; a lazy frame is scanned, not kept.
        schema: what is expected of them.
        environment: where they are used.
        around: other data sets that references point into, how to lower row rules, how to name rows.
        profile: the profile of the rows, for comparisons; without it nothing is compared.
        previous: see `validate`.
        training: see `validate`.
        now: see `validate`.

    Cost: see `facts_of_rows`.
    """
    facts = facts_of_rows(rows, schema, around)
    found = [*judge(facts, schema, environment, now=now, rows_given=True)]
    if profile is not None:
        found += compare(profile, schema, environment, previous=previous, training=training)
    return _validation(schema, environment, facts.rows, found)


def _validation(schema: DatasetSchema, environment: str, rows: int, found: Iterable[Anomaly]) -> Validation:
    told = sorted(found, key=lambda one: _ORDER.index(one.severity))  # stable: within one the schema's order
    return Validation(
        schema=schema.name,
        schema_digest=schema.digest,
        environment=environment,
        rows=rows,
        anomalies=tuple(told),
    )
