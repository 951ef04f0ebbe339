"""The online store in Redis (or Valkey): one value per (view, key), snapshots by undo, one writer at a time.

How it lies there, everything under one hash tag, so that a cluster keeps a store in one slot:

    {NAMESPACE}v<length>:<view>:<key>   string   a value
    {NAMESPACE}counts                   hash     view → how many keys it has
    {NAMESPACE}cursors                  hash     name → cursor
    {NAMESPACE}epoch                    integer  how many batches were committed
    {NAMESPACE}undo<epoch>              hash     what that commit replaced; goes by itself after a minute
    {NAMESPACE}lock                     string   whose batch is open; a lease
    {NAMESPACE}stage<token>             list     a batch's changes on their way

**A commit is one script**, so it is whole or absent: it checks that the lock is still the batch's own (the token fences
off a writer that slept past its lease), counts the epoch up, keeps what it replaces, and writes.

**A snapshot** remembers the epoch at which it was opened. A read brings the present epoch along; when that has moved,
what the commits in between replaced is put back from their undo. A snapshot open for longer than a minute may find its
undo gone: `Conflict`, open another. Name what will be asked for (`read(wanted)`) and the snapshot costs one round trip.

**Redis must not forget by itself**: with an eviction policy other than `noeviction` features would silently become
missing, so such a server is refused. What a power cut costs is up to Redis' own persistence; a store that comes back
empty or older than its cursor says is brought up from the tables like a new one.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from treadle.adapters.online_redis_scripts import COMMIT, RELEASE, RENEW
from treadle.records.errors import Conflict, InvalidInput, NotReady, TreadleError
from treadle.records.views import check_view_name

LEASE_MS: Final = 30_000
"""A batch that does nothing for so long loses its turn."""
UNDO_MS: Final = 60_000
"""How long an overtaken snapshot can still be read."""
_PIECE = 3_000
_PAUSES = (0.0005, 0.02)
_LONGEST_UNDO = 5_000
Answer = TypeVar("Answer")


class RedisOnline:
    """An online store in a Redis or Valkey server (6.2 or newer).

    Args:
        url: `redis://`, `rediss://` or `unix://`, with the password in it if there is one.
        namespace: keeps several stores on one server apart; letters, digits and `_ - . :`.
        timeout: seconds after which a silent server counts as gone.

    Raises:
        NotReady: the client is not installed, or no server answers, or it evicts keys by itself.
        InvalidInput: the URL or the namespace is none.
    """

    remote = True

    def __init__(self, url: str, *, namespace: str, timeout: float = 5.0) -> None:
        if not namespace or not all(c.isalnum() or c in "_-.:" for c in namespace) or not namespace.isascii():
            raise InvalidInput(
                f"{namespace!r} is no namespace for an online store", fix="use letters, digits and _ - . :"
            )
        self._errors, self._redis = _client(url, timeout)
        self._prefix = b"{" + namespace.encode() + b"}"
        self._views: dict[str, bytes] = {}
        self._epoch = self._prefix + b"epoch"
        self._names = {
            name: self._prefix + name.encode() for name in ("lock", "epoch", "counts", "cursors", "undo")
        }
        self._turn = threading.Lock()
        self._writer: int | None = None
        self._open = True
        self._commit, self._renew, self._release = (
            self._redis.register_script(script) for script in (COMMIT, RENEW, RELEASE)
        )
        _refuse_eviction(self.ask(lambda redis: redis.info("memory")))

    def ask(self, call: Callable[[Any], Answer]) -> Answer:
        """Make one call to the server, with its errors in our words.

        Raises:
            NotReady: the store is closed, or the server cannot be reached or does not take writes.
        """
        if not self._open:
            raise NotReady("the online store is closed")
        try:
            return call(self._redis)
        except self._errors as error:
            raise NotReady(
                f"the Redis of the online store failed: {error}",
                fix="see that the server runs and has memory; nothing was half written",
            ) from error

    def value_key(self, view: str, key: bytes) -> bytes:
        """Return where a value lies."""
        prefix = self._views.get(view)
        if prefix is None:
            name = check_view_name(view)
            prefix = self._views[view] = b"%bv%d:%b:" % (self._prefix, len(name), name)
        return prefix + key

    def get(self, view: str, key: bytes) -> bytes | None:
        """See `Online.get`. One GET."""
        place = self.value_key(view, key)
        value: bytes | None = self.ask(lambda redis: redis.get(place))
        return value

    def get_many(self, view: str, keys: Sequence[bytes]) -> list[bytes | None]:
        """See `Online.get_many`. One MGET."""
        check_view_name(view)
        places = [self.value_key(view, key) for key in keys]
        return self.ask(lambda redis: redis.mget(places)) if places else []

    def read(self, wanted: Sequence[tuple[str, bytes]] = ()) -> RedisReader:
        """See `Online.read`. One round trip to open; what is wanted comes with it."""
        return RedisReader(self, wanted)

    def cursor(self, name: str) -> bytes | None:
        """See `Online.cursor`."""
        check_view_name(name)
        value: bytes | None = self.ask(lambda redis: redis.hget(self._names["cursors"], name))
        return value

    def scan(self, view: str) -> Iterator[tuple[bytes, bytes]]:
        """See `Online.scan`. The view's keys are held in memory to be sorted."""
        check_view_name(view)
        return self._scan(view)

    def _scan(self, view: str) -> Iterator[tuple[bytes, bytes]]:
        with self.read() as reader:
            prefix = self.value_key(view, b"")
            found = set(self.ask(lambda redis: list(redis.scan_iter(_literal(prefix) + b"*", _PIECE))))
            found.update(place for place in reader.replaced_since() if place.startswith(prefix))
            keys = sorted(place[len(prefix) :] for place in found)
            for start in range(0, len(keys), _PIECE):
                part = keys[start : start + _PIECE]
                for key, value in zip(part, reader.get_many(view, part), strict=True):
                    if value is not None:
                        yield key, value

    def count(self, view: str) -> int:
        """See `Online.count`. Kept by the writers."""
        check_view_name(view)
        return int(self.ask(lambda redis: redis.hget(self._names["counts"], view)) or 0)

    def views(self) -> list[str]:
        """See `Online.views`."""
        counts = self.ask(lambda redis: redis.hgetall(self._names["counts"]))
        return sorted(name.decode() for name, count in counts.items() if int(count))

    def begin(self) -> RedisBatch:
        """See `Online.begin`. One round trip when nobody else writes."""
        if not self._open:
            raise NotReady("the online store is closed")
        if self._writer == threading.get_ident():
            raise Conflict("this thread has a batch open already", fix="commit or abort it first")
        self._turn.acquire()
        try:
            token = self._take_lock()
        except BaseException:
            self._turn.release()
            raise
        self._writer = threading.get_ident()
        return RedisBatch(self, token)

    def drop(self, view: str) -> None:
        """See `Online.drop`."""
        check_view_name(view)
        with self.begin() as batch:
            for key, _ in self.scan(view):
                batch.delete(view, key)

    def close(self) -> None:
        """See `Online.close`."""
        if self._open:
            self._open = False
            self._redis.close()

    # --- what readers and batches ask of the store --------------------------------------------------------------

    def with_epoch(self, places: Sequence[bytes]) -> tuple[int, list[bytes | None]]:
        """Return the present epoch and the values at some places, all of one moment. One MGET."""
        found = self.ask(lambda redis: redis.mget([self._epoch, *places]))
        return int(found[0] or 0), found[1:]

    def cursor_with_epoch(self, name: str) -> tuple[int, bytes | None]:
        """Return the present epoch and a cursor, of one moment."""

        def call(redis: Any) -> list[bytes | None]:
            with redis.pipeline(transaction=True) as pipe:
                return list(pipe.get(self._epoch).hget(self._names["cursors"], name).execute())

        epoch, value = self.ask(call)
        return int(epoch or 0), value

    def undone(self, since: int, until: int, fields: Sequence[bytes]) -> dict[bytes, bytes | None]:
        """Return what the fields held at an earlier epoch, for those that have changed since.

        Raises:
            Conflict: that epoch is too long ago, or the store has been emptied since.
        """
        if until < since or until - since > _LONGEST_UNDO:
            raise _too_old()
        epochs = range(since + 1, until + 1)

        def call(redis: Any) -> list[Any]:
            with redis.pipeline(transaction=False) as pipe:
                for epoch in epochs:
                    pipe.exists(self._undo(epoch)).hmget(self._undo(epoch), list(fields))
                return list(pipe.execute())

        answers = self.ask(call)
        before: dict[bytes, bytes | None] = {}
        for there, values in zip(answers[::2], answers[1::2], strict=True):
            if not there:
                raise _too_old()
            for field, value in zip(fields, values, strict=True):
                if value is not None:
                    before.setdefault(field, value[1:] if value[:1] == b"v" else None)
        return before

    def changed(self, since: int) -> list[bytes]:
        """Return the fields that commits after an epoch changed."""
        now = int(self.ask(lambda redis: redis.get(self._epoch)) or 0)

        def call(redis: Any) -> list[Any]:
            with redis.pipeline(transaction=False) as pipe:
                for epoch in range(since + 1, now + 1):
                    pipe.hkeys(self._undo(epoch))
                return list(pipe.execute())

        return [field for fields in self.ask(call) for field in fields] if now > since else []

    def commit(self, token: str, changes: Sequence[bytes]) -> None:
        """Apply a batch's changes, four parts each, and release the lock.

        Raises:
            Conflict: the batch lost its turn; nothing was written.
        """
        stage = self._prefix + b"stage" + token.encode()

        def send(redis: Any) -> object:
            if changes:
                with redis.pipeline(transaction=False) as pipe:
                    for start in range(0, len(changes), 4 * _PIECE):
                        pipe.rpush(stage, *changes[start : start + 4 * _PIECE])
                    pipe.pexpire(stage, 2 * LEASE_MS)
                    pipe.execute()
            return self._commit(keys=[*self._names.values(), stage], args=[token, UNDO_MS])

        try:
            kept = self.ask(send)
        finally:
            self._leave()
        if not kept:
            raise _lost_turn()

    def renew(self, token: str) -> None:
        """Lengthen a batch's lease.

        Raises:
            Conflict: it has lost it.
        """
        if not self.ask(lambda _: self._renew(keys=[self._names["lock"]], args=[token, LEASE_MS])):
            raise _lost_turn()

    def release(self, token: str) -> None:
        """Give a batch's turn to the next."""
        try:
            self.ask(lambda _: self._release(keys=[self._names["lock"]], args=[token]))
        finally:
            self._leave()

    def _take_lock(self) -> str:
        token, pause = secrets.token_hex(12), _PAUSES[0]
        place = self._names["lock"]
        while not self.ask(lambda redis: redis.set(place, token, nx=True, px=LEASE_MS)):
            time.sleep(pause)
            pause = min(pause * 2, _PAUSES[1])
        return token

    def _leave(self) -> None:
        self._writer = None
        self._turn.release()

    def _undo(self, epoch: int) -> bytes:
        return self._names["undo"] + str(epoch).encode()


class RedisReader:
    """One snapshot; see `ports.online.Reader`."""

    def __init__(self, store: RedisOnline, wanted: Sequence[tuple[str, bytes]]) -> None:
        self._store = store
        self._wanted = [store.value_key(view, key) for view, key in wanted]
        self._known: dict[bytes, bytes | None] = {}
        self._at: int | None = None

    def __enter__(self) -> Self:
        self._at, values = self._store.with_epoch(self._wanted)
        self._known = dict(zip(self._wanted, values, strict=True))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._at = None

    def get(self, view: str, key: bytes) -> bytes | None:
        """See `Reader.get`."""
        place = self._store.value_key(view, key)
        self._epoch()
        if place in self._known:
            return self._known[place]
        return self._fetch([place])[place]

    def get_many(self, view: str, keys: Sequence[bytes]) -> list[bytes | None]:
        """See `Reader.get_many`."""
        check_view_name(view)
        self._epoch()
        places = [self._store.value_key(view, key) for key in keys]
        absent = [place for place in dict.fromkeys(places) if place not in self._known]
        found = {**self._known, **self._fetch(absent)} if absent else self._known
        return [found[place] for place in places]

    def cursor(self, name: str) -> bytes | None:
        """See `Reader.cursor`."""
        field = b"c:" + check_view_name(name)
        at = self._epoch()
        now, value = self._store.cursor_with_epoch(name)
        return value if now == at else self._store.undone(at, now, [field]).get(field, value)

    def replaced_since(self) -> list[bytes]:
        """Return the places that commits after this snapshot changed."""
        return self._store.changed(self._epoch())

    def _fetch(self, places: Sequence[bytes]) -> dict[bytes, bytes | None]:
        at = self._epoch()
        now, values = self._store.with_epoch(places)
        found = dict(zip(places, values, strict=True))
        return found if now == at else {**found, **self._store.undone(at, now, places)}

    def _epoch(self) -> int:
        if self._at is None:
            raise Conflict("the snapshot is closed", fix="use it inside its with block")
        return self._at


class RedisBatch:
    """One batch; see `ports.online.Batch`. Its changes stay here until the commit."""

    def __init__(self, store: RedisOnline, token: str) -> None:
        self._store = store
        self._token = token
        self._thread = threading.get_ident()
        self._renewed = time.monotonic()
        self._done = False
        self._values: dict[bytes, tuple[str, bytes | None]] = {}
        self._cursors: dict[str, bytes] = {}

    def get(self, view: str, key: bytes) -> bytes | None:
        """See `Batch.get`. One GET, unless this batch has changed the key."""
        place = self._place(view, key)
        own = self._values.get(place)
        return self._store.ask(lambda redis: redis.get(place)) if own is None else own[1]

    def put(self, view: str, key: bytes, value: bytes) -> None:
        """See `Batch.put`."""
        self._values[self._place(view, key)] = (view, value)

    def delete(self, view: str, key: bytes) -> None:
        """See `Batch.delete`."""
        self._values[self._place(view, key)] = (view, None)

    def cursor(self, name: str) -> bytes | None:
        """See `Batch.cursor`."""
        self._check()
        check_view_name(name)
        own = self._cursors.get(name)
        return self._store.cursor(name) if own is None else own

    def set_cursor(self, name: str, value: bytes) -> None:
        """See `Batch.set_cursor`."""
        self._check()
        check_view_name(name)
        self._cursors[name] = value

    def commit(self) -> None:
        """See `Batch.commit`. One pipeline and one script, however large the batch is."""
        self._check()
        self._done = True
        changes: list[bytes] = []
        for place, (view, value) in self._values.items():
            changes += (
                (b"d", view.encode(), place, b"") if value is None else (b"p", view.encode(), place, value)
            )
        for name, cursor in self._cursors.items():
            changes += (b"c", name.encode(), b"", cursor)
        self._store.commit(self._token, changes)

    def abort(self) -> None:
        """See `Batch.abort`."""
        self._check()
        self._done = True
        self._store.release(self._token)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._done:
            return  # committed or aborted inside the block
        if kind is None:
            self.commit()
            return
        try:
            self.abort()
        except TreadleError:  # the error of the block matters more; the lease ends by itself
            pass

    def _place(self, view: str, key: bytes) -> bytes:
        self._check()
        return self._store.value_key(view, key)

    def _check(self) -> None:
        if self._done:
            raise Conflict("the batch was committed or aborted", fix="begin another")
        if self._thread != threading.get_ident():
            raise Conflict("a batch belongs to the thread that began it", fix="begin one in this thread")
        now = time.monotonic()
        if now - self._renewed > LEASE_MS / 3000:
            self._store.renew(self._token)
            self._renewed = now


def _client(url: str, timeout: float) -> tuple[type[Exception], Any]:
    """Return the client's error type and a client. `Any`: the client's own types are those of any server module."""
    try:
        from redis import Redis
        from redis.exceptions import RedisError
    except ImportError as error:
        raise NotReady(
            "an online store in Redis needs redis, which is not installed",
            fix="install the extra: pip install 'treadle[redis]'",
        ) from error
    try:
        client = Redis.from_url(url, socket_timeout=timeout, socket_connect_timeout=timeout)
    except ValueError as error:
        # What the error quotes may hold the password.
        raise InvalidInput(
            "the online store's URL is no Redis URL", fix="write it like redis://host:6379/0 or unix:///path"
        ) from error
    return RedisError, client


def _refuse_eviction(memory: dict[str, object]) -> None:
    policy = memory.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        raise NotReady(
            f"the Redis of the online store evicts keys by itself (maxmemory-policy {policy})",
            fix="set maxmemory-policy noeviction, or use a server that does: an evicted feature would read as missing",
        )


def _literal(prefix: bytes) -> bytes:
    """Return a SCAN pattern that matches the prefix and nothing else."""
    return b"".join(b"\\" + bytes([c]) if c in b"*?[]\\^-" else bytes([c]) for c in prefix)


def _too_old() -> Conflict:
    return Conflict("the snapshot is too old to be read", fix="open another one: reading again is enough")


def _lost_turn() -> Conflict:
    return Conflict(
        "the batch lost its turn: it did nothing for longer than its lease, or the server was emptied",
        fix="begin again from the cursor; nothing of this batch was written",
    )


if TYPE_CHECKING:
    from treadle.ports.online import Online

    _proof: type[Online] = RedisOnline
