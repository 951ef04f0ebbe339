"""One canonical form a value, one digest a form."""

import hashlib
import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.records.digests import canonical, digest_bytes, digest_value

_TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
_FLOATS = st.floats(allow_nan=False, allow_infinity=False)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | _FLOATS | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=8,
)


def test_known_digests():
    assert digest_bytes(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert digest_bytes(bytearray(b"abc")) == digest_bytes(memoryview(b"abc")) == digest_bytes(b"abc")
    assert canonical({"b": [1, 2.5, None], "a": "é"}) == '{"a":"é","b":[1,2.5,null]}'.encode()
    assert digest_value({"a": 1}) == hashlib.sha256(b'{"a":1}').hexdigest()


@settings(max_examples=100)
@given(PLAIN)
def test_the_canonical_form_reads_back_and_is_a_fixed_point(value):
    form = canonical(value)
    assert json.loads(form) == value
    assert canonical(json.loads(form)) == form


@given(st.dictionaries(_TEXT, st.integers(), max_size=5))
def test_the_order_of_keys_does_not_count(value):
    assert digest_value(dict(reversed(list(value.items())))) == digest_value(value)


def test_types_count():
    assert len({digest_value(value) for value in (1, 1.0, "1", True, None, [1], {"1": 1}, 0.0, -0.0)}) == 9
    assert digest_value((1, 2)) == digest_value([1, 2])


@pytest.mark.parametrize("value", [math.nan, math.inf, [-math.inf], "\ud800"])
def test_numbers_and_texts_that_json_lacks_are_refused(value):
    with pytest.raises(ValueError):
        canonical(value)


@pytest.mark.parametrize("value", [b"bytes", {1, 2}, object(), {("a",): 1}])
def test_things_that_json_lacks_are_refused(value):
    with pytest.raises(TypeError):
        canonical(value)
