"""The parity check finds what converters get wrong, also where no given row would show it."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType

from tests.training.models import fit, make_labels, make_rows, thresholds
from treadle.records.errors import Corrupt, InvalidInput
from treadle.records.packages import Parity
from treadle.stages.training.export import export
from treadle.stages.training.parity import ParityFailed, check_parity, probe_rows, refuse


@pytest.fixture(scope="module")
def rows():
    return make_rows(1200, categories=(40,))


@pytest.fixture(scope="module")
def native(rows):
    return fit(rows, make_labels(rows), categorical=[3])


def changed(model, attribute, change):
    """The exported bytes with one attribute of the trees changed."""
    proto = onnx.load_from_string(model)
    found = next(a for a in proto.graph.node[0].attribute if a.name == attribute)
    if found.type == onnx.AttributeProto.TENSOR:
        values = numpy_helper.to_array(found.t).copy()
        change(values)
        found.t.CopyFrom(numpy_helper.from_array(values, attribute))
    else:
        change(found.ints)
    return proto.SerializeToString()


def test_our_export_passes(native, rows):
    parity = check_parity(native, export(native), rows)
    assert parity.passed
    assert parity.rows == 1200
    assert parity.probes > 256
    assert parity.max_abs_difference < 1e-14
    refuse(parity)


def test_the_silently_wrong_conversion_of_categories_by_skl2onnx_is_caught(native, rows):
    whole = rows.astype(np.float32).astype(np.float64)  # what a float32 graph can hold exactly
    model = to_onnx(
        native,
        initial_types=[("X", FloatTensorType([None, 4]))],
        options={id(native): {"zipmap": False}},
        target_opset={"": 18, "ai.onnx.ml": 3},
    ).SerializeToString()
    parity = check_parity(native, model, whole, tolerance=1e-3)
    assert not parity.passed
    assert parity.max_abs_difference > 0.2
    assert parity.worst[0].native - parity.worst[0].packaged == pytest.approx(
        parity.max_abs_difference, abs=1e-6
    ) or parity.worst[0].packaged - parity.worst[0].native == pytest.approx(
        parity.max_abs_difference, abs=1e-6
    )
    with pytest.raises(ParityFailed) as caught:
        refuse(parity)
    assert caught.value.parity is parity
    assert repr(parity.worst[0].native) in caught.value.faults[0]
    assert repr(parity.worst[0].packaged) in caught.value.faults[0]
    assert "row" in caught.value.faults[0]
    assert caught.value.fix


def test_a_threshold_off_by_one_bit_is_caught_by_probes_alone(native, rows):
    def raise_first_numeric(splits):
        first = np.flatnonzero(splits)[0]
        splits[first] = np.nextafter(splits[first], np.inf)

    parity = check_parity(native, changed(export(native), "nodes_splits", raise_first_numeric), rows)
    assert not parity.passed
    assert all(gap.row >= parity.rows for gap in parity.worst)


def test_a_lost_member_of_a_category_set_is_caught_with_one_given_row(native, rows):
    def swap_first(members):
        members[0] = 9999.0

    parity = check_parity(native, changed(export(native), "membership_values", swap_first), rows[:1])
    assert not parity.passed


def test_a_wrong_branch_for_missing_values_is_caught_without_missing_rows(native, rows):
    def flip(tracks):
        for i, track in enumerate(tracks):
            tracks[i] = 1 - track

    parity = check_parity(native, changed(export(native), "nodes_missing_value_tracks_true", flip), rows)
    assert not parity.passed


def test_probes_hold_every_threshold_every_category_unknown_ones_and_missing_values(native, rows):
    probes = probe_rows(native, rows)
    for split in thresholds(native):
        assert (
            split["num_threshold"] in probes[:, split["feature_idx"] - 1]
        )  # the one category is moved to the front
    codes = set(np.unique(probes[:, 3]))
    assert set(map(float, range(40))) < codes
    assert {-1.0, 40.0, 256.0} < codes
    assert np.isnan(probes).any(axis=0).all()
    assert not np.isinf(probes[:, 3]).any()
    np.testing.assert_array_equal(probes, probe_rows(native, rows))


def test_probes_are_bounded(native, rows):
    assert len(probe_rows(native, rows, limit=100)) == 200


def test_another_shape_no_rows_no_number_and_no_model_are_refused(native, rows):
    three = fit(rows, make_labels(rows) + make_labels(rows, rate=0.2), categorical=[3], max_iter=2)
    with pytest.raises(InvalidInput, match="answers in shape"):
        check_parity(native, export(three), rows)
    with pytest.raises(InvalidInput, match="no rows"):
        check_parity(native, export(native), rows[:0])

    def spoil(weights):
        weights[:] = np.nan

    with pytest.raises(InvalidInput, match="no number"):
        check_parity(native, changed(export(native), "leaf_weights", spoil), rows)
    with pytest.raises(Corrupt, match="cannot load"):
        check_parity(native, b"not a model", rows)


def test_the_record_survives_json(native, rows):
    parity = check_parity(native, export(native), rows)
    assert Parity.from_json(parity.as_json()) == parity
