"""`tr.compute` over frames of pandas and PyArrow, which only `make test-clients` brings."""

import polars as pl
import pytest

import treadle as tr
from tests.features.rows.test_engines import EXPECTED, FEATURES, FRAME, ratio, twice

pytestmark = pytest.mark.clients


@pytest.fixture(name="pa")
def pyarrow():
    import pyarrow

    return pyarrow


@pytest.fixture(name="pd")
def pandas():
    import pandas

    return pandas


def test_a_pyarrow_table_gives_a_pyarrow_table(pa) -> None:
    table = FRAME.to_arrow()
    found = tr.compute(FEATURES, table)
    assert isinstance(found, pa.Table)
    assert found.column_names == [*FRAME.columns, *EXPECTED]
    assert found.select(list(EXPECTED)).to_pydict() == EXPECTED
    assert found.select(FRAME.columns).equals(table)


def test_a_pandas_frame_keeps_its_index_and_gets_arrow_columns(pa, pd) -> None:
    held = pd.DataFrame({"a": [1.0, float("nan")], "b": [2, 0]}, index=[7, 3])
    found = tr.compute([ratio, twice], held)
    assert list(found.index) == [7, 3]
    assert found["ratio"].dtype == pd.ArrowDtype(pa.float64())
    assert found["ratio"].isna().tolist() == [False, True]
    assert found["twice"].iloc[0] == 1.0
    assert list(held.columns) == ["a", "b"]


def test_nan_is_null_in_a_numpy_column_of_pandas_and_nan_in_an_arrow_column(pa, pd) -> None:
    @tr.row_feature
    def missing(a):
        return a.is_null()

    plain = pd.DataFrame({"a": [float("nan"), 1.0]})
    arrow = pd.DataFrame({"a": pd.Series(pa.array([float("nan"), None]), dtype=pd.ArrowDtype(pa.float64()))})
    assert tr.compute(missing, plain)["missing"].tolist() == [True, False]
    exact = tr.compute(missing, pl.DataFrame({"a": [float("nan"), None]}))["missing"].to_list()
    assert exact == [False, True]
    assert tr.compute(missing, arrow)["missing"].tolist()[1] is True
