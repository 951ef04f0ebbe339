"""The catalog from Python: `tr.catalog` finds what a project defines and what a home knows."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from treadle.define.project import Project
    from treadle.loop.catalog import Catalog

DEFAULT_HOME = Path(".treadle")


def catalog(home: str | Path = DEFAULT_HOME, project: Project | str | Path | None = None) -> Catalog:
    """Return the catalog: `.search("delay", kind="feature")`, `.get(name)`, `.impact(name)`, `.upstream(name)`, `.unused()`.

    Args:
        home: what it knows of freshness, quality and models is told; a folder that is no home is passed over where the
            project is given.
        project: a project, or its folder; without one, the project that the home says it belongs to.

    Returns:
        It is as of now; call again to see what has changed since.

    Raises:
        NotFound: there is neither a home nor a project.

    Cost: two queries a dataset; the words are indexed at the first search, 0.1 ms an entry.
    """
    from treadle.bootstrap import Home, load_project
    from treadle.define.project import Project
    from treadle.loop.catalog import build_catalog
    from treadle.records.errors import NotFound

    try:
        opened = Home.at(Path(home), create=False)
    except NotFound:
        if project is None:
            raise
        opened = None
    if not isinstance(project, Project):
        noted = None if opened is None else opened.notes().get("project")
        folder = project if project is not None else noted
        if not isinstance(folder, str | Path):
            raise NotFound(
                f"the home {home} says of no project that it belongs to it",
                fix="name one: tr.catalog(home, project=...)",
            )
        project = load_project(Path(folder)).project
    if opened is None or not (opened.folder / "metadata.db").is_file():
        return build_catalog(project)
    with closing(opened.metadata()) as metadata, metadata.read() as view:
        return build_catalog(project, view)
