"""A pipeline's parameters from text: typed by the function's annotations, refused with every fault."""

import importlib
import sys

import pytest

import treadle as tr
from treadle.entry.cli._parameters import converted, described, pipeline_parameters

MODULE = '''
from __future__ import annotations

import treadle as tr


@tr.pipeline
def train(
    until: tr.Instant,
    rows: int,
    rate: float = 0.1,
    since: tr.Instant | None = None,
    holdout: str = "14d",
    refit: bool = False,
    depth=3,
) -> None:
    """Do nothing."""
'''


@pytest.fixture
def train(tmp_path, monkeypatch):
    (tmp_path / "parameters_under_test.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("parameters_under_test").train
    sys.modules.pop("parameters_under_test")


def test_each_text_becomes_what_the_annotation_says(train):
    given = ["until=2025-06-01", "rows=7", "rate=3", "since=none", "holdout=21", "refit=yes", "depth=4"]
    assert pipeline_parameters(train, given) == {
        "until": 1748736000000000, "rows": 7, "rate": 3.0, "since": None, "holdout": "21", "refit": True, "depth": 4,
    }  # fmt: skip


def test_an_optional_instant_takes_an_instant(train):
    assert pipeline_parameters(train, ["rows=1", "since=1970-01-01T00:00:01Z"])["since"] == 1_000_000


def test_what_is_left_out_keeps_its_default_and_until_is_filled_in_later(train):
    assert pipeline_parameters(train, ["rows=1"]) == {"rows": 1}


def test_every_fault_is_listed_at_once(train):
    with pytest.raises(tr.InvalidInput) as refused:
        pipeline_parameters(
            train, ["rat=1", "rate=fast", "refit=perhaps", "novalue", "rate=1", "holdout=x=y"]
        )
    assert refused.value.faults == (
        "there is no parameter 'rat'; did you mean 'rate'?",
        "rate=fast: not a number",
        "refit=perhaps: not true or false",
        "'novalue' is not written name=value",
        "'rate' is given twice",
        "'rows' has no default and is missing",
    )
    assert "holdout=14d" in (refused.value.fix or "")


def test_people_are_shown_the_defaults(train):
    assert described(train)[:3] == ["until", "rows", "rate=0.1"]


@pytest.mark.parametrize(
    ("text", "kinds", "value"), [("5", [int], 5), ("5", [str], "5"), ("", [type(None), int], None)]
)
def test_the_declared_kind_decides_not_the_look_of_the_text(text, kinds, value):
    assert converted(text, kinds) == value
