"""`treadle version`: what a bug report needs to know about the installation."""

from __future__ import annotations

import platform
import sqlite3
from importlib.metadata import PackageNotFoundError, version

import treadle
from treadle.entry.cli._shared import AsJson, command_app, emit_record

# Libraries whose version changes what treadle computes, stores or answers.
LIBRARIES = (
    "alembic", "deltalake", "lmdb", "msgspec", "numpy", "obstore", "onnx", "onnxruntime", "polars", "psycopg",
    "scikit-learn", "sqlalchemy", "uvicorn",
)  # fmt: skip

app = command_app()


@app.command("version")
def show_version(as_json: AsJson = False) -> None:
    """Show the versions of treadle, Python, SQLite and the libraries that matter for results."""
    emit_record(
        {
            "treadle": treadle.__version__,
            "python": platform.python_version(),
            "platform": platform.platform(),
            "sqlite": sqlite_version(),
            "libraries": {name: installed(name) for name in LIBRARIES},
        },
        as_json=as_json,
    )


def installed(distribution: str) -> str | None:
    """Return the installed version, or None when the distribution is absent."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def sqlite_version() -> str:
    """Return the version of the SQLite that the metadata store opens: the bundled one where there is one."""
    try:
        import pysqlite3
    except ImportError:
        return sqlite3.sqlite_version
    return str(pysqlite3.sqlite_version)
