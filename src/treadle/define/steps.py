"""Steps and pipelines: plain functions, recorded when they run in a pipeline."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, ParamSpec, TypeVar, cast

from treadle.define.context import ACTIVE
from treadle.define.names import name_fault
from treadle.records.digests import Digest, digest_bytes
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
    """Digest of the function's source without decorators and comments."""

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
        InvalidInput: the function is nested or a lambda, so that a worker could not import it.
    """
    _check("step", function)
    wrapped: Step[P, R_co] = Step(function, function.__name__, _target(function), source_digest(function))
    object.__setattr__(wrapped, "__doc__", function.__doc__)  # help() shows the function's own words
    return wrapped


def pipeline(function: Callable[P, R_co]) -> Pipeline[P, R_co]:
    """Make a pipeline of a module-level function; its parameters are the run's parameters.

    Raises:
        InvalidInput: the function is nested or a lambda.
    """
    _check("pipeline", function)
    parameters = tuple(inspect.signature(function).parameters)
    made: Pipeline[P, R_co] = Pipeline(
        function, function.__name__, _target(function), source_digest(function), parameters
    )
    object.__setattr__(made, "__doc__", function.__doc__)
    return made


def source_digest(function: Callable[..., object]) -> Digest:
    """Return a digest of a function's code that comments, layout and decorators don't change."""
    try:
        source = textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError):
        return digest_bytes(function.__code__.co_code)
    tree = ast.parse(source).body[0]
    if isinstance(tree, ast.FunctionDef | ast.AsyncFunctionDef):
        tree.decorator_list = []
    return digest_bytes(ast.dump(tree).encode())


def _check(kind: str, function: Callable[..., object]) -> None:
    faults = [fault for fault in [name_fault(kind, function.__name__)] if fault]
    if function.__qualname__ != function.__name__:
        faults.append(f"{kind} {function.__qualname__!r} is nested; define it at the top of a module")
    if faults:
        raise InvalidInput(
            f"the {kind} cannot be defined",
            where=f"{function.__module__}.{function.__qualname__}",
            faults=faults,
        )


def _target(function: Callable[..., object]) -> str:
    return f"{function.__module__}:{function.__qualname__}"
