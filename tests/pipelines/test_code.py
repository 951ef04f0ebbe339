"""What counts as a step's code, and which commit a checkout stands at."""

from __future__ import annotations

import importlib
import subprocess
import sys
import textwrap

import pytest

from treadle.stages.pipelines.code import code_commit, code_digest, environment_digest, reachable_modules

STEP = """
    import treadle as tr
    from {package}.helpers import half
    from . import constants

    FACTOR = 2

    def doubled(x):
        return x * FACTOR

    @tr.step
    def fit(x: int) -> int:
        # how it is done
        return half(doubled(x)) + constants.OFFSET
"""
HELPERS = """
    from .deeper.still import quarter

    def half(x):
        return quarter(x) * 2
"""


class Package:
    """A small project on disk, whose step can be edited and looked at again."""

    def __init__(self, folder, name):
        self.folder, self.name = folder / name, name
        self.write("__init__.py", "")
        self.write("model.py", STEP.format(package=name))
        self.write("helpers.py", HELPERS)
        self.write("constants.py", "OFFSET = 1")
        self.write("deeper/__init__.py", "")
        self.write("deeper/still.py", "def quarter(x):\n    return x / 4")
        self.write("unrelated.py", "import os\n\ndef other():\n    return 1")

    def write(self, path, text):
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text).strip() + "\n")

    def edit(self, path, old, new):
        text = (self.folder / path).read_text()
        assert old in text
        (self.folder / path).write_text(text.replace(old, new))

    def digest(self):
        """The step's code digest, the package imported anew."""
        for module in [m for m in sys.modules if m.partition(".")[0] == self.name]:
            del sys.modules[module]
        importlib.invalidate_caches()
        step = importlib.import_module(f"{self.name}.model").fit
        return code_digest(step.target, step.version)


@pytest.fixture
def package(tmp_path, monkeypatch, request):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # two edits in one second would else look alike
    made = Package(tmp_path, f"coded_{abs(hash(request.node.name))}")
    yield made
    for module in [m for m in sys.modules if m.partition(".")[0] == made.name]:
        del sys.modules[module]


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("model.py", "# how it is done", "# how it is done, in other words"),
        (
            "model.py",
            "return half(doubled(x)) + constants.OFFSET",
            "return half(doubled(x))+constants.OFFSET",
        ),
        ("model.py", "@tr.step\n", "import functools\n\n@tr.step\n"),
        ("unrelated.py", "return 1", "return 2"),
        ("helpers.py", "def half", "# a word\ndef half"),
    ],
    ids=["comment", "layout", "import of a library", "unrelated module", "comment in a helper"],
)
def test_what_computes_nothing_else_leaves_the_digest_as_it_is(package, file, old, new):
    before = package.digest()
    package.edit(file, old, new)
    assert package.digest() == before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("model.py", "constants.OFFSET", "constants.OFFSET * 2"),
        ("model.py", "x * FACTOR", "x * FACTOR + 1"),
        ("model.py", "FACTOR = 2", "FACTOR = 3"),
        ("helpers.py", "* 2", "* 3"),
        ("constants.py", "OFFSET = 1", "OFFSET = 2"),
        ("deeper/still.py", "/ 4", "/ 5"),
    ],
    ids=["own source", "helper beside it", "constant beside it", "imported", "imported package module", "two imports away"],
)  # fmt: skip
def test_what_the_step_computes_with_changes_the_digest(package, file, old, new):
    before = package.digest()
    package.edit(file, old, new)
    assert package.digest() != before


def test_reachable_modules_are_those_of_the_package_that_are_imported_and_nothing_is_run(package):
    package.edit("helpers.py", "def half", "def never():\n    from . import explosive\n\ndef half")
    package.write("explosive.py", 'raise RuntimeError("imported")')
    package.write("broken.py", "def (")
    package.edit("helpers.py", "def half", "def never_either():\n    from . import broken\n\ndef half")
    package.digest()
    found = reachable_modules(f"{package.name}.model")
    assert {name.removeprefix(f"{package.name}").lstrip(".") for name in found} == {
        "", "model", "helpers", "constants", "deeper.still", "explosive", "broken",
    }  # fmt: skip
    assert f"{package.name}.explosive" not in sys.modules


def test_modules_that_import_each_other_are_each_found_once(package):
    package.edit("deeper/still.py", "def quarter", "from .. import helpers\n\ndef quarter")
    assert reachable_modules(f"{package.name}.helpers").keys() >= {
        f"{package.name}.helpers",
        f"{package.name}.deeper.still",
    }


def test_a_module_outside_of_any_package_reaches_itself(tmp_path, monkeypatch):
    (tmp_path / "lonely_module.py").write_text("import os\nfrom os import path\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert list(reachable_modules("lonely_module")) == ["lonely_module"]
    assert reachable_modules("no_such_module_anywhere") == {}


class Distribution:
    def __init__(self, name, version):
        self.name, self.version = name, version


def test_the_environment_digest_changes_with_what_is_installed_and_not_with_the_order(monkeypatch):
    def digest(*installed):
        found = [Distribution(*one) for one in installed]
        monkeypatch.setattr("treadle.stages.pipelines.code.distributions", lambda: iter(found))
        return environment_digest()

    before = digest(("a", "1"), ("b", "2"), (None, "broken"))
    assert digest(("b", "2"), ("a", "1"), ("a", "1")) == before
    assert len({before, digest(("a", "1")), digest(("a", "1"), ("b", "3"))}) == 3


def git(folder, *arguments):
    settings = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]
    done = subprocess.run(
        ["git", *settings, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "checkout"
    folder.mkdir()
    git(folder, "init", "-q")
    git(folder, "commit", "-q", "--allow-empty", "-m", "one")
    git(folder, "commit", "-q", "--allow-empty", "-m", "two")
    (folder / "project" / "inner").mkdir(parents=True)
    return folder


def head(folder):
    return git(folder, "rev-parse", "HEAD")


def test_commit_of_a_branch_as_a_loose_and_as_a_packed_ref(checkout):
    assert code_commit(checkout / "project" / "inner") == head(checkout)
    git(checkout, "pack-refs", "--all")
    assert not (checkout / ".git" / "refs" / "heads" / "main").exists()
    assert code_commit(checkout / "project") == head(checkout)


def test_commit_of_a_branch_whose_name_ends_like_another_ones(checkout):
    git(checkout, "branch", "other/main", "HEAD~1")
    git(checkout, "pack-refs", "--all")
    assert code_commit(checkout) == head(checkout)


def test_commit_of_a_detached_checkout(checkout):
    git(checkout, "checkout", "-q", "--detach", "HEAD~1")
    assert code_commit(checkout) == head(checkout)


def test_commit_of_a_linked_working_tree_inside_another_checkout(checkout):
    """Its `.git` is a file; the checkout around it stands at another commit."""
    git(checkout, "worktree", "add", "-q", "-b", "side", "linked", "HEAD~1")
    assert code_commit(checkout / "linked") == head(checkout / "linked") != head(checkout)
    git(checkout, "pack-refs", "--all")
    assert code_commit(checkout / "linked") == head(checkout / "linked")


def test_no_commit_outside_of_a_checkout_or_before_the_first_one(tmp_path):
    assert code_commit(tmp_path) is None
    git(tmp_path, "init", "-q")
    assert code_commit(tmp_path) is None


@pytest.mark.parametrize("text", ["", "ref: ../../../secret", "ref: refs/heads/main", "nonsense", "g" * 40])
def test_a_head_that_leads_nowhere_gives_no_commit(tmp_path, text):
    (tmp_path / "secret").write_text("not a commit")
    folder = tmp_path / "checkout"
    (folder / ".git").mkdir(parents=True)
    (folder / ".git" / "HEAD").write_text(text)
    assert code_commit(folder) is None
