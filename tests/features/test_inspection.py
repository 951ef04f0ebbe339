"""What the online store holds of an entity: values as a model gets them, their ages, and whether they count."""

import pytest

import treadle as tr
from treadle.records.instants import DAY, HOUR, MINUTE
from treadle.stages.features.inspection import held_values, parse_key, unpack_key
from treadle.stages.features.keys import pack_key
from treadle.stages.features.state import Latest, newer
from treadle.stages.features.window_state import window_writer

T0 = 1_000 * DAY
KEY = ["a"]

thing = tr.Entity("thing", keys=["name"])
rows = tr.Source.parquet(
    "rows", path="rows.parquet", columns={"name": "string", "x": "float", "seen": "time"}, event_time="seen"
)
latest = tr.FeatureView("latest", entity=thing, source=rows, ttl="6h", features=["x"])
window = tr.WindowView(
    "window", entity=thing, source=rows, features=[tr.mean("x", over="1h"), tr.count(over="1d", name="n")]
)


class Holding:
    """A snapshot that holds one value of every view."""

    def __init__(self, value: bytes | None) -> None:
        self.value = value

    def get(self, view: str, key: bytes) -> bytes | None:
        assert key == pack_key(KEY)
        return self.value


def seen(view, stored, at):
    return [
        (one.feature, one.value, one.status, one.age) for one in held_values(view, Holding(stored), KEY, at)
    ]


def row(*, tombstone=False, known_at=T0):
    return newer(None, Latest(T0, T0, 0, known_at, tombstone, [2.5]))


@pytest.mark.parametrize(
    ("stored", "at", "expected"),
    [
        (None, T0, (None, "absent", None)),
        (row(), T0 + 6 * HOUR, (2.5, "ok", 6 * HOUR)),
        (row(), T0 + 6 * HOUR + 1, (None, "expired", 6 * HOUR + 1)),
        (row(known_at=T0 + HOUR), T0 + MINUTE, (None, "absent", None)),
        (row(tombstone=True), T0 + MINUTE, (None, "absent", None)),
    ],
    ids=["never seen", "at the end of its ttl", "past its ttl", "not yet known", "deleted"],
)
def test_a_latest_value_counts_from_when_it_is_known_until_its_ttl(stored, at, expected):
    assert seen(latest, stored, at) == [("x", *expected)]


def test_each_window_has_a_status_of_its_own():
    state = window_writer(window).append(None, T0, T0, 0, T0, [2.0])
    assert seen(window, state, T0 + MINUTE) == [("x_mean_1h", 2.0, "ok", MINUTE), ("n", 1.0, "ok", MINUTE)]
    late = T0 + 2 * HOUR
    assert seen(window, state, late) == [("x_mean_1h", None, "expired", 2 * HOUR), ("n", 1.0, "ok", 2 * HOUR)]
    assert seen(window, state, T0) == [("x_mean_1h", None, "absent", None), ("n", 0.0, "absent", None)]
    assert seen(window, None, T0) == [("x_mean_1h", None, "absent", None), ("n", 0.0, "absent", None)]


pair = tr.Entity("pair", keys=["carrier", "flight"])
TYPES = {"carrier": "string", "flight": "int"}


def test_a_key_is_read_in_the_entitys_order_and_types():
    values = parse_key(pair, TYPES, {"flight": "7", "carrier": "7"})
    assert values == ["7", 7]
    assert unpack_key(pack_key(values)) == ("7", 7)


def test_every_fault_of_a_key_is_listed():
    with pytest.raises(tr.InvalidInput) as refused:
        parse_key(pair, TYPES, {"flight": "seven", "tail": "N1"})
    assert refused.value.faults == (
        "'tail' is no key of 'pair'", "key 'carrier' is missing", "key 'flight' must be a whole number, not 'seven'",
    )  # fmt: skip
    assert refused.value.fix == "write it like: carrier=STRING flight=INT"


def test_a_damaged_key_is_named_as_such():
    with pytest.raises(tr.Corrupt):
        unpack_key(b"\xc1")
