"""`treadle init`: the project it makes runs, and it never writes over anything."""

import os
import subprocess
import sys
from contextlib import chdir

import pytest

from tests.entry.cli.conftest import NAME, treadle

FILES = sorted(
    [".gitignore", "README.md", "pyproject.toml", "tests/test_project.py"]
    + [f"{NAME}/{file}.py" for file in ("__init__", "data", "features", "model", "tables")]
)


def run(words, folder):
    """Run a program in a folder; returns what it wrote."""
    env = {key: value for key, value in os.environ.items() if not key.startswith(("TREADLE_", "PYTEST_"))}
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_files_are_those_the_readme_speaks_of(new_project):
    found = sorted(str(path.relative_to(new_project)) for path in new_project.rglob("*") if path.is_file())
    assert [path for path in found if "__pycache__" not in path and not path.startswith("data/")] == FILES
    readme = (new_project / "README.md").read_text()
    assert all(f"`{path}`" in readme for path in FILES if path.endswith(".py") and "__init__" not in path)


def test_no_placeholder_is_left(new_project):
    for path in FILES:
        text = (new_project / path).read_text()
        assert "{{" not in text, path
        assert text.endswith("\n"), path


@pytest.mark.slow
def test_the_tests_of_the_new_project_pass(tmp_path):
    with chdir(tmp_path):
        treadle("init", "corner_shop")
    out = run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"], tmp_path / "corner_shop")
    assert "3 passed" in out


def test_the_new_project_is_formatted_and_lint_free(tmp_path):
    with chdir(tmp_path):
        treadle("init", "corner_shop")
    ruff = [sys.executable, "-m", "ruff"]
    run([*ruff, "format", "--isolated", "--check", "."], tmp_path / "corner_shop")
    run(
        [*ruff, "check", "--isolated", "--select", "A,B,C4,D1,E,F,I,N,SIM,UP,W", "--ignore", "D103", "."],
        tmp_path / "corner_shop",
    )


def test_machines_are_told_files_and_next_commands(tmp_path):
    with chdir(tmp_path):
        said = treadle("init", "corner_shop", "--json").json
    assert said["project"] == "corner_shop"
    assert said["folder"] == str(tmp_path / "corner_shop")
    assert "corner_shop/features.py" in said["files"]
    assert said["next"][0] == "cd corner_shop"
    assert "treadle up --project corner_shop --home home --from 2025-07-01" in said["next"]


def test_here_means_into_the_present_folder(tmp_path):
    (tmp_path / "notes.txt").write_text("kept")
    with chdir(tmp_path):
        said = treadle("init", "corner_shop", "--here")
    assert said.code == 0
    assert (tmp_path / "corner_shop" / "__init__.py").is_file()
    assert (tmp_path / "tests" / "test_project.py").is_file()
    assert (tmp_path / "notes.txt").read_text() == "kept"
    assert "cd corner_shop" not in said.out


def test_an_existing_folder_is_refused_and_untouched(tmp_path):
    (tmp_path / "corner_shop").mkdir()
    with chdir(tmp_path):
        said = treadle("init", "corner_shop", "--json")
    assert said.code == 1
    assert said.error["code"] == "conflict"
    assert list((tmp_path / "corner_shop").iterdir()) == []


def test_files_that_exist_are_all_named_and_nothing_is_written(tmp_path):
    (tmp_path / "README.md").write_text("mine")
    (tmp_path / ".gitignore").write_text("mine")
    with chdir(tmp_path):
        said = treadle("init", "corner_shop", "--here", "--json")
    assert sorted(said.error["faults"]) == [".gitignore exists", "README.md exists"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [".gitignore", "README.md"]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("My-Shop", "lower-case"),
        ("../shop", "lower-case"),
        ("class", "word of Python"),
        ("json", "standard library"),
        ("polars", "installed package"),
        ("tests", "meaning of its own"),
    ],
)
def test_a_name_that_cannot_work_is_refused_with_the_reason(name, why, tmp_path):
    with chdir(tmp_path):
        said = treadle("init", name, "--json")
    assert said.code == 2
    assert why in said.error["faults"][0]
    assert list(tmp_path.iterdir()) == []
