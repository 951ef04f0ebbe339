"""The worker's side of a step: bytes in, the user's function, bytes out. Runs in a worker process."""

from __future__ import annotations

import importlib
import sysconfig
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import msgspec

from treadle.define.steps import Step
from treadle.records.digests import Json
from treadle.records.errors import NotFound, TreadleError
from treadle.records.frames import Frame
from treadle.records.trained import Model
from treadle.stages.pipelines.artifacts import decode, encode, frame_digest
from treadle.stages.training.opened import open_model

RUN_STEP = "treadle.loop.work:run_step"
VERIFY_MODEL = "treadle.loop.work:verify_model"


class StepPayload(msgspec.Struct, frozen=True):
    """What a worker needs to run a step: where the function is, and its arguments as artifacts."""

    target: str
    args: list[bytes]
    kwargs: dict[str, bytes]


class StepResult(msgspec.Struct, frozen=True):
    """What a worker gives back: the value as an artifact, and how long the function itself took."""

    value: bytes
    notes: dict[str, float]


Notes: TypeAlias = Mapping[str, Json]

_encode = msgspec.msgpack.Encoder().encode

_NOT_THEIRS = (
    *{sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")},
    str(Path(__file__).parents[1]),
    "<frozen",
)
"""Where code lives that a person who looks for a mistake did not write: Python, what is installed, and treadle."""


def pack_step(target: str, args: Sequence[object], kwargs: Mapping[str, object]) -> bytes:
    """Return the payload of a step's task; frames travel uncompressed, the way is short."""
    return _encode(
        StepPayload(
            target,
            [encode(value, compress=False) for value in args],
            {name: encode(value, compress=False) for name, value in kwargs.items()},
        )
    )


def unpack_result(result: bytes) -> tuple[object, Notes]:
    """Return a step's value and notes from what the worker gave back."""
    plain = msgspec.msgpack.decode(result, type=StepResult)
    return decode(plain.value), dict(plain.notes)


def run_step(payload: bytes) -> bytes:
    """Run a step's function on its arguments; an estimator it returns is packaged behind the parity check.

    Raises:
        TreadleError: the function failed; the error says with what, and at which line of the project.
    """
    call = msgspec.msgpack.decode(payload, type=StepPayload)
    function = load_function(call.target)
    args = [decode(data) for data in call.args]
    kwargs = {name: decode(data) for name, data in call.kwargs.items()}
    started = time.perf_counter()
    try:
        value = function(*args, **kwargs)
    except TreadleError as error:
        error.where = error.where or place(error)
        raise
    except Exception as error:
        raise TreadleError(_said(error), where=place(error)) from error
    seconds = time.perf_counter() - started
    frames = [v for v in (*args, *kwargs.values()) if isinstance(v, Frame)]
    if frames and not isinstance(value, Model) and hasattr(value, "predict"):
        value = _packaged(value, frames[0].learned)
    return _encode(StepResult(encode(value, compress=False), {"seconds": seconds}))


def _packaged(estimator: object, frame: Frame) -> Model:
    """Export a fitted estimator with the frame it learned from, behind the parity check."""
    from treadle.stages.training.package import make_package  # scikit-learn: only where something is fitted

    package, data = make_package(
        estimator,
        frame.X,
        features=frame.features,
        vocabularies=frame.vocabularies,
        training_data=frame_digest(frame),
        created_from="",  # the run is on the registered version; here it would make equal models differ
    )
    return Model(package, data)


def verify_model(payload: bytes) -> bytes:
    """Load a packaged model in this process and check that it answers its golden requests as in training."""
    model = decode(payload)
    if not isinstance(model, Model):
        return encode({"ok": False, "detail": "the artifact is not a model"})
    return encode(open_model(model).check())


def load_function(target: str) -> Callable[..., object]:
    """Import the function behind `package.module:function`, without its step or pipeline wrapper.

    Raises:
        NotFound: there is no such module or function, or its module fails while it is imported.
    """
    module_name, _, name = target.partition(":")
    try:
        found = getattr(importlib.import_module(module_name), name)
    except Exception as error:
        raise NotFound(
            f"the step {target!r} cannot be imported: {_said(error)}",
            where=place(error),
            fix="define it at the top of a module of the project, and keep the project's folder importable",
        ) from error
    function: Callable[..., object] = found.function if isinstance(found, Step) else found
    return function


def place(error: BaseException) -> str | None:
    """Return the file, line and function of a person's own code that an error came out of, the deepest one."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    found, trace = None, error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if not code.co_filename.startswith(_NOT_THEIRS):
            found = f"{code.co_filename}:{trace.tb_lineno}, in {code.co_name}"
        trace = trace.tb_next
    return found


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
