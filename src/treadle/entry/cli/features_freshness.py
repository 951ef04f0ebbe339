"""`treadle features freshness`: how new what is online is, view by view."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.entry.cli._homes import home_now, open_home, open_project, opened_online, when
from treadle.entry.cli._shared import (
    DEFAULT_HOME,
    DEFAULT_PROJECT,
    AsJson,
    Home,
    Plain,
    Project,
    emit,
    emit_json,
    note,
)
from treadle.records.instants import SECOND, Duration, Instant, iso, short

if TYPE_CHECKING:
    from treadle.stages.features.online_state import ViewState

FRESHNESS = ("view", "keys", "expired", "expired_share", "newest", "age")


def freshness(project: Project = DEFAULT_PROJECT, home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Show for each view how many keys are online, how many of them have expired, and how old the newest row is.

    The server may go on meanwhile. Expired is what is older than the view's ttl, or than its longest window.
    """
    from treadle.loop.feed import stands_at
    from treadle.stages.features.online_state import view_state

    opened = open_home(home)
    defined = open_project(project, opened).project
    at = home_now(opened)
    with opened_online(opened) as online:
        stands = stands_at(online)
        states = [view_state(online, view, at) for view in defined.views]
    lag = None if stands is None else max(at - stands, 0)
    rows = [state_row(state, at) for state in states]
    if as_json:
        emit_json(
            {
                "at": iso(at),
                "cursor": when(stands),
                "lag_seconds": None if lag is None else lag / SECOND,
                "views": rows,
            }
        )
        return
    note(f"as of {iso(at)}; the online store stands at {when(stands)}, {rounded(lag)} behind")
    emit(rows, FRESHNESS, as_json=False, empty="the project defines no view")


def state_row(state: ViewState, at: Instant) -> dict[str, Plain]:
    """Return what is online of a view as a row. Pure."""
    return {
        "view": state.view,
        "keys": state.keys,
        "expired": state.expired,
        "expired_share": state.expired_share,
        "deleted": state.deleted,
        "newest": when(state.newest),
        "age": rounded(None if state.newest is None else max(at - state.newest, 0)),
    }


def rounded(span: Duration | None) -> str | None:
    """Return a span as text, to the second. Pure."""
    return None if span is None else short(span // SECOND * SECOND)
