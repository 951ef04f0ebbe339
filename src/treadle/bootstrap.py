"""The only place where adapters meet stages: a home folder and a project folder become a world.

A home holds everything a loop keeps: `metadata.db`, `blobs/`, `tables/`, `online/`, `predictions/` (the prediction log),
`events/` (the event log) and `home.json`, which says which project made it.
"""

from __future__ import annotations

import fcntl
import importlib
import json
import os
import platform
import shutil
import socket
import string
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from keyword import iskeyword
from pathlib import Path
from typing import IO, TYPE_CHECKING

from treadle.adapters.storage import beside, new_storage
from treadle.define.project import Project
from treadle.records.digests import digest_value
from treadle.records.errors import Conflict, Corrupt, InvalidInput, NotFound, NotReady, TreadleError

if TYPE_CHECKING:
    from treadle.adapters.blobs import ObstoreBlobs
    from treadle.loop.world import World
    from treadle.ports.clock import Clock
    from treadle.ports.lineage import LineageTransport
    from treadle.ports.metadata import Metadata
    from treadle.ports.online import Online
    from treadle.ports.outside import Outside
    from treadle.ports.streams import Streams
    from treadle.ports.tables import Tables

HOME_FILE = "home.json"
PART_FILE = f".{HOME_FILE}.part"
HOME_VERSION = 1
PATH_CHARACTERS = frozenset(string.ascii_letters + string.digits + "/_-.,=+&'();:@~$!")
"""Tables are read by URI, and Polars (2.1) looks for the files of a URI under its percent-encoded name."""
WORKERS = 2
LINEAGE_URL = "TREADLE_OPENLINEAGE_URL"
LINEAGE_KEY = "TREADLE_OPENLINEAGE_KEY"
"""The secrets that say where OpenLineage events are sent, and with which bearer token."""
ONLINE_URL = "TREADLE_ONLINE_URL"
"""The secret that names a Redis for online features, as `redis://host:6379/0#NAMESPACE`; the namespace may be left out."""


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
        Conflict: another package of that name has been imported.
        InvalidInput: the package cannot be imported, or defines what contradicts itself; the error says in which line.
    """
    folder = folder.resolve()
    if not (folder / "__init__.py").is_file():
        reason = "it has no __init__.py" if folder.is_dir() else "there is no such folder"
        raise NotFound(
            f"{folder} is not a project: {reason}",
            fix="name the project's folder, e.g. --project examples/flights, or make a new one",
            command="treadle init NAME",
        )
    top = folder
    while (top.parent / "__init__.py").is_file():
        top = top.parent
    parts = folder.relative_to(top.parent).parts
    for part in parts:
        if not part.isidentifier() or iskeyword(part):
            raise InvalidInput(
                f"{part!r} cannot be the name of a Python package",
                where=str(folder),
                fix="rename the folder: letters, digits and _, not starting with a digit",
            )
    if str(top.parent) not in sys.path:
        sys.path.insert(0, str(top.parent))
    project = _project_of(parts, folder)
    return LoadedProject(project, ".".join(parts), folder, top.parent)


def _project_of(parts: tuple[str, ...], folder: Path) -> Project:
    module = ".".join(parts)
    try:
        for depth in range(1, len(parts) + 1):
            outer = folder.parents[len(parts) - depth - 1] if depth < len(parts) else folder
            _refuse_another(".".join(parts[:depth]), outer)
        found = _find(module, folder)
    except TreadleError as error:
        error.where = error.where or _where(error, folder)
        raise
    except ModuleNotFoundError as error:
        raise InvalidInput(
            f"the project cannot be imported: {error}",
            where=_where(error, folder),
            fix=_missing(error, parts),
        ) from error
    except Exception as error:
        raise InvalidInput(
            f"the project cannot be imported: {type(error).__name__}: {error}",
            where=_where(error, folder),
            fix="mend that line and run the command again",
        ) from error
    if isinstance(found, Project):
        return found
    said = (
        "defines no `project`" if found is None else f"defines a `project` that is a {type(found).__name__}"
    )
    raise NotFound(
        f"{folder} {said}", fix="write `project = tr.Project(...)` in its __init__.py or project.py"
    )


def _find(module: str, folder: Path) -> object:
    """Import a project's package and return what it calls `project`, or None."""
    found: object = getattr(importlib.import_module(module), "project", None)
    if not isinstance(found, Project) and (folder / "project.py").is_file():
        found = getattr(importlib.import_module(f"{module}.project"), "project", None)
    return found


def _refuse_another(module: str, folder: Path) -> None:
    """Refuse a name that stands for a package elsewhere: Python keeps one package a name.

    Raises:
        Conflict: it does.
    """
    loaded = sys.modules.get(module)
    places = [Path(place).resolve() for place in getattr(loaded, "__path__", [])]
    if loaded is not None and folder not in places:
        place = places[0] if places else getattr(loaded, "__file__", None) or "the standard library"
        raise Conflict(
            f"another package named {module!r} is imported already, from {place}",
            where=str(folder),
            fix="rename the project's folder",
        )


def _missing(error: ModuleNotFoundError, parts: tuple[str, ...]) -> str:
    """Say what to do about a module that is not there: a library is to be installed, one's own is to be written."""
    top = (error.name or "").partition(".")[0]
    if not top or top == parts[0]:
        return "mend the import, or write the module, and run the command again"
    return f"install it (the package that has {top!r}) where treadle is installed, or mend the import"


def _where(error: BaseException, folder: Path) -> str:
    """Return the deepest place in the project's own files that an error passed through."""
    place, trace = str(folder), error.__traceback__
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    while trace is not None:
        filename = trace.tb_frame.f_code.co_filename
        if Path(filename).is_relative_to(folder):
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
            InvalidInput: a new home's path has characters that the table store cannot hold.
            Conflict: the folder holds something else, or cannot be made.
            Corrupt: its file is damaged.
            NotReady: a newer treadle made it.
        """
        folder = folder.resolve()
        if not (folder / HOME_FILE).is_file():
            if not create:
                raise NotFound(
                    f"{folder} is not a treadle home",
                    fix="name one with --home, or make one by running something in it",
                    command="treadle run PIPELINE --home DIR",
                )
            _make(folder)
        home = cls(folder)
        home.notes()  # refuses what this treadle cannot read
        return home

    def notes(self) -> dict[str, object]:
        """Return what the home says of itself: its version, and the project and data that made it.

        Raises:
            Corrupt: its file is damaged.
            NotReady: a newer treadle made it.
        """
        place = self.folder / HOME_FILE
        try:
            found: object = json.loads(place.read_text())
        except ValueError:
            found = None
        if not isinstance(found, dict) or not isinstance(found.get("version"), int):
            raise Corrupt(
                f"{place} is damaged: it does not say which version the home is of",
                fix=f'write {{"version": {HOME_VERSION}}} into it if nothing else is amiss',
            )
        if found["version"] > HOME_VERSION:
            raise NotReady(
                f"a newer treadle made the home {self.folder} (version {found['version']}, this one knows {HOME_VERSION})",
                fix="use that treadle, or another --home",
            )
        return found

    def note(self, **facts: object) -> None:
        """Add facts to what the home says of itself."""
        _write_notes(self.folder, {**self.notes(), **facts})

    @contextmanager
    def held(self, by: str) -> Iterator[None]:
        """Keep other controllers out of the home for the time of a block; readers are free to look on.

        The system lets go of the lock when the process ends, however it ends.

        Raises:
            Conflict: another process holds it.
            NotReady: the home cannot be written to.
        """
        with ExitStack() as stack:
            with _changing(self.folder):
                lock = stack.enter_context((self.folder / "lock").open("a+"))
                _take(lock, self.folder)
                lock.seek(0)
                lock.truncate()
                lock.write(f"{by} (process {os.getpid()})")
                lock.flush()
            yield

    def claim(self, loaded: LoadedProject, *, take_over: bool = False) -> None:
        """Note that the home is a project's; it stays that project's, wherever its folder moves.

        Args:
            loaded: the project.
            take_over: whether a home of another project is taken, as after a project was renamed.

        Raises:
            Conflict: it is another project's; nothing was changed.
        """
        notes, name = self.notes(), loaded.project.name
        place, noted = notes.get("project"), notes.get("project_name")
        if not isinstance(noted, str) and isinstance(place, str):  # noted before homes knew names
            noted = name if Path(place) == loaded.folder else Path(place).name
        if isinstance(noted, str) and noted != name and not take_over:
            raise Conflict(
                f"the home {self.folder} is of the project {noted!r} ({place}), not of {name!r} ({loaded.folder})",
                fix="name another folder with --home; if the project was renamed, run or up with --take-over; "
                "nothing was changed",
            )
        if (place, noted) != (str(loaded.folder), name) or "project_name" not in notes:
            self.note(project=str(loaded.folder), project_name=name)

    def empty(self) -> None:
        """Remove all that the home keeps but its lock and whose it is; whoever calls this holds it."""
        with _changing(self.folder):
            for entry in self.folder.iterdir():
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                elif entry.name not in ("lock", HOME_FILE):
                    entry.unlink()
            storage = self.storage()
            if storage is not None:  # what is under the old place is nobody's any more
                self.note(**_storage_notes(beside(storage)))

    def metadata(self) -> Metadata:
        """Open the metadata store."""
        from treadle.adapters.sql.metadata import open_metadata

        return open_metadata(f"sqlite:///{self.folder / 'metadata.db'}")

    def storage(self) -> str | None:
        """Return the URL that the home's tables and blobs are under; None where they are in its folder."""
        noted = self.notes().get("storage")
        return noted if isinstance(noted, str) else None

    def blobs(self) -> ObstoreBlobs:
        """Open the blobs.

        Raises:
            NotReady: the object storage they are in cannot be used.
        """
        from treadle.adapters.blobs import ObstoreBlobs, local_blobs

        url = self.storage()
        if url is None:
            return local_blobs(self.folder / "blobs")
        from treadle.adapters.storage import home_options, open_bucket

        return ObstoreBlobs(open_bucket(f"{url}/blobs", home_options()))

    def tables(self) -> Tables:
        """Open the tables.

        Raises:
            NotReady: the object storage they are in cannot be used.
        """
        url = self.storage()
        if url is None:
            from treadle.adapters.tables import DeltaTables

            return DeltaTables(self.folder / "tables")
        from treadle.adapters.storage import home_options
        from treadle.adapters.tables_objects import ObjectTables

        return ObjectTables(f"{url}/tables", home_options())

    def online(self) -> Online:
        """Open the online store: Redis where the secret `TREADLE_ONLINE_URL` names one, else LMDB in the home.

        It can be rebuilt from the tables, so commits need not wait for the disk, and another store is filled at the first use.

        Raises:
            NotReady: the server is not to be had.
            InvalidInput: the URL is none.
        """
        from treadle.adapters.secrets import LocalSecrets
        from treadle.records.secrets import SecretRef

        try:
            url = LocalSecrets.of_process().get(SecretRef(ONLINE_URL))
        except NotReady:
            from treadle.adapters.online import LmdbOnline

            return LmdbOnline(self.folder / "online", durable=False)
        from treadle.adapters.online_redis import RedisOnline

        address, _, name = url.partition("#")
        return RedisOnline(address, namespace=name or self._namespace())

    def _namespace(self) -> str:
        """Return a name for this home on a server that others use too: a copy of a home is another one."""
        place = digest_value([socket.gethostname(), str(self.folder)])
        return f"treadle:{place[:16]}"


def _make(folder: Path) -> None:
    """Make an empty home.

    Raises:
        InvalidInput: its path has characters that the table store would look for under another name.
        Conflict: the folder holds something else, or cannot be made.
    """
    strange = sorted(set(str(folder)) - PATH_CHARACTERS)
    if strange:
        raise InvalidInput(
            f"the path of the home has {', '.join(map(repr, strange))}: {folder}",
            fix="name a folder with --home whose whole path has plain letters, digits and _ - . only; nothing was changed",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        others = [
            entry.name for entry in folder.iterdir() if entry.name != PART_FILE
        ]  # left by a killed process
    except OSError as error:
        raise Conflict(
            f"the home {folder} cannot be made: {error.strerror or error}",
            fix="name another folder with --home; nothing was changed",
        ) from error
    if others:
        raise Conflict(
            f"{folder} holds files but is not a treadle home, e.g. {min(others)}",
            fix="name an empty or new folder with --home; nothing was changed",
        )
    _write_notes(folder, {"version": HOME_VERSION, **_storage_notes(new_storage(os.environ))})


def _storage_notes(url: str | None) -> dict[str, object]:
    return {} if url is None else {"storage": url}


@contextmanager
def _changing(folder: Path) -> Iterator[None]:
    """Turn the system's refusal to write to a home, while it is opened, into an error that says what to do."""
    try:
        yield
    except OSError as error:
        raise NotReady(
            f"the home {folder} cannot be written to: {error.strerror or error}",
            where=None if error.filename is None else str(error.filename),
            fix="give the user that runs treadle the right to write there, or copy the home and name the copy with --home",
        ) from error


def _write_notes(folder: Path, notes: Mapping[str, object]) -> None:
    part = folder / PART_FILE
    with _changing(folder):
        part.write_text(json.dumps(notes, sort_keys=True) + "\n")
        part.replace(folder / HOME_FILE)


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
def open_world(
    home: Home, loaded: LoadedProject, clock: Clock, *, take_over: bool = False
) -> Iterator[World]:
    """Open everything a loop needs, as its one controller, and close it again.

    Args:
        home: where everything is kept; it becomes the project's, if it is nobody's yet.
        loaded: the project.
        clock: what gives the time.
        take_over: whether a home of another project becomes this one's.

    Raises:
        Conflict: another process controls the home, or it is another project's.
        NotReady: a needed part is not installed.
    """
    from treadle.adapters.executor import LocalProcesses
    from treadle.adapters.log import FileLog
    from treadle.loop.world import World
    from treadle.stages.pipelines.code import environment_digest

    with ExitStack() as stack:
        stack.enter_context(home.held("treadle"))
        home.claim(loaded, take_over=take_over)
        metadata = home.metadata()
        stack.callback(metadata.close)
        blobs = home.blobs()
        stack.callback(blobs.close)
        online = home.online()
        stack.callback(online.close)
        log = FileLog(home.folder / "predictions")
        stack.callback(log.close)
        events = FileLog(home.folder / "events")
        stack.callback(events.close)
        executor = LocalProcesses(workers=WORKERS)
        stack.callback(executor.close)
        yield World(
            project=loaded.project,
            metadata=metadata,
            blobs=blobs,
            tables=home.tables(),
            online=online,
            predictions=log,
            events=events,
            clock=clock,
            executor=executor,
            environment=environment_digest(),
            project_paths=(str(loaded.import_path),),
            code_folder=loaded.folder,
            outside=open_outside(),
            streams=open_streams(home),
        )


def open_outside() -> Outside:
    """Return what reads sources beyond the data folder, with this process' secrets; nothing is opened yet."""
    from treadle.adapters.outside import OutsideWorld
    from treadle.adapters.secrets import LocalSecrets

    return OutsideWorld(LocalSecrets.of_process())


def open_streams(home: Home) -> Streams:
    """Return what opens streams for a home, with this process' secrets; nothing is reached yet."""
    from treadle.adapters.secrets import LocalSecrets
    from treadle.adapters.streams.opened import OpenStreams
    from treadle.records.digests import digest_value

    owner = digest_value([platform.node(), str(home.folder)])[:16]
    return OpenStreams(LocalSecrets.of_process(), owner)


def lineage_transport() -> LineageTransport | None:
    """Return where lineage events are sent, by the secret `TREADLE_OPENLINEAGE_URL`; None where it is not set.

    Raises:
        InvalidInput: it is no http(s) URL.
    """
    from treadle.adapters.secrets import LocalSecrets
    from treadle.records.secrets import SecretRef

    secrets = LocalSecrets.of_process()
    try:
        url = secrets.get(SecretRef(LINEAGE_URL))
    except NotReady:
        return None
    try:
        key = secrets.get(SecretRef(LINEAGE_KEY))
    except NotReady:
        key = None
    from treadle.adapters.lineage_http import HttpLineage

    return HttpLineage(url, key)


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
