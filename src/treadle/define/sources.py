"""Sources and tables: where rows come from and when they are known.

Four times, never merged: `event_time` (when the fact was true), `created_time` (when this version of it was stored),
`known_at` (when it can be used, never before the other two) and a row's own prediction time T, which belongs to requests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, Unpack

from treadle.define.names import duration_or_fault, listed, words_faults, zone_known
from treadle.define.origins import (
    Address,
    DeltaTable,
    Files,
    Inbox,
    KafkaTopic,
    NatsStream,
    Origin,
    Push,
    RedisStream,
    Sql,
    origin_faults,
)
from treadle.define.tables import Table, table
from treadle.define.timing import ALWAYS, SourceOptions, Timing, event_id_fault, rows_faults
from treadle.records.errors import InvalidInput
from treadle.records.secrets import SecretRef

__all__ = ["Rows", "Source", "Table", "Timing", "reading_order", "table"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Rows as they come from outside, with the columns they must have.

    Build one with the constructor that says how its rows come. Files, databases and Delta tables are read when data is
    brought in, each time what is new: `Source.parquet`, `.csv`, `.json`, `.sql`, `.delta`. Events come by themselves
    while a server runs: `Source.push`, `.inbox`, `.redis`, `.nats`, `.kafka`. All take the options of `Source.parquet`.
    Reading refuses the whole source, naming every fault, when a column is missing, has another type, holds times without
    a zone, or when `unique` rows repeat.
    """

    name: str
    origin: Origin
    columns: Mapping[str, str]
    timing: Timing = ALWAYS
    zone: str | None = None
    unique: tuple[str, ...] = ()
    event_id: str | None = None
    backdated: bool = False
    description: str = ""
    owner: str = ""
    tags: tuple[str, ...] = ()
    deprecated: str = ""

    @property
    def path(self) -> str:
        """Where the rows are, for people: a path, or the name of a table, stream or topic."""
        return self.origin.place

    @classmethod
    def parquet(
        cls,
        name: str,
        *,
        path: str,
        columns: Mapping[str, str],
        event_time: str | None = None,
        known_after: str | int = 0,
        known_at: str | None = None,
        created_time: str | None = None,
        tombstone: str | None = None,
        zone: str | None = None,
        unique: Sequence[str] | str = (),
        event_id: str | None = None,
        backdated: bool = False,
        storage: SecretRef | None = None,
        description: str = "",
        owner: str = "",
        tags: Sequence[str] | str = (),
        deprecated: str = "",
    ) -> Source:
        """Define a source of Parquet rows.

        Args:
            name: the source's name; tables and views refer to it.
            path: a file, a folder of files, or a glob such as `orders/2026-*.parquet`, relative to the data folder that a
                command is given; or in object storage, such as `s3://bucket/orders/`.
            columns: the columns that are needed and their types (`float`, `int`, `string`, `bool`, `time`); others are
                ignored. `time` columns are zoned timestamps or ISO 8601 text with an offset.
            event_time: the column that says when the row was true; without one the rows are timeless.
            known_after: how long after the event time a row becomes known, e.g. `"10m"`.
            known_at: a column that says when the row became known, if the data has one.
            created_time: a column that says when this version of the row was stored, if the data has one.
            tombstone: a boolean column; a true row hides the earlier rows of its key.
            zone: the zone of times that carry none, e.g. `"Europe/Berlin"`; without it such times are refused. Of a local
                time that occurs twice, when clocks are set back, the later one is meant: nothing is known too early.
            unique: the columns that together identify a row (with corrections: `created_time` among them).
            event_id: a `string` or `int` column that identifies an event, so that one that is delivered twice counts once.
            backdated: rows that arrive after the first load are known as early as the other options say. Otherwise such a
                row is known no earlier than it arrived, unless a `known_at` or `created_time` column says when it was.
            storage: the secret with object storage's options, a JSON object of text; without it the environment's count
                (`AWS_ACCESS_KEY_ID` and so on).
            description: one sentence for people.
            owner: who answers for it; for people.
            tags: where to find it; for people.
            deprecated: what to use instead, once it is not to be used any more.

        Raises:
            InvalidInput: the definition contradicts itself; every fault is listed.
        """
        return _defined(
            name,
            Files(path, "parquet", storage),
            columns=columns,
            event_time=event_time,
            known_after=known_after,
            known_at=known_at,
            created_time=created_time,
            tombstone=tombstone,
            zone=zone,
            unique=unique,
            event_id=event_id,
            backdated=backdated,
            description=description,
            owner=owner,
            tags=tags,
            deprecated=deprecated,
        )

    @classmethod
    def csv(
        cls, name: str, *, path: str, storage: SecretRef | None = None, **options: Unpack[SourceOptions]
    ) -> Source:
        """Define a source of CSV rows: UTF-8, commas, a header; an empty cell is no value.

        Args:
            name: the source's name.
            path: as for `Source.parquet`; of a folder, its `.csv` files.
            storage: as for `Source.parquet`.
            options: those of `Source.parquet`.

        Raises:
            InvalidInput: the definition contradicts itself; every fault is listed.
        """
        return _defined(name, Files(path, "csv", storage), **options)

    @classmethod
    def json(
        cls, name: str, *, path: str, storage: SecretRef | None = None, **options: Unpack[SourceOptions]
    ) -> Source:
        """Define a source of JSON rows: one object a line, or one array of objects.

        Args:
            name: the source's name.
            path: as for `Source.parquet`; of a folder, its `.json`, `.jsonl` and `.ndjson` files.
            storage: as for `Source.parquet`.
            options: those of `Source.parquet`.

        Raises:
            InvalidInput: the definition contradicts itself; every fault is listed.
        """
        return _defined(name, Files(path, "json", storage), **options)

    @classmethod
    def sql(
        cls,
        name: str,
        *,
        url: Address,
        table: str | None = None,
        query: str | None = None,
        watermark: str | None = None,
        lookback: str | int = 0,
        **options: Unpack[SourceOptions],
    ) -> Source:
        """Define a source of rows in a database.

        Args:
            name: the source's name.
            url: any URL of SQLAlchemy, without a password; one with a password goes into a secret: `tr.secret("ORDERS_DB")`.
            table: the table (or `schema.table`, or view) to read; or
            query: a SELECT whose rows are read.
            watermark: a `time` or `int` column that only grows with every row that is written or changed, such as
                `updated_at`; each read begins at the greatest value seen. Without it everything is read each time.
            lookback: how far before that value a read begins, e.g. `"10m"`: as long as the longest transaction may take,
                since rows can become visible after greater values have been seen. Nothing is stored twice.
            options: those of `Source.parquet`.

        Raises:
            InvalidInput: the definition contradicts itself; every fault is listed.
        """
        back, faults = duration_or_fault(f"source {name!r}", "lookback", lookback)
        return _defined(name, Sql(url, table, query, watermark, back), faults, **options)

    @classmethod
    def delta(
        cls, name: str, *, path: str, storage: SecretRef | None = None, **options: Unpack[SourceOptions]
    ) -> Source:
        """Define a source that is a Delta table; what was appended to it since is read the next time.

        Args:
            name: the source's name.
            path: the table's folder, relative to the data folder, or its URL in object storage.
            storage: as for `Source.parquet`.
            options: those of `Source.parquet`.

        Raises:
            InvalidInput: the definition contradicts itself; every fault is listed.
        """
        return _defined(name, DeltaTable(path, storage), **options)

    @classmethod
    def push(cls, name: str, **options: Unpack[SourceOptions]) -> Source:
        """Define a source of events that programs push, over HTTP or from Python.

        Args:
            name: the source's name.
            options: those of `Source.parquet`; give an `event_id` if the same event may be pushed twice.

        Raises:
            InvalidInput: the definition contradicts itself; every fault is listed.
        """
        return _defined(name, Push(), **options)

    @classmethod
    def inbox(cls, name: str, *, path: str, **options: Unpack[SourceOptions]) -> Source:
        """Define a source of events in files that are put into a folder.

        Args:
            name: the source's name.
            path: the folder, relative to the data folder. Write a file under another folder or a hidden name and rename
                it, so that no half of it is ever read.
            options: those of `Source.parquet`.

        Raises:
            InvalidInput: the definition contradicts itself; every fault is listed.
        """
        return _defined(name, Inbox(path), **options)

    @classmethod
    def redis(
        cls, name: str, *, url: Address, stream: str, group: str = "treadle", **options: Unpack[SourceOptions]
    ) -> Source:
        """Define a source of events from a stream of Redis or Valkey.

        Args:
            name: the source's name.
            url: such as `redis://host:6379/0`; with a password, `tr.secret("NAME")`.
            stream: the key of the stream.
            group: the consumer group to read as.
            options: those of `Source.parquet`.

        Raises:
            InvalidInput: the definition contradicts itself; every fault is listed.
        """
        return _defined(name, RedisStream(url, stream, group), **options)

    @classmethod
    def nats(
        cls,
        name: str,
        *,
        url: Address,
        stream: str,
        subject: str | None = None,
        durable: str = "treadle",
        **options: Unpack[SourceOptions],
    ) -> Source:
        """Define a source of events from a JetStream stream of NATS.

        Args:
            name: the source's name.
            url: such as `nats://host:4222`; with a password or token, `tr.secret("NAME")`.
            stream: the name of the stream.
            subject: the subject to read, with NATS' wildcards; without it the whole stream.
            durable: the name of the consumer to read as.
            options: those of `Source.parquet`.

        Raises:
            InvalidInput: the definition contradicts itself; every fault is listed.
        """
        return _defined(name, NatsStream(url, stream, subject, durable), **options)

    @classmethod
    def kafka(
        cls,
        name: str,
        *,
        servers: Address,
        topic: str,
        group: str = "treadle",
        login: SecretRef | None = None,
        **options: Unpack[SourceOptions],
    ) -> Source:
        """Define a source of events from a topic of Kafka, or of what speaks its protocol.

        Args:
            name: the source's name.
            servers: `host:port`, several joined by commas.
            topic: the topic.
            group: the consumer group to read as.
            login: the secret with librdkafka's options for logging in, a JSON object of text.
            options: those of `Source.parquet`.

        Raises:
            InvalidInput: the definition contradicts itself; every fault is listed.
        """
        return _defined(name, KafkaTopic(servers, topic, group, login), **options)


def _defined(
    name: str, origin: Origin, faults: Sequence[str] = (), **options: Unpack[SourceOptions]
) -> Source:
    """Return the source, or refuse it with every fault: those given and those found."""
    owner = f"source {name!r}"
    unknown = sorted(set(options) - set(SourceOptions.__annotations__))
    if unknown:
        raise InvalidInput(
            "the source cannot be defined",
            faults=[f"{owner}: there is no option {option!r}" for option in unknown],
            fix=f"options are {', '.join(SourceOptions.__annotations__)}",
        )
    columns: object = options.get("columns")
    given: Mapping[str, str] = columns if isinstance(columns, Mapping) else {}
    delay, more = duration_or_fault(owner, "known_after", options.get("known_after", 0))
    timing = Timing(
        options.get("event_time"),
        delay,
        options.get("known_at"),
        options.get("created_time"),
        options.get("tombstone"),
    )
    key, event_id, zone = listed(options.get("unique", ())), options.get("event_id"), options.get("zone")
    found = [*faults, *more, *rows_faults("source", name, columns, timing, key)]
    found += origin_faults(owner, origin, given)
    found += [
        fault for fault in [event_id_fault(owner, event_id, columns), _zone_fault(owner, zone)] if fault
    ]
    words = (options.get("owner", ""), options.get("tags", ()), options.get("deprecated", ""))
    found += words_faults(owner, *words)
    if found:
        raise InvalidInput("the source cannot be defined", faults=found)
    return Source(
        name=name,
        origin=origin,
        columns=dict(given),
        timing=timing,
        zone=zone,
        unique=key,
        event_id=event_id,
        backdated=options.get("backdated", False),
        description=options.get("description", ""),
        owner=words[0],
        tags=listed(words[1]),
        deprecated=words[2],
    )


Rows: TypeAlias = Source | Table
"""Anything a view, labels or requests can be defined on."""


def reading_order(definitions: Sequence[Rows]) -> list[Rows]:
    """Return sources first, then tables, each after what it reads; otherwise in the order given.

    Raises:
        InvalidInput: tables read what is not there, or one another in a circle; every fault is listed.
    """
    ordered: list[Rows] = [d for d in definitions if isinstance(d, Source)]
    waiting = [d for d in definitions if isinstance(d, Table)]
    have = {d.name for d in ordered}
    known = {d.name for d in definitions}
    while ready := [table for table in waiting if have.issuperset(table.inputs)]:
        ordered += ready
        have.update(table.name for table in ready)
        waiting = [table for table in waiting if table.name not in have]
    faults = [
        f"table {table.name!r} reads {name!r}, which is not among the sources"
        for table in waiting
        for name in table.inputs
        if name not in known
    ]
    circle = _circle({table.name: table.inputs for table in waiting})
    if circle:
        faults.append(f"tables read one another in a circle: {' reads '.join(map(repr, circle))}")
    if faults:
        raise InvalidInput(
            "the tables cannot be put into an order",
            faults=faults,
            fix="a table's parameters name the sources and tables it reads: mend the names, or break the circle",
        )
    return ordered


def _circle(reads: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the names along a circle, the first one again at the end; nothing when there is none."""
    while ends := [name for name, inputs in reads.items() if not any(i in reads for i in inputs)]:
        reads = {name: inputs for name, inputs in reads.items() if name not in ends}
    if not reads:
        return []
    path = [next(iter(reads))]  # every table left reads another one left, so this walk must come back
    while (following := next(i for i in reads[path[-1]] if i in reads)) not in path:
        path.append(following)
    return [*path[path.index(following) :], following]


def _zone_fault(owner: str, zone: object) -> str | None:
    if zone is None or zone_known(zone):
        return None
    return f"{owner}: zone={zone!r} is not a known zone; write it like 'America/New_York' or 'UTC'"
