"""Secrets come from the environment, then from a folder; what is not set is said with every place looked at."""

import pytest

from treadle.adapters.secrets import LocalSecrets
from treadle.records.errors import InvalidInput, NotReady
from treadle.records.secrets import secret


def test_the_environment_comes_before_the_folder_and_a_last_line_break_is_no_part(tmp_path):
    (tmp_path / "ONE").write_text(" from the file\n")
    (tmp_path / "TWO").write_text("two\r\n")
    secrets = LocalSecrets({"ONE": "from the environment", "TWO": ""}, tmp_path)
    assert secrets.get(secret("ONE")) == "from the environment"
    assert secrets.get(secret("TWO")) == "two"
    assert LocalSecrets({}, tmp_path).get(secret("ONE")) == " from the file"


def test_a_secret_that_is_not_set_is_refused_with_the_places_it_may_stand_in(tmp_path):
    (tmp_path / "EMPTY").write_text("\n")
    for secrets in (LocalSecrets({}, None), LocalSecrets({}, tmp_path)):
        with pytest.raises(NotReady, match="the secret EMPTY is not set") as caught:
            secrets.get(secret("EMPTY"))
        assert "environment variable EMPTY" in caught.value.fix


@pytest.mark.parametrize("given", ["", "a b", "../etc/passwd", "1st", "postgresql://u:hunter2@h/db"])
def test_what_is_no_name_is_refused_and_not_shown(given):
    with pytest.raises(InvalidInput) as caught:
        secret(given)
    assert "hunter2" not in str(caught.value)


def test_a_secret_shows_its_name_alone():
    assert str(secret("ORDERS")) == "secret ORDERS"
