"""Answering requests: parsed, looked up, predicted, logged, and only then answered."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

from treadle.define.endpoints import Endpoint
from treadle.loop.feed import CURSOR
from treadle.loop.live_feed import LiveFeed
from treadle.ports.clock import Clock
from treadle.ports.log import AppendLog
from treadle.ports.online import Online, Reader
from treadle.records.errors import InvalidInput, NotFound, NotReady
from treadle.records.ids import make_id
from treadle.records.instants import SECOND, Duration, Instant
from treadle.records.predictions import Prediction, Value, encode_prediction
from treadle.stages.serving.predictor import Predictor
from treadle.stages.serving.protocol import RequestParser, response_body, wanted_outputs

CATCH_UPS = 3
"""So often the feed is brought to T before answering; with fewer than a row a microsecond once is enough."""
SLACK: Duration = SECOND
"""T may lie so far back when events come so quickly that the newest of them are still being applied."""


class Answer(NamedTuple):
    """What came of one request."""

    body: bytes
    rows: int
    version: int


class Answerer:
    """Answers one endpoint's requests; may be used by several threads.

    T of a request is the moment it is answered. What is looked up is exactly what was known by T: a snapshot
    of the online store is taken first, T is read from the clock, and should a row have become known by T that
    the snapshot lacks, the feed is brought up to T and the snapshot taken again. While events come without a pause,
    T is the instant whose exact state the snapshot is, some milliseconds ago.

    Args:
        endpoint: whose requests.
        online: the online store.
        feed: what keeps it at the present.
        log: where every prediction goes before it is answered.
        clock: gives T.
    """

    def __init__(
        self, endpoint: Endpoint, *, online: Online, feed: LiveFeed, log: AppendLog, clock: Clock
    ) -> None:
        self.endpoint = endpoint
        self.predictor: Predictor | None = None
        """The version that answers. Replacing it is one assignment: a request keeps the one it began with."""
        self._parse = RequestParser(endpoint.features.request).parse
        self._online = online
        self._feed = feed
        self._log = log
        self._clock = clock

    def answer(self, body: bytes, predictor: Predictor | None = None) -> Answer:
        """Answer one infer request; its predictions are in the log when this returns.

        Args:
            body: the request's JSON.
            predictor: the version to ask, by default the one that serves.

        Raises:
            InvalidInput: the body is not such a request; nothing was logged.
            NotFound: a request names an entity that must exist and has never been seen; nothing was logged.
            NotReady: no version serves yet, or the log cannot be written.
        """
        predictor = predictor or self.predictor
        if predictor is None:
            raise no_version(self.endpoint)
        request, rows = self._parse(body)
        wanted_outputs(request)
        predictions = self._predict(predictor, rows)
        if len(predictions) == 1:
            self._log.append(encode_prediction(predictions[0]))
        else:
            self._log.append_many([encode_prediction(prediction) for prediction in predictions])
        ids = [prediction.prediction_id for prediction in predictions]
        scores = [prediction.score for prediction in predictions]
        answered = response_body(
            self.endpoint.name, predictor.version, request, request.id or ids[0], scores, ids
        )
        return Answer(answered, len(rows), predictor.version)

    def _predict(self, predictor: Predictor, rows: Sequence[Sequence[Value]]) -> list[Prediction]:
        frontier = self._feed.frontier
        for _ in range(CATCH_UPS):
            epoch, known_before = frontier.epoch, self._feed.next_known
            with self._snapshot(predictor, rows) as snapshot:
                at = self._now()
                # Before the epoch is read again: events that are received from now on come after T.
                frontier.asked = max(frontier.asked, at)
                if at < known_before and frontier.epoch == epoch:
                    return _predict_rows(predictor, snapshot, rows, at)
            if not self._feed.catch_up(at):
                break  # feeding is under way: rather the last whole state than waiting
        with self._snapshot(predictor, rows) as snapshot:
            at = self._now()
            stored = snapshot.cursor(CURSOR)
            stands = at if stored is None else int.from_bytes(stored, "big", signed=True)
            # The snapshot is the exact state of that instant. Only one that lies far back is no moment of answering.
            return _predict_rows(predictor, snapshot, rows, stands if at - SLACK <= stands <= at else at)

    def _snapshot(
        self, predictor: Predictor, rows: Sequence[Sequence[Value]]
    ) -> AbstractContextManager[Reader]:
        if not self._online.remote:
            return self._online.read()
        return self._online.read([pair for fields in rows for pair in predictor.wanted(fields)])

    def _now(self) -> Instant:
        # A wall clock may be set back; what has been applied to the online store cannot be taken back.
        return max(self._clock.now(), self._feed.position)


def _predict_rows(
    predictor: Predictor, snapshot: object, rows: Sequence[Sequence[Value]], at: Instant
) -> list[Prediction]:
    done = []
    for number, fields in enumerate(rows):
        try:
            done.append(predictor.predict(snapshot, fields, at, make_id(at, os.urandom(10))))
        except (InvalidInput, NotFound) as error:
            if len(rows) > 1:
                error.where = f"row {number}: {error.where}" if error.where else f"row {number}"
            raise
    return done


def no_version(endpoint: Endpoint) -> NotReady:
    """Return the error of an endpoint whose alias names no version yet."""
    return NotReady(
        f"no version of {endpoint.model_name!r} has the alias {endpoint.alias!r} yet",
        where=f"endpoint {endpoint.name!r}",
        fix="train one; it is served as soon as it has passed the gates",
        command="treadle run PIPELINE",
    )
