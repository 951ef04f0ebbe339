"""The contract of the model registry."""

from __future__ import annotations

import pytest

from treadle.ports.metadata import Metadata, Unit
from treadle.records.errors import Conflict, InvalidInput, NotFound
from treadle.records.models import (
    CHAMPION,
    Alias,
    ModelStage,
    ModelVersion,
    RegisteredModel,
    Verdict,
    VersionStatus,
)
from treadle.testing.metadata import AT, DIGEST


def _three_versions(unit: Unit) -> None:
    unit.models.create_model("delay", AT)
    for number in range(3):
        unit.models.create_version("delay", AT + number, run_id=f"run {number}")


class ModelsContract:
    """Subclass with a fixture `metadata`: an empty store."""

    @pytest.fixture
    def metadata(self) -> Metadata:
        """Return an empty store."""
        raise NotImplementedError("give the store to be tested as a fixture")

    def test_model_comes_back_whole(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            unit.models.create_model("delay", AT, description="late?", tags={"team": "ops", "gone": "x"})
            unit.models.create_version("delay", AT + 1)
            unit.models.create_version("delay", AT + 2)
            unit.models.set_alias("delay", CHAMPION, 2, AT + 3)
            unit.models.set_model_tag("delay", "team", "ml", AT)
            unit.models.delete_model_tag("delay", "gone", AT)
            unit.models.describe_model("delay", "15 minutes late?", AT + 4)
        with metadata.read() as view:
            assert view.models.get_model("delay") == RegisteredModel(
                name="delay",
                description="15 minutes late?",
                tags={"team": "ml"},
                aliases={CHAMPION: 2},
                latest=2,
                created=AT,
                updated=AT + 4,
            )

    def test_version_comes_back_whole(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            unit.models.create_model("delay", AT)
            made = unit.models.create_version(
                "delay",
                AT,
                run_id="run",
                package=DIGEST,
                source="treadle:run",
                description="first",
                tags={"a": "1", "b": "2"},
                status=VersionStatus.PENDING,
            )
            assert made.ref == "delay/1"
            unit.models.set_alias("delay", "shadow", 1, AT)
            unit.models.set_alias("delay", CHAMPION, 1, AT)
            unit.models.set_version_tag("delay", 1, "a", "3", AT)
            unit.models.delete_version_tag("delay", 1, "b", AT)
            unit.models.update_version(
                "delay", 1, AT + 9, status=VersionStatus.READY, stage=ModelStage.STAGING
            )
        with metadata.read() as view:
            assert view.models.get_version("delay", 1) == ModelVersion(
                model="delay",
                version=1,
                run_id="run",
                package=DIGEST,
                source="treadle:run",
                description="first",
                tags={"a": "3"},
                aliases=(CHAMPION, "shadow"),
                status=VersionStatus.READY,
                stage=ModelStage.STAGING,
                created=AT,
                updated=AT + 9,
            )

    def test_versions_count_up_by_model(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            _three_versions(unit)
            unit.models.create_model("other", AT)
            assert unit.models.create_version("other", AT).version == 1
            assert [made.version for made in unit.models.list_versions("delay")] == [3, 2, 1]
            assert [made.ref for made in unit.models.list_versions()] == [
                "delay/3",
                "delay/2",
                "delay/1",
                "other/1",
            ]
            assert [made.ref for made in unit.models.list_versions(run_id="run 1")] == ["delay/2"]
            unit.models.set_version_tag("delay", 3, "a", "b", AT)
            assert [made.ref for made in unit.models.list_versions(tags={"a": "b"})] == ["delay/3"]
            assert len(unit.models.list_versions(limit=2)) == 2

    def test_models_are_listed_by_name_in_pages(self, metadata: Metadata) -> None:
        names = ["a", "B", "ab", "Z", "ä"]
        with metadata.begin() as unit:
            for name in names:
                unit.models.create_model(name, AT, tags={"odd": str(len(name) % 2)})
            first = unit.models.list_models(limit=3)
            rest = unit.models.list_models(after=first[-1].name)
            assert [model.name for model in (*first, *rest)] == sorted(names)
            assert [model.name for model in unit.models.list_models(tags={"odd": "0"})] == ["ab"]

    def test_name_is_taken_once(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            unit.models.create_model("delay", AT)
            with pytest.raises(Conflict):
                unit.models.create_model("delay", AT)

    @pytest.mark.parametrize("name", ["", " ", "a/b", "a:b", "x" * 257])
    def test_bad_name_is_refused(self, metadata: Metadata, name: str) -> None:
        with metadata.begin() as unit, pytest.raises(InvalidInput):
            unit.models.create_model(name, AT)

    @pytest.mark.parametrize("alias", ["", "latest", "Latest", "v1", "V20", "a b", "a.b", "ä", "x" * 256])
    def test_bad_alias_is_refused(self, metadata: Metadata, alias: str) -> None:
        with metadata.begin() as unit:
            _three_versions(unit)
            with pytest.raises(InvalidInput):
                unit.models.set_alias("delay", alias, 1, AT)

    def test_what_does_not_exist_is_not_found(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            _three_versions(unit)
            with pytest.raises(NotFound) as error:
                unit.models.get_model("dealy")
            assert "'delay'" in str(error.value)
            for call in (
                lambda: unit.models.get_version("delay", 4),
                lambda: unit.models.get_version("other", 1),
                lambda: unit.models.create_version("other", AT),
                lambda: unit.models.set_alias("delay", CHAMPION, 4, AT),
                lambda: unit.models.get_by_alias("delay", CHAMPION),
                lambda: unit.models.get_by_alias("other", CHAMPION),
                lambda: unit.models.delete_alias("delay", CHAMPION, AT),
                lambda: unit.models.record_verdict("delay", 4, Verdict.PROMOTED, AT),
                lambda: unit.models.set_model_tag("other", "a", "b", AT),
                lambda: unit.models.set_version_tag("delay", 4, "a", "b", AT),
            ):
                with pytest.raises(NotFound):
                    call()
            assert unit.models.find_by_alias("delay", CHAMPION) is None
            assert unit.models.find_by_alias("other", CHAMPION) is None

    def test_alias_moves_and_its_history_names_the_one_before(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            _three_versions(unit)
            assert unit.models.set_alias("delay", CHAMPION, 1, AT + 10) == Alias(
                "delay", CHAMPION, 1, AT + 10
            )
            unit.models.set_alias("delay", CHAMPION, 3, AT + 20, reason="better AUC")
            unit.models.set_alias("delay", "shadow", 2, AT + 25)
            unit.models.delete_alias("delay", CHAMPION, AT + 30, reason="leak")
            unit.models.set_alias("delay", CHAMPION, 1, AT + 40)
        with metadata.read() as view:
            history = view.models.alias_history("delay", CHAMPION)
            assert [(move.version, move.previous, move.at, move.reason) for move in history] == [
                (1, None, AT + 40, ""),
                (None, 3, AT + 30, "leak"),
                (3, 1, AT + 20, "better AUC"),
                (1, None, AT + 10, ""),
            ]
            subjects = {event.cursor: event.kind for event in view.journal.read(subject=f"delay@{CHAMPION}")}
            assert subjects == {
                move.cursor: "alias.deleted" if move.version is None else "alias.set" for move in history
            }
            assert [found.alias for found in view.models.aliases("delay")] == [CHAMPION, "shadow"]
            assert view.models.alias_history("delay", "other") == ()

    def test_alias_can_be_asked_at_an_instant(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            _three_versions(unit)
            unit.models.set_alias("delay", CHAMPION, 1, AT + 10)
            unit.models.set_alias("delay", CHAMPION, 3, AT + 20)
            unit.models.delete_alias("delay", CHAMPION, AT + 30)
        with metadata.read() as view:
            then = [
                view.models.find_by_alias("delay", CHAMPION, at=AT + after)
                for after in (9, 10, 19, 20, 29, 30)
            ]
        assert [found and found.version for found in then] == [None, 1, 1, 3, 3, None]

    def test_alias_set_to_where_it_points_changes_nothing(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            _three_versions(unit)
            first = unit.models.set_alias("delay", CHAMPION, 1, AT)
            end = unit.journal.end()
            assert unit.models.set_alias("delay", CHAMPION, 1, AT + 5) == first
            assert unit.journal.end() == end
            assert len(unit.models.alias_history("delay", CHAMPION)) == 1

    def test_alias_moves_only_from_where_it_is_expected(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            _three_versions(unit)
            with pytest.raises(Conflict):
                unit.models.set_alias("delay", CHAMPION, 2, AT, expected=1)
            unit.models.set_alias("delay", CHAMPION, 1, AT, expected=None)
            for expected in (None, 2):
                with pytest.raises(Conflict):
                    unit.models.set_alias("delay", CHAMPION, 3, AT, expected=expected)
            unit.models.set_alias("delay", CHAMPION, 3, AT, expected=1)
            assert unit.models.get_by_alias("delay", CHAMPION).version == 3

    def test_verdicts_are_kept_in_order(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            _three_versions(unit)
            first = unit.models.record_verdict(
                "delay", 1, Verdict.INCONCLUSIVE, AT, reasons=["too few labels", "holds"], evidence={"n": 12}
            )
            second = unit.models.record_verdict("delay", 1, Verdict.PROMOTED, AT + 1, reasons=["better"])
            third = unit.models.record_verdict("delay", 2, Verdict.REJECTED, AT + 2)
        assert (first.verdict, first.reasons, first.evidence) == (
            Verdict.INCONCLUSIVE,
            ("too few labels", "holds"),
            {"n": 12},
        )
        with metadata.read() as view:
            assert view.models.verdicts("delay") == (third, second, first)
            assert view.models.verdicts("delay", 1) == (second, first)
            assert view.models.verdicts("other") == ()
            assert view.journal.read(kinds=["verdict.recorded"])[0].cursor == first.cursor

    def test_same_key_returns_the_version_as_it_is_now(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            unit.models.create_model("delay", AT)
            unit.models.create_version("delay", AT, key="trained in April")
            unit.models.set_version_tag("delay", 1, "a", "b", AT)
            again = unit.models.create_version("delay", AT + 5, description="other", key="trained in April")
            assert again == unit.models.get_version("delay", 1)
            assert unit.models.get_model("delay").latest == 1
