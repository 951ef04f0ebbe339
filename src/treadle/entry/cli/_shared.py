"""What the commands share: their options, and how they print.

Rows and records are data and go to stdout: as JSON with `--json`, as a table otherwise. On a terminal the
table is drawn and fits its width; in a pipe it is plain aligned columns with nothing cut off, and no colour.
`NO_COLOR` turns colour off everywhere. Anything else that a command wants to say (`note`) goes to stderr.
"""

from __future__ import annotations

import json
import math
import shlex
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer
from typer.core import TyperGroup

Plain: TypeAlias = "bool | int | float | str | Sequence[Plain] | Mapping[str, Plain] | None"

AsJson = Annotated[bool, typer.Option("--json", help="Write JSON, for programs.")]
Home = Annotated[
    Path,
    typer.Option(
        "--home", envvar="TREADLE_HOME", help="The folder that holds runs, models, tables and logs."
    ),
]
Project = Annotated[
    Path,
    typer.Option("--project", envvar="TREADLE_PROJECT", help="The folder of the project's definitions."),
]
TakeOver = Annotated[
    bool,
    typer.Option("--take-over", help="Take a home of another project, as after the project was renamed."),
]
DEFAULT_HOME = Path(".treadle")
DEFAULT_PROJECT = Path()


def command_app(group: type[TyperGroup] = TyperGroup) -> typer.Typer:
    """Return an empty Typer application with treadle's settings; a command module names it `app`."""
    return typer.Typer(
        cls=group,
        add_completion=False,  # `treadle completion` does it for all commands at once
        pretty_exceptions_enable=False,  # errors are printed in one place, `_dispatch.report`
        rich_markup_mode=None,  # plain help: the same in a pipe, in the docs and on a terminal
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def group_app(default: str, *, words: bool = False) -> typer.Typer:
    """Return an empty application of subcommands; a call that names none means the default one.

    `treadle models --json` is then `treadle models list --json`.

    Args:
        default: the subcommand that is meant where none is named.
        words: whether a first word that is no subcommand is the default one's too.
    """

    class GroupWithDefault(TyperGroup):
        def parse_args(
            self, ctx: Any, args: list[str]
        ) -> list[str]:  # Any: releases keep the class elsewhere
            options = bool(args) and args[0].startswith("-") and args[0] not in ctx.help_option_names
            if not args or options or (words and args[0] not in {*self.commands, *ctx.help_option_names}):
                args = [default, *args]
            parsed: list[str] = super().parse_args(ctx, args)
            return parsed

    return command_app(GroupWithDefault)


def emit_json(value: Plain) -> None:
    """Write one JSON document and a line end to stdout; a number that is not finite becomes null."""
    print(json.dumps(_finite(value), ensure_ascii=False, allow_nan=False, indent=2))


def emit(
    rows: Sequence[Mapping[str, Plain]],
    columns: Sequence[str],
    *,
    as_json: bool,
    empty: str = "nothing yet",
) -> None:
    """Write rows: as a JSON list with all their fields, or as a table of the named columns.

    Args:
        rows: one mapping per row; a column that a row lacks stays blank.
        columns: what the table shows, in this order; the heading is the name.
        as_json: whether the reader is a program.
        empty: what to say, on stderr, when there are no rows.
    """
    if as_json:
        emit_json(list(rows))
    elif not rows:
        note(empty)
    elif sys.stdout.isatty():
        _draw_table(rows, columns)
    else:
        cells = [list(columns), *([text(row.get(column)) for column in columns] for row in rows)]
        print("\n".join(aligned(cells)))


def emit_record(record: Mapping[str, Plain], *, as_json: bool) -> None:
    """Write one record: as a JSON object, or as one line per field with nested fields indented."""
    if as_json:
        emit_json(record)
    else:
        print("\n".join(_record_lines(record, "")))


def emit_heading(title: str) -> None:
    """Write the title of the next part of a page for people, with an empty line before it."""
    print(f"\n{printable(title)}")


def emit_lines(lines: str) -> None:
    """Write text of several lines for people, each made printable."""
    print("\n".join(map(printable, lines.splitlines())))


def note(message: str) -> None:
    """Say something to the person, on stderr, where it does not disturb the data."""
    print(message, file=sys.stderr)


def note_record(record: Mapping[str, Plain]) -> None:
    """Show a record to the person, on stderr, as `emit_record` shows it on stdout."""
    note("\n".join(_record_lines(record, "")))


def text(value: Plain) -> str:
    """Return the cell of a value: empty for None, four digits for a float, `printable` for text. Pure."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, Sequence):
        return ", ".join(map(text, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{printable(key)}={text(item)}" for key, item in value.items())
    return str(value)


def cut(row: Mapping[str, Plain], *columns: str, most: int = 60) -> dict[str, Plain]:
    """Return a row whose long texts in these columns end in `…`; `show`, or JSON, has them whole. Pure."""
    shown = dict(row)
    for column in columns:
        whole = text(row.get(column))
        if len(whole) > most:
            shown[column] = whole[: most - 1].rstrip(" ,;:") + "…"
    return shown


def at_home(command: str, home: Path) -> str:
    """Return a command that asks a home, which is named unless it is the one that is asked anyway. Pure."""
    return command if home == DEFAULT_HOME else f"{command} --home {shlex.quote(str(home))}"


def printable(value: str) -> str:
    """Replace control and direction characters: a name must not move the cursor or pose as another. Pure."""
    return "".join(
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(c) in ("Cc", "Cf", "Cs") else c for c in value
    )


def aligned(cells: Sequence[Sequence[str]]) -> list[str]:
    """Return one line per row of cells, columns padded to their widest cell and two spaces apart. Pure."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]


def _record_lines(record: Mapping[str, Plain], indent: str) -> list[str]:
    width = max((len(printable(key)) for key in record), default=0) + 2
    lines = []
    for key, value in record.items():
        name = printable(key)
        if isinstance(value, Mapping) and value:
            lines += [f"{indent}{name}", *_record_lines(value, indent + "  ")]
        else:
            lines.append(f"{indent}{name:<{width}}{text(value)}".rstrip())
    return lines


def _draw_table(rows: Sequence[Mapping[str, Plain]], columns: Sequence[str]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for column in columns:
        numbers = all(isinstance(row.get(column), int | float | None) for row in rows)
        table.add_column(Text(column), justify="right" if numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(text(row.get(column))) for column in columns))  # Text: no markup in data
    Console().print(table)


def _finite(value: Plain) -> Plain:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_finite(item) for item in value]
    return value
