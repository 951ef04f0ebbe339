"""The locks: all pinned by hash, nothing that names a machine or an index, nothing declared left out."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def entries(lock: Path) -> list[str]:
    """One logical line per requirement: continuation lines joined, comments dropped."""
    lines = [line for line in lock.read_text().splitlines() if not line.lstrip().startswith("#")]
    return [entry.strip() for entry in "\n".join(lines).replace("\\\n", " ").splitlines() if entry.strip()]


def pinned(lock: Path) -> dict[str, set[str]]:
    """Name → versions; a universal lock may hold a version for each range of Python."""
    found: dict[str, set[str]] = {}
    for entry in entries(lock):
        requirement = Requirement(entry.split(" --hash")[0])
        found.setdefault(canonicalize_name(requirement.name), set()).add(str(requirement.specifier)[2:])
    return found


def declared() -> list[Requirement]:
    """Every direct dependency: of the package, of the extras in `all`, and of the groups that go into the dev lock."""
    groups, extras = PROJECT["dependency-groups"], PROJECT["project"]["optional-dependencies"]
    everything = set(Requirement(extras["all"][0]).extras)
    texts = [
        *PROJECT["project"]["dependencies"],
        *(text for name in sorted(everything) for text in extras[name]),
        *(text for group in ("bootstrap", "dev", "demo") for text in groups[group] if isinstance(text, str)),
    ]
    return [one for one in map(Requirement, texts) if one.name != PROJECT["project"]["name"]]


def test_the_four_locks_are_there() -> None:
    assert [lock.name for lock in LOCKS] == ["build.txt", "clients.txt", "dev.txt", "uv.txt"]


def test_all_means_every_extra_but_the_one_that_wants_a_java() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    assert set(extras) - Requirement(extras["all"][0]).extras - {"all"} == {"spark"}


def test_the_clients_are_locked_and_agree_with_the_dev_lock() -> None:
    clients, dev = (pinned(ROOT / "requirements" / name) for name in ("clients.txt", "dev.txt"))
    for text in (
        *PROJECT["dependency-groups"]["clients"],
        *PROJECT["project"]["optional-dependencies"]["spark"],
    ):
        requirement = Requirement(text)
        assert all(requirement.specifier.contains(v) for v in clients[canonicalize_name(requirement.name)])
    assert {name: dev[name] for name in clients if name in dev} == {
        name: versions for name, versions in clients.items() if name in dev
    }


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_line_is_one_exact_version_with_hashes(lock: Path) -> None:
    assert entries(lock)
    for entry in entries(lock):
        assert re.fullmatch(r"[a-z0-9-]+==\S+( ; [^#]+?)?( +--hash=sha256:[0-9a-f]{64})+", entry), entry


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_no_lock_names_a_host_an_index_or_a_path(lock: Path) -> None:
    text = lock.read_text()
    for trace in (
        "://",
        "--index",
        "--extra-index",
        "--find-links",
        "--trusted-host",
        " @ ",
        "file:",
        "/home",
        "/root",
    ):
        assert trace not in text, trace


@pytest.mark.parametrize("requirement", declared(), ids=str)
def test_every_declared_dependency_is_locked_to_a_version_it_allows(requirement: Requirement) -> None:
    versions = pinned(ROOT / "requirements" / "dev.txt")[canonicalize_name(requirement.name)]
    assert all(requirement.specifier.contains(version) for version in versions)


def test_the_tools_that_install_are_locked_too() -> None:
    assert set(pinned(ROOT / "requirements" / "uv.txt")) == {"uv"}
    assert set(pinned(ROOT / "requirements" / "build.txt")) == {"setuptools"}
    assert "hatchling" in pinned(ROOT / "requirements" / "dev.txt")


def test_the_converter_under_test_gets_the_onnx_it_can_work_with() -> None:
    versions = pinned(ROOT / "requirements" / "dev.txt")
    assert {version.rsplit(".", 1)[0] for version in versions["onnx"]} == {"1.19"}
    assert all(int(version.split(".")[0]) < 6 for version in versions["protobuf"])
