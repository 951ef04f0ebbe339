"""`treadle predict` against a served home: over HTTP, from the online store, and as of an instant."""

import json
from typing import Any

import pytest

from tests.entry.api.conftest import START, TOKEN
from treadle.entry.cli import main

ASKED = ["parcel=1", "depot=north", "van=van-1", "weight=0.5", "leaves=2024-03-11T01:00:00Z"]


@pytest.fixture
def predict(capsys, monkeypatch):
    monkeypatch.setenv("TREADLE_TOKEN", TOKEN)

    def run(*words: str, asked=ASKED) -> tuple[int, str, str]:
        code = main(["predict", *words, *asked])
        return code, *capsys.readouterr()

    return run


def test_three_ways_of_asking_give_one_answer_and_mistakes_are_explained(serve, home, predict, monkeypatch):
    server = serve("--from", START)

    def answer(*words: str) -> Any:
        code, out, err = predict(*words, "--json")
        assert code == 0, err
        return json.loads(out)

    over_http = answer("--url", server.url)
    online = answer("--home", str(home))
    offline = answer("--home", str(home), "--at", online["at"], "--version", "2")
    assert over_http["probability"] == online["probability"] == offline["probability"]
    assert over_http["version"] == online["version"] == offline["version"] == 2
    assert online["features"] == offline["features"]
    assert over_http["prediction_id"]
    assert answer("--url", server.url, "--version", "1")["version"] == 1

    code, _, err = predict("--home", str(home), "--at", "2024-03-02")
    assert (code, "--version N" in err) == (1, True)
    code, _, err = predict("--home", str(home), asked=["parcl=1", *ASKED[1:]])
    assert (code, "did you mean 'parcel'" in err) == (2, True)
    code, _, err = predict("--home", str(home), asked=[ASKED[0], "depot=west", *ASKED[2:]])
    assert (code, "depot='west'" in err) == (1, True)
    code, _, err = predict("--url", server.url, asked=["parcl=1", *ASKED[1:]])
    assert (code, "did you mean 'parcel'" in err) == (2, True)
    code, _, err = predict("--url", "localhost:1")
    assert (code, "http://127.0.0.1:8080" in err) == (2, True)
    monkeypatch.setenv("TREADLE_TOKEN", "wrong-token")
    code, _, err = predict("--url", server.url)
    assert (code, "set TREADLE_TOKEN" in err) == (1, True)
    server.stop()
    code, _, err = predict("--url", server.url)
    assert (code, "no server answers" in err) == (1, True)
