"""Errors say what, where, how to fix and what comes next, in one form for people and one for machines."""

import copy

import pytest

from treadle.records.errors import (
    Conflict,
    Corrupt,
    Forbidden,
    InvalidInput,
    NotFound,
    NotReady,
    TreadleError,
    refuse,
)

KINDS = {
    InvalidInput: "invalid_input", NotFound: "not_found", Conflict: "conflict", Forbidden: "forbidden",
    NotReady: "not_ready", Corrupt: "corrupt", TreadleError: "error",
}  # fmt: skip


def test_for_people_every_part_has_its_line():
    error = InvalidInput(
        "the file is bad", where="a.csv", fix="write it again", command="treadle doctor", faults=["x", "y"]
    )
    assert str(error) == (
        "the file is bad\n  - x\n  - y\n  where: a.csv\n  fix:   write it again\n  next:  treadle doctor"
    )
    assert str(TreadleError("short")) == "short"


@pytest.mark.parametrize("kind", KINDS)
def test_for_machines_every_kind_has_one_shape_and_a_code_of_its_own(kind):
    assert kind("what", where="w", fix="f", command="c", faults=("x",)).as_dict() == {
        "code": KINDS[kind], "what": "what", "where": "w", "fix": "f", "command": "c", "faults": ["x"],
    }  # fmt: skip
    assert kind("what").as_dict()["faults"] == []
    assert issubclass(kind, TreadleError)


def test_copies_keep_every_part():
    error = copy.copy(NotFound("what", where="w", fix="f", command="c", faults=["x"]))
    assert error.as_dict() == NotFound("what", where="w", fix="f", command="c", faults=["x"]).as_dict()


@pytest.mark.parametrize(
    ("name", "known", "fix"),
    [
        ("dealy", ["delay", "fare"], "did you mean 'delay'?"),
        ("delay", ["delay1", "delay2"], "did you mean 'delay1' or 'delay2'?"),
        ("Delay", ["decay", "delay"], "did you mean 'delay' or 'decay'?"),
        ("train", ["train_delay", "rain"], "did you mean 'rain' or 'train_delay'?"),
        ("weather-now", ["weather_now", "weather"], "did you mean 'weather_now' or 'weather'?"),
        ("cogestion_mean", ["congestion_mean_1h"], "did you mean 'congestion_mean_1h'?"),
        ("model", ["delay", "medal"], "known: delay, medal"),
        ("xyz", ["delay", "fare"], "known: delay, fare"),
        ("xyz", [f"m{n:02}" for n in range(13)], f"known: {', '.join(f'm{n:02}' for n in range(12))} …"),
        ("xyz", [], "there is no model yet"),
    ],
)
def test_what_is_not_found_offers_its_neighbours(name, known, fix):
    error = NotFound.among("model", name, iter(known), where="here")
    assert (error.what, error.fix, error.where) == (f"no model named {name!r}", fix, "here")


def test_a_fix_of_ones_own_goes_first():
    assert NotFound.among("model", "x", ["y"], fix="train one").fix == "train one"


def test_refuse_raises_only_when_there_are_faults():
    refuse("nothing", [])
    with pytest.raises(InvalidInput) as caught:
        refuse("the thing is bad", ["one", "two"], where="here", fix="mend it")
    assert caught.value.as_dict() == {
        "code": "invalid_input", "what": "the thing is bad", "where": "here", "fix": "mend it", "command": None,
        "faults": ["one", "two"],
    }  # fmt: skip
