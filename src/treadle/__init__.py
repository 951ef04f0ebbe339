"""treadle keeps the machine-learning loop turning.

The public names load on first use: `import treadle` alone loads nothing heavy (law 14). To make a name
public, write it in two places below: in the imports that type checkers read, and in `_HOME`, the table
that the interpreter reads. `tests/startup/test_public_names.py` holds the two together.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from treadle.define.aggregates import count as count
    from treadle.define.aggregates import distinct as distinct
    from treadle.define.aggregates import first as first
    from treadle.define.aggregates import largest as largest
    from treadle.define.aggregates import last as last
    from treadle.define.aggregates import mean as mean
    from treadle.define.aggregates import quantile as quantile
    from treadle.define.aggregates import smallest as smallest
    from treadle.define.aggregates import std as std
    from treadle.define.aggregates import total as total
    from treadle.define.aggregates import var as var
    from treadle.define.endpoints import Endpoint as Endpoint
    from treadle.define.entities import Entity as Entity
    from treadle.define.feature_sets import FeatureSet as FeatureSet
    from treadle.define.feature_sets import category as category
    from treadle.define.feature_sets import number as number
    from treadle.define.fitted import fitted as fitted
    from treadle.define.gates import Gate as Gate
    from treadle.define.gates import better_than_champion as better_than_champion
    from treadle.define.gates import loads_and_answers as loads_and_answers
    from treadle.define.gates import no_worse_slice as no_worse_slice
    from treadle.define.labels import Labels as Labels
    from treadle.define.labels import Requests as Requests
    from treadle.define.monitors import Monitor as Monitor
    from treadle.define.monitors import auc as auc
    from treadle.define.monitors import calibration as calibration
    from treadle.define.monitors import score_drift as score_drift
    from treadle.define.monitors import skew as skew
    from treadle.define.operations import evaluate as evaluate
    from treadle.define.operations import register as register
    from treadle.define.operations import split as split
    from treadle.define.operations import training_set as training_set
    from treadle.define.operations import validated as validated
    from treadle.define.project import Project as Project
    from treadle.define.row_features import opaque_feature as opaque_feature
    from treadle.define.row_features import row_feature as row_feature
    from treadle.define.schema_reader import read_schemas as read_schemas
    from treadle.define.source_monitors import SourceMonitor as SourceMonitor
    from treadle.define.source_monitors import column_drift as column_drift
    from treadle.define.sources import Source as Source
    from treadle.define.steps import pipeline as pipeline
    from treadle.define.steps import step as step
    from treadle.define.tables import sql_table as sql_table
    from treadle.define.tables import table as table
    from treadle.define.tracing import bucketise as bucketise
    from treadle.define.tracing import coalesce as coalesce
    from treadle.define.tracing import cyclic as cyclic
    from treadle.define.tracing import maximum as maximum
    from treadle.define.tracing import minimum as minimum
    from treadle.define.tracing import when as when
    from treadle.define.triggers import calibration_off as calibration_off
    from treadle.define.triggers import every as every
    from treadle.define.triggers import manual as manual
    from treadle.define.triggers import metric as metric
    from treadle.define.triggers import new_labels as new_labels
    from treadle.define.triggers import on as on
    from treadle.define.triggers import score_drift_alert as score_drift_alert
    from treadle.define.triggers import values_changed as values_changed
    from treadle.define.views import FeatureView as FeatureView
    from treadle.define.views import WindowView as WindowView
    from treadle.define.views import column as column
    from treadle.entry.catalog import catalog as catalog
    from treadle.entry.client import Client as Client
    from treadle.entry.client import connect as connect
    from treadle.entry.datasets import dataset as dataset
    from treadle.entry.profiles import profile as profile
    from treadle.records.errors import Conflict as Conflict
    from treadle.records.errors import Corrupt as Corrupt
    from treadle.records.errors import Forbidden as Forbidden
    from treadle.records.errors import InvalidInput as InvalidInput
    from treadle.records.errors import NotFound as NotFound
    from treadle.records.errors import NotReady as NotReady
    from treadle.records.errors import TreadleError as TreadleError
    from treadle.records.frames import Frame as Frame
    from treadle.records.instants import Duration as Duration
    from treadle.records.instants import Instant as Instant
    from treadle.records.secrets import secret as secret
    from treadle.records.trained import Model as Model
    from treadle.stages.features.rows.engines import compute as compute

__version__ = "0.1.0"

# Public name → the module it lives in, sorted by name.
_HOME = {
    "Client": "treadle.entry.client",
    "Conflict": "treadle.records.errors",
    "Corrupt": "treadle.records.errors",
    "Duration": "treadle.records.instants",
    "Endpoint": "treadle.define.endpoints",
    "Entity": "treadle.define.entities",
    "FeatureSet": "treadle.define.feature_sets",
    "FeatureView": "treadle.define.views",
    "Forbidden": "treadle.records.errors",
    "Frame": "treadle.records.frames",
    "Gate": "treadle.define.gates",
    "Instant": "treadle.records.instants",
    "InvalidInput": "treadle.records.errors",
    "Labels": "treadle.define.labels",
    "Model": "treadle.records.trained",
    "Monitor": "treadle.define.monitors",
    "NotFound": "treadle.records.errors",
    "NotReady": "treadle.records.errors",
    "Project": "treadle.define.project",
    "Requests": "treadle.define.labels",
    "Source": "treadle.define.sources",
    "SourceMonitor": "treadle.define.source_monitors",
    "TreadleError": "treadle.records.errors",
    "WindowView": "treadle.define.views",
    "auc": "treadle.define.monitors",
    "better_than_champion": "treadle.define.gates",
    "bucketise": "treadle.define.tracing",
    "calibration": "treadle.define.monitors",
    "calibration_off": "treadle.define.triggers",
    "catalog": "treadle.entry.catalog",
    "category": "treadle.define.feature_sets",
    "coalesce": "treadle.define.tracing",
    "column": "treadle.define.views",
    "column_drift": "treadle.define.source_monitors",
    "compute": "treadle.stages.features.rows.engines",
    "connect": "treadle.entry.client",
    "count": "treadle.define.aggregates",
    "cyclic": "treadle.define.tracing",
    "dataset": "treadle.entry.datasets",
    "distinct": "treadle.define.aggregates",
    "evaluate": "treadle.define.operations",
    "every": "treadle.define.triggers",
    "first": "treadle.define.aggregates",
    "fitted": "treadle.define.fitted",
    "largest": "treadle.define.aggregates",
    "last": "treadle.define.aggregates",
    "loads_and_answers": "treadle.define.gates",
    "manual": "treadle.define.triggers",
    "maximum": "treadle.define.tracing",
    "mean": "treadle.define.aggregates",
    "metric": "treadle.define.triggers",
    "minimum": "treadle.define.tracing",
    "new_labels": "treadle.define.triggers",
    "no_worse_slice": "treadle.define.gates",
    "number": "treadle.define.feature_sets",
    "on": "treadle.define.triggers",
    "opaque_feature": "treadle.define.row_features",
    "pipeline": "treadle.define.steps",
    "profile": "treadle.entry.profiles",
    "quantile": "treadle.define.aggregates",
    "read_schemas": "treadle.define.schema_reader",
    "register": "treadle.define.operations",
    "row_feature": "treadle.define.row_features",
    "score_drift": "treadle.define.monitors",
    "score_drift_alert": "treadle.define.triggers",
    "secret": "treadle.records.secrets",
    "skew": "treadle.define.monitors",
    "smallest": "treadle.define.aggregates",
    "split": "treadle.define.operations",
    "sql_table": "treadle.define.tables",
    "std": "treadle.define.aggregates",
    "step": "treadle.define.steps",
    "table": "treadle.define.tables",
    "total": "treadle.define.aggregates",
    "training_set": "treadle.define.operations",
    "validated": "treadle.define.operations",
    "values_changed": "treadle.define.triggers",
    "var": "treadle.define.aggregates",
    "when": "treadle.define.tracing",
}

__all__ = ["__version__", *_HOME]  # noqa: PLE0604 - the table is the one list; its keys are strings


if not TYPE_CHECKING:  # a type checker that saw this function would accept any misspelt name

    def __getattr__(name: str) -> object:
        """Load a public name from its module and keep it, so that this runs once for each name."""
        if name not in _HOME:
            from treadle.records.errors import did_you_mean

            near = did_you_mean(name, _HOME)
            said = f"module 'treadle' has no attribute {name!r}" + (f"; {near}" if near else "")
            raise AttributeError(said, name=name)
        import importlib

        value: object = getattr(importlib.import_module(_HOME[name]), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
