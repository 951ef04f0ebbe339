"""What code a step stands for: its own source and the project modules it can reach."""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path

from treadle.records.digests import Digest, digest_bytes, digest_value

_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


def reachable_modules(module: str) -> dict[str, Path]:
    """Return the source files of a module and of the modules of its own package that it imports, directly or not.

    Nothing is imported for it: names are followed as files below the package's folder.
    """
    package = module.partition(".")[0]
    found: dict[str, Path] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        path = _source(name)
        if name in found or path is None:
            continue
        found[name] = path
        is_package = path.name == "__init__.py"
        imported = _imports(_parsed(path), name, is_package)
        waiting += [other for other in imported if other == package or other.startswith(f"{package}.")]
    return found


def code_digest(target: str, version: Digest) -> Digest:
    """Return the digest of a step: its source without decorators, and every project module it reaches.

    Args:
        target: `package.module:function`.
        version: the digest of the function's own source.
    """
    own = target.partition(":")[0]
    modules = reachable_modules(own)
    trees = {
        name: digest_bytes(ast.dump(_parsed(path)).encode()) for name, path in modules.items() if name != own
    }
    return digest_value({"version": version, "modules": trees})


def environment_digest() -> Digest:
    """Return a digest of the installed distributions and the interpreter's version."""
    installed = sorted({f"{d.name}=={d.version}" for d in distributions() if d.name})
    return digest_value({"python": sys.version.split()[0], "installed": installed})


def code_commit(folder: Path) -> str | None:
    """Return the commit that a checkout stands at, read from its files; None outside one, or before the first commit."""
    for parent in (folder.resolve(), *folder.resolve().parents):
        git = _git_folder(parent / ".git")
        if git is not None:
            commit = _resolve(git, _read(git / "HEAD"))
            return commit if _COMMIT.fullmatch(commit) else None
    return None


def _git_folder(entry: Path) -> Path | None:
    """Return the folder behind a checkout's `.git`, which is a file with its path in linked working trees."""
    if entry.is_file():
        _, named, place = _read(entry).partition("gitdir: ")
        entry = entry.parent / place if named else entry
    return entry if (entry / "HEAD").is_file() else None


def _resolve(git: Path, head: str) -> str:
    if not head.startswith("ref: "):
        return head
    name = head.removeprefix("ref: ")
    shared = git / _read(git / "commondir") if (git / "commondir").is_file() else git
    for place in (git, shared):
        if (place / name).is_file():
            return _read(place / name)
    for line in _read(shared / "packed-refs").splitlines():
        commit, _, packed = line.partition(" ")
        if packed == name:
            return commit
    return ""


def _read(path: Path) -> str:
    return path.read_text(errors="replace").strip() if path.is_file() else ""


def _parsed(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_bytes())
    except SyntaxError:  # reached, but never imported: its text counts as it stands
        return ast.Module([ast.Expr(ast.Constant(path.read_bytes().hex()))], [])


def _source(module: str) -> Path | None:
    package, *below = module.split(".")
    for folder in _folders(package):
        place = folder.joinpath(*below)
        for path in (place / "__init__.py", place.with_name(f"{place.name}.py")):
            if path.is_file():
                return path
    return None


def _folders(package: str) -> list[Path]:
    """Return the folders of a top-level package, or the path that a module of one file would have as a folder."""
    try:
        spec = importlib.util.find_spec(package)  # a top-level name: finding it imports nothing
    except ValueError:  # a module without a spec, such as __main__
        return []
    if spec is None:
        return []
    if spec.submodule_search_locations is not None:
        return [Path(folder) for folder in spec.submodule_search_locations]
    return [Path(spec.origin).with_suffix("")] if spec.origin else []


def _imports(tree: ast.Module, module: str, is_package: bool) -> Iterator[str]:
    parts = module.split(".") if is_package else module.split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = parts[: len(parts) - node.level + 1] if node.level else []
            name = ".".join([*base, *([node.module] if node.module else [])])
            yield name
            yield from (f"{name}.{alias.name}" for alias in node.names)
