"""Sizes are whole bytes; text names them in units of 1024 or 1000."""

import pytest

from treadle.records.errors import InvalidInput
from treadle.records.sizes import size


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("256MiB", 1 << 28),
        (" 1.5 GiB ", 3 << 29),
        ("2GB", 2_000_000_000),
        ("64KiB", 65_536),
        ("7", 7),
        (7, 7),
        ("3B", 3),
    ],
)
def test_a_size_is_a_number_of_bytes(text, expected):
    assert size(text) == expected


@pytest.mark.parametrize("text", ["", "MiB", "-1MiB", "1 mib", "1e3", "many", 0, "0.2B"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(InvalidInput):
        size(text)
