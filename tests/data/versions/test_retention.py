"""What goes is needed by nothing, whatever the history; what stays is told why."""

from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.records.datasets import DROPPED, DatasetManifest, DatasetRef
from treadle.records.instants import DAY, instant
from treadle.stages.data.retention import plan_retention, unneeded_versions

NOW = instant("2025-06-01")


def manifest(name, version, *, parents=(), age=0, **tags):
    return DatasetManifest(
        name=name,
        version=version,
        schema_hash="s",
        content_hash=f"{name}{version}",
        rows=1,
        parents=tuple(parents),
        created=NOW - age * DAY,
        tags={"table_version": str(version * 2), **tags},
    )


def fates(*manifests, uses=None, keep=1, older_than=0):
    by_name = {}
    for one in manifests:
        by_name.setdefault(one.name, []).append(one)
    plan = plan_retention(by_name, uses or {}, now=NOW, keep=keep, older_than=older_than)
    return {str(fate.manifest.ref): fate.reasons for fate in plan}


def test_old_versions_go_and_the_newest_young_and_tagged_ones_stay():
    found = fates(
        *(manifest("a", n, age=50 - 10 * n) for n in range(1, 6)),
        manifest("a", 6, **{"tag:golden": ""}),
        manifest("a", 7),
        keep=2,
        older_than=15 * DAY,
    )
    assert found["a/1"] == found["a/2"] == found["a/3"] == ()
    assert found["a/4"] == ("younger than 15d",)
    assert found["a/6"] == ("one of the 2 newest", "younger than 15d", "tagged golden")
    assert found["a/7"][0] == "the newest"


def test_what_a_staying_version_was_made_of_stays_through_others():
    a, b = [manifest("a", n) for n in (1, 2, 3)], [manifest("b", 1, parents=[DatasetRef("a", 1)])]
    c = manifest("c", 1, parents=[DatasetRef("b", 1)])
    found = fates(*a, *b, manifest("b", 2), c)
    assert found["b/1"] == ("c/1 was made of it",)
    assert found["a/1"] == ("b/1 was made of it",)
    assert found["a/2"] == ()


def test_the_version_that_rows_were_added_to_may_go():
    found = fates(manifest("a", 1), manifest("a", 2, parents=[DatasetRef("a", 1)]))
    assert found["a/1"] == ()


def test_what_a_run_or_model_read_stays():
    uses = {DatasetRef("a", 1): ["read by run r", "trained on by delay/3"]}
    assert fates(manifest("a", 1), manifest("a", 2), uses=uses)["a/1"] == tuple(uses[DatasetRef("a", 1)])


def test_a_version_without_rows_or_without_their_place_is_left_alone():
    found = fates(manifest("a", 1, **{DROPPED: "5"}), manifest("a", 2), manifest("a", 3))
    assert "a/1" not in found
    unknown = DatasetManifest(name="a", version=1, schema_hash="", content_hash="", rows=1, created=NOW)
    assert fates(unknown, manifest("a", 2))["a/1"] == ("it does not say where its rows are",)


REFS = st.builds(DatasetRef, st.sampled_from("abc"), st.integers(1, 4))


@settings(max_examples=80, deadline=None)
@given(
    st.dictionaries(REFS, st.lists(REFS, max_size=3), max_size=12),
    st.sets(REFS, max_size=2),
    st.integers(1, 3),
    st.integers(0, 12),
)
def test_nothing_that_goes_is_referred_to_by_what_stays(parents, used, keep, newest):
    all_of = [manifest(ref.name, ref.version, parents=found) for ref, found in parents.items()]
    by_name = {}
    for one in all_of:
        by_name.setdefault(one.name, []).append(one)
    plan = plan_retention(by_name, {ref: ["used"] for ref in used}, now=NOW, keep=keep)
    gone = {fate.manifest.ref for fate in plan if fate.goes}
    staying = [fate.manifest for fate in plan if not fate.goes]
    assert not gone & used
    for one in staying:
        assert not {parent for parent in one.parents if parent.name != one.name} & gone
    for name, versions in by_name.items():
        assert sum(one.name == name for one in staying) >= min(keep, len(versions))
        assert max(one.version for one in versions) in {one.version for one in staying if one.name == name}
    unneeded = unneeded_versions(plan, dict.fromkeys("abc", newest))
    for one in staying:
        assert one.table_version not in unneeded.get(one.name, [])
    for versions in unneeded.values():
        assert all(version < newest for version in versions)
