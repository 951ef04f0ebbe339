"""Artifacts come back as they went; what is no artifact is refused, whatever it is."""

from __future__ import annotations

import io
import os

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.records.errors import Corrupt, InvalidInput
from treadle.records.evaluation import EvaluationReport, SliceRow
from treadle.records.frames import Frame
from treadle.stages.evaluation.report import evaluate
from treadle.stages.pipelines.artifacts import decode, encode, frame_digest

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(plain)
@settings(max_examples=150)
def test_whatever_json_can_hold_comes_back_the_same(value):
    found = decode(encode(value))
    assert found == value
    assert encode(found) == encode(value)


@pytest.mark.parametrize("compress", [True, False])
def test_a_frame_comes_back_with_rows_types_and_header(frame, compress):
    found = decode(encode(frame, compress=compress))
    assert isinstance(found, Frame)
    assert found.rows.equals(frame.rows)
    assert found.rows.schema == frame.rows.schema
    assert (found.features, found.categories, found.until) == (frame.features, frame.categories, 9)
    assert found.vocabularies == {"kind": ("a", "b")}


def test_a_frame_without_rows_comes_back_with_its_columns(frame):
    empty = frame.where(pl.lit(False))
    found = decode(encode(empty))
    assert isinstance(found, Frame)
    assert found.rows.schema == frame.rows.schema
    assert len(found) == 0


def test_a_model_comes_back_with_bytes_that_hold_newlines(model):
    assert decode(encode(model)) == model


def test_a_report_comes_back_equal():
    chooser = np.random.default_rng(3)
    y, scores = chooser.integers(0, 2, 300).astype(float), chooser.random(300)
    report = evaluate(y, scores, slices={"k": np.array(["a", "b"] * 150)}, groups=np.arange(300) // 10)
    found = decode(encode(report))
    assert isinstance(found, EvaluationReport)
    assert found == report
    assert isinstance(found.slices[0], SliceRow)


@pytest.mark.parametrize(
    "value",
    [object(), {1, 2}, float("nan"), np.int64(3), {1: "one"}, [{"deep": {2: "two"}}], b"bytes", lambda: None],
    ids=["object", "set", "nan", "numpy", "number-as-key", "number-as-key-inside", "bytes", "function"],
)
def test_a_value_that_json_would_change_or_cannot_hold_is_refused(value):
    with pytest.raises(InvalidInput, match="cannot be stored") as caught:
        encode(value)
    assert "tr.Frame" in str(caught.value)


# A pickle that leaves a mark in the environment of the process that loads it.
PICKLE = b'cbuiltins\nexec\n(S\'import os; os.environ["UNPICKLED"] = "1"\'\ntR.'


def hostile():
    arrow = io.BytesIO()
    pl.DataFrame({"a": [1]}).write_ipc(arrow)
    head = b'{"kind":"frame","features":["a"],"categories":[],"vocabularies":{},"until":1}\n'
    return {
        "nothing": b"",
        "text": b"hello",
        "no newline": b'{"kind":"json"}',
        "pickle": PICKLE,
        "pickle as json": b'{"kind":"json"}\n' + PICKLE,
        "pickle as frame": head + PICKLE,
        "pickle as model": b'{"kind":"model"}\n' + PICKLE,
        "unknown kind": b'{"kind":"python"}\nprint(1)',
        "a list for a header": b"[1]\n2",
        "a number for a header": b"7\n2",
        "null for a header": b"null\n2",
        "another encoding": b'\xff\xfe{"kind":"json"}\n1',
        "json cut off": b'{"kind":"json"}\n{"a":',
        "json without end": b'{"kind":"json"}\n' + b"[" * 100_000,
        "header without end": b"[" * 100_000 + b"\n1",
        "report that is none": b'{"kind":"report"}\n{"n":"many"}',
        "report cut off": b'{"kind":"report"}\n{"n":',
        "model without manifest": b'{"kind":"model"}\n\x00\x01\n',
        "model of another shape": b'{"kind":"model"}\n{"model":7}\n',
        "frame without header": b'{"kind":"frame"}\n' + arrow.getvalue(),
        "frame with a wrong until": head.replace(b'"until":1', b'"until":"1"') + arrow.getvalue(),
        "frame with wrong vocabularies": head.replace(b"{},", b'["a"],') + arrow.getvalue(),
        "frame without a column it names": head.replace(b'["a"]', b'["b"]') + arrow.getvalue(),
        "frame without rows at all": head,
        "frame cut off": head + arrow.getvalue()[:-20],
    }


@pytest.mark.parametrize("data", hostile().values(), ids=hostile().keys())
def test_bytes_that_are_no_artifact_are_corrupt_and_execute_nothing(data):
    with pytest.raises(Corrupt):
        decode(data)
    assert "UNPICKLED" not in os.environ


@given(st.data())
@settings(max_examples=200)
def test_damaged_frames_are_corrupt_or_frames(data):
    rows = pl.DataFrame({"a": [1.0, None, 3.0] * 20, "b": ["x", None, "some longer text than twelve"] * 20})
    whole = bytearray(encode(Frame(rows, ("a",), ("b",))))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, 20))
    try:
        found = decode(bytes(whole[: len(whole) - cut]))
    except Corrupt:
        return
    assert isinstance(found, Frame)


def test_the_digest_of_a_frame_is_that_of_its_content_not_of_its_memory(frame):
    """Filtered, chunked, sent through a worker, or built anew: the same rows have the same digest."""
    doubled = pl.concat([frame.rows, frame.rows], rechunk=False)
    masked = frame.rows.with_columns(
        speed=pl.Series([1.5, 77.0, -0.0, 3.0]).set(pl.Series([False, True, False, False]), None),
        kind=pl.Series(["a", "gone", "with more letters than fit in a view", "b"]).set(
            pl.Series([False, True, False, False]), None
        ),
    ).select(frame.rows.columns)
    copies = {
        "chunks": pl.concat([frame.rows[:1], frame.rows[1:]], rechunk=False),
        "slice": doubled[4:],
        "filter": doubled.filter(pl.int_range(pl.len()) < 4),
        "anew": pl.DataFrame(frame.rows.to_dicts(), schema=frame.rows.schema),
        "other values under the nulls": masked,
    }
    for name, rows in copies.items():
        assert rows.equals(frame.rows)
        copy = Frame(rows, frame.features, frame.categories, frame.vocabularies, frame.until)
        assert frame_digest(copy) == frame_digest(frame), name
    for compress in (True, False):
        sent = decode(encode(frame, compress=compress))
        assert isinstance(sent, Frame)
        assert frame_digest(sent) == frame_digest(frame)


def test_a_filter_that_leaves_no_nulls_gives_the_digest_of_rows_that_never_had_any(frame):
    filtered = frame.where(pl.col("speed").is_not_null() & pl.col("asked").is_not_null())
    anew = Frame(
        pl.DataFrame(filtered.rows.to_dicts(), schema=filtered.rows.schema),
        frame.features, frame.categories, frame.vocabularies, frame.until,
    )  # fmt: skip
    assert len(anew) == 2
    assert frame_digest(filtered) == frame_digest(anew)


def changed(frame):
    rows = frame.rows
    yield "value", rows.with_columns(speed=pl.Series([1.5, None, 0.5, 3.0])), {}
    yield "null to zero", rows.with_columns(pl.col("speed").fill_null(0.0)), {}
    yield "null to empty text", rows.with_columns(pl.col("kind").fill_null("")), {}
    yield "order of rows", rows.reverse(), {}
    yield "type", rows.with_columns(pl.col("__at").cast(pl.Int32)), {}
    yield "name", rows.rename({"asked": "told"}), {}
    yield (
        "text moved over a border",
        rows.with_columns(kind=pl.Series(["aw", None, rows["kind"][2][1:], "b"])),
        {},
    )
    yield "until", rows, {"until": 10}
    yield "features", rows, {"features": ("speed",)}
    yield "vocabularies", rows, {"vocabularies": {"kind": ("b", "a")}}


def test_the_digest_of_a_frame_changes_with_everything_that_it_is(frame):
    seen = {frame_digest(frame): "itself"}
    for what, rows, header in changed(frame):
        parts = {
            "features": frame.features,
            "categories": frame.categories,
            "vocabularies": frame.vocabularies,
            "until": frame.until,
        }
        digest = frame_digest(Frame(rows=rows, **{**parts, **header}))
        assert digest not in seen, f"{what} looks like {seen.get(digest)}"
        seen[digest] = what
