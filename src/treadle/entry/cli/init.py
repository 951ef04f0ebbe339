"""`treadle init`: a small new project that runs, to be changed bit by bit into one's own."""

from __future__ import annotations

import importlib.util
import keyword
import sys
from collections.abc import Iterator, Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated

import typer

from treadle.define.names import name_fault
from treadle.entry.cli._shared import AsJson, command_app, emit_json, emit_lines
from treadle.records.errors import Conflict, InvalidInput

SUFFIX = ".template"
PACKAGE = "package"
"""The folder of the templates that becomes the project's package."""
HIDDEN = {"gitignore": ".gitignore"}
"""Files that would act on the templates themselves under their own name."""
TAKEN = frozenset({"treadle", "data", "home", "replayed", "tests"})
"""Names that mean something else inside the new folder."""

DATA_ENDS = "2025-07-01"
"""The day after the last one that the project's own data tells of: a server of it begins there."""

app = command_app()


@app.command("init")
def init(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the project and its package are called.")],
    here: Annotated[
        bool, typer.Option("--here", help="Into the current folder, not into a new folder NAME.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a small project that runs: data, features, a model, gates, a monitor, a trigger and tests.

    It asks whether an order of a small shop will be sent back. Nothing that exists is overwritten.
    """
    faults = name_faults(name)
    if faults:
        raise InvalidInput(
            "the project cannot have this name",
            faults=faults,
            fix="choose another, e.g. treadle init my_shop",
        )
    folder = Path() if here else Path(name)
    files = project_files(name)
    refuse_existing(folder, files, here=here)
    write_files(folder, files)
    steps = next_steps(name, here=here)
    if as_json:
        emit_json({"project": name, "folder": str(folder.resolve()), "files": sorted(files), "next": steps})
        return
    made = "\n".join(f"  {path}" for path in sorted(files))
    then = "\n".join(f"  {step}" for step in steps)
    emit_lines(f"made the project {name} in {folder.resolve()}\n{made}\n\nnext:\n{then}")


def name_faults(name: str) -> list[str]:
    """Return why a project cannot have a name; empty when it can."""
    fault = name_fault("project", name)
    if fault:
        return [fault]
    if keyword.iskeyword(name) or keyword.issoftkeyword(name):
        return [f"{name!r} is a word of Python"]
    if name in TAKEN:
        return [f"{name!r} has a meaning of its own in a project's folder"]
    if name in sys.stdlib_module_names:
        return [f"{name!r} is a module of Python's standard library"]
    found = importlib.util.find_spec(name)
    if found is not None and found.origin is not None and "site-packages" in found.origin:
        return [f"{name!r} is an installed package, which would hide the project"]
    return []


def project_files(name: str) -> dict[str, str]:
    """Return the files of a new project: path below its folder to text."""
    root = resources.files("treadle.entry.cli") / "templates"
    files = {}
    for parts, template in _templates(root, ()):
        *above, last = parts
        last = last.removesuffix(SUFFIX)
        above = [name if part == PACKAGE else part for part in above]
        path = "/".join([*above, HIDDEN.get(last, last)])
        files[path] = template.read_text(encoding="utf-8").replace("{{name}}", name)
    return files


def refuse_existing(folder: Path, files: Mapping[str, str], *, here: bool) -> None:
    """Refuse to write over anything.

    Raises:
        Conflict: the new folder, or one of the files, exists.
    """
    if not here and (folder.exists() or folder.is_symlink()):
        raise Conflict(
            f"{folder} exists already; nothing was written",
            where=str(folder.resolve()),
            fix="choose another name, or go into an empty folder and use --here",
        )
    there = [path for path in files if (folder / path).exists()]
    if there:
        raise Conflict(
            "the project would write over files; nothing was written",
            where=str(folder.resolve()),
            faults=[f"{path} exists" for path in there],
            fix="choose another folder, or move these files away",
        )


def write_files(folder: Path, files: Mapping[str, str]) -> None:
    """Write every file below a folder, which is made when it is not there."""
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


def next_steps(name: str, *, here: bool) -> list[str]:
    """Return the commands that come next, in order. Pure."""
    return [
        *([] if here else [f"cd {name}"]),
        f"python -m {name}.data data",
        f"treadle run train_returns --project {name} --data data --home home",
        f"treadle up --project {name} --home home --from {DATA_ENDS}",
        f"treadle replay --project {name} --data data --home replayed",
    ]


def _templates(folder: Traversable, above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Traversable]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _templates(entry, (*above, entry.name))
        elif entry.name.endswith(SUFFIX):
            yield (*above, entry.name), entry
