"""Locked by default: every route of the table, with no token, a wrong one, one that lacks the permission."""

import json

import pytest

from tests.entry.api.parts import (
    READER,
    TOKEN,
    application,
    ask,
    event_body,
    infer_body,
    logged,
    pushed,
    served,
)
from treadle.entry.api.access import Access, Permission, RefusedError, host_name, token_digest
from treadle.entry.api.metrics import Metrics
from treadle.entry.api.routes import Route, make_routes
from treadle.records.errors import TreadleError

PUBLIC = {("GET", "/v2/health/live")}


@pytest.fixture
def live(tmp_path):
    with served(tmp_path) as live:
        yield live


def filled(path: str) -> str:
    return (
        path.replace("{model}", "late")
        .replace("{version}", "2")
        .replace("{source}", "parcels")
        .replace("{endpoint}", "late")
    )


def body_for(path: str) -> bytes:
    if path.endswith("/labels"):
        return b'{"labels": {"an id": true}, "ids": ["one"]}'
    return event_body() if path.endswith("/events") else infer_body()


def let_in(path: str) -> int:
    """What the shop answers to whoever is let in: its labels are told by key, so that they cannot be pushed by id."""
    return 400 if path.endswith("/labels") else 200


ROUTES = [
    (route.method, route.path, route.permission)
    for route in make_routes(type("L", (), {"answerers": {}, "draining": False})(), Metrics())
]


def test_only_liveness_is_public():
    assert {(method, path) for method, path, needed in ROUTES if needed is Permission.PUBLIC} == PUBLIC


def test_a_route_without_a_permission_cannot_be_written():
    with pytest.raises(TypeError):
        Route("GET", "/open", handler=None)  # type: ignore[call-arg, arg-type]  # that is what is tested


@pytest.mark.parametrize(("method", "path", "needed"), ROUTES, ids=str)
class TestEveryRoute:
    def test_no_token_is_refused_unless_public(self, live, method, path, needed):
        reply = ask(application(live), method, filled(path), body_for(path), token=None)
        assert reply.status == (200 if needed is Permission.PUBLIC else 401)
        if reply.status == 401:
            assert reply.headers["www-authenticate"] == "Bearer"
        assert logged(live) == pushed(live) == []

    @pytest.mark.parametrize("token", ["wrong-token-1", TOKEN[:-1], TOKEN + "x", "", "ż"])
    def test_a_wrong_token_is_refused_unless_public(self, live, method, path, needed, token):
        if token == "ż":
            reply = ask(
                application(live),
                method,
                filled(path),
                body_for(path),
                token=None,
                authorization="Bearer \xff",
            )
        else:
            reply = ask(application(live), method, filled(path), body_for(path), token=token)
        assert reply.status == (200 if needed is Permission.PUBLIC else 401)
        assert logged(live) == pushed(live) == []

    def test_the_right_token_is_let_in(self, live, method, path, needed):
        assert ask(application(live), method, filled(path), body_for(path)).status == let_in(path)

    def test_a_token_without_the_permission_is_refused(self, live, method, path, needed):
        reply = ask(application(live), method, filled(path), body_for(path), token=READER)
        assert reply.status == (403 if needed in (Permission.PREDICT, Permission.PUSH) else 200)

    @pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", None, "[::1"])
    def test_another_host_is_refused_even_with_the_token(self, live, method, path, needed, host):
        assert ask(application(live), method, filled(path), body_for(path), host=host).status == 403

    @pytest.mark.parametrize(
        "origin", ["http://evil.example", "null", "http://127.0.0.1:9999", "https://127.0.0.1:8080"]
    )
    def test_another_origin_is_refused_even_with_the_token(self, live, method, path, needed, origin):
        assert ask(application(live), method, filled(path), body_for(path), origin=origin).status == 403
        assert logged(live) == pushed(live) == []

    def test_its_own_origin_is_let_in(self, live, method, path, needed):
        reply = ask(application(live), method, filled(path), body_for(path), origin="http://127.0.0.1:8080")
        assert reply.status == let_in(path)

    def test_a_wrong_method_is_told_the_right_one(self, live, method, path, needed):
        reply = ask(application(live), "DELETE", filled(path))
        assert reply.status == 405
        assert method in reply.headers["allow"]


@pytest.mark.parametrize(
    "path", ["/", "/v2/nothing", "/docs", "/v2/models/late/infer/x", "/v2/models//infer", "/../etc"]
)
def test_what_is_not_in_the_table_is_not_shown_to_strangers(live, path):
    assert ask(application(live), "GET", path, token=None).status == 401
    assert ask(application(live), "GET", path).status == 404


@pytest.mark.parametrize(
    ("method", "path", "given", "status", "code"),
    [
        ("GET", "/v1/nothing", {}, 404, "not_found"),
        ("DELETE", "/v1/status", {}, 405, "invalid_input"),
        ("GET", "/v1/status", {"token": None}, 401, "forbidden"),
        ("GET", "/v1/status", {"host": "evil.example"}, 403, "forbidden"),
    ],
)
def test_a_request_turned_away_early_has_the_shape_and_code_of_every_other_error(
    live, method, path, given, status, code
):
    reply = ask(application(live), method, path, **given)
    error = json.loads(reply.body)["error"]
    assert (reply.status, error["code"]) == (status, code)
    assert set(error) == set(TreadleError("x").as_dict())
    assert error["what"]


def test_the_bearer_scheme_is_needed():
    access = Access({token_digest("t" * 9): frozenset(Permission)}, frozenset(), frozenset())
    access.check_token(b"bearer " + b"t" * 9, Permission.READ)
    for header in (None, b"", b"Basic dDp0", b"t" * 9, b"Bearer", b"Bearer " + b"t" * 8):
        with pytest.raises(RefusedError) as caught:
            access.check_token(header, Permission.READ)
        assert caught.value.status == 401


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("localhost", "localhost"),
        ("LocalHost:8080", "localhost"),
        ("127.0.0.1:1", "127.0.0.1"),
        ("[::1]:8080", "[::1]"),
        ("[::1]", "[::1]"),
        ("", ""),
    ],
)
def test_the_host_name_is_what_stands_before_the_port(header, name):
    assert host_name(header) == name
