"""The labelling queue: predictions without a label are chosen for people, and remembered until they are answered or expire.

The queue's state is in the journal: `labelling.queued` holds a batch of tasks with the chance of each to be chosen,
`labelling.answered` what people said. Both may be written beside a running server.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import polars as pl

from treadle.define.endpoints import Endpoint
from treadle.loop.labelled import PREDICTION_ID, find_labels
from treadle.loop.observations import asked_at
from treadle.loop.skew import read_served
from treadle.ports.journal import JournalView
from treadle.ports.metadata import Metadata, View
from treadle.ports.tables import Tables
from treadle.records.digests import digest_value
from treadle.records.errors import Conflict, InvalidInput, NotFound
from treadle.records.estimates import Window
from treadle.records.events import Event
from treadle.records.frames import LABEL
from treadle.records.instants import DAY, Duration, Instant, iso, short
from treadle.records.labelling import ANSWERED, QUEUED, LabelAnswers, LabelBatch, LabelTask, Strategy
from treadle.stages.data.task_files import Cell
from treadle.stages.evaluation.sampling import Shift, choose, most_shifted

MOST_TASKS = 10_000
"""So many tasks can be chosen at once: a batch is one event of the journal."""


@dataclass(frozen=True)
class Labelling:
    """What was asked of people about an endpoint's predictions, and what they answered; oldest first."""

    batches: tuple[LabelBatch, ...]
    answers: tuple[LabelAnswers, ...]

    @classmethod
    def of(cls, view: View, endpoint: str) -> Labelling:
        """Read the journal."""
        return cls(
            tuple(LabelBatch.from_json(event.data) for event in _events(view.journal, QUEUED, endpoint)),
            tuple(LabelAnswers.from_json(event.data) for event in _events(view.journal, ANSWERED, endpoint)),
        )

    @cached_property
    def said(self) -> dict[tuple[str, str], tuple[bool, int]]:
        """(prediction, annotator) → the last answer, and how many answers there are."""
        found: dict[tuple[str, str], tuple[bool, int]] = {}
        for taken in self.answers:
            for one in taken.answers:
                found[one.prediction_id, one.annotator] = (one.answer, one.number + 1)
        return found

    @cached_property
    def answered(self) -> frozenset[str]:
        """The predictions that somebody has answered."""
        return frozenset(prediction for prediction, _ in self.said)

    def open(self, at: Instant) -> frozenset[str]:
        """Return the predictions that are with people: neither answered nor expired."""
        given = (task for batch in self.batches if at < batch.expires_at for task in batch.tasks)
        return frozenset(task.prediction_id for task in given) - self.answered

    def agreement(self) -> tuple[int, int]:
        """Return how many pairs of people's last answers to the same task there are, and how many of them agree."""
        of: dict[str, list[bool]] = {}
        for (prediction, _), (answer, _) in self.said.items():
            of.setdefault(prediction, []).append(answer)
        pairs = agreeing = 0
        for answers in of.values():
            yes, no = sum(answers), len(answers) - sum(answers)
            pairs += (yes + no) * (yes + no - 1) // 2
            agreeing += (yes * (yes - 1) + no * (no - 1)) // 2
        return pairs, agreeing


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """How predictions are chosen."""

    strategy: Strategy = "mixed"
    n: int = 100
    seed: int = 0
    span: Duration = 30 * DAY
    """Predictions so old at the most."""
    expires: Duration = 14 * DAY
    """Tasks that are not answered by then may be chosen again."""
    threshold: float = 0.5
    slice: tuple[str, str] | None = None
    """(column, value): what is taken for the drifted slice; by default the one whose scores moved most."""


class Queued(NamedTuple):
    """What was chosen; nothing is recorded yet."""

    batch: LabelBatch
    rows: pl.DataFrame
    """The prediction rows of the tasks, in their order."""
    shift: Shift | None
    """The slice that was found to have moved."""


def label_rows(tables: Tables, endpoint: Endpoint) -> pl.DataFrame | None:
    """Return the stored rows of an endpoint's labels, the newest there are; None where none were ever stored."""
    name = endpoint.labels.source.name
    return tables.read(name).collect() if tables.exists(name) else None


def labels_in(tables: Tables, endpoint: Endpoint, rows: pl.DataFrame, at: Instant) -> pl.DataFrame:
    """Return `__label` and `__label_known` of prediction rows as known at an instant."""
    asked, stored = asked_at(rows), label_rows(tables, endpoint)
    if stored is None:
        nothing = pl.DataFrame({LABEL: [None] * rows.height, "__label_known": [None] * rows.height})
        return nothing.cast({LABEL: pl.Float64, "__label_known": pl.Int64})
    return find_labels(asked, stored, endpoint.labels, by=at)


def choose_tasks(tables: Tables, state: Labelling, endpoint: Endpoint, choice: Choice, at: Instant) -> Queued:
    """Choose predictions that have no label and are not with people, from what has reached the prediction table.

    Raises:
        InvalidInput: the choice cannot be made as asked.
        NotFound: there is no prediction to be chosen.
    """
    _check(choice)
    window = Window(at - choice.span, at + 1)
    served = read_served(tables, endpoint, window).sort("at", PREDICTION_ID).collect()
    # Labels are told of all rows together: which one a label belongs to may depend on the others.
    unlabelled = served.filter(labels_in(tables, endpoint, served, at)[LABEL].is_null())
    taken = state.open(at) | state.answered
    rows = unlabelled.filter(~pl.col(PREDICTION_ID).is_in(list(taken)))
    if rows.is_empty():
        raise NotFound(
            f"endpoint {endpoint.name!r} has no prediction of the last {short(choice.span)} to be labelled",
            faults=[
                f"{served.height:,} predictions, {unlabelled.height:,} of them without a label; "
                f"of these all are with people or answered"
            ],
            fix="look further back with --window; a server brings predictions to their table every ten minutes",
        )
    column, shift = _slice(tables, endpoint, choice, served, window)
    drifted = (
        None if column is None else (rows[column[0]].cast(pl.String) == column[1]).fill_null(value=False)
    )
    drawn = choose(
        rows[PREDICTION_ID].to_list(),
        rows["score"].to_numpy(),
        strategy=choice.strategy,
        n=choice.n,
        seed=choice.seed,
        threshold=choice.threshold,
        drifted=None if drifted is None else drifted.to_numpy(),
    )
    chosen = rows[drawn.places.tolist()]
    ids, times = chosen[PREDICTION_ID].to_list(), chosen["at"].to_physical().to_list()
    tasks = tuple(
        LabelTask(prediction_id=one, at=time, stratum=name, probability=float(chance))
        for one, time, name, chance in zip(ids, times, drawn.names, drawn.probabilities, strict=True)
    )
    batch = LabelBatch(
        batch=digest_value([endpoint.name, at, ids])[:16],
        endpoint=endpoint.name,
        at=at,
        expires_at=at + choice.expires,
        window=window,
        strategy=choice.strategy,
        seed=choice.seed,
        strata=drawn.strata,
        tasks=tasks,
    )
    return Queued(batch, chosen, shift)


def record_batch(metadata: Metadata, state: Labelling, batch: LabelBatch) -> None:
    """Note that tasks are with people.

    Raises:
        Conflict: others were chosen since the state was read.
    """
    with metadata.begin() as unit:
        if len(Labelling.of(unit, batch.endpoint).batches) != len(state.batches):
            raise Conflict(
                f"tasks of endpoint {batch.endpoint!r} were chosen at the same moment by another process",
                fix="run the command again",
            )
        unit.journal.append(QUEUED, batch.endpoint, batch.at, batch.as_json(), key=batch.batch)


def task_rows(
    queued: Queued, endpoint: Endpoint, *, guidelines: str, blind: bool = False
) -> list[dict[str, Cell]]:
    """Return the tasks as rows of a file for people: what was asked, an empty answer, and what to heed. Pure.

    Args:
        queued: the tasks.
        endpoint: whose predictions.
        guidelines: what people should heed; stands in each row, for tools that show one row at a time.
        blind: leave out what the model said, and why the prediction was chosen.
    """
    found: list[dict[str, Cell]] = []
    head = ("endpoint", PREDICTION_ID, "asked_at")
    own = {*head, "score", "stratum", "probability", "answer", "annotator", "guidelines"}
    for task, row in zip(queued.batch.tasks, _physical(queued.rows).iter_rows(named=True), strict=True):
        cells: dict[str, Cell] = dict(
            zip(head, (endpoint.name, task.prediction_id, iso(task.at)), strict=True)
        )
        for name, kind in endpoint.features.request.items():
            value = row[name]
            cells[f"field_{name}" if name in own else name] = (
                iso(value) if kind == "time" and value is not None else value
            )
        if not blind:
            cells |= {"score": row["score"], "stratum": task.stratum, "probability": task.probability}
        found.append(cells | {"answer": None, "annotator": None, "guidelines": guidelines})
    return found


def _slice(
    tables: Tables, endpoint: Endpoint, choice: Choice, served: pl.DataFrame, window: Window
) -> tuple[tuple[str, str] | None, Shift | None]:
    if choice.strategy not in ("drifted", "mixed"):
        return None, None
    own = {PREDICTION_ID, "at", "model", "version", "score"}
    columns = [name for name in served.columns if name not in own]
    if choice.slice is not None:
        if choice.slice[0] not in columns:
            raise NotFound.among("column", choice.slice[0], columns, where=f"endpoint {endpoint.name!r}")
        return choice.slice, None
    discrete = [
        name
        for name in columns
        if served.schema[name] in (pl.String, pl.Boolean, pl.Int64) and name not in endpoint.labels.key
    ]
    earlier = Window(window.start - choice.span, window.start)
    before = read_served(tables, endpoint, earlier).select(*discrete, "score").collect()
    shift = most_shifted(before, served, discrete)
    if shift is None and choice.strategy == "drifted":
        raise NotFound(
            f"the scores of no slice of endpoint {endpoint.name!r} have moved clearly from one "
            f"{short(choice.span)} to the next",
            fix="name the slice with --slice COLUMN=VALUE, or take another strategy",
        )
    return (None if shift is None else (shift.column, shift.value)), shift


def _check(choice: Choice) -> None:
    faults = []
    if not 1 <= choice.n <= MOST_TASKS:
        faults.append(f"{choice.n} tasks: choose 1 to {MOST_TASKS:,} at a time")
    if choice.span <= 0 or choice.expires <= 0:
        faults.append("the window and the time to answer must be longer than nothing")
    if choice.slice is not None and choice.strategy not in ("drifted", "mixed"):
        faults.append(f"a slice is for the strategies drifted and mixed, not for {choice.strategy}")
    if faults:
        raise InvalidInput("the tasks cannot be chosen", faults=faults)


def _physical(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(
        pl.col(name).to_physical() for name, kind in rows.schema.items() if kind.is_temporal()
    )


def _events(journal: JournalView, kind: str, endpoint: str) -> Iterator[Event]:
    after = 0
    while events := journal.read(after, kinds=[kind], subject=endpoint):
        yield from events
        after = events[-1].cursor
