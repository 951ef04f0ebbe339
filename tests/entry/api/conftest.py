"""A home with two trained versions, made once by the real pipeline, and servers started on copies of it."""

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.entry.api.shop_data import write_shop
from treadle.adapters.clock import SimulatedClock
from treadle.adapters.executor import InProcess
from treadle.adapters.log import FileLog
from treadle.adapters.online_memory import MemoryOnline
from treadle.bootstrap import Home, LoadedProject, load_project
from treadle.loop.stored import ingest
from treadle.loop.turn import Train, perform, plan_turn
from treadle.loop.world import World
from treadle.records.digests import digest_bytes
from treadle.records.instants import instant
from treadle.records.models import Verdict

TOKEN = "token-of-the-tests"
START = "2024-03-15T12:00:00Z"
"""In the middle of the data: rows go on becoming known while the server runs."""
DEADLINE = 60.0
SHOP = Path(__file__).parent / "shop"
"""The project; used where it stands, since one process can import one package of that name."""


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the data, and a home whose champion is version 2 of 2."""
    folder = tmp_path_factory.mktemp("served")
    write_shop(folder / "data")
    loaded = load_project(SHOP)
    home = Home.at(folder / "home", create=True)
    home.note(project=str(loaded.folder))
    at = instant(START)
    with trained_in(home, loaded, at) as world:
        store = ingest(world, folder / "data", at)
        for iterations in (5, 20):
            wanted = {"until": at, "iterations": iterations}
            result = perform(
                world,
                store,
                plan_turn(Train("train_late", wanted, key=f"{iterations}", reason="a test"), ["late"]),
                at + iterations,
            )
            assert result.decision is not None
            assert result.decision.verdict is Verdict.PROMOTED, result.decision
    return folder


@contextmanager
def trained_in(home: Home, loaded: LoadedProject, at: int) -> Iterator[World]:
    """A world whose steps run in this process, which is quicker than starting workers for two small fits."""
    log = FileLog(home.folder / "predictions")
    metadata = home.metadata()
    yield World(
        project=loaded.project,
        metadata=metadata,
        blobs=home.blobs(),
        tables=home.tables(),
        online=MemoryOnline(),
        predictions=log,
        clock=SimulatedClock(at),
        executor=InProcess(),
        environment=digest_bytes(b"the tests"),
        project_paths=(str(loaded.import_path),),
    )
    log.close()
    metadata.close()


@pytest.fixture
def home(shop: Path, tmp_path: Path) -> Path:
    """A copy of the home, to be served and changed."""
    return shutil.copytree(shop / "home", tmp_path / "home")


class Server:
    """A running `treadle up`."""

    def __init__(self, home: Path, *options: str, token: str | None = TOKEN) -> None:
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        environment.pop("TREADLE_TOKEN", None)
        if token is not None:
            environment["TREADLE_TOKEN"] = token
        self.home = home
        self.token = token
        self.errors = home.parent / f"{home.name}.stderr"
        with self.errors.open("w") as errors:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "treadle",
                    "up",
                    "--home",
                    str(home),
                    "--port",
                    "0",
                    "--json",
                    *options,
                ],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=environment,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.errors.read_text()
        self.facts = json.loads(line)
        self.url = self.facts["url"]
        self.port = int(self.url.rpartition(":")[2])

    def connect(self) -> closing[http.client.HTTPConnection]:
        return closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE))

    def ask(self, method: str, path: str, body: bytes | None = None, connection=None) -> tuple[int, dict]:
        if connection is None:
            with self.connect() as own:
                return self.ask(method, path, body, own)
        connection.request(method, path, body, {"Authorization": f"Bearer {self.token}"})
        reply = connection.getresponse()
        return reply.status, json.loads(reply.read())

    def infer(self, body: bytes, connection=None, version: int | None = None) -> tuple[int, dict]:
        pinned = "" if version is None else f"/versions/{version}"
        return self.ask("POST", f"/v2/models/late{pinned}/infer", body, connection)

    def status(self) -> dict:
        return self.ask("GET", "/v1/status")[1]

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        code = self.process.wait(DEADLINE)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code

    def stop(self) -> None:
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
            try:
                self.wait()
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.wait()


@pytest.fixture
def serve(home) -> Iterator:
    """Start servers on the home; those still running are stopped at the end."""
    started: list[Server] = []

    def start(*options: str, **named) -> Server:
        started.append(Server(home, *options, **named))
        return started[-1]

    yield start
    for server in started:
        server.stop()


def eventually(true, what: str = "the condition") -> None:
    """Wait until something is true, or fail after the deadline."""
    end = time.monotonic() + DEADLINE
    while not true():
        assert time.monotonic() < end, f"{what} did not come true"
        time.sleep(0.02)


def parcel(number: int, depot: str = "north", rows: int = 1) -> bytes:
    """A request about a parcel that is the same for the same number."""
    columns = {
        "parcel": ("INT64", number),
        "depot": ("BYTES", depot),
        "van": ("BYTES", f"van-{number % 12}"),
        "weight": ("FP64", (number % 40) / 2),
        "leaves": ("BYTES", f"2024-03-{10 + number % 9}T{number % 24:02d}:00:00Z"),
    }
    inputs = [
        {"name": name, "shape": [rows], "datatype": datatype, "data": [value] * rows}
        for name, (datatype, value) in columns.items()
    ]
    return json.dumps({"inputs": inputs}).encode()


def prediction_ids(answer: dict) -> list[str]:
    return list(answer["outputs"][1]["data"])


class Load:
    """Clients that ask in a closed loop, each on one kept-alive connection, and remember every answer."""

    def __init__(self, server: Server, clients: int = 3) -> None:
        self.answers: list[tuple[int, dict]] = []
        self.broken: list[str] = []
        self.leaving = False
        """The server is closing: it may close a kept-alive connection at the moment that a client begins to write on it."""
        self._server = server
        self._stopping = False
        self._threads = [threading.Thread(target=self._run, args=(n,), daemon=True) for n in range(clients)]
        for thread in self._threads:
            thread.start()

    def _run(self, client: int) -> None:
        number = client
        with self._server.connect() as connection:
            while not self._stopping:
                number += 3
                try:
                    self.answers.append(self._server.infer(parcel(number), connection))
                except ConnectionRefusedError:
                    return
                except (OSError, http.client.HTTPException) as error:
                    if not (self.leaving and isinstance(error, BrokenPipeError)):  # could not even be asked
                        self.broken.append(repr(error))
                    return

    def wait_for(self, answers: int) -> None:
        eventually(lambda: len(self.answers) >= answers or self.broken, f"{answers} answers")

    def stop(self) -> None:
        self._stopping = True
        self.join()

    def join(self) -> None:
        for thread in self._threads:
            thread.join(DEADLINE)
            assert not thread.is_alive()

    def acknowledged(self) -> list[str]:
        return [one for status, answer in self.answers if status == 200 for one in prediction_ids(answer)]
