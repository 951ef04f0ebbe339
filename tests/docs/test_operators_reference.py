"""The reference page of operators says what the code says."""

from docs.generate_operators import operators_page
from tests.docs.pages import ROOT
from treadle.define.operators import OPERATORS
from treadle.stages.features.rows.portability import APPROXIMATE, UNAVAILABLE


def test_the_page_of_operators_is_fresh() -> None:
    fresh = operators_page() == (ROOT / "docs" / "reference" / "operators.md").read_text()
    assert fresh, "write it anew: .venv/bin/python docs/generate_operators.py > docs/reference/operators.md"


def test_the_tables_name_operators_that_exist() -> None:
    for table in (UNAVAILABLE, APPROXIMATE):
        for named in table.values():
            assert {*named} <= {*OPERATORS}
