"""A project that cannot be loaded says what is wrong in which line, and what to do."""

import sys

import pytest

from treadle.bootstrap import load_project
from treadle.records.errors import Conflict, InvalidInput, NotFound, TreadleError


def refused(folder, kind=InvalidInput):
    with pytest.raises(TreadleError) as caught:
        load_project(folder)
    assert type(caught.value) is kind
    assert caught.value.fix
    return caught.value


def test_a_sound_project_knows_where_it_came_from(write_project):
    folder = write_project()
    loaded = load_project(folder)
    assert loaded.project.name == "shop"
    assert (loaded.module, loaded.folder, loaded.import_path) == (folder.name, folder, folder.parent)
    assert load_project(folder).project is loaded.project


def test_the_project_may_stand_in_a_module_of_that_name(write_project):
    folder = write_project("", project='import treadle as tr\nproject = tr.Project(name="inside")\n')
    assert load_project(folder).project.name == "inside"


def test_a_project_inside_a_package_is_imported_as_part_of_it(write_project):
    above = write_project("HELP = 7\n", name="company_of_a_test")
    inner = write_project(
        "from .. import HELP\nimport treadle as tr\nproject = tr.Project(name=f'shop{HELP}')\n", name="inner", under=above.name
    )  # fmt: skip
    loaded = load_project(inner)
    assert (loaded.project.name, loaded.module) == ("shop7", "company_of_a_test.inner")
    assert loaded.import_path == above.parent


def test_no_folder_and_no_package_are_told_apart(tmp_path):
    error = refused(tmp_path / "nowhere", NotFound)
    assert error.what == f"{tmp_path}/nowhere is not a project: there is no such folder"
    error = refused(tmp_path, NotFound)
    assert error.what == f"{tmp_path} is not a project: it has no __init__.py"
    assert error.command == "treadle init NAME"


@pytest.mark.parametrize("name", ["my-shop", "2shops", "my shop", "shop.py", "class"])
def test_a_folder_that_no_import_can_name_is_refused(name, write_project):
    assert refused(write_project(name=name)).what == f"{name!r} cannot be the name of a Python package"


@pytest.mark.parametrize(
    ("init", "said"),
    [
        ("", "defines no `project`"),
        ("project = 7\n", "defines a `project` that is a int"),
        ("import treadle as tr\nshop = tr.Project(name='shop')\n", "defines no `project`"),
    ],
)
def test_a_package_without_a_project_is_told_what_to_write(init, said, write_project):
    folder = write_project(init)
    error = refused(folder, NotFound)
    assert error.what == f"{folder} {said}"
    assert error.fix == "write `project = tr.Project(...)` in its __init__.py or project.py"


def test_a_syntax_error_has_file_and_line(write_project):
    folder = write_project("from . import tables\n", tables="x = 1\ny = = 2\n")
    error = refused(folder)
    assert error.what.startswith("the project cannot be imported: SyntaxError: ")
    assert error.where == f"{folder}/tables.py:2"


FAILING = {
    "NameError: name 'missing' is not defined": "missing\n",
    "AttributeError: module 'treadle' has no attribute 'Sauce'": "import treadle as tr\ntr.Sauce\n",
    "ZeroDivisionError: division by zero": "1 / 0\n",
    "KeyError: 'nothing'": "{}['nothing']\n",
    "FileNotFoundError: [Errno 2] No such file or directory: '/no/such'": "open('/no/such')\n",
    "TypeError: ": "import treadle as tr\ntr.Entity()\n",
    "RuntimeError: own words": "raise RuntimeError('own words')\n",
}


@pytest.mark.parametrize("said", FAILING)
def test_whatever_a_module_raises_has_its_line(said, write_project):
    text = FAILING[said]
    folder = write_project("from . import tables\n", tables=f"\n{text}")
    error = refused(folder)
    assert error.what.startswith(f"the project cannot be imported: {said}")
    assert error.where == f"{folder}/tables.py:{1 + text.count(chr(10))}"
    assert isinstance(error.__cause__, Exception)


def test_a_refused_definition_keeps_its_faults_and_gets_its_line(write_project):
    folder = write_project(
        "from . import tables\n", tables="import treadle as tr\n\ntr.Entity('Plane', keys=['a', 'a'])\n"
    )
    error = None
    with pytest.raises(InvalidInput) as caught:
        load_project(folder)
    error = caught.value
    assert error.what == "the entity cannot be defined"
    assert len(error.faults) == 2
    assert error.where == f"{folder}/tables.py:3"


def test_a_missing_library_is_to_be_installed_and_a_missing_module_to_be_written(write_project):
    error = refused(write_project("import no_such_library.part\n"))
    assert error.what == "the project cannot be imported: No module named 'no_such_library'"
    assert (
        error.fix
        == "install it (the package that has 'no_such_library') where treadle is installed, or mend the import"
    )
    error = refused(write_project("from . import nothing_here\n"))
    assert "cannot import name 'nothing_here'" in error.what
    folder = write_project("from .nothing import here\n")
    error = refused(folder)
    assert error.what == f"the project cannot be imported: No module named '{folder.name}.nothing'"
    assert error.fix == "mend the import, or write the module, and run the command again"
    assert error.where == f"{folder}/__init__.py:1"


def test_a_failed_project_can_be_mended_and_loaded_again(write_project):
    folder = write_project("from . import tables\n", tables="x =\n")
    refused(folder)
    (folder / "tables.py").write_text("x = 1\n")
    (folder / "__init__.py").write_text(
        'import treadle as tr\nfrom . import tables\nproject = tr.Project(name="mended")\n'
    )
    assert load_project(folder).project.name == "mended"


def test_two_packages_of_one_name_are_not_mixed_up(write_project):
    first = write_project(name="twin_of_a_test", under="a")
    second = write_project(name="twin_of_a_test", under="b")
    load_project(first)
    error = refused(second, Conflict)
    assert error.what == f"another package named 'twin_of_a_test' is imported already, from {first}"
    assert (error.where, error.fix) == (str(second), "rename the project's folder")


def test_nor_are_packages_above_them(write_project):
    for side in "ab":
        write_project("", name="above_of_a_test", under=side)
    first, second = (write_project(name=name, under=f"{side}/above_of_a_test") for side, name in ("ax", "by"))
    load_project(first)
    assert "another package named 'above_of_a_test'" in refused(second, Conflict).what


@pytest.mark.parametrize("name", ["json", "sys"])
def test_nor_a_package_and_a_module_of_python(name, write_project):
    assert (
        f"another package named {name!r} is imported already"
        in refused(write_project(name=name), Conflict).what
    )


def test_a_folder_beside_is_not_taken_for_the_project(write_project):
    """/x/shop is no part of the path of /x/shop_helpers."""
    folder = write_project("import shop_helpers_of_a_test\n", name="shop_helpers_of_a")
    beside = write_project("1 / 0\n", name="shop_helpers_of_a_test")
    assert refused(folder).where == f"{folder}/__init__.py:1"
    assert beside.name.startswith(folder.name)


def test_nothing_is_executed_of_what_is_no_project(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "loose.py").write_text("raise RuntimeError\n")
    before = list(sys.path)
    refused(tmp_path, NotFound)
    assert sys.path == before
