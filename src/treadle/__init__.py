"""treadle keeps the machine-learning loop turning.

The public names load on first use: `import treadle` alone loads nothing heavy (law 14). To make a name
public, write it in two places below: in the imports that type checkers read, and in `_HOME`, the table
that the interpreter reads. `tests/startup/test_public_names.py` holds the two together.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from treadle.records.errors import Conflict as Conflict
    from treadle.records.errors import Corrupt as Corrupt
    from treadle.records.errors import Forbidden as Forbidden
    from treadle.records.errors import InvalidInput as InvalidInput
    from treadle.records.errors import NotFound as NotFound
    from treadle.records.errors import NotReady as NotReady
    from treadle.records.errors import TreadleError as TreadleError
    from treadle.records.instants import Duration as Duration
    from treadle.records.instants import Instant as Instant

__version__ = "0.1.0"

# Public name → the module it lives in, sorted by name.
_HOME = {
    "Conflict": "treadle.records.errors",
    "Corrupt": "treadle.records.errors",
    "Duration": "treadle.records.instants",
    "Forbidden": "treadle.records.errors",
    "Instant": "treadle.records.instants",
    "InvalidInput": "treadle.records.errors",
    "NotFound": "treadle.records.errors",
    "NotReady": "treadle.records.errors",
    "TreadleError": "treadle.records.errors",
}

__all__ = ["__version__", *_HOME]  # noqa: PLE0604 - the table is the one list; its keys are strings


if not TYPE_CHECKING:  # a type checker that saw this function would accept any misspelt name

    def __getattr__(name: str) -> object:
        """Load a public name from its module and keep it, so that this runs once for each name."""
        if name not in _HOME:
            raise AttributeError(f"module 'treadle' has no attribute {name!r}")
        import importlib

        value: object = getattr(importlib.import_module(_HOME[name]), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
