"""Steps and pipelines: plain functions, recorded when they run in a pipeline."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, ParamSpec, TypeVar, cast

from treadle.define.code import source_digest
from treadle.define.context import ACTIVE
from treadle.define.names import name_fault
from treadle.records.digests import Digest
from treadle.records.errors import InvalidInput

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)


@dataclass(frozen=True)
class Step(Generic[P, R_co]):
    """A function that a pipeline records, caches and may run in another process.

    Called inside a running pipeline it goes through the runner; called anywhere else it is the plain function.
    """

    function: Callable[P, R_co] = field(compare=False)
    name: str
    target: str
    """`package.module:function`: how a worker finds it."""
    version: Digest
    """Digest of the function's code and of what it uses in its project; see `treadle.define.code`."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Run the step: through the runner inside a pipeline, as the plain function elsewhere."""
        operations = ACTIVE.get()
        if operations is None:
            return self.function(*args, **kwargs)
        return cast(R_co, operations.call(self, args, kwargs))


@dataclass(frozen=True)
class Pipeline(Generic[P, R_co]):
    """A function whose steps make one run. Call it to run it as plain Python; `treadle run NAME` records it."""

    function: Callable[P, R_co] = field(compare=False)
    name: str
    target: str
    version: Digest
    parameters: tuple[str, ...]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Run the pipeline's body where it stands, without recording it."""
        return self.function(*args, **kwargs)

    @property
    def description(self) -> str:
        """The first line of the function's docstring."""
        return (inspect.getdoc(self.function) or "").split("\n")[0]


def step(function: Callable[P, R_co]) -> Step[P, R_co]:
    """Make a step of a module-level function.

    Arguments and results must be values treadle can store: `tr.Frame`, `tr.Model`, JSON-able values. A function annotated
    to return `tr.Model` may return a fitted estimator: it is exported to a safe format behind a parity check.

    Raises:
        InvalidInput: the function is nested, a lambda, async or a generator, so that a worker could not import and call it.
    """
    _check("step", function)
    wrapped: Step[P, R_co] = Step(function, function.__name__, _target(function), source_digest(function))
    object.__setattr__(wrapped, "__doc__", function.__doc__)  # help() shows the function's own words
    return wrapped


def pipeline(function: Callable[P, R_co]) -> Pipeline[P, R_co]:
    """Make a pipeline of a module-level function; its parameters are the run's parameters.

    Raises:
        InvalidInput: the function is nested, a lambda, async or a generator, or takes `*args` or `**kwargs`.
    """
    _check("pipeline", function)
    parameters = tuple(inspect.signature(function).parameters)
    made: Pipeline[P, R_co] = Pipeline(
        function, function.__name__, _target(function), source_digest(function), parameters
    )
    object.__setattr__(made, "__doc__", function.__doc__)
    return made


def _check(kind: str, function: object) -> None:
    """Refuse what a worker could not import and call.

    Raises:
        InvalidInput: every fault is listed.
    """
    if not inspect.isfunction(function):
        made = (
            f"the {type(function).__name__.lower()} {function.name!r}"
            if isinstance(function, Step | Pipeline)
            else repr(function)
        )
        raise InvalidInput(
            f"the {kind} cannot be defined: {made} is not a plain function",
            fix=f"write @tr.{kind} alone above a `def` at the top of a module",
        )
    code = function.__code__
    named = function.__name__ != "<lambda>"
    faults = [fault for fault in [name_fault(kind, function.__name__)] if fault and named]
    if not named:
        faults.append(f"{kind} is a lambda; define it with `def` at the top of a module")
    elif function.__qualname__ != function.__name__:
        faults.append(
            f"{kind} {function.__qualname__!r} is nested; define it at the top of a module, where a worker can import it"
        )
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        faults.append(f"{kind} {function.__name__!r} is async; write a plain `def`")
    elif inspect.isgeneratorfunction(function):
        faults.append(f"{kind} {function.__name__!r} yields; return the whole value")
    if kind == "pipeline":
        kinds = inspect.signature(function).parameters.values()
        faults += [
            f"pipeline {function.__name__!r} takes {str(p)!r}; a run's parameters need names of their own"
            for p in kinds
            if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD, p.POSITIONAL_ONLY)
        ]
    if faults:
        raise InvalidInput(
            f"the {kind} cannot be defined", where=f"{code.co_filename}:{code.co_firstlineno}", faults=faults
        )


def _target(function: Callable[..., object]) -> str:
    return f"{function.__module__}:{function.__qualname__}"
