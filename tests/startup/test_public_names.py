import ast
import subprocess
import sys
from pathlib import Path

import pytest

import treadle

SOURCE = Path(treadle.__file__)


def names_for_type_checkers() -> dict[str, str]:
    """The imports under `if TYPE_CHECKING:`, as public name → module."""
    found = {}
    for node in ast.parse(SOURCE.read_text()).body:
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            for statement in node.body:
                assert isinstance(statement, ast.ImportFrom)
                for alias in statement.names:
                    assert alias.asname == alias.name, f"write `import {alias.name} as {alias.name}`"
                    found[alias.name] = statement.module or ""
    return found


def test_type_checkers_and_the_interpreter_read_the_same_names() -> None:
    assert names_for_type_checkers() == treadle._HOME


def test_the_table_of_names_is_sorted() -> None:
    assert list(treadle._HOME) == sorted(treadle._HOME)


@pytest.mark.parametrize("name", treadle.__all__)
def test_every_public_name_loads_and_is_listed(name: str) -> None:
    assert name in dir(treadle)
    value = getattr(treadle, name)
    assert value is getattr(treadle, name)


def test_an_unknown_name_is_an_attribute_error_that_quotes_it() -> None:
    with pytest.raises(AttributeError, match="'no_such_name'"):
        _ = treadle.no_such_name  # type: ignore[attr-defined]  # that is the point


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ("Sorce", "'Source'"),
        ("source", "'Source'"),
        ("featureview", "'FeatureView'"),
        ("no_worse_slices", "'no_worse_slice'"),
    ],
)
def test_a_misspelt_name_offers_the_one_that_was_meant(wrong: str, near: str) -> None:
    with pytest.raises(AttributeError, match=f"did you mean {near}"):
        getattr(treadle, wrong)


def test_a_star_import_brings_exactly_the_public_names() -> None:
    script = (
        "before = set(globals()); from treadle import *; print(*sorted(set(globals()) - before - {'before'}))"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.split() == sorted(treadle.__all__)


def test_the_version_is_that_of_the_installed_package() -> None:
    from importlib.metadata import version

    assert treadle.__version__ == version("treadle")
