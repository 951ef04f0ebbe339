"""The contract every metadata store keeps: one transaction, one order, an event for each change.

An adapter's author writes, for this suite and for those of the narrow ports beside it (`runs`, `models`, …):

    class TestMyMetadata(MetadataContract):
        @pytest.fixture
        def metadata(self) -> Metadata:
            return MyMetadata(...)          # empty
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event as Flag

import pytest

from treadle.ports.checkpoints import Checkpoints, CheckpointsView
from treadle.ports.datasets import Datasets, DatasetsView
from treadle.ports.definitions import Definitions, DefinitionsView
from treadle.ports.jobs import Jobs, JobsView
from treadle.ports.journal import Journal, JournalView
from treadle.ports.metadata import Metadata, Unit
from treadle.ports.models import Models, ModelsView
from treadle.ports.runs import Runs, RunsView
from treadle.records.errors import Conflict, InvalidInput
from treadle.records.events import LIVE
from treadle.records.instants import SECOND, Instant
from treadle.records.jobs import JobState
from treadle.records.models import Verdict
from treadle.records.runs import DatasetInput, Metric, ModelOutput, RunStatus

AT: Instant = 1_380_000_000 * SECOND
"""When everything in the contract suites happens, unless a test says otherwise."""

DIGEST = "ab" * 32
OTHER = "cd" * 32

PORTS: dict[str, tuple[type, type]] = {
    "runs": (Runs, RunsView),
    "models": (Models, ModelsView),
    "datasets": (Datasets, DatasetsView),
    "definitions": (Definitions, DefinitionsView),
    "journal": (Journal, JournalView),
    "jobs": (Jobs, JobsView),
    "checkpoints": (Checkpoints, CheckpointsView),
}

SILENT = {"journal.advance", "jobs.heartbeat", "jobs.hold", "checkpoints.put", "checkpoints.delete"}
"""Positions are no news (see `ports/metadata.py`); `hold` changes nothing."""

CHANGES: dict[str, Callable[[Unit], object]] = {
    "runs.create_experiment": lambda unit: unit.runs.create_experiment("second", AT),
    "runs.set_experiment_tag": lambda unit: unit.runs.set_experiment_tag("1", "a", "b", AT),
    "runs.delete_experiment": lambda unit: unit.runs.delete_experiment("1", AT),
    "runs.restore_experiment": lambda unit: unit.runs.restore_experiment("2", AT),
    "runs.create_run": lambda unit: unit.runs.create_run(AT, params={"a": "1"}, tags={"b": "2"}),
    "runs.set_status": lambda unit: unit.runs.set_status("run", RunStatus.FINISHED, AT),
    "runs.rename_run": lambda unit: unit.runs.rename_run("run", "other", AT),
    "runs.log_batch": lambda unit: unit.runs.log_batch("run", AT, metrics=[Metric("m", 1.0, 0)]),
    "runs.delete_tag": lambda unit: unit.runs.delete_tag("run", "tag", AT),
    "runs.log_inputs": lambda unit: unit.runs.log_inputs("run", [DatasetInput(name="d", digest="1")], AT),
    "runs.log_outputs": lambda unit: unit.runs.log_outputs("run", [ModelOutput("m")], AT),
    "runs.delete_run": lambda unit: unit.runs.delete_run("run", AT),
    "runs.restore_run": lambda unit: unit.runs.restore_run("hidden", AT),
    "runs.start_step": lambda unit: unit.runs.start_step("run", 1, "fit", DIGEST, AT),
    "runs.finish_step": lambda unit: unit.runs.finish_step("run", 0, 1, AT),
    "models.create_model": lambda unit: unit.models.create_model("second", AT, tags={"a": "b"}),
    "models.describe_model": lambda unit: unit.models.describe_model("model", "text", AT),
    "models.set_model_tag": lambda unit: unit.models.set_model_tag("model", "a", "b", AT),
    "models.delete_model_tag": lambda unit: unit.models.delete_model_tag("model", "a", AT),
    "models.create_version": lambda unit: unit.models.create_version("model", AT, tags={"a": "b"}),
    "models.update_version": lambda unit: unit.models.update_version("model", 1, AT, description="text"),
    "models.set_version_tag": lambda unit: unit.models.set_version_tag("model", 1, "a", "b", AT),
    "models.delete_version_tag": lambda unit: unit.models.delete_version_tag("model", 1, "a", AT),
    "models.set_alias": lambda unit: unit.models.set_alias("model", "second", 1, AT),
    "models.delete_alias": lambda unit: unit.models.delete_alias("model", "first", AT),
    "models.record_verdict": lambda unit: unit.models.record_verdict("model", 1, Verdict.PROMOTED, AT),
    "datasets.register": lambda unit: unit.datasets.register(
        "second", AT, schema_hash=DIGEST, content_hash=DIGEST, rows=1
    ),
    "datasets.set_tag": lambda unit: unit.datasets.set_tag("dataset", 1, "a", "b", AT),
    "datasets.delete_tag": lambda unit: unit.datasets.delete_tag("dataset", 1, "kept", AT),
    "definitions.record": lambda unit: unit.definitions.record("gate", "second", {"a": 1}, AT),
    "journal.append": lambda unit: unit.journal.append("trigger.fired", "it", AT),
    "jobs.enqueue": lambda unit: unit.jobs.enqueue("train", {}, AT),
    "jobs.claim": lambda unit: unit.jobs.claim("me", SECOND, AT, 0, kinds=["queued"]),
    "jobs.release": lambda unit: unit.jobs.release(_job(unit, "running"), 1, AT),
    "jobs.finish": lambda unit: unit.jobs.finish(_job(unit, "running"), 1, AT),
    "jobs.cancel": lambda unit: unit.jobs.cancel(_job(unit, "queued"), AT),
}
"""One call of each method that changes state, on the scene below."""

CREATIONS: dict[str, Callable[[Unit, str], object]] = {
    "runs.create_experiment": lambda unit, key: unit.runs.create_experiment("second", AT, key=key),
    "runs.create_run": lambda unit, key: unit.runs.create_run(AT, name="keyed", key=key),
    "models.create_model": lambda unit, key: unit.models.create_model("second", AT, key=key),
    "models.create_version": lambda unit, key: unit.models.create_version("model", AT, key=key),
    "models.set_alias": lambda unit, key: unit.models.set_alias("model", "second", 1, AT, key=key),
    "models.record_verdict": lambda unit, key: unit.models.record_verdict(
        "model", 1, Verdict.REJECTED, AT, key=key
    ),
    "datasets.register": lambda unit, key: unit.datasets.register(
        "dataset", AT, schema_hash=DIGEST, content_hash=OTHER, rows=1, key=key
    ),
    "journal.append": lambda unit, key: unit.journal.append("trigger.fired", "it", AT, {"a": 1}, key=key),
    "jobs.enqueue": lambda unit, key: unit.jobs.enqueue("train", {"a": 1}, AT, key=key),
}
"""One call of each method that takes a key."""


def _job(unit: Unit, kind: str) -> str:
    return unit.jobs.list(kinds=[kind])[0].job_id


def set_scene(unit: Unit) -> None:
    """Make one of everything that the examples above change."""
    unit.runs.create_experiment("first", AT)
    unit.runs.create_experiment("gone", AT)
    unit.runs.delete_experiment("2", AT)
    unit.runs.create_run(AT, run_id="run", experiment_id="1", tags={"tag": "value"})
    unit.runs.start_step("run", 0, "load", DIGEST, AT)
    unit.runs.create_run(AT, run_id="hidden")
    unit.runs.delete_run("hidden", AT)
    unit.models.create_model("model", AT, tags={"a": "b"})
    unit.models.create_version("model", AT, tags={"a": "b"})
    unit.models.set_alias("model", "first", 1, AT)
    unit.datasets.register("dataset", AT, schema_hash=DIGEST, content_hash=DIGEST, rows=3)
    unit.datasets.set_tag("dataset", 1, "kept", "yes", AT)
    unit.definitions.record("gate", "first", {}, AT)
    unit.jobs.enqueue("running", {}, AT)
    unit.jobs.claim("me", SECOND, AT, 0)
    unit.jobs.enqueue("queued", {}, AT)


def _methods(port: type, beyond: type) -> set[str]:
    names, known = (
        {name for name, _ in inspect.getmembers(of, inspect.isfunction) if not name.startswith("_")}
        for of in (port, beyond)
    )
    return names - known


class MetadataContract:
    """Subclass with a fixture `metadata`: an empty store."""

    @pytest.fixture
    def metadata(self) -> Metadata:
        """Return an empty store."""
        raise NotImplementedError("give the store to be tested as a fixture")

    def test_every_method_that_changes_state_is_an_example_here(self) -> None:
        known = {f"{noun}.{name}" for noun, (port, view) in PORTS.items() for name in _methods(port, view)}
        assert known - SILENT == set(CHANGES)

    def test_every_method_that_takes_a_key_is_an_example_here(self) -> None:
        keyed = {
            name
            for name in CHANGES
            if "key"
            in inspect.signature(getattr(PORTS[name.split(".")[0]][0], name.split(".")[1])).parameters
        }
        assert keyed == set(CREATIONS)

    @pytest.mark.parametrize("name", sorted(CHANGES))
    def test_change_and_its_event_are_one(self, metadata: Metadata, name: str) -> None:
        with metadata.begin() as unit:
            set_scene(unit)
            before = unit.journal.end()
        with metadata.begin(world="rehearsal") as unit:
            CHANGES[name](unit)
        with metadata.read() as view:
            events = view.journal.read(after=before)
        assert [(event.at, event.world) for event in events] == [(AT, "rehearsal")]

    @pytest.mark.parametrize("name", sorted(CREATIONS))
    def test_same_key_gives_the_same_thing_and_no_second_event(self, metadata: Metadata, name: str) -> None:
        with metadata.begin() as unit:
            set_scene(unit)
            first = CREATIONS[name](unit, "k")
            end = unit.journal.end()
        with metadata.begin() as unit:
            assert CREATIONS[name](unit, "k") == first
            assert unit.journal.end() == end

    def test_key_of_one_world_means_nothing_in_another(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            live = unit.runs.create_run(AT, key="k")
        with metadata.begin(world="replay") as unit:
            replayed = unit.runs.create_run(AT, key="k")
        assert live.run_id != replayed.run_id

    def test_unit_that_raises_leaves_nothing(self, metadata: Metadata) -> None:
        def fail() -> None:
            with metadata.begin() as unit:
                set_scene(unit)
                unit.checkpoints.put("p", 1, AT)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail()
        with metadata.read() as view:
            assert view.journal.end() == 0
            assert view.runs.search_runs().items == ()
            assert view.models.list_models() == ()
            assert view.checkpoints.get("p") is None

    def test_refused_call_leaves_nothing_but_the_unit_goes_on(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            run = unit.runs.create_run(AT, params={"a": "1"})
            end = unit.journal.end()
            with pytest.raises(Conflict):
                unit.runs.log_batch(run.run_id, AT, params={"a": "2", "b": "3"}, tags={"t": "x"})
            assert unit.journal.end() == end
            unit.runs.log_batch(run.run_id, AT, params={"c": "4"})
        with metadata.read() as view:
            found = view.runs.get_run(run.run_id)
        assert found.params == {"a": "1", "c": "4"}
        assert found.tags == {}

    def test_text_the_store_cannot_keep_is_refused_with_the_whole_unit(self, metadata: Metadata) -> None:
        def go_on_regardless() -> None:
            with metadata.begin() as unit:
                unit.runs.create_run(AT, run_id="first")
                with pytest.raises(InvalidInput):
                    unit.runs.create_run(AT, run_id="second", name="nul \x00 inside")

        with pytest.raises(Conflict):
            go_on_regardless()
        with metadata.read() as view:
            assert view.journal.end() == 0

    def test_number_or_text_that_does_not_fit_is_bad_input(self, metadata: Metadata) -> None:
        def alone(call: Callable[[Unit], object]) -> None:
            with metadata.begin() as unit:
                call(unit)

        with metadata.begin() as unit:
            set_scene(unit)
            end = unit.journal.end()
        for call in (
            lambda unit: unit.runs.log_batch("run", AT, metrics=[Metric("m", 1.0, 2**70)]),
            lambda unit: unit.runs.log_batch("run", AT, tags={"t": "half \ud800 of a pair"}),
            lambda unit: unit.datasets.register("d", 2**70, schema_hash="", content_hash="", rows=1),
            lambda unit: unit.models.get_version("model", 2**70),
        ):
            with pytest.raises(InvalidInput):
                alone(call)
        with metadata.read() as view:
            assert view.journal.end() == end

    def test_unit_reads_its_own_writes(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            run = unit.runs.create_run(AT, name="mine")
            assert unit.runs.get_run(run.run_id) == run
            assert unit.journal.read()[-1].subject == run.run_id

    def test_view_stays_at_its_moment(self, metadata: Metadata) -> None:
        with metadata.read() as view:
            assert view.journal.end() == 0
            with metadata.begin() as unit:
                unit.journal.append("trigger.fired", "it", AT)
            assert view.journal.end() == 0
        with metadata.read() as view:
            assert view.journal.end() > 0

    def test_view_has_nothing_to_write_with(self, metadata: Metadata) -> None:
        with metadata.read() as view:
            for noun, (port, reading) in PORTS.items():
                assert not [name for name in _methods(port, reading) if hasattr(getattr(view, noun), name)]

    def test_unit_inside_a_unit_of_the_same_thread_is_refused(self, metadata: Metadata) -> None:
        with metadata.begin(), pytest.raises(Conflict), metadata.begin():
            pass
        with metadata.begin() as unit:
            unit.journal.append("trigger.fired", "it", AT)

    def test_reader_with_a_cursor_misses_nothing_while_others_write(self, metadata: Metadata) -> None:
        writers, each = 4, 15
        done = Flag()

        def write(writer: int) -> None:
            for number in range(each):
                with metadata.begin() as unit:
                    unit.journal.append("trigger.fired", f"{writer}/{number}", AT)
                    unit.journal.append("trigger.fired", f"{writer}/{number}/again", AT)

        def follow() -> list[str]:
            seen: list[str] = []
            cursor = 0
            while True:
                last_round = done.is_set()
                with metadata.read() as view:
                    events = view.journal.read(after=cursor)
                seen += [event.subject for event in events]
                cursor = events[-1].cursor if events else cursor
                if last_round and not events:
                    return seen

        with ThreadPoolExecutor(writers + 1) as pool:
            reader = pool.submit(follow)
            for writing in [pool.submit(write, writer) for writer in range(writers)]:
                writing.result()
            done.set()
            seen = reader.result()
        expected = {
            f"{writer}/{n}{more}" for writer in range(writers) for n in range(each) for more in ("", "/again")
        }
        assert len(seen) == len(expected)
        assert set(seen) == expected
        assert [subject for subject in seen if subject.endswith("/again")] == [
            f"{subject}/again" for subject in seen if not subject.endswith("/again")
        ]

    def test_jobs_claimed_by_many_threads_are_claimed_once_each(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            queued = {unit.jobs.enqueue("train", number, AT).job_id for number in range(20)}

        def work(worker: int) -> list[str]:
            mine: list[str] = []
            while True:
                with metadata.begin() as unit:
                    job = unit.jobs.claim(f"worker {worker}", SECOND, AT, 0)
                if job is None:
                    return mine
                mine.append(job.job_id)

        with ThreadPoolExecutor(4) as pool:
            claimed = [job for mine in pool.map(work, range(4)) for job in mine]
        assert len(claimed) == len(queued)
        assert set(claimed) == queued
        with metadata.read() as view:
            assert {job.epoch for job in view.jobs.list(states=[JobState.RUNNING])} == {1}

    def test_steady_clock_does_not_go_back(self, metadata: Metadata) -> None:
        ticks = [metadata.tick() for _ in range(5)]
        assert ticks == sorted(ticks)

    def test_sound_store_has_no_faults(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            set_scene(unit)
        assert metadata.check() == []

    def test_events_are_live_unless_said_otherwise(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            assert unit.journal.append("trigger.fired", "it", AT).world == LIVE
