"""Projects written for a test, and forgotten after it."""

import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

NUMBERS = count()
SOUND = 'import treadle as tr\nproject = tr.Project(name="shop")\n'


@pytest.fixture
def write_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """Write a package of files; its name is one of its own unless the test gives one."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)

    def write(init: str = SOUND, name: str | None = None, under: str = "", **modules: str) -> Path:
        folder = tmp_path / under / (name or f"shop{next(NUMBERS)}_of_a_test")
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text(init)
        for module, text in modules.items():
            (folder / f"{module}.py").write_text(text)
        return folder

    yield write
    for module in set(sys.modules) - before:
        if str(getattr(sys.modules[module], "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[module]
