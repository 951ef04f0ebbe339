"""A definition's digest is the same in every process, and changes exactly when the meaning does."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.define import parts
from treadle.define.aggregates import count, mean, total
from treadle.define.describe import definition_digest, describe, meaning
from treadle.define.entities import Entity
from treadle.define.feature_sets import FeatureSet
from treadle.define.gates import better_than_champion, loads_and_answers
from treadle.define.monitors import Monitor, score_drift
from treadle.define.row_features import row_feature
from treadle.define.sources import Source
from treadle.define.triggers import every, on
from treadle.define.views import FeatureView, WindowView, column
from treadle.records.digests import canonical, digest_value

ROOT = Path(__file__).parents[2]
GATES = {"champion": [better_than_champion(), loads_and_answers()]}


def source(**changes):
    given: dict[str, Any] = {
        "name": "s",
        "path": "s.parquet",
        "columns": {"k": "string", "at": "time", "v": "float"},
        "event_time": "at",
    }
    given |= changes
    return Source.parquet(given.pop("name"), **given)


def view(**changes):
    given: dict[str, Any] = {
        "name": "v",
        "entity": Entity("e", keys="k"),
        "source": source(),
        "features": ["v"],
        "ttl": "6h",
    }
    given |= changes
    return FeatureView(given.pop("name"), **given)


def window(**changes):
    given: dict[str, Any] = {
        "name": "w",
        "entity": Entity("e", keys="k"),
        "source": source(),
        "features": [mean("v", over="1h")],
    }
    given |= changes
    return WindowView(given.pop("name"), **given)


CHANGED = {
    "ttl": (view(), view(ttl="7h")),
    "no ttl": (view(), view(ttl=None)),
    "a feature": (view(), view(features=["v", "at"])),
    "a feature's name": (view(), view(features=[column("v", name="w")])),
    "the entity's keys": (view(), view(entity=Entity("e", keys=["k", "v"]))),
    "must_exist": (view(), view(entity=Entity("e", keys="k", must_exist=True))),
    "known_after": (view(), view(source=source(known_after="10m"))),
    "a column's type": (source(), source(columns={"k": "string", "at": "time", "v": "int"})),
    "path": (source(), source(path="t.parquet")),
    "zone": (source(), source(zone="UTC")),
    "unique": (source(), source(unique=["k"])),
    "window": (window(), window(features=[mean("v", over="2h", name="v_mean_1h")])),
    "function": (window(), window(features=[total("v", over="1h", name="v_mean_1h")])),
    "gates": (parts.project(gates=GATES), parts.project(gates={"champion": [loads_and_answers()]})),
    "a gate's margin": (better_than_champion(), better_than_champion(margin=0.01)),
    "cooldown": (on(every("30d"), run="train", cooldown="1d"), on(every("30d"), run="train", cooldown="2d")),
    "timezone": (parts.project(), parts.project(timezone="Europe/Berlin")),
    "a monitor's window": (
        Monitor("m", window="7d", every="1d", drift=score_drift("psi")),
        Monitor("m", window="8d", every="1d", drift=score_drift("psi")),
    ),
}  # fmt: skip
SAME = {
    "a source's description": (source(), source(description="words")),
    "a view's owner": (view(), view(owner="ann", description="words")),
    "an entity's description": (view(), view(entity=Entity("e", keys="k", description="words"))),
    "how a duration is written": (view(ttl="1d"), view(ttl="24h")),
    "how one key is written": (view(), view(entity=Entity("e", keys=["k"]))),
    "order of a mapping": (source(), source(columns={"at": "time", "v": "float", "k": "string"})),
}


@pytest.mark.parametrize("what", CHANGED)
def test_another_meaning_is_another_digest(what):
    first, second = CHANGED[what]
    assert definition_digest(first) != definition_digest(second)


@pytest.mark.parametrize("what", SAME)
def test_the_same_meaning_is_the_same_digest(what):
    first, second = SAME[what]
    assert definition_digest(first) == definition_digest(second)


def test_words_of_a_row_feature_are_no_meaning():
    def hour(at):
        """Some words."""
        return at.dt.hour()

    def plain(at):
        return at.dt.hour()

    def other(at):
        return at.dt.minute()

    def named(function):
        return row_feature(name="hour", owner=function.__name__)(function)

    first, second, third = (
        definition_digest(FeatureSet("s", request={"x": "int"}, features=[named(f)]))
        for f in (hour, plain, other)
    )
    assert first == second != third


def test_columns_called_like_words_are_columns():
    with_words = [source(columns={"at": "time", name: "string"}) for name in ("description", "owner", "tags")]
    assert len({definition_digest(item) for item in [source(columns={"at": "time"}), *with_words]}) == 4


def test_a_description_keeps_the_words_and_is_json():
    shown: Any = describe(view(description="what it says", owner="ann"))
    assert (shown["is"], shown["description"], shown["owner"]) == ("FeatureView", "what it says", "ann")
    assert shown["ttl"] == 6 * 3600 * 10**6
    assert json.loads(canonical(describe(parts.project(gates=GATES)))) == describe(parts.project(gates=GATES))


def test_every_kind_of_value_has_its_json():
    @dataclass
    class Thing:
        names: set[str] = field(default_factory=lambda: {"b", "c", "a"})
        mapping: dict[int, object] = field(default_factory=lambda: {1: None, 2: (True, 1.5, "x")})

    assert describe(Thing()) == {
        "is": "Thing",
        "names": ["a", "b", "c"],
        "mapping": {"1": None, "2": [True, 1.5, "x"]},
    }


@pytest.mark.parametrize("value", [object(), b"bytes", len, Source], ids=lambda value: type(value).__name__)
def test_what_has_no_lasting_description_is_refused(value):
    with pytest.raises(TypeError, match="cannot be part of a definition's description"):
        describe([value])


PRINT_DIGESTS = """
from pathlib import Path
from treadle.bootstrap import load_project
from treadle.define.describe import definition_digest
from tests.define import parts
from tests.define.test_describe import GATES
print(definition_digest(parts.project(gates=GATES)))
print(definition_digest(load_project(Path("examples/flights")).project))
"""


def test_digests_are_the_same_in_every_process():
    found = set()
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-c", PRINT_DIGESTS],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        found.add(done.stdout)
    (printed,) = found
    assert definition_digest(parts.project(gates=GATES)) == printed.splitlines()[0]
    assert len(set(printed.split())) == 2


def test_what_is_left_at_its_default_changes_no_digest():
    """A part that a later treadle adds, with a default, must leave the digests of what was defined before."""
    said, silent = count(over="1d", where=None), count(over="1d")
    assert definition_digest(said) == definition_digest(silent)
    assert "where" not in meaning(silent)
    assert "where" in describe(silent)
    assert definition_digest(count("price", over="1d")) != definition_digest(silent)


def test_the_digest_is_that_of_the_meaning():
    assert definition_digest(count(over="1d")) == digest_value(meaning(count(over="1d")))
