"""Every Python example in the README and the docs runs as printed.

The blocks of a page run in order as one program in an empty folder. A block marked `python no-run` is only
compiled: for fragments that need a project around them.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, as_script, blocks, name, python_blocks


def runnable(page: Path) -> bool:
    return any("no-run" not in block.info for block in python_blocks(page.read_text()))


# The README always counts: with its last example gone, an empty list would skip the test in silence.
RUNNABLE = [page for page in PAGES if runnable(page) or page == ROOT / "README.md"]


@pytest.mark.parametrize("page", RUNNABLE, ids=name)
def test_the_examples_of_a_page_run_in_order(page: Path, tmp_path: Path) -> None:
    script = tmp_path / "page.py"
    script.write_text(as_script([b for b in python_blocks(page.read_text()) if "no-run" not in b.info]))
    folder = tmp_path / "empty"
    folder.mkdir()
    run = subprocess.run([sys.executable, script], cwd=folder, capture_output=True, text=True, check=False)
    assert run.returncode == 0, f"{name(page)} (line numbers are those of the page)\n{run.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_example_is_python(page: Path) -> None:
    for block in python_blocks(page.read_text()):
        compile("\n" * (block.line - 1) + block.body, name(page), "exec")


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_block_says_its_language(page: Path) -> None:
    unnamed = [block.line for block in blocks(page.read_text()) if not block.info]
    assert unnamed == [], f"{name(page)}: blocks without a language at these lines"


def test_blocks_are_found_with_their_lines_and_run_in_order() -> None:
    page = (
        "a\n```python\nx = 1\n```\nb\n```python no-run\ny = 1\n```\n"  # lines 1 to 8
        "```bash\nls\n```\n\n```python\nassert x == 1\n```\n"  # lines 9 to 15
    )
    found = python_blocks(page)
    assert [(block.line, "no-run" in block.info) for block in found] == [(3, False), (7, True), (14, False)]
    script = as_script([block for block in found if "no-run" not in block.info])
    assert script.splitlines()[2] == "x = 1"
    assert script.splitlines()[13] == "assert x == 1"
