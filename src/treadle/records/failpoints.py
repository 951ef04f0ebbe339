"""Named points at which a process can be made to die or fail, so that recovery is tested where it matters.

Code calls `failpoint("log.before_write")` at a moment worth dying at. Nothing happens unless the environment
variable TREADLE_FAILPOINTS was set when the process started (or a test called `arm`):

    TREADLE_FAILPOINTS="blob.before_publish:kill"           kill -9 at the first hit
    TREADLE_FAILPOINTS="log.before_write:kill@3"            … at the third
    TREADLE_FAILPOINTS="a.point:raise,another.point:raise@2"

A point acts once, at that hit, and is passed freely before and after it.
"""

from __future__ import annotations

import os
import re
import signal
import threading
from dataclasses import dataclass
from typing import Literal

from treadle.records.errors import InvalidInput

VARIABLE = "TREADLE_FAILPOINTS"

_SPEC = re.compile(r"(?P<name>[a-z0-9_]+(?:\.[a-z0-9_]+)*):(?P<action>kill|raise)(?:@(?P<hit>[1-9]\d*))?")


class FailpointError(Exception):
    """Raised by a failpoint armed with `raise`; not a `TreadleError`, since it stands for the unforeseen."""


@dataclass(slots=True)
class _Armed:
    action: Literal["kill", "raise"]
    hits_left: int


_armed: dict[str, _Armed] = {}
_lock = threading.Lock()


def failpoint(name: str) -> None:
    """Die or fail here if this point is armed; otherwise cost a look at an empty dictionary (30 ns).

    Raises:
        FailpointError: the point is armed with `raise` and this is the hit.
    """
    if _armed:
        _hit(name)


def arm(specs: str) -> None:
    """Arm the points of a text such as `a.point:kill,b.point:raise@2`, in place of those armed before.

    An empty text disarms all.

    Raises:
        InvalidInput: a part of the text is not `name:kill` or `name:raise`, with `@` and a count or without.
    """
    armed = _parse(specs)
    with _lock:
        _armed.clear()
        _armed.update(armed)


def _parse(specs: str) -> dict[str, _Armed]:
    armed: dict[str, _Armed] = {}
    faults = []
    for spec in filter(None, (part.strip() for part in specs.split(","))):
        match = _SPEC.fullmatch(spec)
        if match is None:
            faults.append(f"{spec!r} is not a failpoint")
            continue
        action: Literal["kill", "raise"] = "kill" if match["action"] == "kill" else "raise"
        armed[match["name"]] = _Armed(action, int(match["hit"] or 1))
    if faults:
        raise InvalidInput(
            "the failpoints cannot be armed",
            where=VARIABLE,
            fix="write name:kill, name:kill@3 or name:raise",
            faults=faults,
        )
    return armed


def _hit(name: str) -> None:
    with _lock:
        point = _armed.get(name)
        if point is None:
            return
        point.hits_left -= 1
        if point.hits_left != 0:
            return
    if point.action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    raise FailpointError(f"the failpoint {name!r} was reached")


arm(os.environ.get(VARIABLE, ""))
