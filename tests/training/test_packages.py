"""A package holds all that is needed to answer, and proves itself where it is loaded."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import msgspec
import numpy as np
import pytest

from tests.training.models import fit, make_labels, make_rows, trained_answers
from treadle.records.errors import Corrupt, InvalidInput
from treadle.records.packages import ModelPackage, PackagedFeature, row_encoder
from treadle.stages.training import package as packaging
from treadle.stages.training.export import export
from treadle.stages.training.package import make_package
from treadle.stages.training.parity import ParityFailed
from treadle.stages.training.runtime import Runtime

NAMES = ("temp", "wind", "delay", "dest")
AIRPORTS = tuple(f"A{i:02}" for i in range(40))


@pytest.fixture(scope="module")
def rows():
    return make_rows(1200, categories=(40,), missing=0.05)


@pytest.fixture(scope="module")
def native(rows):
    return fit(rows, make_labels(rows), categorical=[3])


def build(native, rows, **changes):
    arguments = {
        "features": NAMES,
        "vocabularies": {"dest": AIRPORTS},
        "training_data": "d" * 64,
        "created_from": "run-1",
    }
    return make_package(native, rows, **(arguments | changes))


@pytest.fixture(scope="module")
def packed(native, rows):
    return build(native, rows)


@pytest.fixture(scope="module")
def runtime(packed):
    return Runtime(*packed)


def test_the_manifest_survives_json_and_is_the_same_every_time(packed, native, rows):
    package, model = packed
    assert ModelPackage.from_json(package.as_json()) == package
    again, bytes_again = build(native, rows)
    assert (again, bytes_again) == (package, model)
    assert again.digest == package.digest
    assert build(native, rows, created_from="run-2")[0].digest != package.digest


def test_the_loaded_model_answers_as_the_trained_one(runtime, native, rows):
    expected = trained_answers(native, rows)
    np.testing.assert_allclose(runtime.score(rows), expected, rtol=0, atol=1e-14)
    np.testing.assert_allclose(
        [runtime.score_one(list(row)) for row in rows[:200]], expected[:200], rtol=0, atol=1e-14
    )
    assert runtime.score(np.asfortranarray(rows[::2])) == pytest.approx(expected[::2], abs=1e-14)
    assert runtime.score(rows[:0]).shape == (0,)


def test_golden_requests_are_raw_rows_from_low_to_high_and_one_with_nothing(packed, native):
    package, _ = packed
    *given, nothing = package.golden
    assert len(given) == 5
    assert nothing.values == (None,) * 4
    assert [g.expected for g in given] == sorted(g.expected for g in given)
    assert any(isinstance(g.values[3], str) for g in given)
    code = {value: float(i) for i, value in enumerate(AIRPORTS)} | {None: np.nan}
    encoded = np.array(
        [[*(np.nan if v is None else v for v in g.values[:3]), code[g.values[3]]] for g in package.golden]
    )
    assert [g.expected for g in package.golden] == pytest.approx(trained_answers(native, encoded), abs=1e-15)


def test_a_model_that_answers_otherwise_than_in_training_is_found_on_loading(packed):
    package, model = packed
    Runtime(package, model).verify()
    golden = (*package.golden[:-1], msgspec.structs.replace(package.golden[-1], expected=0.123))
    with pytest.raises(Corrupt, match="as in training") as caught:
        Runtime(msgspec.structs.replace(package, golden=golden), model).verify()
    assert len(caught.value.faults) == 2
    assert "0.123" in caught.value.faults[0]


def test_bytes_other_than_the_manifest_names_are_refused(packed):
    package, model = packed
    flipped = bytearray(model)
    flipped[len(model) // 2] ^= 1
    for wrong in (bytes(flipped), model[:-1], b""):
        with pytest.raises(Corrupt, match="not those its package names"):
            Runtime(package, wrong)


def test_a_manifest_that_lists_other_features_than_the_model_takes_is_refused(packed):
    package, model = packed
    with pytest.raises(Corrupt, match="takes 4 features"):
        Runtime(msgspec.structs.replace(package, features=package.features[:3]), model)


def test_an_export_that_is_wrong_is_not_packaged(native, rows, monkeypatch):
    other = fit(rows, make_labels(rows, rate=0.3), categorical=[3])
    monkeypatch.setattr(packaging, "export", lambda _: export(other))
    with pytest.raises(ParityFailed) as caught:
        build(native, rows)
    assert not caught.value.parity.passed


def test_what_does_not_fit_together_is_refused_with_every_fault(native, rows):
    with pytest.raises(InvalidInput) as caught:
        build(native, rows.astype(np.float32), features=("a", "a", "b"))
    assert len(caught.value.faults) == 3
    with pytest.raises(InvalidInput) as caught:
        build(native, rows, vocabularies={"temp": ("x",)})
    assert caught.value.faults == (
        "'dest' is a category of the estimator but has no vocabulary",
        "'temp' has a vocabulary but is no category of the estimator",
    )
    with pytest.raises(InvalidInput) as caught:
        build(native, rows, vocabularies={"dest": AIRPORTS[:39]})
    assert caught.value.faults == ("'dest' was trained on codes outside its vocabulary",)
    three = fit(rows, make_labels(rows) + make_labels(rows, rate=0.2), categorical=[3], max_iter=2)
    with pytest.raises(InvalidInput) as caught:
        build(three, rows)
    assert caught.value.faults == ("a classifier of more than two classes has no single answer",)


def test_rows_with_infinities_are_packaged_without_them_in_golden_requests(rows):
    X = rows[:, :3].copy()
    X[:, 0] = np.round(X[:, 0])  # few distinct values: scikit-learn's quantiles warn of infinities
    X[::2, 0] = np.inf
    native = fit(X, make_labels(rows))
    package, model = build(native, X, features=NAMES[:3], vocabularies={})
    assert ModelPackage.from_json(package.as_json()) == package
    Runtime(package, model).verify()


def test_raw_rows_are_encoded_by_the_vocabulary(runtime):
    assert runtime.encode([1, 2.5, -3.0, "A07"]) == [1.0, 2.5, -3.0, 7.0]
    unknown = runtime.encode([1, None, -3.0, "ZZZ"])
    assert np.isnan(unknown[1])
    assert np.isnan(unknown[3])
    assert runtime.answer([1, None, -3.0, "ZZZ"]) == runtime.answer([1, None, -3.0, None])


def test_raw_rows_of_the_wrong_kind_are_refused_with_every_fault():
    encode = row_encoder(
        [
            PackagedFeature(name="temp", kind="numeric"),
            PackagedFeature(name="dest", kind="categorical", categories=("A",)),
        ]
    )
    with pytest.raises(InvalidInput) as caught:
        encode(["warm", 3.0])
    assert caught.value.faults == ("temp is numeric, got 'warm'", "dest is categorical, got 3.0")
    with pytest.raises(InvalidInput, match="3 values, the model takes 2"):
        encode([1.0, "A", 2.0])


def test_encoded_rows_that_the_model_cannot_take_are_refused(runtime, rows):
    for wrong in (rows[:, :3], rows.astype(np.float32), rows[0]):
        with pytest.raises(InvalidInput, match="model takes float64"):
            runtime.score(wrong)
    with pytest.raises(InvalidInput, match="model takes 4"):
        runtime.score_one([1.0, 2.0, 3.0, 4.0, 5.0])
    for code in (2.5, np.inf):
        row = [0.0, 0.0, 0.0, code]
        with pytest.raises(InvalidInput, match="not whole"):
            runtime.score_one(row)
        with pytest.raises(InvalidInput, match="whole numbers") as caught:
            runtime.score(np.array([row]))
        assert "dest" in caught.value.faults[0]


def test_threads_that_share_a_runtime_get_their_own_answers(runtime, rows):
    wanted = runtime.score(rows)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda row: runtime.score_one(list(row)), rows, chunksize=50))
    np.testing.assert_allclose(answers, wanted, rtol=0, atol=1e-14)


def run_python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_answering_loads_no_training_library():
    done = run_python(
        "import sys, treadle.stages.training.runtime\n"
        "print(sorted({'sklearn', 'onnx', 'scipy', 'polars'} & sys.modules.keys()))"
    )
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize(
    ("absent", "module"), [("onnxruntime", "runtime"), ("onnx", "export"), ("sklearn", "package")]
)
def test_a_missing_extra_is_named_with_the_command_that_installs_it(absent, module):
    done = run_python(
        f"import sys; sys.modules[{absent!r}] = None\n"
        "from treadle.records.errors import NotReady\n"
        "try:\n"
        f"    import treadle.stages.training.{module}\n"
        "except NotReady as error:\n"
        "    print(error.what, '|', error.command)\n"
    )
    assert absent in done.stdout, done.stderr
    assert "pip install 'treadle[sklearn]'" in done.stdout
