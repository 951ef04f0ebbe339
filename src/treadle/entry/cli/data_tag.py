"""`treadle data tag`: a name for a version of a dataset."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

import typer

from treadle.entry.cli._homes import for_people, home_now, open_home
from treadle.entry.cli._shared import DEFAULT_HOME, AsJson, Home, emit_record, note
from treadle.entry.cli.data_versions import version_record


def tag(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A source or table.")],
    version: Annotated[str, typer.Argument(metavar="VERSION", help="A number, a tag or an instant.")],
    tag: Annotated[str, typer.Argument(metavar="TAG", help="A letter, then letters, digits, _ . and -.")],
    remove: Annotated[bool, typer.Option("--remove", help="Take the tag off instead.")] = False,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Let a tag point at a version; it points at no other one then. Tagged versions are never pruned."""
    from treadle.records.datasets import LATEST
    from treadle.stages.data.versions import find_version, tag_version, untag_version

    opened = open_home(home)
    with closing(opened.metadata()) as metadata, metadata.begin() as unit:
        meant = find_version(unit.datasets, name, None if version == LATEST else version)
        act = untag_version if remove else tag_version
        manifest = act(unit.datasets, name, meant.version, tag, home_now(opened))
    record = version_record(manifest)
    emit_record(record if as_json else for_people(record), as_json=as_json)
    note(f"{tag} {'no longer points at' if remove else 'points at'} {manifest.ref}")
