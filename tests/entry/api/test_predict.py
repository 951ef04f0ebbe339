"""`treadle predict` against a served home: over HTTP, from the online store, and as of an instant."""

import json

from tests.entry.api.conftest import START, TOKEN, treadle

ASKED = ["parcel=1", "depot=north", "van=van-1", "weight=0.5", "leaves=2024-03-11T01:00:00Z"]


def asked(*words: str) -> dict:
    done = treadle("predict", *words, "--json", *ASKED, TREADLE_TOKEN=TOKEN)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_three_ways_of_asking_give_one_answer(serve, home):
    server = serve("--from", START)
    over_http = asked("--url", server.url)
    online = asked("--home", str(home))
    offline = asked("--home", str(home), "--at", online["at"], "--version", "2")
    assert over_http["probability"] == online["probability"] == offline["probability"]
    assert over_http["version"] == online["version"] == offline["version"] == 2
    assert online["features"] == offline["features"]
    assert over_http["prediction_id"]
    assert asked("--url", server.url, "--version", "1")["version"] == 1
    wrong = treadle("predict", "--url", server.url, *ASKED, TREADLE_TOKEN="wrong-token")
    assert wrong.returncode == 1
    assert "set TREADLE_TOKEN" in wrong.stderr
    before = treadle("predict", "--home", str(home), "--at", "2024-03-02", *ASKED)
    assert before.returncode == 1
    assert "--version N" in before.stderr
    unknown = treadle("predict", "--home", str(home), "parcl=1", *ASKED[1:])
    assert unknown.returncode == 2
    assert "did you mean 'parcel'" in unknown.stderr
    nowhere = treadle("predict", "--home", str(home), *["depot=west" if "depot" in a else a for a in ASKED])
    assert nowhere.returncode == 1
    assert "depot='west'" in nowhere.stderr
