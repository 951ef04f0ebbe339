"""Steps and pipelines are plain functions outside a run, and what a worker could not run is refused."""

import functools
import inspect
from typing import Any

import pytest

from treadle.define import operations as verbs
from treadle.define.context import ACTIVE
from treadle.define.steps import pipeline, step
from treadle.records.errors import InvalidInput, NotReady
from treadle.records.instants import DAY, instant
from treadle.records.splits import Split

operations: Any = verbs
"""As a pipeline's body calls them; here with stand-ins for frames and models."""


@step
def double(x: int, times: int = 2) -> int:
    """Double a number."""
    return x * times


@pipeline
def train(until: int, size: int = 3) -> int:
    """Train on what is known.

    More words.
    """
    return double(until, times=size)


class Runner:
    """Operations that say what they were asked."""

    def __init__(self):
        self.calls = []

    def call(self, step, args, kwargs):
        self.calls.append((step.name, args, kwargs))
        return "from the runner"

    def training_set(self, endpoint, until, since, accept=()):
        return ("frame", endpoint, until, since, accept)

    def split(self, frame, split):
        return (frame, split)

    def evaluate(self, model, frame, slices):
        return (model, frame, slices)

    def register(self, name, model, report):
        return (name, model, report)


@pytest.fixture
def runner():
    made = Runner()
    token = ACTIVE.set(made)
    yield made
    ACTIVE.reset(token)


def test_outside_a_run_steps_and_pipelines_are_their_functions():
    assert double(4) == 8
    assert double(x=4, times=3) == 12
    assert train(5) == 15


def test_in_a_run_a_step_goes_through_the_runner_and_a_pipeline_does_not(runner):
    found: object = train(5)
    assert found == "from the runner"
    assert runner.calls == [("double", (5,), {"times": 3})]


def test_what_a_worker_needs_to_find_a_step_and_a_person_to_know_it():
    assert (double.name, double.target, double.__doc__) == (
        "double",
        f"{__name__}:double",
        "Double a number.",
    )
    assert (train.parameters, train.description) == (("until", "size"), "Train on what is known.")
    assert inspect.unwrap(double.function) is double.function


@pytest.mark.parametrize(
    ("verb", "ask"),
    [
        ("training_set", lambda: operations.training_set("delay", until="2013-04-01")),
        ("split", lambda: operations.split("frame", by_time="14d")),
        ("evaluate", lambda: operations.evaluate("model", "frame")),
        ("register", lambda: operations.register("delay", "model", "report")),
    ],
)
def test_outside_a_run_what_needs_a_home_says_so_and_how(verb, ask):
    with pytest.raises(NotReady) as caught:
        ask()
    assert caught.value.what == f"{verb} needs a running pipeline: it reads and writes a treadle home"
    assert "@tr.pipeline" in str(caught.value.fix)
    assert caught.value.command == "treadle run PIPELINE"


def test_in_a_run_times_and_durations_are_read(runner):
    assert operations.training_set("delay", until="2013-04-01", since=7, accept=["x"]) == (
        "frame", "delay", instant("2013-04-01"), 7, ("x",),
    )  # fmt: skip
    assert operations.training_set("delay", until="2013-04-01T00:00:00Z")[3] is None
    assert operations.split("frame", by_time="14d") == ("frame", Split(by_time=(14 * DAY,)))
    assert operations.split("frame", by_time=["14d", "7d"], group="a", embargo="1d") == (
        "frame",
        Split(by_time=(14 * DAY, 7 * DAY), group=("a",), embargo=DAY),
    )
    assert operations.split("frame", share=0.2, stratify=["label", "b"], seed=3) == (
        "frame",
        Split(shares=(0.2,), stratify=("label", "b"), seed=3),
    )
    assert operations.evaluate("m", "f", slices=["a"]) == ("m", "f", ["a"])
    assert operations.register("n", "m", "r") == ("n", "m", "r")
    with pytest.raises(InvalidInput, match="has no zone"):
        operations.training_set("delay", until="2013-04-01T00:00:00")


def Loud():
    """Named like a class."""


async def waits():
    """Async."""


def yields():
    """A generator."""
    yield 1


def spreads(*values, **more):
    """Parameters without names."""


@pytest.mark.parametrize(("decorate", "kind"), [(step, "step"), (pipeline, "pipeline")])
class TestRefused:
    def faults(self, decorate, function):
        with pytest.raises(InvalidInput) as caught:
            decorate(function)
        assert caught.value.where == f"{__file__}:{function.__code__.co_firstlineno}"
        return list(caught.value.faults)

    def test_nested_functions(self, decorate, kind):
        def inner():
            """Nested."""

        name = f"{type(self).__name__}.test_nested_functions.<locals>.inner"
        assert self.faults(decorate, inner) == [
            f"{kind} {name!r} is nested; define it at the top of a module, where a worker can import it"
        ]

    def test_lambdas(self, decorate, kind):
        assert self.faults(decorate, lambda: 1) == [
            f"{kind} is a lambda; define it with `def` at the top of a module"
        ]

    def test_names_that_are_none(self, decorate, kind):
        assert self.faults(decorate, Loud) == [
            f"{kind} name 'Loud': use lower-case letters, digits and _, starting with a letter, at most 63"
        ]

    def test_what_does_not_return_a_value(self, decorate, kind):
        assert self.faults(decorate, waits) == [f"{kind} 'waits' is async; write a plain `def`"]
        assert self.faults(decorate, yields) == [f"{kind} 'yields' yields; return the whole value"]

    def test_what_is_no_function(self, decorate, kind):
        for thing, said in (
            (len, "<built-in"),
            (functools.partial(Loud), "functools.partial"),
            (double, "the step 'double'"),
        ):
            with pytest.raises(InvalidInput, match="is not a plain function") as caught:
                decorate(thing)
            assert said in caught.value.what
            assert caught.value.fix == f"write @tr.{kind} alone above a `def` at the top of a module"


def test_parameters_of_a_run_have_names():
    with pytest.raises(InvalidInput) as caught:
        pipeline(spreads)
    assert list(caught.value.faults) == [
        "pipeline 'spreads' takes '*values'; a run's parameters need names of their own",
        "pipeline 'spreads' takes '**more'; a run's parameters need names of their own",
    ]
    assert step(spreads).name == "spreads"
