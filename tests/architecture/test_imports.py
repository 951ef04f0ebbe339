"""The import contract (`[tool.importlinter]` in pyproject.toml), and proof that it would catch a breach."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def lint(package_folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run the contract on the `treadle` package found in the folder."""
    script = (
        f"import sys; sys.path.insert(0, {str(package_folder)!r}); "
        f"from importlinter.cli import lint_imports; "
        f"sys.exit(lint_imports(config_filename={str(ROOT / 'pyproject.toml')!r}, no_cache=True))"
    )
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=package_folder, check=False
    )


def test_the_import_contract_holds() -> None:
    run = lint(ROOT / "src")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "0 broken" in run.stdout


BREACHES = {
    "records import nothing of ours": ("records/errors.py", "import treadle.define.names"),
    "define does not know the stages": ("define/names.py", "import treadle.stages.data"),
    "an adapter does not know the definitions": ("adapters/breach.py", "import treadle.define.names"),
    "an adapter does not know the stages": ("adapters/breach.py", "import treadle.stages.features"),
    "testing does not know the stages": ("testing/breach.py", "import treadle.stages.features"),
    "the loop does not know the adapters": ("loop/breach.py", "import treadle.adapters"),
    "stages do not know one another": ("stages/serving/breach.py", "import treadle.stages.features"),
    "pictures know records only": ("pictures/breach.py", "import treadle.define.names"),
    "nothing below knows the entry": ("bootstrap.py", "import treadle.entry.cli"),
    "a new folder has to be placed": ("attic/__init__.py", "import treadle.records"),
}


def copy_of_the_package(folder: Path) -> Path:
    return shutil.copytree(
        ROOT / "src" / "treadle", folder / "treadle", ignore=shutil.ignore_patterns("__pycache__")
    )


def test_an_unchanged_copy_passes_so_that_a_failure_below_is_the_breach(tmp_path: Path) -> None:
    copy_of_the_package(tmp_path)
    assert lint(tmp_path).returncode == 0


@pytest.mark.parametrize(("path", "line"), BREACHES.values(), ids=BREACHES.keys())
def test_a_breach_is_caught(tmp_path: Path, path: str, line: str) -> None:
    copy = copy_of_the_package(tmp_path)
    (copy / path).parent.mkdir(exist_ok=True)
    with (copy / path).open("a") as file:
        file.write(f"\n{line}\n")
    assert lint(tmp_path).returncode == 1


def test_a_cycle_between_two_files_is_caught(tmp_path: Path) -> None:
    copy = copy_of_the_package(tmp_path)
    (copy / "loop" / "one.py").write_text("import treadle.loop.two\n")
    (copy / "loop" / "two.py").write_text("import treadle.loop.one\n")
    run = lint(tmp_path)
    assert run.returncode == 1
    assert "No cycles between siblings, at any depth BROKEN" in run.stdout
