import math
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.pictures import numbers
from treadle.records.instants import DAY, HOUR, MINUTE, SECOND, instant


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "no data"),
        (math.nan, "no data"),
        (math.inf, "no data"),
        (0, "0"),
        (0.0, "0"),
        (0.73124, "0.7312"),
        (0.5, "0.5"),
        (9.99996, "10"),
        (1234, "1,234"),
        (12345, "12,345"),
        (1234.5678, "1,235"),
        (-3.25, "−3.25"),
        (12_345_678, "12.3 M"),
        (999_999, "1 M"),
        (999_949, "999,949"),
        (1_500_000_000, "1.5 G"),
        (0.00001234, "1.234e-05"),
    ],
)
def test_number(value, text):
    assert numbers.number(value) == text


@settings(max_examples=150, deadline=None)
@given(st.floats(min_value=1e-3, max_value=9e5))
def test_a_number_keeps_four_significant_digits(value):
    read = Decimal(numbers.number(value).replace(",", ""))
    exact = Decimal(value)
    unit = Decimal(10) ** (exact.adjusted() - 3) if value < 1000 else Decimal(1)
    assert abs(read - exact) <= unit / 2 * Decimal("1.0001")


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([0.061, 0.0431, -0.0004], ["0.0610", "0.0431", "−0.0004"]),
        ([0.7, None, 0.75], ["0.70", "no data", "0.75"]),
        ([12, 3400], ["12", "3,400"]),
        ([100.5, 0.00001], ["100.5", "1e-05"]),
        ([], []),
    ],
)
def test_numbers_in_a_column_share_their_decimals(values, texts):
    assert numbers.column(values) == texts


def test_difference_shows_the_digits_its_interval_supports():
    assert numbers.difference(0.0042, 0.0012, 0.0071) == "+0.004 (95 % 0.001 to 0.007)"
    assert numbers.difference(-0.02, -0.0312, -0.0088) == "−0.020 (95 % −0.031 to −0.009)"
    assert numbers.difference(None, None, None) == "no data"
    assert numbers.estimate(0.7312, 0.7201, 0.7419) == "0.731 (0.720 to 0.742)"


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (0, "0 µs"),
        (12, "12 µs"),
        (340_000, "340 ms"),
        (1_250_000, "1.25 s"),
        (2 * MINUTE + 36 * SECOND, "2 min 36 s"),
        (59_960_000, "1 min"),
        (3 * HOUR, "3 h"),
        (3 * HOUR + 5 * MINUTE, "3 h 5 min"),
        (DAY - 1, "1 d"),
        (4 * DAY + 6 * HOUR, "4 d 6 h"),
        (-90 * SECOND, "−1 min 30 s"),
        (None, "no data"),
    ],
)
def test_span(length, text):
    assert numbers.span(length) == text


def test_bytes_share_sign_and_moment():
    assert numbers.bytes_size(1_288_490_189) == "1.2 GiB"
    assert numbers.bytes_size(512) == "512 B"
    assert numbers.bytes_size(None) == "no data"
    assert numbers.share(0.831) == "83.1 %"
    assert numbers.share(None) == "no data"
    assert numbers.signed(0.0042) == "+0.0042"
    assert numbers.signed(-1.5) == "−1.5"
    assert numbers.moment(instant("2013-04-01T06:30:00Z")) == "2013-04-01 06:30 UTC"
    assert numbers.moment(instant("2013-04-01"), zone=False) == "2013-04-01"
    assert numbers.moment(None) == "no data"
