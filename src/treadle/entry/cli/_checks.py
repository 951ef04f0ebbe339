"""What `treadle doctor` looks at: one small function a check, each of which says what it found and how to mend it."""

from __future__ import annotations

import fcntl
import importlib.util
import os
import platform
import shlex
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from treadle.bootstrap import Home
from treadle.entry.cli._homes import home_now, opened_metadata, reading
from treadle.entry.cli._log import log_fix
from treadle.records.errors import TreadleError
from treadle.records.instants import DAY, SECOND, Instant, iso, short
from treadle.records.models import CHAMPION, ModelVersion
from treadle.stages.registry.rollback import plan_rollback

if TYPE_CHECKING:
    from treadle.ports.blobs import Blobs
    from treadle.ports.metadata import Metadata

State: TypeAlias = Literal["ok", "warn", "fail"]

EXTRAS = {
    "serve": ("httptools", "onnxruntime", "prometheus_client", "uvicorn"),
    "sklearn": ("onnx", "onnxruntime", "sklearn"),
    "postgres": ("psycopg",),
}
OLDEST_PYTHON = (3, 11)
LOW_BYTES, VERY_LOW_BYTES = 2 << 30, 200 << 20
PARTS = ("metadata.db", "blobs", "tables")


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found."""

    check: str
    state: State
    found: str
    fix: str = ""


Check: TypeAlias = Callable[[Home], Iterator[Finding]]


def installation_findings() -> Iterator[Finding]:
    """Look at the interpreter, SQLite and the optional parts."""
    yield _interpreter()
    yield _sqlite()
    for extra, modules in EXTRAS.items():
        missing = [module for module in modules if importlib.util.find_spec(module) is None]
        if missing:
            yield Finding(
                f"extra {extra}", "warn", f"missing: {', '.join(missing)}", f"pip install 'treadle[{extra}]'"
            )
        else:
            yield Finding(f"extra {extra}", "ok", "installed")


def home_findings(home: Home) -> Iterator[Finding]:
    """Look at everything a home keeps; a check that cannot be made is itself a finding."""
    for check in (_layout, _lock, _disk, _modes):
        yield from _guarded(check.__name__.strip("_"), check, home)
    if not (home.folder / "metadata.db").is_file():
        return
    for check in (_metadata, _packages, _champions, _online, _prediction_log):
        yield from _guarded(check.__name__.strip("_").replace("_", " "), check, home)


def _guarded(name: str, check: Check, home: Home) -> Iterator[Finding]:
    try:
        yield from check(home)
    except TreadleError as error:
        yield Finding(name, "fail", "; ".join([error.what, *error.faults]), error.fix or error.command or "")
    except Exception as error:  # noqa: BLE001 - the doctor reports what is broken, whatever it is
        yield Finding(name, "fail", f"{type(error).__name__}: {error}", "restore the home from a backup")


def _interpreter() -> Finding:
    found = f"Python {platform.python_version()} ({sys.executable})"
    if sys.version_info >= OLDEST_PYTHON:
        return Finding("interpreter", "ok", found)
    return Finding("interpreter", "fail", found, "install Python 3.11 or newer")


def _sqlite() -> Finding:
    from treadle.adapters.sql.sqlite import choose_driver

    try:
        driver = choose_driver()
    except TreadleError as error:
        return Finding("sqlite", "fail", "; ".join([error.what, *error.faults]), error.command or "")
    return Finding("sqlite", "ok", f"SQLite {driver.sqlite_version} ({driver.__name__})")


def _layout(home: Home) -> Iterator[Finding]:
    notes = home.notes()
    parts = PARTS if home.storage() is None else PARTS[:1]  # the others are in object storage
    missing = [part for part in parts if not (home.folder / part).exists()]
    made_by = f", project {notes['project']}" if notes.get("project") else ""
    if notes.get("version") != 1:
        fix = "use the treadle that made it: pip install --upgrade treadle"
        yield Finding("home", "fail", f"version {notes.get('version')!r} is not known", fix)
    elif missing:
        yield Finding(
            "home", "warn", f"not there yet: {', '.join(missing)}", "treadle run PIPELINE makes them"
        )
    else:
        yield Finding("home", "ok", f"{home.folder}{made_by}")
    project = notes.get("project")
    if isinstance(project, str) and not Path(project).is_dir():
        fix = "name the project with --project"
        yield Finding("project", "warn", f"{project} is gone", fix)


def _lock(home: Home) -> Iterator[Finding]:
    path = home.folder / "lock"
    if not path.is_file():
        yield Finding("lock", "ok", "nobody holds the home")
        return
    with path.open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            yield Finding("lock", "ok", f"held by {lock.read() or 'another process'}")
        else:
            yield Finding("lock", "ok", "nobody holds the home")


def _disk(home: Home) -> Iterator[Finding]:
    free = shutil.disk_usage(home.folder).free
    state: State = "fail" if free < VERY_LOW_BYTES else "warn" if free < LOW_BYTES else "ok"
    fix = "" if state == "ok" else "make room: a full disk stops predictions from being logged"
    yield Finding("disk", state, f"{free / (1 << 30):.1f} GiB free", fix)


def _modes(home: Home) -> Iterator[Finding]:
    mode = stat.S_IMODE(home.folder.stat().st_mode)
    loose = [home.folder] if mode & 0o077 else []
    database = home.folder / "metadata.db"
    if database.is_file() and stat.S_IMODE(database.stat().st_mode) & 0o077:
        loose.append(database)
    if home.folder.stat().st_uid != os.getuid():
        yield Finding(
            "modes", "warn", "the home belongs to another user", f"chown -R {os.getuid()} {home.folder}"
        )
    elif loose:
        others = ", ".join(str(path) for path in loose)
        yield Finding(
            "modes",
            "warn",
            f"other users may look into {others}",
            f"chmod go-rwx {' '.join(map(str, loose))}",
        )
    else:
        yield Finding("modes", "ok", "only its owner may look in")


def _metadata(home: Home) -> Iterator[Finding]:
    with opened_metadata(home) as metadata:
        faults = metadata.check()
        if faults:
            fix = "restore metadata.db from a backup; treadle refuses to write to a damaged store"
            yield Finding("metadata", "fail", "; ".join(faults[:3]), fix)
            return
        with metadata.read() as view:
            events = view.journal.end()
    yield Finding("metadata", "ok", f"sound, {events:,} events")


def _packages(home: Home) -> Iterator[Finding]:
    with opened_metadata(home) as metadata, metadata.read() as view:
        versions = view.models.list_versions(limit=100_000)
    blobs = home.blobs()
    wanted = [(version, digest) for version in versions for digest in _digests(version)]
    broken = [
        (version, fault) for version, digest in wanted if (fault := _blob_fault(blobs, version, digest))
    ]
    if broken:
        fix = _made_again(home, broken[0][0])
        yield Finding("packages", "fail", "; ".join(fault for _, fault in broken[:5]), fix)
    else:
        yield Finding("packages", "ok", f"{len(wanted)} blobs of {len(versions)} versions are as recorded")


def _digests(version: ModelVersion) -> list[str]:
    return [digest for digest in (version.package, version.tags.get("report")) if digest]


def _blob_fault(blobs: Blobs, version: ModelVersion, digest: str) -> str | None:
    try:
        blobs.get(digest)
    except TreadleError as error:
        return f"{version.ref}: {error.what}"
    return None


def _champions(home: Home) -> Iterator[Finding]:
    with opened_metadata(home) as metadata, metadata.read() as view:
        models = view.models.list_models(limit=100_000)
        serving = [
            view.models.get_version(m.name, m.aliases[CHAMPION]) for m in models if CHAMPION in m.aliases
        ]
    if not serving:
        yield Finding("champion", "ok", "no model serves yet")
    blobs = home.blobs()
    for version in serving:
        yield _champion(home, blobs, version)


def _champion(home: Home, blobs: Blobs, version: ModelVersion) -> Finding:
    from treadle.records.trained import Model
    from treadle.stages.pipelines.artifacts import decode

    name = f"{version.model}@{CHAMPION}"
    back = _way_back(home, blobs, version)
    if importlib.util.find_spec("onnxruntime") is None:
        return Finding(name, "warn", "not tried: ONNX Runtime is missing", "pip install 'treadle[serve]'")
    from treadle.stages.training.opened import open_model

    try:
        model = decode(blobs.get(version.package or ""))
        if not isinstance(model, Model):
            return Finding(name, "fail", f"the package of {version.ref} is not a model", back)
        answer = open_model(model).check()
    except TreadleError as error:
        return Finding(name, "fail", f"{version.ref} does not load: {error.what}", back)
    if not answer["ok"]:
        return Finding(name, "fail", f"{version.ref} answers otherwise: {answer['detail']}", back)
    return Finding(name, "ok", f"version {version.version} loads; {answer['detail']}")


def _way_back(home: Home, blobs: Blobs, version: ModelVersion) -> str:
    """Return the command that lets a model answer again: the version before, where it is whole, else this one made again."""
    with reading(home) as view:
        moves = view.models.alias_history(version.model, CHAMPION)
        try:
            to = plan_rollback(version.model, CHAMPION, moves).to
            earlier = view.models.get_version(version.model, to)
        except TreadleError:
            return _made_again(home, version)
    if any(_blob_fault(blobs, earlier, digest) for digest in _digests(earlier)):
        return _made_again(home, version)
    return f"treadle rollback {version.model} --home {shlex.quote(str(home.folder))}"


def _made_again(home: Home, version: ModelVersion) -> str:
    """Return the command that makes a version's package again: the same run gives the same bytes, and they take their place."""
    backup = f"restore {home.folder / 'blobs'} from a backup"
    if version.run_id is None:
        return backup
    try:
        with reading(home) as view:
            run = view.runs.get_run(version.run_id)
    except TreadleError:
        return backup
    if not run.pipeline:
        return backup
    given = "".join(
        f" -p {shlex.quote(f'{name}={value}')}" for name, value in run.params.items() if value != "None"
    )
    return f"treadle run {run.pipeline}{given} --no-gate --home {shlex.quote(str(home.folder))}"


def _online(home: Home) -> Iterator[Finding]:
    if not (home.folder / "online" / "data.mdb").is_file():
        yield Finding("online", "ok", "empty; it is filled from the tables when something serves")
        return
    from treadle.loop.feed import stands_at

    online = home.online()
    try:
        stands = stands_at(online)
        views = [view for view in online.views() if not view.startswith("intake/")]
    finally:
        online.close()
    if stands is None:
        yield Finding("online", "ok", "empty; it is filled from the tables when something serves")
        return
    with opened_metadata(home) as metadata:
        newest = _newest_known(home, metadata, home_now(home))
    found = f"{len(views)} views as of {iso(stands // SECOND * SECOND)}"
    if newest is not None and newest - stands > DAY:
        behind = short((newest - stands) // SECOND * SECOND)
        yield Finding(
            "online", "warn", f"{found}, {behind} behind the tables", f"treadle up --home {home.folder}"
        )
    else:
        yield Finding("online", "ok", found)


def _newest_known(home: Home, metadata: Metadata, by: Instant) -> Instant | None:
    """Return when the newest stored row known by an instant became known; None when rows are timeless or absent."""
    import polars as pl

    from treadle.records.rows import KNOWN_AT

    tables = home.tables()
    with metadata.read() as view:
        names = [name for name in view.datasets.names() if tables.exists(name)]
    newest = []
    for name in names:
        rows = tables.read(name)
        if KNOWN_AT in rows.collect_schema().names():
            known = rows.filter(pl.col(KNOWN_AT) <= by).select(pl.col(KNOWN_AT).max()).collect().item()
            newest += [int(known)] if known else []
    return max(newest, default=None)


def _prediction_log(home: Home) -> Iterator[Finding]:
    if not (home.folder / "predictions").is_dir():
        yield Finding("prediction log", "ok", "nothing was predicted yet")
        return
    from treadle.adapters.log import FileLogReader
    from treadle.stages.serving.log_check import examine

    found = examine(FileLogReader(home.folder / "predictions"), home.tables())
    if found.faults:
        yield Finding("prediction log", "fail", "; ".join(found.faults), log_fix(home))
        return
    later = f", {found.waiting:,} bytes not in the tables yet" if found.waiting else ", all in the tables"
    said = f"{found.records:,} readable records{later if found.records else ''}"
    yield Finding("prediction log", "ok", said)
