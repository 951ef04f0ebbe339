"""Holding data against schemas: in a pipeline, at the door of a home, and by hand; and what is done about the verdict.

Two verdicts, never merged. Broken data stop the pipeline, or are refused whole while the old go on serving. Values that
changed significantly are an event of the journal, `data.changed`, which triggers and people may heed.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from treadle.loop.world import World
from treadle.ports.metadata import Unit
from treadle.records.anomalies import Anomaly, Validation
from treadle.records.digests import Json
from treadle.records.errors import InvalidInput, NotFound
from treadle.records.instants import Instant
from treadle.records.profiles import Profile
from treadle.records.schemas import DatasetSchema
from treadle.stages.features.rows.frame import expressions
from treadle.stages.validation.profile.builder import profile_frame
from treadle.stages.validation.schema.from_rows import Around
from treadle.stages.validation.schema.validate import validate_rows

CHANGED = "data.changed"
"""The journal's event of values that changed significantly; its data is the validation."""
REFUSED = "data.refused"
"""The journal's event of data that were refused."""

Rows = pl.DataFrame | pl.LazyFrame


def hold(
    rows: Rows,
    schema: DatasetSchema,
    environment: str = "training",
    *,
    now: Instant | None = None,
    others: Mapping[str, pl.DataFrame] | None = None,
    profile: Profile | None = None,
    previous: Profile | None = None,
    training: Profile | None = None,
    row_id: str | None = None,
) -> Validation:
    """Hold rows against a schema, with all that its rules ask for.

    Args:
        rows: the data; columns of treadle's own (`__event_time` …) are passed over.
        schema: what is expected of them.
        environment: where they are used: `training`, `serving`, or another that the schema names.
        now: the instant that freshness is measured from; None: it is not.
        others: other data sets that references point into, by name.
        profile: the profile of the rows; made where it is needed and not given.
        previous: the profile of the data before these.
        training: the profile of the data that was trained on.
        row_id: the column that example rows are named by; None: their positions.

    Cost: one pass; with something to compare with, a profile as well.
    """
    own = [name for name in rows.lazy().collect_schema().names() if not name.startswith("__")]
    wanted = rows.lazy().select(own)
    if profile is None and compares(schema, previous, training):
        profile = profile_frame(wanted, schema.name, row_id=row_id)
    return validate_rows(
        wanted,
        schema,
        environment,
        around=Around(others=others or {}, lower=expressions, row_id=row_id),
        profile=profile,
        previous=previous,
        training=training,
        now=now,
    )


def compares(schema: DatasetSchema, previous: Profile | None, training: Profile | None) -> bool:
    """Return whether the schema's comparisons have, or miss, something to compare with. Pure."""
    asked = any(column.drift or column.skew for column in schema.columns.values())
    ratios = schema.rows.min_ratio is not None or schema.rows.max_ratio is not None
    return asked or ratios or previous is not None or training is not None


def refuse_broken(validation: Validation, where: str, *, accept: str | None = None) -> None:
    """Raise one error that lists everything that stops the data.

    Args:
        validation: the verdict.
        where: what was held against the schema.
        accept: the command that accepts it all.

    Raises:
        InvalidInput: the data are broken.
    """
    stops = validation.stops
    if stops:
        raise InvalidInput(
            f"the data are not what the schema {validation.schema!r} says: "
            f"{len(stops)} {'anomaly stops' if len(stops) == 1 else 'anomalies stop'} them",
            where=where,
            faults=[f"{one.kind}: {one}" for one in stops],
            fix="mend the data where they are made, or change the lines of the schema that are named above",
            command=accept,
        )


def schema_of(world: World, name: str) -> DatasetSchema:
    """Return the project's schema of that name.

    Raises:
        NotFound: there is none; the nearest names are offered.
    """
    known = {schema.name: schema for schema in world.project.schemas}
    if name not in known:
        raise NotFound.among("schema", name, known, where=f"project {world.project.name!r}")
    return known[name]


def note_refused(
    unit: Unit, subject: str, validation: Validation, at: Instant, key: str | None = None
) -> None:
    """Write the event of data that were refused, in the unit of whatever else was decided."""
    unit.journal.append(REFUSED, subject, at, told(validation), key=key)


def note_changed(
    unit: Unit, subject: str, validation: Validation, at: Instant, key: str | None = None
) -> None:
    """Write the event of values that changed significantly, if they did: what a trigger may heed."""
    if validation.changed:
        unit.journal.append(CHANGED, subject, at, told(validation), key=key)


def told(validation: Validation) -> Json:
    """Return a validation as an event tells it: the verdicts, and each anomaly with its sentence."""
    return {
        "schema": validation.schema,
        "schema_digest": validation.schema_digest,
        "environment": validation.environment,
        "rows": validation.rows,
        "broken": validation.broken,
        "changed": validation.changed,
        "anomalies": [told_anomaly(one) for one in validation.anomalies],
    }


def told_anomaly(one: Anomaly) -> dict[str, Json]:
    """Return an anomaly as JSON for people's programs: its fields, its share, and the lines that accept it."""
    plain = one.as_json()
    assert isinstance(plain, dict)
    return {**plain, "fraction": one.fraction, "accept": [str(line) for line in one.accept]}
