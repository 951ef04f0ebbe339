"""Opening streams: secrets are looked up then, clients that are missing are named, and nothing is reached yet."""

import json
import sys
from pathlib import Path

import pytest

from treadle.adapters.secrets import LocalSecrets
from treadle.adapters.streams.inbox import InboxReader
from treadle.adapters.streams.opened import OpenStreams
from treadle.ports.streams import Streams
from treadle.records.errors import InvalidInput, NotReady
from treadle.records.secrets import SecretRef

NOWHERE = "127.0.0.1:9"


def streams(**secrets: str) -> Streams:
    return OpenStreams(LocalSecrets(secrets, None), "home")


def test_nothing_is_reached_when_a_stream_is_opened(tmp_path: Path) -> None:
    opened = [
        streams().inbox(tmp_path / "none"),
        streams().redis(f"redis://{NOWHERE}", "s", "g"),
        streams().nats(f"nats://{NOWHERE}", "s", None, "d"),
        streams().kafka(NOWHERE, "t", "g", None),
    ]
    for stream in opened:
        stream.seek({})
        stream.close()
    assert isinstance(opened[0], InboxReader)


def test_a_secret_that_is_not_set_is_named() -> None:
    with pytest.raises(NotReady, match="ORDERS_REDIS"):
        streams().redis(SecretRef("ORDERS_REDIS"), "s", "g")


def test_an_address_may_be_a_secret() -> None:
    streams(ORDERS_REDIS=f"redis://:sesame@{NOWHERE}").redis(SecretRef("ORDERS_REDIS"), "s", "g").close()


@pytest.mark.parametrize("text", ["sesame", '["sesame"]', '{"sasl.password": 1}'])
def test_a_login_that_is_no_object_of_texts_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        streams(LOGIN=text).kafka(NOWHERE, "t", "g", SecretRef("LOGIN"))
    assert "sesame" not in str(caught.value)


def test_a_login_gives_the_clients_options() -> None:
    options = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN", "sasl.username": "u"}
    login = json.dumps(options | {"sasl.password": "p"})
    streams(LOGIN=login).kafka(NOWHERE, "t", "g", SecretRef("LOGIN")).close()


@pytest.mark.parametrize(
    ("library", "extra"), [("redis", "redis"), ("nats", "nats"), ("confluent_kafka", "kafka")]
)
def test_a_client_that_is_not_installed_is_named_with_its_extra(
    library: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    opening = {
        "redis": lambda: streams().redis(f"redis://{NOWHERE}", "s", "g"),
        "nats": lambda: streams().nats(f"nats://{NOWHERE}", "s", None, "d"),
        "kafka": lambda: streams().kafka(NOWHERE, "t", "g", None),
    }
    with pytest.raises(NotReady) as caught:
        opening[extra]()
    assert f"treadle[{extra}]" in str(caught.value)
