"""The reference page of the command line, made from the commands' own help.

`python -m treadle.entry.cli._reference` prints it; `docs/reference/cli.md` holds it, and a test compares them.
"""

from __future__ import annotations

import importlib
import inspect
import types
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Union, get_args, get_origin

import typer
from typer.models import OptionInfo, ParamMeta
from typer.utils import get_params_from_function

from treadle.entry.cli._commands import COMMANDS

HEAD = """\
# Command line

Made from the commands' own help: `python -m treadle.entry.cli._reference > docs/reference/cli.md`.

`treadle COMMAND --help` shows the same. What exit codes and errors look like is said in the
[reference](README.md#exit-codes).
"""


def reference_page() -> str:
    """Return the page as Markdown."""
    lines = [HEAD, "| command | what it does |", "|---|---|"]
    lines += [f"| [`{name}`](#treadle-{name}) | {command.help} |" for name, command in COMMANDS.items()]
    for name, command in COMMANDS.items():
        app: typer.Typer = importlib.import_module(command.module).app
        lines += ["", *_application(f"treadle {name}", app)]
    return "\n".join(lines) + "\n"


def _application(called: str, app: typer.Typer) -> Iterator[str]:
    found = [(info.name or "", info.callback) for info in app.registered_commands if not info.hidden]
    if len(app.registered_commands) == 1 and app.registered_callback is None:
        for _, callback in found:
            yield from _command(called, callback, level=2)
        return
    yield f"## {called}"
    for name, callback in found:
        yield ""
        yield from _command(f"{called} {name}", callback, level=3)


def _command(called: str, callback: Callable[..., object] | None, *, level: int) -> Iterator[str]:
    if callback is None:
        return
    params = list(get_params_from_function(callback).values())
    options = [param for param in params if isinstance(param.default, OptionInfo)]
    arguments = [param for param in params if not isinstance(param.default, OptionInfo)]
    words = [called, *map(_argument, arguments), *(["[OPTIONS]"] if options else [])]
    yield from (f"{'#' * level} {called}", "", "```text", " ".join(words), "```", "")
    yield inspect.getdoc(callback) or ""
    if params:
        yield from ("", "| word | meaning |", "|---|---|")
        yield from (f"| `{_cell(_argument(param))}` | {_meaning(param)} |" for param in arguments)
        yield from (f"| {_option(param)} | {_meaning(param)} |" for param in options)


def _argument(param: ParamMeta) -> str:
    return str(param.default.metavar or param.name.upper())


def _option(param: ParamMeta) -> str:
    stated = param.default.param_decls or (f"--{param.name.replace('_', '-')}",)
    names = [name for both in stated for name in both.split("/")]
    value = "" if _kind(param) is bool else f" {param.default.metavar or _value(_kind(param))}"
    return ", ".join(f"`{name}{_cell(value)}`" for name in names)


def _kind(param: ParamMeta) -> object:
    """Return the type of one value: what is left of an annotation without None and without list."""
    kind: object = param.annotation
    if get_origin(kind) in (Union, types.UnionType):
        kind = next(part for part in get_args(kind) if part is not type(None))
    return get_args(kind)[0] if get_origin(kind) is list else kind


def _value(kind: object) -> str:
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "|".join(str(member.value) for member in kind)
    return (
        {int: "NUMBER", float: "NUMBER", Path: "PATH"}.get(kind, "TEXT") if isinstance(kind, type) else "TEXT"
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _meaning(param: ParamMeta) -> str:
    info = param.default
    required = isinstance(info, OptionInfo) and info.default in (..., param.empty)
    plain = isinstance(info.default, str | int | Path) and not isinstance(info.default, bool)
    parts = [
        _cell(info.help or ""),
        "Required." if required else "",
        f"Default: `{info.default}`." if plain and str(info.default) else "",
        f"Variable: `{info.envvar}`." if info.envvar else "",
    ]
    return " ".join(part for part in parts if part)


if __name__ == "__main__":
    print(reference_page(), end="")
