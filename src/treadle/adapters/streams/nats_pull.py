"""Pulling messages of a JetStream consumer: an event loop in a thread, and requests that never overlap.

A pull asks for what is there now and returns as soon as it has come, so that a portion which is not full costs no wait.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import threading
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

Answer = TypeVar("Answer")
MOST_BYTES: Final = 64 * 2**20
"""At most so much in one pull."""
_ENDS: Final = ("404", "408")
_STATUS: Final = "Status"


class LoopThread:
    """An asyncio loop in a thread of its own, for a client that knows no other way."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Answer], timeout: float) -> Answer:
        """Return what the work returns.

        Raises:
            TimeoutError: it took longer; it was cancelled.
        """
        return asyncio.run_coroutine_threadsafe(asyncio.wait_for(work, timeout), self._loop).result()

    def close(self) -> None:
        """End the thread; what is under way is cancelled."""
        asyncio.run_coroutine_threadsafe(self._cancel_all(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _cancel_all(self) -> None:
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


class PullEnded(Exception):
    """The consumer is gone, or the server leaves: it must be opened anew."""


class Pull:
    """Requests to one consumer, one after another.

    Args:
        client: a connected client.
        stream: the stream's name.
        consumer: the consumer's name.
        timeout: seconds after which a silent server counts as gone.
    """

    def __init__(self, client: Any, stream: str, consumer: str, timeout: float) -> None:
        self._client = client
        self._subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"
        self._inbox = f"_INBOX.{secrets.token_hex(11)}"
        self._requests = 0
        self._timeout = timeout
        self._subscription: Any = None

    async def open(self) -> None:
        """Begin to listen."""
        self._subscription = await self._client.subscribe(
            f"{self._inbox}.*", pending_bytes_limit=4 * MOST_BYTES, pending_msgs_limit=1 << 20
        )

    async def fetch(self, limit: int, wait_s: float) -> list[Any]:
        """Return what is there, up to so many messages; wait so long for the first.

        Raises:
            PullEnded: the consumer is gone.
            TimeoutError: the server is silent.
        """
        found = await self._request(limit, 0)
        if found or wait_s <= 0:
            return found
        found = await self._request(1, wait_s)
        if found and limit > 1:
            found += await self._request(limit - 1, 0)
        return found

    async def _request(self, batch: int, wait_s: float) -> list[Any]:
        request: dict[str, object] = {"batch": batch}
        if wait_s > 0:
            request["expires"] = max(int(wait_s * 1e9), 1_000_000)
        else:
            request |= {"no_wait": True, "max_bytes": MOST_BYTES}
        self._requests += 1
        inbox = f"{self._inbox}.{self._requests}"
        await self._client.publish(self._subject, json.dumps(request).encode(), inbox)
        found: list[Any] = []
        while len(found) < batch:
            message = await self._subscription.next_msg(timeout=wait_s + self._timeout)
            status = (message.headers or {}).get(_STATUS) if not message.data else None
            if status is None:
                found.append(message)
            elif message.subject != inbox or status == "100":
                continue  # the end of an earlier request, which had brought all it could
            elif status in _ENDS or "MaxBytes" in str(message.headers):
                break
            else:
                raise PullEnded(str(message.headers.get("Description", status)))
        return found
