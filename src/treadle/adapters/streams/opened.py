"""Opening streams: each broker's adapter is loaded when a source needs it, addresses come from secrets where they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from treadle.records.errors import InvalidInput
from treadle.records.secrets import SecretRef

if TYPE_CHECKING:
    from treadle.ports.secrets import Secrets
    from treadle.ports.streams import Stream, Streams


class OpenStreams:
    """Opens streams of the brokers that treadle knows.

    Args:
        secrets: where addresses with passwords are looked up, each time a stream is opened.
        owner: what tells this home from others that may read the same streams.
    """

    def __init__(self, secrets: Secrets, owner: str) -> None:
        self._secrets = secrets
        self._owner = owner

    def inbox(self, folder: Path) -> Stream:
        """See `Streams.inbox`."""
        from treadle.adapters.streams.inbox import InboxReader

        return InboxReader(folder)

    def redis(self, url: str | SecretRef, stream: str, group: str) -> Stream:
        """See `Streams.redis`."""
        from treadle.adapters.streams.redis import RedisStreamReader

        return RedisStreamReader(self._address(url), stream, group=group)

    def nats(self, url: str | SecretRef, stream: str, subject: str | None, durable: str) -> Stream:
        """See `Streams.nats`."""
        from treadle.adapters.streams.nats import NatsReader

        return NatsReader(self._address(url), stream, subject=subject, durable=durable, owner=self._owner)

    def kafka(self, servers: str | SecretRef, topic: str, group: str, login: SecretRef | None) -> Stream:
        """See `Streams.kafka`."""
        from treadle.adapters.streams.kafka import KafkaReader

        options = {} if login is None else self._options(login)
        return KafkaReader(self._address(servers), topic, group=group, login=options)

    def _address(self, given: str | SecretRef) -> str:
        return self._secrets.get(given) if isinstance(given, SecretRef) else given

    def _options(self, login: SecretRef) -> dict[str, str]:
        try:
            found = json.loads(self._secrets.get(login))
        except ValueError:
            found = None
        if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
            raise InvalidInput(
                f"the secret {login.name} is no JSON object of texts",  # never shown itself
                fix='write it like {"security.protocol": "SASL_SSL", "sasl.username": "…", "sasl.password": "…"}',
            )
        return found


if TYPE_CHECKING:
    _proof: type[Streams] = OpenStreams
