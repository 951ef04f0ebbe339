"""Origins: how a source's rows come, as values without effects.

Batch origins are read again whenever data is brought in (`Files`, `Sql`, `DeltaTable`); streaming ones deliver events by
themselves (`Push`, `Inbox`, `RedisStream`, `NatsStream`, `KafkaTopic`). What remembers how far an origin was read is kept
under the definition's digest, so an origin that changes is read from its beginning.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import ClassVar, Literal, TypeAlias, get_args
from urllib.parse import parse_qsl, urlsplit

from treadle.records.instants import Duration
from treadle.records.secrets import SecretRef

Format: TypeAlias = Literal["parquet", "csv", "json"]
"""What is in files; `json` is JSON lines, or an array of objects."""

FORMATS: tuple[str, ...] = get_args(Format)

SUFFIXES: Mapping[str, tuple[str, ...]] = {
    "parquet": (".parquet",),
    "csv": (".csv",),
    "json": (".json", ".jsonl", ".ndjson"),
}
"""The files of a folder that count, by format."""

OBJECT_SCHEMES = ("s3", "gs", "az", "abfs", "abfss")
"""The URL schemes of object storage."""

Address: TypeAlias = str | SecretRef
"""A URL without a password, or the name of the secret that holds one."""


@dataclass(frozen=True, slots=True)
class Files:
    """A file, a folder of files or a glob, in the data folder or in object storage (`s3://bucket/prefix`)."""

    streaming: ClassVar[bool] = False
    path: str
    format: Format = "parquet"
    storage: SecretRef | None = None
    """The secret with the storage's options, a JSON object of text; without one the environment's are used (`AWS_…`)."""

    @property
    def place(self) -> str:
        """Where the rows are, for people."""
        return self.path


@dataclass(frozen=True, slots=True)
class Sql:
    """A table, or the rows of a query, of a database that SQLAlchemy speaks to."""

    streaming: ClassVar[bool] = False
    url: Address
    table: str | None = None
    query: str | None = None
    watermark: str | None = None
    """A column that only grows with every row written or changed; later reads begin at its greatest value."""
    lookback: Duration = 0
    """How far before that value they begin, for transactions that commit late; only for a watermark of times."""

    @property
    def place(self) -> str:
        """Where the rows are, for people."""
        return f"{'table ' + self.table if self.table else 'a query'} in {self.url}"


@dataclass(frozen=True, slots=True)
class DeltaTable:
    """A Delta table, in the data folder or in object storage."""

    streaming: ClassVar[bool] = False
    path: str
    storage: SecretRef | None = None
    """As for `Files`."""

    @property
    def place(self) -> str:
        """Where the rows are, for people."""
        return self.path


@dataclass(frozen=True, slots=True)
class Push:
    """Events that programs push, over HTTP or from Python."""

    streaming: ClassVar[bool] = True

    @property
    def place(self) -> str:
        """Where the rows are, for people."""
        return "pushed events"


@dataclass(frozen=True, slots=True)
class Inbox:
    """Files of events that are put into a folder under the data folder, each whole: written elsewhere and renamed."""

    streaming: ClassVar[bool] = True
    path: str

    @property
    def place(self) -> str:
        """Where the rows are, for people."""
        return self.path


@dataclass(frozen=True, slots=True)
class RedisStream:
    """A stream of Redis or Valkey, read as one consumer group."""

    streaming: ClassVar[bool] = True
    url: Address
    stream: str
    group: str = "treadle"

    @property
    def place(self) -> str:
        """Where the rows are, for people."""
        return f"stream {self.stream} in {self.url}"


@dataclass(frozen=True, slots=True)
class NatsStream:
    """A JetStream stream of NATS, or one subject of it, read by one durable consumer."""

    streaming: ClassVar[bool] = True
    url: Address
    stream: str
    subject: str | None = None
    """The subject that is read, with NATS' wildcards; None reads the whole stream."""
    durable: str = "treadle"

    @property
    def place(self) -> str:
        """Where the rows are, for people."""
        return f"stream {self.stream} in {self.url}"


@dataclass(frozen=True, slots=True)
class KafkaTopic:
    """A topic of Kafka, or of what speaks its protocol, read as one consumer group."""

    streaming: ClassVar[bool] = True
    servers: Address
    """`host:port`, several joined by commas."""
    topic: str
    group: str = "treadle"
    options: SecretRef | None = None
    """The secret with librdkafka's options for logging in, a JSON object of text."""

    @property
    def place(self) -> str:
        """Where the rows are, for people."""
        return f"topic {self.topic} in {self.servers}"


Origin: TypeAlias = Files | Sql | DeltaTable | Push | Inbox | RedisStream | NatsStream | KafkaTopic
"""How a source's rows come; `origin.streaming` says whether they come by themselves."""


def origin_faults(owner: str, origin: Origin, columns: Mapping[str, str]) -> list[str]:
    """Return what is wrong with an origin; `columns` are those of its source. Pure."""
    found: list[str | None] = []
    match origin:
        case Files() | DeltaTable():
            found = [path_fault(owner, origin.path, objects=True)]
            if isinstance(origin, Files) and origin.format not in FORMATS:
                found.append(f"{owner}: format={origin.format!r}; formats are {', '.join(FORMATS)}")
        case Inbox():
            found = [path_fault(owner, origin.path, objects=False)]
        case Sql():
            found = [_url_fault(owner, origin.url, None, "sqlite:///orders.db or postgresql://host/db")]
            found += _sql_faults(owner, origin, columns)
        case RedisStream():
            found = [_url_fault(owner, origin.url, ("redis", "rediss", "unix"), "redis://host:6379/0")]
            found += _names(owner, stream=origin.stream, group=origin.group)
        case NatsStream():
            found = [_url_fault(owner, origin.url, ("nats", "tls", "ws", "wss"), "nats://host:4222")]
            subject = {} if origin.subject is None else {"subject": origin.subject}
            found += _names(owner, stream=origin.stream, durable=origin.durable, **subject)
        case KafkaTopic():
            found = _names(owner, topic=origin.topic, group=origin.group)
            if not isinstance(origin.servers, SecretRef):
                found += _names(owner, servers=origin.servers)
        case Push():
            pass
    return [fault for fault in found if fault]


def is_object_url(path: str) -> bool:
    """Say whether a path is the URL of something in object storage. Pure."""
    return path.partition("://")[0] in OBJECT_SCHEMES and "://" in path


def path_fault(owner: str, path: object, *, objects: bool) -> str | None:
    """Return what is wrong with the path of files, or None. Pure.

    Args:
        owner: whose path.
        path: relative to the data folder, or a URL of object storage.
        objects: whether such a URL will do.
    """
    if not isinstance(path, str) or not path:
        return f"{owner}: path={path!r} is not the name of a file or folder"
    if "://" in path:
        schemes = ", ".join(f"{scheme}://" for scheme in OBJECT_SCHEMES)
        if objects and is_object_url(path):
            return _password_fault(owner, "path", path)
        kinds = f"URLs begin with {schemes}" if objects else "an inbox is a folder in the data folder"
        return f"{owner}: path={path.partition('://')[0] + '://…'!r} cannot be read; {kinds}"
    if PurePath(path).is_absolute() or ".." in PurePath(path).parts:
        return f"{owner}: path={path!r} leaves the data folder; name it relative to the folder a command is given"
    return None


def _url_fault(owner: str, url: object, schemes: Sequence[str] | None, example: str) -> str | None:
    if isinstance(url, SecretRef):
        return None
    scheme = url.partition("://")[0] if isinstance(url, str) and "://" in url else ""
    if not isinstance(url, str) or not scheme or (schemes and scheme not in schemes):
        # The text is not shown: it may be a connection string with a password in it.
        return f"{owner}: url is not one; write it like {example}, or tr.secret('NAME')"
    return _password_fault(owner, "url", url)


def _password_fault(owner: str, role: str, url: str) -> str | None:
    """Return that a URL holds a password, without showing it."""
    fault = f"{owner}: {role} holds a password; keep it out of the code: {role}=tr.secret('NAME')"
    try:
        parts = urlsplit(url)
        named = {key.lower() for key, _ in parse_qsl(parts.query)}
        holds = bool(parts.password) or bool(named & {"password", "passwd", "pwd", "sslpassword"})
    except ValueError:
        return f"{owner}: {role} is not a URL"
    return fault if holds else None


def _sql_faults(owner: str, origin: Sql, columns: Mapping[str, str]) -> list[str]:
    faults = []
    if (origin.table is None) == (origin.query is None):
        faults.append(f"{owner}: give either table= or query=")
    if origin.watermark is not None and origin.watermark not in columns:
        faults.append(f"{owner}: watermark column {origin.watermark!r} is not listed in columns")
    elif origin.watermark is not None and columns[origin.watermark] not in ("time", "int"):
        faults.append(
            f"{owner}: watermark column {origin.watermark!r} is {columns[origin.watermark]}; "
            "it must be a time or an int that only grows"
        )
    elif origin.lookback and (origin.watermark is None or columns[origin.watermark] != "time"):
        faults.append(f"{owner}: lookback needs a watermark column of type 'time'")
    if origin.lookback < 0:
        faults.append(f"{owner}: lookback must not be negative")
    return faults


def _names(owner: str, **names: object) -> list[str | None]:
    return [
        f"{owner}: {role}={name!r} is no name"
        for role, name in names.items()
        if not isinstance(name, str) or not name
    ]
