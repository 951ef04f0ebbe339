"""`treadle up`: serve a home's champion, and keep its loop turning."""

from __future__ import annotations

import json
import logging
import os
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from treadle.bootstrap import Home as OpenedHome
from treadle.bootstrap import lineage_transport, open_world
from treadle.entry.cli._data import data_root
from treadle.entry.cli._definitions import record
from treadle.entry.cli._homes import has_online, open_project
from treadle.entry.cli._log import check_log
from treadle.entry.cli._shared import (
    DEFAULT_HOME,
    DEFAULT_PROJECT,
    AsJson,
    Home,
    Project,
    TakeOver,
    command_app,
    note,
)
from treadle.records.errors import InvalidInput
from treadle.records.instants import Instant, instant, iso

if TYPE_CHECKING:
    from treadle.entry.api.tokens import AdminToken
    from treadle.loop.live import Live
    from treadle.ports.clock import Clock

app = command_app()


@app.command("up")
def up(
    home: Home = DEFAULT_HOME,
    project: Project = DEFAULT_PROJECT,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            help="A folder to watch, or its s3:// URL: what is new in it, and in databases, is stored.",
        ),
    ] = None,
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="The port; 0 takes a free one.")] = 8080,
    start: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="INSTANT", help="Set the clock to this instant; it runs on from there."
        ),
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option("--tls-cert", help="The certificate, a PEM file.")] = None,
    tls_key: Annotated[
        Path | None, typer.Option("--tls-key", help="The certificate's key, a PEM file.")
    ] = None,
    allow_host: Annotated[
        list[str] | None, typer.Option("--allow-host", help="A further name clients may use; repeatable.")
    ] = None,
    new_token: Annotated[
        bool, typer.Option("--new-token", help="Make a new admin token; the old one is void.")
    ] = False,
    take_over: TakeOver = False,
    as_json: AsJson = False,
) -> None:
    """Serve the endpoints, log every prediction, watch, retrain and promote; until stopped.

    Answers the Open Inference Protocol v2 at /v2, and /metrics and /v1/status beside it. Every request but
    liveness needs the token: TREADLE_TOKEN if it is set, else one that is made at the first start and shown
    once. Stop it with Ctrl-C: requests under way are finished and nothing is lost.
    """
    from treadle.entry.api.server import Binding, check_installed, listen, serve
    from treadle.entry.api.tokens import VARIABLE, admin_token
    from treadle.loop.live import Live

    check_installed()
    binding = Binding(host, port, tls_cert, tls_key, tuple(allow_host or ()))
    opened = OpenedHome.at(home, create=data is not None)
    loaded = open_project(project, opened)
    started = None if start is None else instant(start)
    clock = _clock(opened, started)
    _log_to_stderr()
    with (
        open_world(opened, loaded, clock, take_over=take_over) as world,
        closing(listen(binding)) as listener,
    ):
        check_log(opened, world)
        record(world, clock.now())
        if started is not None:
            opened.note(clock_end=started)
        token = admin_token(opened.folder, os.environ.get(VARIABLE), renew=new_token)
        if token.shown is not None:
            note(f"admin token (shown this once; the home keeps only its digest): {token.shown}")
        live = Live(
            world, data=None if data is None else data_root(data), lineage=lineage_transport(), say=note
        )

        def ready(url: str) -> None:
            _say_ready(live, url, token, as_json=as_json)

        serve(live, binding, listener, token.digest, on_ready=ready)
    note("stopped; every answered request is in the log")


def _clock(home: OpenedHome, start: Instant | None) -> Clock:
    """Return the clock: the machine's, or one that goes on where a replay, or an earlier start, left off.

    Raises:
        InvalidInput: the home has seen later times already; time does not go back in a home.
    """
    from treadle.adapters.clock import ShiftedClock, SystemClock

    seen = _seen(home)
    simulated = home.notes().get("clock_end")
    if start is not None:
        if seen is not None and start < seen:
            raise InvalidInput(
                f"the home has lived until {iso(seen)}; its clock cannot be set back to {iso(start)}",
                fix=f"leave out --from, give {iso(seen)} or later, or use another home",
            )
        return ShiftedClock(start)
    if not isinstance(simulated, int):
        return SystemClock()
    end = max(simulated, seen or simulated)
    note(f"the home was made by a replay: its clock goes on at {iso(end)} (choose another time with --from)")
    return ShiftedClock(end)


def _seen(home: OpenedHome) -> Instant | None:
    """Return the instant up to which the home's online store has been fed; None for a home without one."""
    from treadle.loop.feed import stands_at

    if not has_online(home):
        return None
    with closing(home.online()) as online:
        return stands_at(online)


def _say_ready(live: Live, url: str, token: AdminToken, *, as_json: bool) -> None:
    reasons = live.not_ready()
    endpoints = {name: f"{url}/v2/models/{name}/infer" for name in live.answerers}
    if as_json:
        facts = {
            "url": url,
            "token": token.source,
            "ready": not reasons,
            "endpoints": endpoints,
            "pid": os.getpid(),
        }
        print(json.dumps(facts), flush=True)
        return
    print(f"serving {live.world.project.name} at {url}", flush=True)
    for name, address in endpoints.items():
        predictor = live.answerers[name].predictor
        version = "no version yet" if predictor is None else f"version {predictor.version}"
        print(f"  {name}: POST {address} ({version})", flush=True)
    for reason in reasons:
        note(f"not ready: {reason}")


def _log_to_stderr() -> None:
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
