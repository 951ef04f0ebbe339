"""The contract every online store keeps.

An adapter's author writes:

    class TestMyOnline(OnlineContract):
        @pytest.fixture
        def online(self) -> Iterator[Online]:
            store = MyOnline(...)        # empty
            yield store
            store.close()
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.ports.online import Batch, Online
from treadle.records.errors import Conflict, InvalidInput, NotReady

DEADLINE = 60.0

KEYS = {
    "empty": b"",
    "zero": b"\x00",
    "text": "JFK|naïve".encode(),
    "every byte": bytes(range(256)),
    "longest plain": b"k" * 506,
    "longer": b"k" * 507,
    "as long as LMDB takes": b"k" * 511,
    "one more": b"k" * 512,
    "very long": b"k" * 70_000,
}

NOT_NAMES = {"nothing": "", "long": "é" * 101, "newline": "a\nb", "zero byte": "a\x00b"}

_FEW_KEYS = st.one_of(
    st.binary(max_size=2),
    # Around the lengths at which a store may begin to treat keys otherwise, and alike for most of their
    # bytes.
    st.builds(
        lambda length, tail: b"k" * length + tail,
        st.sampled_from([474, 475, 476, 506, 507, 600]),
        st.binary(max_size=2),
    ),
)
_CHANGES = st.lists(
    st.tuples(st.sampled_from(["a", "b"]), _FEW_KEYS, st.none() | st.binary(max_size=3)), max_size=12
)


def fill(online: Online, view: str, items: dict[bytes, bytes]) -> None:
    """Commit values in one batch."""
    with online.begin() as batch:
        for key, value in items.items():
            batch.put(view, key, value)


def every_call(batch: Batch) -> list[Callable[[], object]]:
    """Return a call of each method of a batch."""
    return [
        lambda: batch.get("v", b"a"),
        lambda: batch.put("v", b"a", b"2"),
        lambda: batch.delete("v", b"a"),
        lambda: batch.cursor("c"),
        lambda: batch.set_cursor("c", b"1"),
        batch.commit,
        batch.abort,
    ]


class OnlineContract:
    """Subclass with a fixture `online` that yields an empty store and closes it."""

    @pytest.fixture
    def online(self) -> Iterator[Online]:
        """Return the store under test, empty."""
        raise NotImplementedError("give the store to be tested as a fixture")

    def test_what_was_put_is_got(self, online: Online) -> None:
        """And replaced by the next put of the key."""
        fill(online, "weather", {b"JFK": b"1", b"LGA": b"2"})
        fill(online, "weather", {b"JFK": b"3"})
        assert online.get("weather", b"JFK") == b"3"
        assert online.get("weather", b"LGA") == b"2"

    @pytest.mark.parametrize("kind", KEYS)
    def test_any_key_is_a_key(self, online: Online, kind: str) -> None:
        """Of any bytes and any length; its neighbours are others."""
        key = KEYS[kind]
        fill(online, "v", {key: b"value", key + b"\x00": b"next"})
        assert online.get("v", key) == b"value"
        assert online.get_many("v", [key + b"\x00", key]) == [b"next", b"value"]
        assert online.get("v", key + b"\x01") is None
        assert list(online.scan("v")) == [(key, b"value"), (key + b"\x00", b"next")]
        with online.begin() as batch:
            assert batch.get("v", key) == b"value"
            batch.delete("v", key)
        assert online.get("v", key) is None
        assert online.count("v") == 1

    @pytest.mark.parametrize("size", [0, 1, 400, 100_000])
    def test_any_value_is_a_value(self, online: Online, size: int) -> None:
        """An empty one too: it is not an absent one."""
        fill(online, "v", {b"k": b"x" * size})
        assert online.get("v", b"k") == b"x" * size

    def test_absent_key_and_absent_view_read_as_nothing(self, online: Online) -> None:
        """No error: a view without values is an ordinary state."""
        fill(online, "v", {b"k": b"1"})
        assert online.get("v", b"absent") is None
        assert online.get("absent", b"k") is None
        assert online.get_many("absent", [b"k", b"k"]) == [None, None]
        assert list(online.scan("absent")) == []
        assert online.count("absent") == 0
        assert online.cursor("absent") is None
        online.drop("absent")
        assert online.views() == ["v"]

    def test_views_do_not_see_one_another(self, online: Online) -> None:
        """Also when one's name begins with the other's, and in whichever order they came."""
        for view in ("ab", "a", "a b", "b"):
            fill(online, view, {b"k": view.encode()})
        assert [online.get(view, b"k") for view in ("a", "ab", "a b", "b")] == [b"a", b"ab", b"a b", b"b"]
        assert online.views() == ["a", "a b", "ab", "b"]
        assert list(online.scan("a")) == [(b"k", b"a")]

    def test_get_many_keeps_order_and_repetitions(self, online: Online) -> None:
        """One answer a key, None where there is none."""
        fill(online, "v", {b"a": b"1", b"b": b"2"})
        assert online.get_many("v", [b"b", b"x", b"a", b"b"]) == [b"2", None, b"1", b"2"]
        assert online.get_many("v", []) == []

    def test_scan_goes_in_key_order(self, online: Online) -> None:
        """Byte order of the full keys, long and short ones mixed."""
        keys = [b"", b"\x00", b"a", b"ab", b"b" * 474, b"b" * 475, b"b" * 475 + b"a", b"b" * 476, b"\xff\xff"]
        keys += [b"b" * 475 + bytes([n]) * 100 for n in range(5)]
        fill(online, "v", {key: str(n).encode() for n, key in enumerate(keys)})
        assert list(online.scan("v")) == sorted((key, str(n).encode()) for n, key in enumerate(keys))

    def test_count_follows_puts_replacements_deletes_and_drops(self, online: Online) -> None:
        """Keys are counted, not writes."""
        fill(online, "v", {b"a": b"1", b"b": b"1", b"k" * 600: b"1"})
        assert online.count("v") == 3
        with online.begin() as batch:
            batch.put("v", b"a", b"2")
            batch.put("v", b"c", b"2")
            batch.delete("v", b"b")
            batch.delete("v", b"absent")
        assert online.count("v") == 3
        online.drop("v")
        assert online.count("v") == 0
        fill(online, "v", {b"a": b"3"})
        assert online.count("v") == 1

    def test_drop_removes_one_view(self, online: Online) -> None:
        """Its neighbours and the cursors stay; the name can be used again."""
        for view in ("a", "b", "c"):
            fill(online, view, {str(n).encode(): b"1" for n in range(300)})
        with online.begin() as batch:
            batch.set_cursor("b", b"5")
        online.drop("b")
        assert (online.get("b", b"7"), list(online.scan("b"))) == (None, [])
        assert [online.count(view) for view in ("a", "b", "c")] == [300, 0, 300]
        assert online.views() == ["a", "c"]
        assert online.cursor("b") == b"5"
        fill(online, "b", {b"new": b"1"})
        assert list(online.scan("b")) == [(b"new", b"1")]

    def test_batch_reads_its_own_changes(self, online: Online) -> None:
        """Puts, deletes and cursors, before anyone else sees them."""
        fill(online, "v", {b"a": b"1", b"b": b"1"})
        with online.begin() as batch:
            batch.put("v", b"a", b"2")
            batch.delete("v", b"b")
            batch.put("new", b"c", b"2")
            batch.set_cursor("offset", b"9")
            assert [batch.get("v", b"a"), batch.get("v", b"b"), batch.get("new", b"c")] == [b"2", None, b"2"]
            assert batch.cursor("offset") == b"9"
            assert batch.get("v", b"absent") is None
            assert [online.get("v", b"a"), online.get("v", b"b"), online.get("new", b"c")] == [
                b"1",
                b"1",
                None,
            ]
            assert online.cursor("offset") is None
        assert [online.get("v", b"a"), online.get("v", b"b"), online.get("new", b"c")] == [b"2", None, b"2"]
        assert online.cursor("offset") == b"9"

    def test_last_change_of_a_key_in_a_batch_counts(self, online: Online) -> None:
        """Put after delete is there, delete after put is not."""
        with online.begin() as batch:
            batch.put("v", b"a", b"1")
            batch.delete("v", b"a")
            batch.delete("v", b"b")
            batch.put("v", b"b", b"2")
        assert list(online.scan("v")) == [(b"b", b"2")]

    def test_abort_and_error_leave_everything_as_it_was(self, online: Online) -> None:
        """Values, counts and cursors; and the next batch can begin."""
        fill(online, "v", {b"a": b"1"})
        batch = online.begin()
        batch.put("v", b"a", b"2")
        batch.set_cursor("offset", b"9")
        batch.abort()

        def fail() -> None:
            with online.begin() as batch:
                batch.delete("v", b"a")
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail()
        assert (online.get("v", b"a"), online.count("v"), online.cursor("offset")) == (b"1", 1, None)
        fill(online, "v", {b"a": b"3"})
        assert online.get("v", b"a") == b"3"

    def test_finished_batch_does_nothing_more(self, online: Online) -> None:
        """Committed or aborted, every method says so."""
        for finish in ("commit", "abort"):
            batch = online.begin()
            batch.put("v", b"a", b"1")
            getattr(batch, finish)()
            for call in every_call(batch):
                with pytest.raises(Conflict):
                    call()
        assert online.get("v", b"a") == b"1"

    def test_batch_finished_inside_its_block_is_left_alone(self, online: Online) -> None:
        """The end of the block neither commits nor aborts again."""
        with online.begin() as batch:
            batch.put("v", b"a", b"1")
            batch.commit()
        with online.begin() as batch:
            batch.put("v", b"a", b"2")
            batch.abort()
        assert online.get("v", b"a") == b"1"

    def test_empty_batch_commits(self, online: Online) -> None:
        """A consumer may find nothing to do."""
        with online.begin():
            pass
        online.begin().commit()
        assert online.views() == []

    def test_second_batch_of_a_thread_is_refused(self, online: Online) -> None:
        """It would wait for itself."""
        with online.begin() as batch:
            batch.put("v", b"a", b"1")
            with pytest.raises(Conflict):
                online.begin()
            with pytest.raises(Conflict):
                online.drop("v")
        assert online.get("v", b"a") == b"1"

    def test_batch_of_another_thread_is_refused(self, online: Online) -> None:
        """A batch stays with the thread that began it."""
        errors: list[Exception] = []
        with online.begin() as batch:

            def intrude() -> None:
                try:
                    batch.commit()
                except Conflict as error:
                    errors.append(error)

            thread = threading.Thread(target=intrude)
            thread.start()
            thread.join(DEADLINE)
            batch.put("v", b"a", b"1")
        assert len(errors) == 1
        assert online.get("v", b"a") == b"1"

    def test_batches_of_threads_follow_one_another(self, online: Online) -> None:
        """Read, add one, write: no addition is lost."""
        rounds, threads = 50, 4

        def count_up() -> None:
            for _ in range(rounds):
                with online.begin() as batch:
                    number = int(batch.get("v", b"n") or b"0") + 1
                    batch.put("v", b"n", str(number).encode())
                    batch.set_cursor("n", str(number).encode())

        workers = [threading.Thread(target=count_up) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(DEADLINE)
        assert online.get("v", b"n") == online.cursor("n") == str(rounds * threads).encode()

    def test_snapshot_does_not_move(self, online: Online) -> None:
        """All views and cursors of one moment, whatever is committed meanwhile; the next snapshot has it."""
        fill(online, "a", {b"k": b"1"})
        with online.read() as reader:
            with online.begin() as batch:
                batch.put("a", b"k", b"2")
                batch.put("b", b"k", b"2")
                batch.set_cursor("offset", b"2")
            assert (reader.get("a", b"k"), reader.get("b", b"k"), reader.cursor("offset")) == (
                b"1",
                None,
                None,
            )
            assert reader.get_many("a", [b"x", b"k"]) == [None, b"1"]
            assert online.get("a", b"k") == b"2"
        with online.read() as reader:
            assert (reader.get("a", b"k"), reader.get("b", b"k")) == (b"2", b"2")
            assert reader.cursor("offset") == b"2"
        with pytest.raises(Conflict):
            reader.get("a", b"k")

    def test_scan_does_not_move(self, online: Online) -> None:
        """What is committed after its first step does not show."""
        fill(online, "v", {str(n).encode(): b"1" for n in range(9)})
        scan = online.scan("v")
        first = next(scan)
        online.drop("v")
        assert len([first, *scan]) == 9
        assert list(online.scan("v")) == []

    def test_readers_never_see_half_a_batch(self, online: Online) -> None:
        """Two views and a cursor that always change together are always seen together."""
        stop = threading.Event()
        torn: list[object] = []

        def watch() -> None:
            while not stop.is_set():
                with online.read() as reader:
                    seen = {reader.get("a", b"k"), reader.get("b", b"k"), reader.cursor("c")}
                if len(seen) > 1:
                    torn.append(seen)

        watchers = [threading.Thread(target=watch) for _ in range(2)]
        for watcher in watchers:
            watcher.start()
        for n in range(200):
            with online.begin() as batch:
                batch.put("a", b"k", str(n).encode())
                batch.put("b", b"k", str(n).encode())
                batch.set_cursor("c", str(n).encode())
        stop.set()
        for watcher in watchers:
            watcher.join(DEADLINE)
        assert torn == []

    @pytest.mark.parametrize("kind", NOT_NAMES)
    def test_what_is_not_a_name_is_refused(self, online: Online, kind: str) -> None:
        """Of a view or of a cursor, to read or to write."""
        name = NOT_NAMES[kind]
        batch = online.begin()
        calls: list[Callable[[], object]] = [
            lambda: online.get(name, b"k"),
            lambda: online.get_many(name, [b"k"]),
            lambda: online.cursor(name),
            lambda: online.scan(name),
            lambda: online.count(name),
            lambda: online.drop(name),
            lambda: batch.get(name, b"k"),
            lambda: batch.put(name, b"k", b"v"),
            lambda: batch.delete(name, b"k"),
            lambda: batch.set_cursor(name, b"v"),
        ]
        for call in calls:
            with pytest.raises(InvalidInput):
                call()
        batch.abort()

    def test_closed_store_says_so(self, online: Online) -> None:
        """And closing it twice does nothing."""
        fill(online, "v", {b"k": b"1"})
        online.close()
        online.close()
        for call in (lambda: online.get("v", b"k"), lambda: online.cursor("c"), online.begin):
            with pytest.raises(NotReady):
                call()

    def test_behaves_like_dictionaries(self, online: Online) -> None:
        """Any sequence of batches, committed or not, leaves what two dictionaries would hold."""

        @settings(max_examples=40)
        @given(batches=st.lists(st.tuples(_CHANGES, st.booleans()), max_size=5))
        def check(batches: list[tuple[list[tuple[str, bytes, bytes | None]], bool]]) -> None:
            for view in ("a", "b"):
                online.drop(view)
            model: dict[str, dict[bytes, bytes]] = {"a": {}, "b": {}}
            for changes, keep in batches:
                trial = {view: dict(values) for view, values in model.items()}
                batch = online.begin()
                for view, key, value in changes:
                    if value is None:
                        batch.delete(view, key)
                        trial[view].pop(key, None)
                    else:
                        batch.put(view, key, value)
                        trial[view][key] = value
                    assert batch.get(view, key) == value
                if keep:
                    batch.commit()
                    model = trial
                else:
                    batch.abort()
                for view, values in model.items():
                    assert list(online.scan(view)) == sorted(values.items())
                    assert online.count(view) == len(values)
                    assert online.get_many(view, list(values)) == list(values.values())

        check()
