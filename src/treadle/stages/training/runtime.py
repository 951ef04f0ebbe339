"""Answering with a packaged model, through ONNX Runtime alone: no training library is loaded."""

from __future__ import annotations

import struct
import threading
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from treadle.records.digests import digest_bytes
from treadle.records.errors import Corrupt, InvalidInput, NotReady
from treadle.records.packages import ModelPackage, RawValue, row_encoder

try:
    import onnxruntime as ort
    from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors
except ImportError as absent:
    raise NotReady(
        f"answering with a packaged model needs {absent.name}, which is not installed",
        command="pip install 'treadle[sklearn]'",
    ) from absent

Matrix: TypeAlias = npt.NDArray[np.float64]

_LOAD_ERRORS = (
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
)


def open_session(model: bytes) -> ort.InferenceSession:
    """Return a session with one thread that does not spin while idle. Holds the GIL while it loads.

    Raises:
        Corrupt: the bytes are not a model that the installed ONNX Runtime can run.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.log_severity_level = 4  # what goes wrong is raised, not printed
    try:
        return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except _LOAD_ERRORS as error:
        raise Corrupt(
            f"ONNX Runtime {ort.__version__} cannot load the model: {error}",
            fix="fetch the package again, or install onnxruntime 1.23 or newer",
        ) from error


class Runtime:
    """A packaged model, loaded and ready to answer; may be shared by threads.

    Args:
        package: the manifest.
        model: the bytes it names.

    Raises:
        Corrupt: the bytes are not those of the manifest, or cannot be loaded.
    """

    def __init__(self, package: ModelPackage, model: bytes) -> None:
        if len(model) != package.size or digest_bytes(model) != package.model:
            raise Corrupt(
                "the model's bytes are not those its package names",
                where=f"model {package.model[:12]}",
                fix="restore the blob from a backup, or train the model again",
            )
        self.package = package
        self.encode = row_encoder(package.features)
        self._session = open_session(model)
        self._input = self._session.get_inputs()[0].name
        self._categorical = [i for i, f in enumerate(package.features) if f.kind == "categorical"]
        n = len(package.features)
        if self._session.get_inputs()[0].shape[1] != n:
            raise Corrupt(
                f"the model takes {self._session.get_inputs()[0].shape[1]} features, its package lists {n}",
                where=f"model {package.model[:12]}",
            )
        # One row's way: input and output are bound to the session once, which saves the making of tensors;
        # for small models that takes longer than the trees.
        self._row = np.zeros((1, n))
        self._row_bytes = self._row.data.cast("B")
        self._write_row = struct.Struct(f"{n}d").pack_into
        self._answer = np.zeros(1)
        self._bound = (
            ort.OrtValue.ortvalue_from_numpy(self._row),
            ort.OrtValue.ortvalue_from_numpy(self._answer),
        )
        self._binding = self._session.io_binding()
        self._binding.bind_ortvalue_input(self._input, self._bound[0])
        self._binding.bind_ortvalue_output(package.output, self._bound[1])
        self._lock = threading.Lock()

    def score(self, matrix: Matrix) -> Matrix:
        """Return the answers to encoded rows: float64 (rows, features) in, float64 (rows,) out.

        Raises:
            InvalidInput: the shape or type is another, or a category's code is not whole.
        """
        n = len(self.package.features)
        if matrix.ndim != 2 or matrix.shape[1] != n or matrix.dtype != np.float64:
            raise InvalidInput(
                f"the matrix is {matrix.dtype} of {matrix.shape}; the model takes float64 of (rows, {n})",
                fix=f"give, in this order: {', '.join(f.name for f in self.package.features)}",
            )
        codes = matrix[:, self._categorical]
        with np.errstate(invalid="ignore"):
            odd = np.flatnonzero(
                np.any((codes != np.trunc(codes)) & ~np.isnan(codes) | np.isinf(codes), axis=0)
            )
        if odd.size:
            names = [self.package.features[self._categorical[i]].name for i in odd]
            raise InvalidInput(
                "category codes must be whole numbers, or NaN for missing and unknown",
                fix="encode categories by the package's vocabulary",
                faults=[f"{name} has a code that is not whole" for name in names],
            )
        if not len(matrix):
            return np.empty(0)
        answers: Matrix = self._session.run(
            [self.package.output], {self._input: np.ascontiguousarray(matrix)}
        )[0]
        return answers

    def score_one(self, values: Sequence[float]) -> float:
        """Return the answer to one encoded row. Costs about 4 µs and the time of the trees.

        Raises:
            InvalidInput: the number of values is another, or a category's code is not whole.
        """
        for i in self._categorical:
            value = values[i]
            if value % 1.0 and value == value:  # NaN alone differs from itself
                raise InvalidInput(
                    f"{self.package.features[i].name} has the code {value!r}, which is not whole",
                    fix="encode categories by the package's vocabulary",
                )
        with self._lock:
            try:
                self._write_row(self._row_bytes, 0, *values)
            except struct.error:
                raise InvalidInput(
                    f"the row has {len(values)} values, the model takes {len(self.package.features)} numbers",
                    fix=f"give, in this order: {', '.join(f.name for f in self.package.features)}",
                ) from None
            self._session.run_with_iobinding(self._binding)
            return float(self._answer[0])

    def answer(self, values: Sequence[RawValue]) -> float:
        """Return the answer to one row of raw features, in the package's order."""
        return self.score_one(self.encode(values))

    def verify(self) -> None:
        """Replay the golden requests, one by one and as one batch.

        Raises:
            Corrupt: an answer is further than the parity tolerance from the trained model's.
        """
        rows = [self.encode(request.values) for request in self.package.golden]
        batch = self.score(np.array(rows, dtype=np.float64).reshape(len(rows), len(self.package.features)))
        faults = []
        for i, (request, row, together) in enumerate(zip(self.package.golden, rows, batch, strict=True)):
            for way, answer in (("alone", self.score_one(row)), ("in a batch", float(together))):
                if not abs(answer - request.expected) <= self.package.parity.tolerance:
                    faults.append(f"golden request {i} {way}: {answer!r}, in training {request.expected!r}")
        if faults:
            raise Corrupt(
                "the loaded model does not answer as in training",
                where=f"model {self.package.model[:12]} on ONNX Runtime {ort.__version__}",
                fix="install the onnxruntime the model was packaged with, or package the model again",
                faults=faults,
            )
