"""The only place where adapters meet stages: a home folder and a project folder become a world.

A home holds everything a loop keeps: `metadata.db`, `blobs/`, `tables/`, `online/`, `predictions/` (the prediction log) and
`home.json`, which says which project made it.
"""

from __future__ import annotations

import fcntl
import importlib
import json
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from treadle.define.project import Project
from treadle.records.errors import Conflict, InvalidInput, NotFound, NotReady

if TYPE_CHECKING:
    from treadle.loop.world import World
    from treadle.ports.blobs import Blobs
    from treadle.ports.clock import Clock
    from treadle.ports.metadata import Metadata
    from treadle.ports.online import Online
    from treadle.ports.tables import Tables

HOME_FILE = "home.json"
WORKERS = 2


@dataclass(frozen=True, slots=True)
class LoadedProject:
    """A project's definitions, and where they came from."""

    project: Project
    module: str
    folder: Path
    import_path: Path
    """The folder that must be importable for the project's modules."""


def load_project(folder: Path) -> LoadedProject:
    """Import a project's package and return its `project`.

    Args:
        folder: a package whose `__init__.py` (or `project.py`) defines `project = tr.Project(...)`.

    Raises:
        NotFound: there is no such folder, or it defines no project.
        InvalidInput: the package cannot be imported; the error says where it failed.
    """
    folder = folder.resolve()
    if not (folder / "__init__.py").is_file():
        raise NotFound(
            f"{folder} is not a project: it has no __init__.py",
            fix="name the project's folder, e.g. --project examples/flights, or make a new one",
            command="treadle init NAME",
        )
    top = folder
    while (top.parent / "__init__.py").is_file():
        top = top.parent
    module = ".".join(folder.relative_to(top.parent).parts)
    if str(top.parent) not in sys.path:
        sys.path.insert(0, str(top.parent))
    project = _project_of(module, folder)
    return LoadedProject(project, module, folder, top.parent)


def _project_of(module: str, folder: Path) -> Project:
    try:
        package = importlib.import_module(module)
        loaded_from = Path(str(package.__file__)).resolve().parent
        if loaded_from != folder:
            raise Conflict(
                f"another package named {module!r} is imported already, from {loaded_from}",
                where=str(folder),
                fix="rename the project's folder",
            )
        found = getattr(package, "project", None)
        if not isinstance(found, Project) and (folder / "project.py").is_file():
            found = getattr(importlib.import_module(f"{module}.project"), "project", None)
    except (SyntaxError, ImportError, AttributeError, NameError, TypeError, ValueError) as error:
        raise InvalidInput(
            f"the project cannot be imported: {type(error).__name__}: {error}",
            where=_where(error, folder),
            fix="mend the definition and run the command again",
        ) from error
    if not isinstance(found, Project):
        raise NotFound(
            f"{folder} defines no project",
            fix="write `project = tr.Project(...)` in its __init__.py or project.py",
        )
    return found


def _where(error: BaseException, folder: Path) -> str:
    """Return the deepest place in the project's own files that an error passed through."""
    place, trace = str(folder), error.__traceback__
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    while trace is not None:
        filename = trace.tb_frame.f_code.co_filename
        if filename.startswith(str(folder)):
            place = f"{filename}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


@dataclass(frozen=True, slots=True)
class Home:
    """A home's folder and the stores in it, each opened when it is asked for."""

    folder: Path

    @classmethod
    def at(cls, folder: Path, *, create: bool) -> Home:
        """Return the home in a folder.

        Raises:
            NotFound: there is none and none is to be made.
            Conflict: the folder holds something else.
        """
        folder = folder.resolve()
        if not (folder / HOME_FILE).is_file():
            if not create:
                raise NotFound(
                    f"{folder} is not a treadle home",
                    fix="name one with --home, or make one by running something in it",
                    command="treadle run PIPELINE --home DIR",
                )
            if folder.is_dir() and any(folder.iterdir()):
                raise Conflict(
                    f"{folder} holds files but is not a treadle home",
                    fix="name an empty or new folder with --home; nothing was changed",
                )
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            part = folder / f".{HOME_FILE}.part"
            part.write_text(json.dumps({"version": 1}) + "\n")
            part.replace(folder / HOME_FILE)
        return cls(folder)

    def notes(self) -> dict[str, object]:
        """Return what the home says of itself: its version, and the project and data that made it."""
        found: dict[str, object] = json.loads((self.folder / HOME_FILE).read_text())
        return found

    def note(self, **facts: object) -> None:
        """Add facts to what the home says of itself."""
        part = self.folder / f".{HOME_FILE}.part"
        part.write_text(json.dumps({**self.notes(), **facts}, sort_keys=True) + "\n")
        part.replace(self.folder / HOME_FILE)

    @contextmanager
    def held(self, by: str) -> Iterator[None]:
        """Keep other controllers out of the home for the time of a block; readers are free to look on.

        Raises:
            Conflict: another process holds it.
        """
        with (self.folder / "lock").open("a+") as lock:
            _take(lock, self.folder)
            lock.seek(0)
            lock.truncate()
            lock.write(f"{by} (process {os.getpid()})")
            lock.flush()
            yield

    def metadata(self) -> Metadata:
        """Open the metadata store."""
        from treadle.adapters.sql.metadata import open_metadata

        return open_metadata(f"sqlite:///{self.folder / 'metadata.db'}")

    def blobs(self) -> Blobs:
        """Open the blobs."""
        from treadle.adapters.blobs import local_blobs

        return local_blobs(self.folder / "blobs")

    def tables(self) -> Tables:
        """Open the tables."""
        from treadle.adapters.tables import DeltaTables

        return DeltaTables(self.folder / "tables")

    def online(self) -> Online:
        """Open the online store; it can be rebuilt from the tables, so commits need not wait for the disk."""
        from treadle.adapters.online import LmdbOnline

        return LmdbOnline(self.folder / "online", durable=False)


def _take(lock: IO[str], folder: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        raise Conflict(
            f"the home {folder} is in use by {lock.read() or 'another process'}",
            fix="stop that process, or use another --home",
        ) from None


@contextmanager
def open_world(home: Home, loaded: LoadedProject, clock: Clock) -> Iterator[World]:
    """Open everything a loop needs, as its one controller, and close it again.

    Raises:
        Conflict: another process controls the home.
        NotReady: a needed part is not installed.
    """
    from treadle.adapters.executor import LocalProcesses
    from treadle.adapters.log import FileLog
    from treadle.loop.world import World
    from treadle.stages.pipelines.code import environment_digest

    with ExitStack() as stack:
        stack.enter_context(home.held("treadle"))
        online = home.online()
        stack.callback(online.close)
        log = FileLog(home.folder / "predictions")
        stack.callback(log.close)
        executor = LocalProcesses(workers=WORKERS)
        stack.callback(executor.close)
        yield World(
            project=loaded.project,
            metadata=home.metadata(),
            blobs=home.blobs(),
            tables=home.tables(),
            online=online,
            predictions=log,
            clock=clock,
            executor=executor,
            environment=environment_digest(),
            project_paths=(str(loaded.import_path),),
            code_folder=loaded.folder,
        )


def need(extra: str, module: str) -> None:
    """Refuse to go on without an optional part.

    Raises:
        NotReady: the module cannot be imported; the error has the install line.
    """
    try:
        importlib.import_module(module)
    except ImportError as error:
        raise NotReady(
            f"this needs {module}, which is not installed",
            fix=f"install the extra: pip install 'treadle[{extra}]'",
        ) from error
