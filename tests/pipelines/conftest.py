"""Small values of every kind, and a recorder over stores in a folder."""

from __future__ import annotations

import polars as pl
import pytest

from treadle.adapters.blobs import local_blobs
from treadle.adapters.clock import SimulatedClock
from treadle.adapters.sql.metadata import open_metadata
from treadle.records.digests import digest_bytes
from treadle.records.frames import Frame
from treadle.records.packages import GoldenRequest, ModelPackage, PackagedFeature, Parity
from treadle.records.trained import Model


@pytest.fixture
def frame():
    rows = pl.DataFrame(
        {
            "speed": [1.5, None, -0.0, 3.0],
            "kind": ["a", None, "with more letters than fit in a view", "b"],
            "lame": [True, None, False, True],
            "asked": pl.Series([0, 1, None, 3], dtype=pl.Datetime("us", "UTC")),
            "__at": [1, 2, 3, 4],
            "__known_at": [5, 6, 7, 8],
            "__label": [0.0, 1.0, 1.0, 0.0],
        }
    )
    return Frame(rows, ("speed", "kind"), ("kind",), {"kind": ("a", "b")}, until=9)


@pytest.fixture
def model():
    package = ModelPackage(
        model=digest_bytes(b"\n\x00onnx\n"),
        size=7,
        features=(PackagedFeature(name="speed", kind="numeric"),),
        output="score",
        framework="scikit-learn",
        framework_version="1",
        estimator="Any",
        parity=Parity(rows=1, probes=0, max_abs_difference=0.0, tolerance=1e-6),
        golden=(GoldenRequest(values=(1.0,), expected=0.25),),
        training_data=digest_bytes(b""),
        created_from="",
    )
    return Model(package, b"\n\x00onnx\n")


class Stores:
    """What a recorder records in."""

    def __init__(self, folder):
        self.folder = folder
        self.metadata = open_metadata(f"sqlite:///{folder / 'metadata.db'}")
        self.blobs = local_blobs(folder / "blobs")
        self.clock = SimulatedClock(1_000)

    def begin_run(self, key):
        with self.metadata.begin() as unit:
            return unit.runs.create_run(self.clock.now(), key=key)

    def steps(self, run, *, all_attempts=False):
        with self.metadata.read() as view:
            return view.runs.steps(run.run_id, all_attempts=all_attempts)

    def lose(self, digest):
        """Remove an artifact's bytes behind the store's back."""
        [path] = [
            path for path in (self.folder / "blobs").rglob("*") if path.is_file() and digest in _hex(path)
        ]
        path.unlink()


def _hex(path):
    return "".join(path.parts[-3:])


@pytest.fixture
def stores(tmp_path):
    return Stores(tmp_path)
