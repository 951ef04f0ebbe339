"""Parts of instants on the clocks of zones, against the interpreter's own datetimes."""

import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

import treadle as tr
from tests.features.rows.test_operators import both, one, same, trace
from treadle.stages.features.rows.zones import offsets_of

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Half-hour daylight saving, 30 and 45 minutes, a skipped day, local mean time of odd seconds, the southern half.
ZONES = [
    "America/New_York", "Asia/Kathmandu", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Chatham", "America/St_Johns",
    "Pacific/Apia", "Europe/Amsterdam", "Africa/Casablanca", "UTC",
]  # fmt: skip


def micros(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1)


def parts(at: int, zone: str) -> list[int]:
    local = (EPOCH + timedelta(microseconds=at)).astimezone(ZoneInfo(zone))
    day = local.timetuple().tm_yday
    return [
        local.year,
        local.month,
        local.day,
        local.hour,
        local.minute,
        local.second,
        local.isoweekday(),
        day,
    ]


def features(zone: str):
    names = ["year", "month", "day", "hour", "minute", "second", "weekday", "ordinal_day"]
    return [_feature(name, zone) for name in names]


def _feature(name: str, zone: str):
    return trace(lambda x: getattr(x.dt.convert_time_zone(zone).dt, name)())


@pytest.mark.parametrize("zone", ZONES)
def test_parts_are_those_of_the_zone_from_1800_to_2099(zone: str) -> None:
    draw = random.Random(zone)
    low, high = micros(datetime(1801, 1, 1, tzinfo=UTC)), micros(datetime(2099, 12, 31, tzinfo=UTC))
    instants = [draw.randrange(low, high) for _ in range(300)]
    for change in offsets_of(zone).changes:
        instants += [change - 1, change, change + 1]
    columns = [both(feature, {"x": "time"}, [(at,) for at in instants]) for feature in features(zone)]
    assert list(map(list, zip(*columns, strict=True))) == [parts(at, zone) for at in instants]


@pytest.mark.parametrize("zone", ZONES)
def test_no_change_of_offset_is_missed_near_another(zone: str) -> None:
    table, rules = offsets_of(zone), ZoneInfo(zone)
    hour = 3_600_000_000
    for change in table.changes:
        for at in range(change - 36 * hour, change + 36 * hour, 2 * hour):
            found = table.offsets[sum(1 for other in (change,) if other <= at) + table.changes.index(change)]
            if any(other != change and abs(other - at) <= 36 * hour for other in table.changes):
                continue  # two changes within days of each other: the random instants above cover them
            local = (EPOCH + timedelta(microseconds=at)).astimezone(rules)
            assert local.utcoffset() == timedelta(microseconds=found)


def new_york(name: str):
    return _feature(name, "America/New_York")


def test_the_hour_that_daylight_saving_skips_and_the_one_it_repeats() -> None:
    spring = [micros(datetime(2013, 3, 10, h, m, tzinfo=UTC)) for h, m in [(6, 59), (7, 0)]]
    assert both(new_york("hour"), {"x": "time"}, [(at,) for at in spring]) == [1, 3]
    autumn = [micros(datetime(2013, 11, 3, h, 30, tzinfo=UTC)) for h in (4, 5, 6, 7)]
    assert both(new_york("hour"), {"x": "time"}, [(at,) for at in autumn]) == [0, 1, 1, 2]


def test_the_weekday_is_that_of_the_local_day() -> None:
    sunday_evening = micros(datetime(2013, 4, 8, 3, 0, tzinfo=UTC))  # Monday in UTC
    assert both(new_york("weekday"), {"x": "time"}, [(sunday_evening,), (None,)]) == [7, None]
    assert one(lambda x: x.dt.weekday(), "time", sunday_evening) == [1]


def test_times_before_1970_have_the_parts_of_their_day() -> None:
    at = micros(datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC))
    for name, expected in [
        ("year", 1969),
        ("hour", 23),
        ("second", 59),
        ("weekday", 3),
        ("ordinal_day", 365),
    ]:
        assert both(_feature(name, "UTC"), {"x": "time"}, [(at,)]) == [expected]


def test_parts_outside_the_years_1_to_9999_are_null() -> None:
    first, last = -62_135_596_800_000_000, 253_402_300_799_999_999
    edges = [first - 1, first, last, last + 1, 2**63 - 1, -(2**63)]
    same(one(lambda x: x.dt.year(), "time", *edges), [None, 1, 9999, None, None, None])
    same(both(new_york("hour"), {"x": "time"}, [(at,) for at in edges]), [None, None, 18, 19, None, None])


def test_from_2100_on_a_zone_keeps_its_offset() -> None:
    summer = micros(datetime(2150, 7, 1, 12, tzinfo=UTC))
    assert both(new_york("hour"), {"x": "time"}, [(summer,)]) == [7]


def test_a_zone_survives_arithmetic_and_features_of_features() -> None:
    from treadle.stages.features.rows.program import compile_rows

    @tr.row_feature
    def local(at):
        return at.dt.convert_time_zone("America/New_York")

    @tr.row_feature
    def hour(local):
        return local.dt.offset_by("2h").dt.hour()

    program = compile_rows([hour, local], {"at": "time"})
    at = micros(datetime(2013, 7, 1, 12, tzinfo=UTC))
    assert program.row(at) == (10, at)  # the instant itself has no zone
    assert program.types == {"hour": "int", "local": "time"}
