"""What the commands do about a prediction log that lost something: refuse to serve with it, say what mends it, and mend it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from treadle.records.errors import Corrupt

if TYPE_CHECKING:
    from treadle.bootstrap import Home
    from treadle.define.project import Project
    from treadle.loop.world import World


def log_fix(home: Home) -> str:
    """Return what mends a prediction log: the command comes last. Pure."""
    return (
        f"restore {home.folder / 'predictions'} from the backup that the tables are from, "
        f"or go on without what is lost: {mend_command(home)}"
    )


def mend_command(home: Home) -> str:
    """Return the command that mends a home's prediction log without a backup. Pure."""
    return f"treadle doctor --home {shlex.quote(str(home.folder))} --mend"


def check_log(home: Home, world: World) -> None:
    """Refuse to go on with a prediction log from which predictions would not reach their tables, or not all.

    Raises:
        Corrupt: the log is damaged, too short, or another one; the error has the command that mends it.
    """
    from treadle.stages.serving.log_check import positions, start_faults

    reached = positions(world.tables, [endpoint.name for endpoint in world.project.endpoints])
    faults = start_faults(world.predictions, reached)
    if faults:
        raise Corrupt(
            "the prediction log cannot go on: predictions would be lost",
            where=str(home.folder / "predictions"),
            faults=faults,
            fix="restore the folder from the backup that the tables are from, or go on without what is lost",
            command=mend_command(home),
        )


def mend(home: Home, project: Project) -> list[str]:
    """Mend a home's prediction log; returns what was done, a sentence each. The home must be held.

    Raises:
        Corrupt: it cannot be mended without a backup; nothing was changed.
    """
    from treadle.adapters.log import FileLogReader
    from treadle.adapters.log_mending import mend_log
    from treadle.stages.serving.log_check import examine, positions
    from treadle.stages.serving.prediction_log import refill

    folder, tables = home.folder / "predictions", home.tables()
    log = FileLogReader(folder)
    if not examine(log, tables).faults:
        return []
    reached = positions(tables, [endpoint.name for endpoint in project.endpoints])
    done = mend_log(folder, reach=max(reached.values(), default=0))
    for endpoint in project.endpoints:
        written = refill(endpoint, log, tables)
        done += [f"{written:,} predictions of {endpoint.name!r} reached their table"] if written else []
    return done
