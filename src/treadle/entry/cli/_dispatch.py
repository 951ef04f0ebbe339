"""Find the command, load it, run it, and turn whatever goes wrong into a message and an exit code."""

from __future__ import annotations

import errno
import importlib
import json
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from treadle.records.errors import InvalidInput, NotFound, NotReady, TreadleError

if TYPE_CHECKING:
    from treadle.entry.cli._commands import Command

_MODES = "give the user that runs treadle the right to write there, or name another folder"
_ROOM = "make room, and run the same command again"
_REFUSED = {
    errno.EACCES: _MODES,
    errno.EPERM: _MODES,
    errno.EROFS: _MODES,
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
}
"""What a person does about the system's refusals; other errors of the system are treadle's to explain."""
DONE, FAILED, WRONG_REQUEST, INTERRUPTED = 0, 1, 2, 130


class Runnable(Protocol):
    """The part of a Typer command that we call."""

    def main(self, args: Sequence[str], prog_name: str, *, standalone_mode: bool) -> object:
        """Parse the words and run; not standalone: raise errors and return the exit code."""


class UsageFault(InvalidInput):
    """The words on the command line do not fit the command."""

    code = "usage"


class Defect(TreadleError):
    """Something failed that treadle does not account for."""

    code = "internal"


def run(commands: Mapping[str, Command], words: Sequence[str]) -> int:
    """Run the command named by the first word with the words after it; return the exit code."""
    name, rest = words[0], list(words[1:])
    try:
        if name not in commands:
            raise unknown_command(name, commands)
        result = load(commands[name]).main(rest, f"treadle {name}", standalone_mode=False)
        sys.stdout.flush()  # a reader that went away shows here, not while the interpreter ends
        return result if isinstance(result, int) else DONE
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        return reader_went_away()
    except Exception as error:  # noqa: BLE001 - the outermost place: every failure becomes a message and a code
        return report(error, f"treadle {name}", as_json=wants_json(commands.get(name), rest))


def load(command: Command) -> Runnable:
    """Import the command's module and build its parser."""
    from typer.main import get_command

    app = importlib.import_module(command.module).app
    return get_command(app)


def unknown_command(name: str, commands: Mapping[str, Command]) -> TreadleError:
    """Build the error for a name that is not in the table, with its neighbours."""
    found = NotFound.among("command", name, commands)
    return UsageFault(found.what, fix=found.fix, command="treadle --help")


def wants_json(command: Command | None, words: Sequence[str]) -> bool:
    """Say whether errors are to be written for machines. Pure."""
    if command is not None and command.json_names_a_file:
        return False
    return "--json" in (words[: words.index("--")] if "--" in words else words)


def report(error: Exception, called: str, *, as_json: bool) -> int:
    """Write the error to stderr, for people or for machines, and return the exit code it means."""
    known = translated(error, called)
    if as_json:
        print(json.dumps({"error": known.as_dict()}, ensure_ascii=False), file=sys.stderr)
    else:
        if isinstance(known, Defect):
            traceback.print_exception(error)
        print(f"error: {known}", file=sys.stderr)
    return WRONG_REQUEST if isinstance(known, InvalidInput) else FAILED


def translated(error: Exception, called: str) -> TreadleError:
    """Return the error in treadle's own form. Pure.

    The parser's errors are known by their two members, not by class: which package holds the class differs
    between releases of Typer.
    """
    if isinstance(error, TreadleError):
        return error
    message = getattr(error, "format_message", None)
    if callable(message) and hasattr(error, "exit_code"):
        return UsageFault(str(message()), command=f"{called} --help")
    if type(error).__name__ == "Abort":
        return TreadleError("stopped: nothing was confirmed")
    if isinstance(error, OSError) and error.errno in _REFUSED:
        return NotReady(
            f"{called} was stopped by the system: {error.strerror}",
            where=None if error.filename is None else str(error.filename),
            fix=_REFUSED[error.errno],
        )
    kind = type(error).__name__
    return Defect(
        f"{called} failed unexpectedly: {kind}: {error}",
        fix="this is a defect in treadle: please report it with the lines above",
    )


def reader_went_away() -> int:
    """Point stdout at nothing, so that the interpreter's last flush does not complain, and say it failed."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
    return FAILED
