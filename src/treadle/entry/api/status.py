"""How the server is: the JSON that people and programs ask for, and the gauges drawn from the same facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

import treadle
from treadle.entry.api.metrics import label
from treadle.entry.api.skew import skew_gauges, skew_status
from treadle.entry.api.source_quality import source_gauges
from treadle.loop.live import Live
from treadle.loop.live_feed import NEVER, PENDING
from treadle.loop.streams import Consumer, lag
from treadle.records.instants import SECOND, Instant, iso


def status_of(live: Live) -> dict[str, object]:
    """Return what the server knows of itself, as JSON; instants are ISO 8601 texts."""
    now = live.world.clock.now()
    wheel, feed = live.wheel, live.feed
    return {
        "treadle": treadle.__version__,
        "project": live.world.project.name,
        "ready": not live.not_ready(),
        "not_ready": live.not_ready(),
        "draining": live.draining,
        "clock": iso(now),
        "endpoints": [_endpoint(live, name) for name in live.answerers],
        "skew": skew_status(live),
        "feed": {
            "position": _when(feed.position if feed.position >= 0 else None),
            "next_known": _when(None if feed.next_known in (NEVER, PENDING) else feed.next_known),
            "lag_seconds": feed_lag(live),
            "rows_applied": feed.applied,
        },
        "log": {"position": live.world.predictions.end(), "durable": live.synced},
        "events": _events(live),
        "streams": {name: _stream(consumer) for name, consumer in live.consumers.items()},
        "data": _data(live),
        "loop": {
            "last_tick": _when(None if wheel is None else wheel.last_tick),
            "next_tick": _when(None if wheel is None else wheel.next_tick),
        },
        "faults": {
            name: {"at": iso(thread.fault.at), "text": thread.fault.text, "times": thread.fault.times}
            for name, thread in live.threads.items()
            if thread.fault is not None
        },
        "news": [{"at": iso(item.at), "text": item.text} for item in list(live.news)],
    }


def feed_lag(live: Live) -> float:
    """Return for how many seconds a stored row has been known without having reached the online store."""
    feed = live.feed
    # While events are on their way it is not known when they become known: not before what has been applied.
    since = feed.position if feed.next_known == PENDING else feed.next_known
    return max(live.world.clock.now() - since, 0) / SECOND


def gauges_of(live: Live) -> list[tuple[str, str, Mapping[str, float]]]:
    """Return the gauges of `/metrics`: name, help, labels → value."""
    versions = {
        label(endpoint=name, model=answerer.endpoint.model_name): float(answerer.predictor.version)
        for name, answerer in live.answerers.items()
        if answerer.predictor is not None
    }
    faults = {label(part=name): float(thread.fault is not None) for name, thread in live.threads.items()}
    return [
        ("treadle_model_version", "Version that answers.", versions),
        ("treadle_feed_lag_seconds", "Age of the oldest known row not yet online.", {"": feed_lag(live)}),
        ("treadle_log_position_bytes", "End of the log.", {"": float(live.world.predictions.end())}),
        (
            "treadle_log_durable_bytes",
            "Position up to which the log is on the disk.",
            {"": float(live.synced)},
        ),
        ("treadle_ready", "1 when requests can be answered.", {"": float(not live.not_ready())}),
        ("treadle_part_failing", "1 while a background part fails and is tried again.", faults),
        *_event_gauges(live),
        *skew_gauges(live),
        *source_gauges(live),
        *_stream_gauges(live),
    ]


def _endpoint(live: Live, name: str) -> dict[str, object]:
    answerer, champions = live.answerers[name], live.champions[name]
    predictor = answerer.predictor
    return {
        "name": name,
        "model": answerer.endpoint.model_name,
        "alias": answerer.endpoint.alias,
        "version": None if predictor is None else predictor.version,
        "fault": champions.fault,
    }


def _events(live: Live) -> dict[str, object] | None:
    log, intake, flusher = live.world.events, live.intake, live.flusher
    if log is None or intake is None:
        return None
    return {
        "position": log.end(),
        "durable": live.events_synced,
        "online": live.feed.log_position(),
        "tables": 0 if flusher is None else flusher.position,
        "taken": intake.taken,
        "duplicates": intake.duplicates,
        "dead_letters": intake.dead_letters,
    }


def _stream(consumer: Consumer) -> dict[str, object]:
    state = consumer.state
    return {
        "stream": state.stream,
        "fault": state.fault,
        "waiting": state.waiting,
        "newest": _when(state.newest),
        "watermark": _when(state.watermark),
        "last_message": _when(state.last_message),
        **asdict(state.counts),
    }


def _stream_gauges(live: Live) -> list[tuple[str, str, Mapping[str, float]]]:
    states = {name: consumer.state for name, consumer in live.consumers.items()}
    if not states:
        return []
    now = live.world.clock.now()
    waiting = {label(source=n): float(s.waiting) for n, s in states.items() if s.waiting is not None}
    behind = {label(source=n): seconds for n, s in states.items() if (seconds := lag(s, now)) is not None}
    late = {label(source=n): float(s.counts.late) for n, s in states.items()}
    return [
        ("treadle_stream_waiting_messages", "Messages at the broker, not read yet.", waiting),
        ("treadle_stream_lag_seconds", "Age of the newest event time of a stream.", behind),
        ("treadle_stream_late_events", "Events that came behind the watermark.", late),
    ]


def _event_gauges(live: Live) -> list[tuple[str, str, Mapping[str, float]]]:
    log, intake = live.world.events, live.intake
    if log is None or intake is None:
        return []
    end, flusher = log.end(), live.flusher
    behind = {
        label(store="online"): float(end - live.feed.log_position()),
        label(store="tables"): float(end - (0 if flusher is None else flusher.position)),
    }
    outcomes = {
        label(outcome="taken"): float(intake.taken),
        label(outcome="duplicate"): float(intake.duplicates),
        label(outcome="dead_letter"): float(intake.dead_letters),
    }
    return [
        ("treadle_events", "Events offered since the start, by what became of them.", outcomes),
        ("treadle_events_behind_bytes", "Bytes of the event log that a store has not got.", behind),
    ]


def _data(live: Live) -> dict[str, object] | None:
    watch = live.data
    if watch is None:
        return None
    return {
        "folder": str(watch.folder),
        "taken_at": _when(watch.taken_at),
        "refused_at": _when(watch.refused_at),
        "faults": list(watch.faults),
    }


def _when(at: Instant | None) -> str | None:
    return None if at is None else iso(at)
