"""Law 14: `import treadle` and `treadle --help` are cheap, because heavy libraries load on first use."""

import json
import os
import resource
import statistics
import subprocess
import sys

import pytest

HEAVY = {
    "alembic", "altair", "anyio", "asyncio", "click", "deltalake", "fastapi", "httptools", "httpx",
    "importlib.metadata", "jinja2", "joblib", "lmdb", "msgspec", "numpy", "obstore", "onnx", "onnxruntime",
    "pandas", "polars", "prometheus_client", "psycopg", "pyarrow", "pydantic", "pysqlite3", "requests",
    "rich", "scipy", "skl2onnx", "sklearn", "sqlalchemy", "sqlite3", "typer", "unittest", "uvicorn", "uvloop",
}  # fmt: skip

IMPORT = "import treadle"
HELP = "from treadle.entry.cli import main; main(['--help'])"
VERSION = "from treadle.entry.cli import main; main(['--version'])"


def loaded_modules(script: str) -> set[str]:
    """The modules a fresh interpreter holds after the script, less those it starts with."""
    report = (
        "import sys; before = set(sys.modules)\n"
        "try:\n"
        f"    {script}\n"
        "except SystemExit as end:\n"
        "    assert not end.code, end.code\n"
        "import json; print('\\n' + json.dumps(sorted(set(sys.modules) - before)))"
    )
    run = subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, check=True)
    return set(json.loads(run.stdout.splitlines()[-1]))


def cpu_seconds(script: str) -> float:
    """CPU of one fresh interpreter running the script: user and system, start of Python included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)


@pytest.mark.parametrize("script", [IMPORT, HELP, VERSION])
def test_no_heavy_library_is_loaded(script: str) -> None:
    assert loaded_modules(script) & HEAVY == set()


def test_importing_treadle_loads_no_other_module_of_ours() -> None:
    assert {name for name in loaded_modules(IMPORT) if name.startswith("treadle")} == {"treadle"}


@pytest.mark.parametrize(("script", "budget_s"), [(IMPORT, 0.15), (HELP, 0.25), (VERSION, 0.25)])
def test_cpu_stays_within_the_budget(script: str, budget_s: float) -> None:
    cpu_seconds(script)  # the first run may write bytecode
    assert statistics.median(cpu_seconds(script) for _ in range(5)) < budget_s


def test_the_guard_sees_a_heavy_library_when_there_is_one() -> None:
    assert "typer" in loaded_modules("import typer")


def test_the_installed_command_prints_help_within_the_budget() -> None:
    command = [sys.executable, "-m", "treadle", "--help"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, "COLUMNS": "80"}
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert "treadle COMMAND" in run.stdout
    assert (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime) < 0.25
