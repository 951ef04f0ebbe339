"""Transforms that are fitted on data, and why none of them may become a stored feature.

Three kinds of transforms are told apart (the taxonomy of Hopsworks, SIGMOD 2024). *Model-independent* ones mean the same
for whoever reads them: sources, tables and views store them. *On-demand* ones need the request: row features. And
*model-dependent* ones are fitted on one training set: scaling by its mean, one-hot codes of its categories. Their values
mean something else after every training, so they belong in a step, where they are saved and served with the model.

Whether a constant in a formula was computed from data cannot be told from the formula. What can be told is refused: a
function marked with `fitted`, and the transformers of scikit-learn, in a row feature, a view or a table.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from types import CellType, CodeType, FunctionType
from typing import ParamSpec, TypeVar

from treadle.define.columns import traced
from treadle.records.errors import InvalidInput

P = ParamSpec("P")
R = TypeVar("R")

_MARK = "__treadle_fitted__"
_LIBRARIES = (
    "sklearn.preprocessing",
    "sklearn.impute",
    "sklearn.decomposition",
    "sklearn.feature_extraction",
    "category_encoders",
)
WHY = (
    "is fitted on a training set: what it returns means something else after every training, and other models that read "
    "the stored values would get those of this one"
)
FIX = "fit and apply it inside a function made a step by @tr.step, so that it is saved, versioned and served with the model"


def fitted(function: Callable[P, R]) -> Callable[P, R]:
    """Mark a function as a model-dependent transform: what it computes depends on the training set.

    It is an ordinary function in steps. In a row feature, a table or a view it is refused, with the reason.
    """

    @functools.wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        if any(traced(value) is not None for value in (*args, *kwargs.values())):
            raise InvalidInput(
                f"a row feature uses {function.__name__!r}, which {WHY}",
                where=f"{function.__code__.co_filename}:{function.__code__.co_firstlineno}",
                fix=FIX,
            )
        return function(*args, **kwargs)

    setattr(checked, _MARK, True)
    return checked


def is_fitted(value: object) -> bool:
    """Say whether a value is a model-dependent transform: a marked function, or a transformer of a known library. Pure."""
    if getattr(value, _MARK, False) is True:
        return True
    kind = value if inspect.isclass(value) else type(value)
    known = any(kind.__module__ == lib or kind.__module__.startswith(f"{lib}.") for lib in _LIBRARIES)
    return known and hasattr(kind, "fit")


def fitted_uses(function: Callable[..., object]) -> list[str]:
    """Return the names of model-dependent transforms that a function uses, itself or through functions of its package.

    Names are followed, not values: what is only reached through `getattr` or a registry is not seen.
    """
    return sorted(dict.fromkeys(_uses(function, set())))


def _uses(function: object, seen: set[int]) -> Iterator[str]:
    if not isinstance(function, FunctionType) or id(function) in seen:
        return
    seen.add(id(function))
    package = function.__module__.partition(".")[0]
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=False)
    near = {name: _held(cell) for name, cell in cells}
    for name in _names(function.__code__):
        value = near.get(name, function.__globals__.get(name))
        if name in _LIBRARIES or is_fitted(value) or getattr(value, "__name__", "") in _LIBRARIES:
            yield name
        elif isinstance(value, FunctionType) and value.__module__.partition(".")[0] == package:
            yield from _uses(value, seen)


def _names(code: CodeType) -> Iterator[str]:
    """Yield the names a function mentions, those of functions inside it and of modules it imports too."""
    yield from (*code.co_names, *code.co_freevars)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _held(cell: CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # a name that is not bound yet
        return None
