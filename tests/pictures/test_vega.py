import json

import pytest

from tests.pictures.samples import CALIBRATION, FORMS, HISTOGRAM, LINE
from treadle.pictures.chart import Chart, Series
from treadle.pictures.notebook import VEGA_MIME, Shown, mimebundle
from treadle.pictures.palette import DARK, LIGHT
from treadle.pictures.vega import SCHEMA, vega_lite
from treadle.records.instants import MINUTE


def drawn(chart, **options):
    """Return the specification as a reader of its JSON sees it."""
    return json.loads(json.dumps(vega_lite(chart, **options), allow_nan=False))


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_plain_json_of_vega_lite_5(form):
    spec = drawn(FORMS[form])
    assert spec == vega_lite(FORMS[form])
    assert spec["$schema"] == SCHEMA
    assert spec["title"]["subtitle"] == FORMS[form].caption
    assert "layer" in spec or "concat" in spec


def test_values_go_out_with_utc_times_and_no_data_as_null():
    rows = drawn(LINE)["data"]["values"]
    assert rows[0] == {
        "series": "loop",
        "x": "2013-04-01T00:00:00Z",
        "y": 0.742,
        "lower": 0.73,
        "upper": 0.75,
    }
    assert [row["y"] for row in rows if row["series"] == "loop"][3] is None


def test_a_histogram_keeps_both_edges():
    rows = drawn(HISTOGRAM)["data"]["values"]
    assert (rows[0]["x"], rows[0]["x2"]) == (0.0, 0.25)
    assert len(rows) == 8


def test_colours_are_those_of_our_own_drawings():
    for dark, colors in ((False, LIGHT), (True, DARK)):
        color = drawn(CALIBRATION, dark=dark)["layer"][0]["encoding"]["color"]
        assert color["scale"]["range"] == [colors["soft"], colors["c1"]]


def test_durations_go_out_in_seconds():
    chart = Chart(
        "bars", "t", "c", series=(Series("a", ("x",), (MINUTE,)),), x_kind="category", y_kind="duration"
    )
    assert drawn(chart)["data"]["values"][0]["y"] == 60


def test_a_notebook_gets_svg_text_and_vega_lite():
    bundle = Shown(LINE)._repr_mimebundle_()
    assert bundle == mimebundle(LINE)
    assert set(bundle) == {"image/svg+xml", "text/html", "text/plain", VEGA_MIME}
    assert str(bundle["image/svg+xml"]).startswith("<svg")
