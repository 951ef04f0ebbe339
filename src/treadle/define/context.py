"""What a pipeline's body may do while it runs; the runner answers, through a context variable.

Outside a run, steps are plain functions; what needs a home (`training_set`, `register`, …) says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol

from treadle.records.errors import NotReady

if TYPE_CHECKING:
    from treadle.records.evaluation import EvaluationReport
    from treadle.records.frames import Frame
    from treadle.records.instants import Instant
    from treadle.records.models import ModelVersion
    from treadle.records.splits import Split
    from treadle.records.trained import Model


class RunnableStep(Protocol):
    """What a runner needs to know of a step."""

    @property
    def name(self) -> str:
        """The function's name."""
        ...

    @property
    def target(self) -> str:
        """`package.module:function`."""
        ...

    @property
    def version(self) -> str:
        """Digest of the function's source."""
        ...

    @property
    def function(self) -> Callable[..., object]:
        """The plain function."""
        ...


class Operations(Protocol):
    """What a running pipeline can ask for. Each call is recorded as a step, and answered from cache when it can be."""

    def call(self, step: RunnableStep, args: tuple[object, ...], kwargs: Mapping[str, object]) -> object:
        """Run a step where its executor says."""
        ...

    def training_set(
        self, endpoint: str, until: Instant, since: Instant | None, accept: tuple[str, ...] = ()
    ) -> Frame:
        """Build the point-in-time-correct rows whose label was known before `until`, and search them for leaks."""
        ...

    def split(self, frame: Frame, split: Split) -> tuple[Frame, ...]:
        """Divide rows; the parts share none."""
        ...

    def validated(self, frame: Frame, schema: str, environment: str) -> Frame:
        """Hold rows against a schema of the project; stop on broken data."""
        ...

    def evaluate(self, model: Model, frame: Frame, slices: Sequence[str]) -> EvaluationReport:
        """Judge a model on rows."""
        ...

    def register(self, name: str, model: Model, report: EvaluationReport) -> ModelVersion:
        """Add a version of a registered model."""
        ...


ACTIVE: ContextVar[Operations | None] = ContextVar("treadle_operations", default=None)


def active(wanted: str) -> Operations:
    """Return the running pipeline's operations.

    Raises:
        NotReady: no pipeline is running here.
    """
    operations = ACTIVE.get()
    if operations is None:
        raise NotReady(
            f"{wanted} needs a running pipeline: it reads and writes a treadle home",
            fix="call it inside a function decorated with @tr.pipeline and run that",
            command="treadle run PIPELINE",
        )
    return operations
