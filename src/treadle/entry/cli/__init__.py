"""The command line: a table of commands, each in a file of its own that loads when the command is called.

To add a command:

1. write `src/treadle/entry/cli/NAME.py` with `app = command_app()` and `@app.command()` functions (one
   function: `treadle NAME`; several: `treadle NAME SUBCOMMAND`); take `--json`, `--home` and `--project`
   from `_shared`, and print through `emit`, `emit_record` or `emit_json`, never with `print`;
2. add its line to `COMMANDS` in `_commands.py`, in the order in which a newcomer meets the commands;
3. raise `TreadleError` for anything the user can put right: `main` prints it and chooses the exit code.

`treadle --help` is drawn from the table alone: nothing else is loaded, so it stays within its budget
(law 14).

Data goes to stdout; errors, logs and progress go to stderr. Exit codes: 0 done; 1 failed; 2 the request
itself was wrong (usage, invalid input); 130 interrupted; 141 the reader of
a pipe went away. With `--json`, an error is `{"error": {...}}` on
stderr, in the shape of `TreadleError.as_dict`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import treadle
from treadle.entry.cli._commands import COMMANDS, help_text

_ASKS_FOR_HELP = {"--help", "-h", "help"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; nothing is raised to the caller.

    Args:
        arguments: the words after `treadle`; those of this process when left out.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words:
        print(help_text(), file=sys.stderr)
        return 2
    if words[0] in _ASKS_FOR_HELP:
        print(help_text())
        return 0
    if words[0] == "--version":
        print(f"treadle {treadle.__version__}")
        return 0
    from treadle.entry.cli import _dispatch

    return _dispatch.run(COMMANDS, words)
