"""The flights features with a mistake in them: delays keyed by the schedule, as if they were known then.

python -m tests.examples.leak DIR      # DIR: the folder that `python -m examples.flights.data DIR` wrote

prints, for each definition, the AUC that its model promises offline and the one it has in replay.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from treadle.adapters.online import LmdbOnline
from treadle.bootstrap import load_project
from treadle.define.feature_sets import FeatureSet
from treadle.define.project import Project
from treadle.define.sources import Table, Timing
from treadle.define.views import Selection, WindowView
from treadle.loop.feed import Feed
from treadle.loop.training import Store, labelled_requests
from treadle.records.frames import AT, Frame
from treadle.records.instants import instant
from treadle.stages.data.canonical import add_canonical
from treadle.stages.data.reading import read_folder
from treadle.stages.features.offline import OfflineFeatures
from treadle.stages.features.plan import ServingPlan

ROOT = Path(__file__).parents[2]
APRIL, MAY = instant("2013-04-01T04:00:00Z"), instant("2013-05-01T04:00:00Z")  # midnights in New York
ALL_KNOWN = instant("2013-06-01")
ACTUAL = {"departures": "departed_at", "arrivals": "arrived_at"}
BY_REQUEST = {"departures": "asked_at", "arrivals": "asked_at"}
BY_SCHEDULE = {"departures": "sched_dep", "arrivals": "sched_arr"}


@dataclass(frozen=True)
class Variant:
    """Feature definitions and the stored rows that they describe."""

    features: FeatureSet
    rows: Mapping[str, pl.DataFrame]


@dataclass(frozen=True)
class Outcome:
    """What a model promised offline and what came of it, on the same flights, with the vectors of both."""

    offline: float
    replay: float
    promised: pl.DataFrame
    served: pl.DataFrame


class Leakage:
    """The experiment: train on January to March, judge on April."""

    def __init__(self, project: Project, rows: Mapping[str, pl.DataFrame], iterations: int = 60) -> None:
        self.project = project
        self.rows = rows
        self.iterations = iterations
        self.endpoint = project.endpoints[0]
        self.honest = Variant(self.endpoint.features, rows)
        store = Store(rows, {}, OfflineFeatures(rows.__getitem__))
        self.learned = labelled_requests(store, self.endpoint, until=APRIL)
        asked = labelled_requests(store, self.endpoint, until=ALL_KNOWN, since=APRIL)
        self.judged = asked.filter(pl.col(AT) < MAY)

    def keyed_by(self, event_times: Mapping[str, str], *, known: bool) -> Variant:
        """Return the variant whose windows slide over other times.

        Args:
            event_times: for each table of delays, the column that is taken for its event time.
            known: whether the tables also say when a delay became known. Left out, that is the mistake.
        """
        tables: dict[str, Table] = {}
        rows = dict(self.rows)
        for source in self.project.sources:
            if isinstance(source, Table) and source.name in event_times:
                event_time = event_times[source.name]
                timing = Timing(event_time, known_at=ACTUAL[source.name] if known else None)
                columns = {**source.columns, "asked_at": "time", "sched_dep": "time"}
                tables[source.name] = replace(source, columns=columns, timing=timing)
                rows[source.name] = add_canonical(self._scheduled(source), timing, source.unique)
        parts = [_moved(part, tables) for part in self.endpoint.features.parts]
        features = FeatureSet(
            "delay",
            request=self.endpoint.features.request,
            features=parts,
            helpers=self.endpoint.features.helpers,
        )
        return Variant(features, rows)

    def run(self, promised: Variant, happened: Variant) -> Outcome:
        """Train on what one variant says was known, and score April twice.

        Args:
            promised: gives the training set, and April's vectors offline.
            happened: gives the rows of the replay, each of which reaches the online store when it is known.
        """
        features = promised.features
        train = self.frame(promised, self.learned).learned
        model = HistGradientBoostingClassifier(
            learning_rate=0.1,
            max_iter=self.iterations,
            l2_regularization=1.0,
            early_stopping=False,
            categorical_features=train.categorical,
            random_state=0,
        ).fit(train.X, train.y)
        offline = replace(self.frame(promised, self.judged), vocabularies=train.vocabularies)
        served = serve(happened, self.judged)
        online = replace(
            offline, rows=pl.concat([served, offline.rows.drop(features.names)], how="horizontal")
        )
        aucs = [roc_auc_score(f.y, model.predict_proba(f.X)[:, 1]) for f in (offline, online)]
        return Outcome(aucs[0], aucs[1], offline.rows.select(features.names), served)

    def _scheduled(self, table: Table) -> pl.DataFrame:
        rows = self.rows[table.name].select(list(table.columns))
        if "sched_dep" not in rows.columns:
            late = pl.duration(minutes=pl.col("dep_delay").cast(pl.Int64))
            rows = rows.with_columns(sched_dep=pl.col("departed_at") - late)
        return rows.with_columns(asked_at=pl.col("sched_dep") - pl.duration(hours=1))

    def frame(self, variant: Variant, spine: pl.DataFrame) -> Frame:
        """Return rows with the vectors that a variant gives offline."""
        vectors = OfflineFeatures(variant.rows.__getitem__).vectors(
            variant.features, spine, spine[AT].to_numpy()
        )
        kept = [name for name in spine.columns if name not in vectors.columns]
        rows = pl.concat([vectors, spine.select(kept)], how="horizontal")
        return Frame(rows, variant.features.names, variant.features.categories)


def serve(variant: Variant, spine: pl.DataFrame) -> pl.DataFrame:
    """Return the vectors that the online store gives, asked at each row's T, rows coming in as they become known."""
    plan, feed = ServingPlan(variant.features), Feed(variant.features.views, variant.rows)
    asked_for = spine.select(plan.fields)
    physical = asked_for.select(
        pl.col(name).to_physical() if dtype.is_temporal() else pl.col(name)
        for name, dtype in asked_for.schema.items()
    )
    moments = spine[AT].to_list()
    assert moments == sorted(moments)
    vectors = []
    with tempfile.TemporaryDirectory() as folder:
        online = LmdbOnline(Path(folder), durable=False)
        feed.advance(online, moments[0] - 1)
        changes = feed.changes(moments[0] - 1, moments[-1])
        pending = next(changes, None)
        with online.begin() as batch:
            for at, fields in zip(moments, physical.iter_rows(), strict=True):
                while pending is not None and pending[0] <= at:
                    feed.apply(batch, pending)
                    pending = next(changes, None)
                vectors.append(plan.vector(batch, fields, at))
        online.close()
    categories = variant.features.categories
    return pl.DataFrame(
        vectors,
        schema={n: pl.String() if n in categories else pl.Float64() for n in variant.features.names},
        orient="row",
    )


def _moved(part, tables):
    """Put a window view onto the other rows of its table; leave every other part as it is."""
    if not isinstance(part, Selection) or part.view.source.name not in tables:
        return part
    view = part.view
    assert isinstance(view, WindowView)
    moved = WindowView(view.name, entity=view.entity, source=tables[view.source.name], features=view.features)
    return Selection.of(moved, part.names)


def main(folder: Path) -> None:
    project = load_project(ROOT / "examples" / "flights").project
    leakage = Leakage(project, read_folder(project.sources, folder))
    lines = ["windows slide over                             offline AUC   AUC in replay"]

    def measure(title: str, promised: Variant, happened: Variant) -> None:
        found = leakage.run(promised, happened)
        lines.append(f"{title:46} {found.offline:11.4f}   {found.replay:13.4f}")

    measure("actual departure and arrival", leakage.honest, leakage.honest)
    for title, times in (
        ("the request's own time", BY_REQUEST),
        ("scheduled departure and arrival", BY_SCHEDULE),
    ):
        truth = leakage.keyed_by(times, known=True)
        measure(title, leakage.keyed_by(times, known=False), truth)
        measure(f"{title}, with known_at", truth, truth)
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
