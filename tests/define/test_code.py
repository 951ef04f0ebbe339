"""The digest of a function changes with what it computes, and with nothing else."""

import importlib
import sys
from itertools import count
from typing import Any

import pytest

from treadle.define.code import source_digest

NUMBERS = count()
MODULE = '''"""A module."""
import math

import polars as pl

from . import shared
from .shared import RATE as RATIO, scale

LIMIT = 3
UNUSED = 1


def helper(x):
    """Words."""
    return deeper(x) + LIMIT


def deeper(x):
    return x * RATIO


def recursive(x):
    return x if x < 1 else recursive(x - 1)


def decorate(function):
    return function


@decorate
def compute(rows, flights):
    """What it does."""
    kept = [helper(row) for row in rows if row]  # a comment
    return kept, scale(math.pi), pl, shared.OTHER


flights = "the name of a parameter, not what it is"
small = lambda x: x + LIMIT
pair = (lambda x: x + 1, lambda x: x + 2)
'''
SHARED = """RATE = 2.0
OTHER = 7
APART = 1


def scale(x):
    return x * STEP


STEP = 5
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Write a package with the two modules, changed as asked, and import it anew."""
    monkeypatch.syspath_prepend(str(tmp_path))
    made = []

    def make(*changes, name=None):
        sources = {"work.py": MODULE, "shared.py": SHARED}
        for old, new in changes:
            found = [file for file, text in sources.items() if old in text]
            assert len(found) == 1, old
            sources[found[0]] = sources[found[0]].replace(old, new)
        package = name or f"package{next(NUMBERS)}"
        made.append(package)
        folder = tmp_path / package
        folder.mkdir()
        (folder / "__init__.py").touch()
        for file, text in sources.items():
            (folder / file).write_text(text)
        importlib.invalidate_caches()
        return importlib.import_module(f"{package}.work")

    yield make
    for name in [name for name in sys.modules if name.partition(".")[0] in made]:
        del sys.modules[name]


SAME = {
    "comments": ("# a comment", "# other words"),
    "layout": ("if row]", "\n            if (row)]"),
    "quotes": ('"""Words."""', "'''Other words.'''"),
    "its docstring": ('"""What it does."""', '"""What else it does."""'),
    "no docstring": ('    """What it does."""\n', ""),
    "a helper's docstring": ('    """Words."""\n', ""),
    "its decorators": ("@decorate\ndef compute", "@decorate\n@decorate\ndef compute"),
    "a constant nobody uses": ("UNUSED = 1", "UNUSED = 2"),
    "what a parameter shadows": ('flights = "the name', 'flights = "a name'),
    "the order of definitions": ("LIMIT = 3\nUNUSED = 1\n", "UNUSED = 1\nLIMIT = 3\n"),
    "another import": ("import math\n", "import json\nimport math\n"),
}
OTHER = {
    "its code": ("if row]", "if not row]"),
    "a default": ("def compute(rows, flights)", "def compute(rows, flights=())"),
    "a helper": ("deeper(x) + LIMIT", "deeper(x) - LIMIT"),
    "a helper's helper": ("return x * RATIO", "return x / RATIO"),
    "a constant": ("LIMIT = 3", "LIMIT = 4"),
    "a constant set twice": ("UNUSED = 1\n", "LIMIT += 1\n"),
    "an imported constant": ("RATE = 2.0", "RATE = 2.5"),
    "an imported function": ("return x * STEP", "return x + STEP"),
    "what an imported function uses": ("STEP = 5", "STEP = 6"),
    "a module that is used whole": ("OTHER = 7", "OTHER = 8"),
    "where a library's name comes from": ("import polars as pl", "import decimal as pl"),
}


@pytest.mark.parametrize("what", SAME)
def test_what_computes_the_same_has_the_same_digest(what, package):
    assert source_digest(package().compute) == source_digest(package(SAME[what]).compute)


@pytest.mark.parametrize("what", OTHER)
def test_what_computes_something_else_has_another(what, package):
    assert source_digest(package().compute) != source_digest(package(OTHER[what]).compute)


def test_a_module_used_by_name_counts_by_name_only_for_what_is_imported_from_it(package):
    """`helper` imports one constant of the module that `compute` also uses whole."""
    plain, changed = package(), package(("APART = 1", "APART = 2"))
    assert source_digest(plain.helper) == source_digest(changed.helper)
    assert source_digest(plain.compute) != source_digest(changed.compute)


def test_a_function_that_calls_itself_is_digested(package):
    assert source_digest(package().recursive) == source_digest(package().recursive)
    assert source_digest(package().recursive) != source_digest(package(("if x < 1", "if x < 2")).recursive)


def test_lambdas_are_told_apart_even_two_on_a_line(package):
    module = package()
    digests = {source_digest(f) for f in (module.small, *module.pair)}
    assert len(digests) == 3
    assert source_digest(module.small) != source_digest(package(("LIMIT = 3", "LIMIT = 4")).small)
    assert source_digest(package().pair[1]) == source_digest(module.pair[1])


def test_functions_without_source_are_told_apart_by_their_compiled_code():
    def made(text):
        scope: dict[str, Any] = {}
        exec(compile(text, "<nowhere>", "exec"), scope)
        return scope["f"]

    texts = [
        "def f(x): return x + 1",
        "def f(x): return x + 2",
        "def f(x): return len(x)",
        "def f(x): return abs(x)",
    ]
    assert len({source_digest(made(text)) for text in texts}) == 4
    sets = "def f(x):\n    def g(): return x in {'a', 'b', 'c'}\n    return g"
    assert source_digest(made(sets)) == source_digest(made(sets.replace("'a', 'b', 'c'", "'c', 'a', 'b'")))
