"""What code a step stands for: its own source and the project modules it can reach."""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path

from treadle.records.digests import Digest, digest_bytes, digest_value


def reachable_modules(module: str) -> dict[str, Path]:
    """Return the source files of a module and of the modules of its own package that it imports, directly or not."""
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
        imported = _imports(ast.parse(path.read_text()), name, is_package)
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
        name: digest_bytes(ast.dump(ast.parse(path.read_text())).encode())
        for name, path in modules.items()
        if name != own
    }
    return digest_value({"version": version, "modules": trees})


def environment_digest() -> Digest:
    """Return a digest of the installed distributions and the interpreter's version."""
    installed = sorted({f"{d.name}=={d.version}" for d in distributions() if d.name})
    return digest_value({"python": sys.version.split()[0], "installed": installed})


def code_commit(folder: Path) -> str | None:
    """Return the commit that a checkout stands at, read from its files; None outside one."""
    for parent in (folder.resolve(), *folder.resolve().parents):
        head = parent / ".git" / "HEAD"
        if head.is_file():
            return _resolve(parent / ".git", head.read_text().strip())
    return None


def _resolve(git: Path, head: str) -> str | None:
    if not head.startswith("ref: "):
        return head or None
    name = head[5:]
    if (git / name).is_file():
        return (git / name).read_text().strip()
    packed = git / "packed-refs"
    for line in packed.read_text().splitlines() if packed.is_file() else ():
        if line.endswith(f" {name}"):
            return line.split(" ")[0]
    return None


def _source(module: str) -> Path | None:
    loaded = sys.modules.get(module)
    origin = getattr(loaded, "__file__", None)
    if origin is None:
        try:
            spec = importlib.util.find_spec(module)
        except (ImportError, ValueError):
            return None
        origin = spec.origin if spec else None
    path = Path(origin) if origin else None
    return path if path and path.suffix == ".py" and path.is_file() else None


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
