"""Side policies of a replay: what would have been, had the model stayed frozen or been retrained by the calendar alone."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from treadle.define.endpoints import Endpoint
from treadle.loop.calendar import add_months, month_start
from treadle.loop.replay_inputs import CALENDAR
from treadle.loop.span import Span
from treadle.loop.training import Store
from treadle.loop.turn import Train, Trained, find_pipeline, train
from treadle.loop.world import World
from treadle.records.digests import Json
from treadle.records.instants import DAY, Instant
from treadle.records.models import ModelVersion

MATURITY = 2 * DAY
"""A month is reported this long after its end, when nearly all of its labels are known."""
LAST_MONTHS = 3


class SidePolicies:
    """Retrains on the last three months at the start of every month, without a gate, beside the loop.

    Trainings run in a thread of their own, so that the replay goes on meanwhile; nothing of the loop depends on them.
    """

    def __init__(
        self, world: World, store: Store, endpoint: Endpoint, span: Span, zone: str, pipeline: str
    ) -> None:
        self._world = world
        self._store = store
        self._endpoint = endpoint
        self._span = span
        self._zone = zone
        self._pipeline = find_pipeline(world, pipeline)
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="side-policy")
        self._runs: dict[str, Future[Trained]] = {}
        self._reported: set[str] = set()

    @property
    def model_name(self) -> str:
        """The name under which the last-months models are registered."""
        return f"{self._endpoint.model_name}_last{LAST_MONTHS}"

    def month_bounds(self, month: str) -> tuple[Instant, Instant]:
        """Return the first instant of a served month and the first after it, within the replay's span."""
        first, after = month_start(month, self._zone), month_start(add_months(month, 1), self._zone)
        return max(first, self._span.start), min(after, self._span.end)

    def start_due(self, through: Instant) -> None:
        """Start the training of every month that has begun by the day after `through`."""
        for month in self._span.months:
            first, _ = self.month_bounds(month)
            if first <= through + DAY:
                self._start(month)

    def closed_months(self, through: Instant | None) -> Iterator[str]:
        """Yield each month once, as soon as its labels have matured; all that remain when `through` is None."""
        for month in self._span.months:
            if month in self._reported:
                continue
            if through is None or self.month_bounds(month)[1] + MATURITY <= through:
                self._reported.add(month)
                yield month

    def trained(self, month: str) -> Trained:
        """Return the month's training, waiting for it."""
        self._start(month)  # a replay that is only reported again has started none
        return self._runs[month].result()

    def version(self, month: str) -> ModelVersion:
        """Return the version trained for a month, waiting for it."""
        return self.trained(month).versions[-1]

    def close(self) -> None:
        """Wait for trainings under way."""
        self._threads.shutdown(wait=True)

    def _start(self, month: str) -> None:
        if month not in self._runs:
            self._runs[month] = self._threads.submit(self._train, month)

    def _train(self, month: str) -> Trained:
        first = self.first_request(month)
        wanted: dict[str, Json] = {
            "until": first,
            "since": month_start(add_months(month, -LAST_MONTHS), self._zone),
            "holdout": "0d",
        }
        stage = Train(
            self._pipeline.name,
            {name: value for name, value in wanted.items() if name in self._pipeline.parameters},
            key=f"replay:last{LAST_MONTHS}:{month}",
            reason=f"{CALENDAR}: the last {LAST_MONTHS} months before {month}",
            register_as={self._endpoint.model_name: self.model_name},
        )
        return train(self._world, self._store, stage, first)

    def first_request(self, month: str) -> Instant:
        """Return the month's first T: labels known before it may be learned from."""
        first, after = self.month_bounds(month)
        asked = self._store.rows[self._endpoint.requests.stored().name]["__event_time"]
        inside = asked.filter((asked >= first) & (asked < after))
        return int(inside.min()) if len(inside) else first  # type: ignore[arg-type]  # an int64 column
