"""Running the application: a socket, uvicorn in the main thread, and an end that loses nothing."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import ipaddress
import os
import select
import signal
import socket
import sys
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import uvicorn

from treadle.entry.api.access import ADMIN, LOOPBACK, Access
from treadle.entry.api.application import Application
from treadle.entry.api.metrics import Metrics
from treadle.entry.api.routes import make_routes
from treadle.loop.live import Live
from treadle.records.errors import InvalidInput, NotReady

DRAIN_SECONDS = 30
"""Requests under way get so long to finish."""
GRACE_SECONDS = 0.2
"""So long, after the first signal, connections are still taken by a server that says it is not ready."""
LAST_CALL_SECONDS = 0.2
"""So long, after that, what comes over open connections is still answered, with the word that it is the last."""
EMPTYING_TURNS = 10_000
SWITCH_INTERVAL = 0.0005
"""Seconds after which a thread at work in Python lets the answering one go on; Python's default is ten times
that, and a row answered takes less than a tenth of it."""


@dataclass(frozen=True, slots=True)
class Binding:
    """Where the server listens and under which names it is asked.

    Args:
        host: an address or name of this machine.
        port: 0 for a free one.
        certificate, key: PEM files; without both only loopback addresses are bound.
        names: further names accepted in the Host header.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    certificate: Path | None = None
    key: Path | None = None
    names: Sequence[str] = ()

    def __post_init__(self) -> None:
        faults = []
        if (self.certificate is None) != (self.key is None):
            faults.append("a certificate and its key are given together: --tls-cert and --tls-key")
        faults += [
            f"there is no file {path}" for path in (self.certificate, self.key) if path and not path.is_file()
        ]
        if self.certificate is None and not is_loopback(self.host):
            faults.append(
                f"{self.host!r} can be reached from other machines, and without TLS the token could be read on "
                "the way: give --tls-cert and --tls-key, or put a proxy with TLS before 127.0.0.1"
            )
        if not 0 <= self.port <= 65_535:
            faults.append(f"{self.port} is no port")
        if faults:
            raise InvalidInput("the server cannot listen there", faults=faults)

    @property
    def scheme(self) -> str:
        """Return `https` with TLS, else `http`."""
        return "http" if self.certificate is None else "https"


def is_loopback(host: str) -> bool:
    """Say whether an address is reached from this machine alone; names other than localhost are not trusted."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def listen(binding: Binding) -> socket.socket:
    """Return a bound socket.

    Raises:
        NotReady: the port is taken or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in binding.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((binding.host, binding.port))
    except OSError as error:
        listener.close()
        raise NotReady(
            f"{binding.host}:{binding.port} cannot be bound: {error.strerror or error}",
            fix="choose another one with --port; 0 takes a free one",
        ) from error
    return listener


def access_for(binding: Binding, port: int, digest: bytes) -> Access:
    """Return what a server at this place accepts. Pure."""
    names = [*LOOPBACK] if is_loopback(binding.host) else []
    own = f"[{binding.host}]" if ":" in binding.host else binding.host
    hosts = frozenset(name.lower() for name in (*names, own, *binding.names))
    origins = frozenset(f"{binding.scheme}://{name}:{port}" for name in hosts)
    return Access({digest: ADMIN}, hosts, origins)


def serve(
    live: Live, binding: Binding, listener: socket.socket, digest: bytes, *, on_ready: Callable[[str], None]
) -> None:
    """Serve until a signal says stop; on return every acknowledged prediction is durable.

    SIGTERM or SIGINT: not ready any more, requests under way are finished, the log is synced. A second signal
    ends the process at once, and still nothing acknowledged is lost.

    Args:
        live: the project; started and stopped here.
        binding: where it listens.
        listener: the bound socket.
        digest: the admin token's digest.
        on_ready: called with the URL once requests are answered.
    """
    port = listener.getsockname()[1]
    metrics = Metrics()
    application = Application(make_routes(live, metrics), access_for(binding, port, digest), metrics)
    config = uvicorn.Config(
        application,
        loop=_loop(),
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        ssl_certfile=binding.certificate,
        ssl_keyfile=binding.key,
    )
    shown = f"[{binding.host}]" if ":" in binding.host else binding.host
    server = DrainingServer(config, application, live, lambda: on_ready(f"{binding.scheme}://{shown}:{port}"))
    sys.setswitchinterval(SWITCH_INTERVAL)
    try:
        live.start()
        # What lives now lives on: the collector need not look at it again and again between requests.
        gc.collect()
        gc.freeze()
        server.run(sockets=[listener])
    finally:
        live.stop()


class DrainingServer(uvicorn.Server):
    """uvicorn's server, with readiness withdrawn first, and a second signal that ends the process."""

    def __init__(
        self, config: uvicorn.Config, application: Application, live: Live, on_ready: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._application = application
        self._live = live
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer a little longer, not ready any more; stop listening; tell callers to go; close what is idle.

        Closing a listening socket resets the connections that wait in its queue, and closing a connection
        with unread bytes resets it too. So the queue is emptied first, and every connection gets a moment in
        which its next response says that it is the last.
        """
        await asyncio.sleep(GRACE_SECONDS)
        listeners = list(sockets or ())
        for _ in range(EMPTYING_TURNS):
            if not select.select(listeners, [], [], 0)[0]:
                break
            await asyncio.sleep(0)
        for server in self.servers:
            server.close()
        for listener in listeners:
            listener.close()
        self._application.closing = True
        await asyncio.sleep(LAST_CALL_SECONDS)
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Take the signals, and don't raise them again afterwards: the caller has work left to do."""
        taken = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self.handle_exit) for number in taken}
        try:
            yield
        finally:
            for number, handler in before.items():
                if not self.should_exit:
                    signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """First signal: stop in order. Second: at once; what was acknowledged is with the operating system."""
        if self.should_exit:
            os._exit(128 + sig)
        self._live.draining = True
        self.should_exit = True


def _loop() -> str:
    try:
        import uvloop  # noqa: F401 - asked for by its name
    except ImportError:
        return "asyncio"
    return "uvloop"


def check_installed() -> None:
    """Refuse to begin without the parts that serving needs.

    Raises:
        NotReady: one is missing; the error has the install line.
    """
    try:
        import httptools  # noqa: F401 - asked for by its name
    except ImportError as error:
        raise NotReady(
            f"serving needs {error.name}, which is not installed",
            fix="install the extra: pip install 'treadle[serve]'",
        ) from error
