"""Find the command, load it, run it, and turn whatever goes wrong into a message and an exit code."""

from __future__ import annotations

import errno
import importlib
import json
import os
import shlex
import sys
import traceback
from collections.abc import Mapping, Sequence
from itertools import zip_longest
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
READER_GONE = 141
"""What a shell reports of a program that the signal of a closed pipe ended."""
_WITHOUT_HOME = ("init", "version", "completion")


class Runnable(Protocol):
    """The part of a Typer command that we call."""

    def main(self, args: Sequence[str], prog_name: str, *, standalone_mode: bool) -> object:
        """Parse the words and run; not standalone: raise errors and return the exit code."""


class UsageFault(InvalidInput):
    """The words on the command line do not fit the command."""

    code = "usage"


class Interrupted(Exception):
    """A person stopped the command, which has something to say about it."""


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
        if result == INTERRUPTED:  # the parser's way of telling of Ctrl-C
            raise Interrupted("interrupted")
        sys.stdout.flush()  # a reader that went away shows here, not while the interpreter ends
        return result if isinstance(result, int) else DONE
    except (KeyboardInterrupt, Interrupted) as stop:
        print(str(stop) or "interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        return reader_went_away()
    except SystemExit as end:  # the parser's way of telling of a closed pipe
        if isinstance(end.__context__, BrokenPipeError):
            return reader_went_away()
        raise
    except Exception as error:  # noqa: BLE001 - the outermost place: every failure becomes a message and a code
        return report(
            error, f"treadle {name}", as_json=wants_json(commands.get(name), rest), home=given_home(rest)
        )


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


def given_home(words: Sequence[str]) -> str | None:
    """Return what the words give for --home, or None. Pure."""
    for word, following in zip_longest(words, words[1:]):
        if word == "--home":
            return following
        if word.startswith("--home="):
            return word.removeprefix("--home=")
    return None


def for_home(command: str, home: str | None) -> str:
    """Return a command that asks the same home as the one before it, where it takes a home and names none. Pure."""
    words = command.split()
    asks_none = (
        words[:1] != ["treadle"] or len(words) < 2 or words[1].startswith("-") or words[1] in _WITHOUT_HOME
    )
    if home is None or asks_none or "--help" in words or "--home" in words:
        return command
    return f"{command} --home {shlex.quote(home)}"


def report(error: Exception, called: str, *, as_json: bool, home: str | None = None) -> int:
    """Write the error to stderr, for people or for machines, and return the exit code it means.

    Args:
        error: what went wrong.
        called: the command, `treadle NAME`.
        as_json: whether a program reads it.
        home: what was given for --home; the next command, where the error has one, names it too.
    """
    known = translated(error, called)
    if known.command:
        known.command = for_home(known.command, home)
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
    """Point stdout at nothing, so that the interpreter's last flush does not complain, and say why it ended."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
    return READER_GONE
