"""The admin token: given, made once, kept as a digest."""

import stat

import pytest

from treadle.entry.api.access import token_digest
from treadle.entry.api.tokens import FILE, admin_token
from treadle.records.errors import Corrupt, InvalidInput


def test_a_given_token_is_used_and_nothing_is_written(tmp_path):
    token = admin_token(tmp_path, "given-token")
    assert (token.digest, token.source, token.shown) == (token_digest("given-token"), "environment", None)
    assert list(tmp_path.iterdir()) == []


def test_a_made_token_is_shown_once_and_accepted_at_the_next_start(tmp_path):
    made = admin_token(tmp_path, None)
    again = admin_token(tmp_path, "")
    assert made.source == "generated"
    assert made.shown is not None
    assert made.digest == token_digest(made.shown) == again.digest
    assert (again.source, again.shown) == ("home", None)


def test_the_home_keeps_only_the_digest_and_only_for_its_owner(tmp_path):
    shown = admin_token(tmp_path, None).shown
    path = tmp_path / FILE
    assert shown not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in tmp_path.iterdir()] == [FILE]


def test_two_homes_have_two_tokens(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert admin_token(tmp_path / "a", None).shown != admin_token(tmp_path / "b", None).shown


def test_a_new_token_voids_the_old_one(tmp_path):
    old = admin_token(tmp_path, None)
    new = admin_token(tmp_path, None, renew=True)
    assert new.digest != old.digest
    assert admin_token(tmp_path, None).digest == new.digest


@pytest.mark.parametrize("given", ["short", "with a space", "tab\there1", "żółwik-żółw"])
def test_a_token_that_a_header_cannot_carry_is_refused(tmp_path, given):
    with pytest.raises(InvalidInput):
        admin_token(tmp_path, given)


@pytest.mark.parametrize("text", ["", "zz", "ab" * 31])
def test_a_damaged_digest_is_said_not_replaced(tmp_path, text):
    (tmp_path / FILE).write_text(text)
    with pytest.raises(Corrupt) as caught:
        admin_token(tmp_path, None)
    assert caught.value.command == "treadle up --new-token"
    assert (tmp_path / FILE).read_text() == text
