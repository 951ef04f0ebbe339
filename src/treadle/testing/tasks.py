"""Functions that the executor's contract runs as tasks, importable wherever treadle is."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from treadle.records.errors import InvalidInput

CONSTANT = 3
"""Something that a target can name although it cannot be called."""


def echo(payload: bytes) -> bytes:
    """Return the payload."""
    return payload


def backwards(payload: bytes) -> bytes:
    """Return the payload in reverse."""
    return payload[::-1]


def speak(payload: bytes) -> bytes:
    """Write to stdout and stderr, by Python, by the bare descriptor, and from a program."""
    text = payload.decode()
    sys.stdout.write(f"stdout {text}\n")
    sys.stderr.write(f"stderr {text}\n")
    os.write(1, f"descriptor {text}\n".encode())
    subprocess.run([sys.executable, "-c", f"print('program {text}')"], check=True)
    return b"spoken"


def write(payload: bytes) -> bytes:
    """Write the payload to stdout as text, without an end of line."""
    sys.stdout.write(payload.decode())
    return b""


def listen(_: bytes) -> bytes:
    """Read stdin to its end, here and in a program that is started."""
    program = subprocess.run(
        [sys.executable, "-c", "import sys; sys.stdout.write(sys.stdin.read())"],
        capture_output=True,
        check=True,
    )
    return sys.stdin.read().encode() + program.stdout


def fail(payload: bytes) -> bytes:
    """Raise what Python's own code would."""
    sys.stdout.write("about to fail\n")
    raise ValueError(f"cannot use {payload.decode()}")


def fail_helpfully(_: bytes) -> bytes:
    """Raise an error of the TreadleError family."""
    raise InvalidInput("wrong", where="here", fix="do right", command="treadle doctor", faults=["one", "two"])


def leave(payload: bytes) -> bytes:
    """End as `sys.exit` does."""
    sys.exit(payload.decode())


def none(_: bytes) -> None:
    """Return something else than bytes."""


def die(payload: bytes) -> bytes:
    """End this process by the signal with this number, after a last word."""
    sys.stdout.write("last words\n")
    os.kill(os.getpid(), int(payload))
    return b"survived"


def process_id(_: bytes) -> bytes:
    """Return the id of the process the task runs in."""
    return str(os.getpid()).encode()


def environment(payload: bytes) -> bytes:
    """Return an environment variable."""
    return os.environ.get(payload.decode(), "").encode()


def import_path(_: bytes) -> bytes:
    """Return the folders that modules are imported from, one a line."""
    return "\n".join(sys.path).encode()


def meet(payload: bytes) -> bytes:
    """Say that this task is here, then wait until another is.

    The payload is two paths, one a line: the file to make and the file to wait for (at most 30 s).
    """
    mine, other = payload.decode().split("\n")
    Path(mine).write_text(str(os.getpid()), encoding="utf-8")
    deadline = time.monotonic() + 30
    while not Path(other).exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{other} did not appear")
        time.sleep(0.002)
    return b"met"


def write_and_meet(payload: bytes) -> bytes:
    """Write a word to stdout, then `meet`."""
    sys.stdout.write("waiting")
    sys.stdout.flush()
    return meet(payload)


def leave_child(payload: bytes) -> bytes:
    """Fork a process that holds all open for 30 s; write its id to the file of the payload, then die."""
    child = os.fork()
    if child == 0:
        time.sleep(30)
        os._exit(0)
    Path(payload.decode()).write_text(str(child), encoding="utf-8")
    os.kill(os.getpid(), 9)
    return b"survived"
