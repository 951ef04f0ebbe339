"""A definition that contradicts itself is refused with all its faults at once, in words that name the part."""

import pytest

from tests.define import parts
from treadle.define.aggregates import count, mean, total
from treadle.define.endpoints import Endpoint
from treadle.define.entities import Entity
from treadle.define.feature_sets import FeatureSet, category, number
from treadle.define.labels import Labels, Requests
from treadle.define.names import duplicates, name_fault, zone_known
from treadle.define.row_features import row_feature
from treadle.define.sources import Source, table
from treadle.define.views import Column, FeatureView, WindowView, column
from treadle.records.errors import InvalidInput, NotFound
from treadle.records.instants import DAY, HOUR

COLUMNS = {"k": "string", "at": "time", "v": "float", "t": "string"}


def faults(make, *args, **kwargs):
    with pytest.raises(InvalidInput) as caught:
        make(*args, **kwargs)
    assert "cannot be defined" in caught.value.what
    return list(caught.value.faults)


def source(name="s", path="s.parquet", columns=COLUMNS, **more):
    return Source.parquet(name, path=path, columns=columns, **more)


class TestNames:
    @pytest.mark.parametrize("name", ["a", "a1_b", "a" * 63])
    def test_good_names(self, name):
        assert name_fault("thing", name) is None

    @pytest.mark.parametrize("name", ["", "A", "1a", "_a", "a-b", "a b", "ä", "a" * 64, "a\n", 7, None])
    def test_bad_names_say_the_rule(self, name):
        assert name_fault("thing", name) == (
            f"thing name {name!r}: use lower-case letters, digits and _, starting with a letter, at most 63"
        )

    def test_duplicates_come_once_each_in_order_of_their_second_appearance(self):
        assert duplicates("abcbacb") == ["b", "a", "c"]

    def test_zones_are_those_of_the_database(self):
        assert [zone_known(z) for z in ("UTC", "Europe/Berlin", "America", "Berlin", "../etc", "", None)] == [
            True, True, False, False, False, False, False,
        ]  # fmt: skip


class TestEntity:
    def test_one_key_may_stand_alone(self):
        assert Entity("plane", keys="tailnum") == Entity("plane", keys=["tailnum"])

    def test_all_faults(self):
        assert faults(Entity, "Plane", keys=["a", "", "a"]) == [
            "entity name 'Plane': use lower-case letters, digits and _, starting with a letter, at most 63",
            "entity 'Plane': key '' is not the name of a column",
            "entity 'Plane' lists the key 'a' twice",
        ]

    def test_without_keys_there_is_one(self):
        assert Entity("world", keys=[]).keys == ()


class TestSource:
    def test_all_faults_at_once(self):
        found = faults(
            source,
            "S",
            path="/data/s.parquet",
            columns={"at": "string", "v": "number", "__row": "int"},
            event_time="at",
            known_after="10 minutes",
            created_time="made",
            tombstone="v",
            unique=["k", "v", "v"],
            zone="EST5",
        )
        assert found == [
            "source 'S': known_after='10 minutes': '10 minutes' is not a duration; write it like 10m, 6h, 28d or 1d12h",
            "source name 'S': use lower-case letters, digits and _, starting with a letter, at most 63",
            "source 'S': column 'v' has type 'number'; types are float, int, string, bool, time",
            "source 'S': column name '__row' is reserved; names starting with __ are treadle's own",
            "source 'S': event_time column 'at' is listed as 'string'; list it with type 'time'",
            "source 'S': created_time column 'made' is not listed in columns; list it with type 'time'",
            "source 'S': tombstone column 'v' is listed as 'number'; list it with type 'bool'",
            "source 'S': unique column 'k' is not in columns",
            "source 'S': unique lists 'v' twice",
            "source 'S': path='/data/s.parquet' leaves the data folder; name it relative to the folder a command is given",
            "source 'S': zone='EST5' is not a known zone; write it like 'America/New_York' or 'UTC'",
        ]

    @pytest.mark.parametrize("path", ["../s.parquet", "a/../../s.parquet", "/s.parquet"])
    def test_a_path_stays_in_the_data_folder(self, path):
        assert "leaves the data folder" in faults(source, path=path)[0]

    def test_columns_have_types(self):
        assert faults(source, columns=["k", "v"]) == [
            "source 's': give every column its type, like {'price': 'float', 'ordered_at': 'time'}"
        ]
        assert faults(source, columns={}) == ["source 's' has no columns"]
        assert faults(source, columns={7: "int", "": "int"}) == [
            "source 's': column name 7 is not text", "source 's': column name '' is not text",
        ]  # fmt: skip

    def test_what_is_known_later_was_true_sometime(self):
        assert faults(source, known_after="1h") == [
            "source 's': known_after, known_at and created_time need an event_time"
        ]

    def test_a_sound_source_keeps_what_it_was_given(self):
        made = source(event_time="at", known_after="10m", unique="k", zone="Europe/Berlin")
        assert (made.timing.known_after, made.unique, made.zone) == (HOUR // 6, ("k",), "Europe/Berlin")


class TestTable:
    def test_parameters_are_inputs(self):
        @table(columns={"v": "float"})
        def joined(flights, weather):
            """Words."""

        assert (joined.name, joined.inputs, joined.description) == (
            "joined",
            ("flights", "weather"),
            "Words.",
        )

    def test_all_faults_at_once(self):
        def Joined(flights, *more, day="x"):
            return flights

        assert faults(table(columns={"v": "number"}, event_time="at"), Joined) == [
            "table name 'Joined': use lower-case letters, digits and _, starting with a letter, at most 63",
            "table 'Joined': column 'v' has type 'number'; types are float, int, string, bool, time",
            "table 'Joined': event_time column 'at' is not listed in columns; list it with type 'time'",
            "table 'Joined': parameter '*more' is no input; name one source or table per parameter",
            "table 'Joined': parameter \"day='x'\" is no input; name one source or table per parameter",
        ]

    def test_a_table_reads_something(self):
        def empty():
            return None

        assert faults(table(columns={"v": "float"}), empty) == [
            "table 'empty' reads no source: name its sources as parameters"
        ]

    def test_only_functions_are_made_tables(self):
        assert "decorate a plain function" in faults(table(columns={"v": "float"}), len)[0]


entity = Entity("thing", keys=["k"])
timed = source(event_time="at")


class TestViews:
    def test_a_feature_view_lists_all_faults(self):
        found = faults(
            FeatureView, "V", entity=Entity("pair", keys=["k", "j"]), source=source(columns={**COLUMNS, "Temp": "float"}),
            features=["v", "v", "w", "Temp"], ttl="soon",
        )  # fmt: skip
        assert found == [
            "view name 'V': use lower-case letters, digits and _, starting with a letter, at most 63",
            "view 'V': feature name 'Temp': use lower-case letters, digits and _, starting with a letter, at most 63; "
            "rename it with tr.column('Temp', name=...)",
            "view 'V' has two features called 'v'",
            "view 'V': key column 'j' is not in source 's'; it has Temp, at, k, t, v",
            "view 'V': feature column 'w' is not in source 's'; it has Temp, at, k, t, v",
            "view 'V': ttl='soon': 'soon' is not a duration; write it like 10m, 6h, 28d or 1d12h",
            "view 'V': ttl='soon' needs the age of a row, but source 's' has no event_time",
        ]

    def test_parts_of_another_kind_are_named(self):
        assert faults(
            FeatureView, "v", entity="origin", source=timed.name, features=[mean("v", over="1h")]
        ) == [
            "view 'v': entity is 'origin'; give a tr.Entity",
            "view 'v': source is 's'; give a tr.Source, or a function made a table by @tr.table",
            "view 'v': a feature is an Aggregate; give column names, or tr.column(name, name=...)",
        ]
        assert faults(WindowView, "v", entity=entity, source=timed, features=["v"]) == [
            "view 'v': a feature is 'v'; give aggregates: tr.mean(column, over='3h'), tr.count, tr.total"
        ]

    @pytest.mark.parametrize("ttl", [0, "0s"])
    def test_a_ttl_of_nothing_is_no_way_to_say_for_ever(self, ttl):
        assert "lets no value live; leave it out to keep values for ever" in faults(
            FeatureView, "v", entity=entity, source=timed, features=["v"], ttl=ttl
        )[0]  # fmt: skip
        assert FeatureView("v", entity=entity, source=timed, features=["v"]).ttl is None
        assert FeatureView("v", entity=entity, source=timed, features=["v"], ttl="1d").ttl == DAY

    def test_timeless_rows_have_no_age(self):
        assert faults(FeatureView, "v", entity=entity, source=source(), features=["v"], ttl="1d") == [
            "view 'v': ttl='1d' needs the age of a row, but source 's' has no event_time"
        ]

    def test_a_window_view_lists_all_faults(self):
        assert faults(
            WindowView, "v", entity=entity, source=source(),
            features=[mean("t", over="1h"), count("t", over="1h"), mean("t", over="1h")],
        ) == [
            "view 'v' has two features called 't_mean_1h'",
            "window view 'v': source 's' has no event_time to slide over",
            "window view 'v': column 't' is string; aggregates need float, int or bool",
        ]  # fmt: skip
        assert faults(WindowView, "v", entity=entity, source=timed, features=[]) == [
            "view 'v' has no features"
        ]

    def test_a_window_has_a_length(self):
        with pytest.raises(InvalidInput, match="the window of mean"):
            mean("v", over=0)
        with pytest.raises(InvalidInput, match="is not a duration"):
            total("v", over="3 hours")

    def test_features_are_named_after_view_and_column(self):
        view = FeatureView("v", entity=entity, source=timed, features=["v", column("t", name="text")])
        assert view.columns == ("v_v", "v_text")
        assert view.features[1] == Column("t", "text")
        windows = WindowView(
            "w", entity=entity, source=timed, features=[total("v", over="90m"), count(over="1d")]
        )
        assert windows.columns == ("w_v_sum_1h30m", "w_count_1d")

    def test_selecting_an_unknown_feature_offers_the_near_one(self):
        view = FeatureView("v", entity=entity, source=timed, features=["v", column("t", name="text")])
        with pytest.raises(NotFound) as caught:
            view.select("texts")
        assert caught.value.fix == "did you mean 'text'?"
        assert caught.value.where == "view 'v'"


class TestFeatureSet:
    REQUEST = parts.REQUEST

    def test_all_faults_at_once(self):
        @row_feature
        def gap(price, tomorrow):
            return price - tomorrow

        found = faults(
            FeatureSet,
            "Set",
            request={"price": "string", "at": "time", "__x": "int", "customer": "int"},
            features=[parts.facts, parts.habits, gap, number("price"), number("weight"), category("weight")],
        )
        assert found == [
            "feature set name 'Set': use lower-case letters, digits and _, starting with a letter, at most 63",
            "feature set 'Set': request field name '__x' is reserved; names starting with __ are treadle's own",
            "feature set 'Set': request field 'at' is the prediction time; name the field otherwise",
            "feature set 'Set': view 'facts' needs the key 'customer' as string, but the request field is int",
            "feature set 'Set': view 'habits' needs the key 'customer' as string, but the request field is int",
            "feature set 'Set': row feature 'gap' reads 'tomorrow', which is neither a request field, 'at', nor a feature",
            "feature set 'Set': number 'price' is a request field of type string; it must be one of type float, int, bool",
            "feature set 'Set': number 'weight' is not a request field; it must be one of type float, int, bool",
            "feature set 'Set': category 'weight' is not a request field; it must be one of type string, int, bool",
            "feature set 'Set': two features are called 'weight'",
        ]

    def test_a_views_key_is_a_request_field(self):
        assert faults(FeatureSet, "set", request={"price": "float"}, features=[parts.facts]) == [
            "feature set 'set': view 'facts' needs the key 'customer', which is not a request field"
        ]

    def test_parts_of_another_kind_are_named(self):
        assert faults(FeatureSet, "set", request=["a"], features=["price", parts.orders], helpers=[number("price")]) == [
            "feature set 'set': give every request field its type, like {'price': 'float', 'ordered_at': 'time'}",
            "feature set 'set': a feature is 'price'; give a view, view.select(...), a row feature, "
            "tr.category(...) or tr.number(...)",
            "feature set 'set': a feature is a Source; give a view, view.select(...), a row feature, "
            "tr.category(...) or tr.number(...)",
            "feature set 'set': a helper is a Number; give a view or view.select(...)",
        ]  # fmt: skip

    def test_an_empty_set_is_none(self):
        assert faults(FeatureSet, "set", request={"price": "float"}, features=[]) == [
            "feature set 'set' has no features"
        ]

    def test_a_name_means_one_thing(self):
        @row_feature
        def channel(at):
            return at.dt.hour()

        other = FeatureView("facts", entity=parts.customer, source=parts.people, features=["city"])
        ambiguous = {**self.REQUEST, "facts_age": "int"}
        assert faults(FeatureSet, "set", request=ambiguous, features=[parts.facts, other, channel]) == [
            "feature set 'set': two views are called 'facts'",
            "feature set 'set': feature 'facts_age' has the name of a request field",
            "feature set 'set': feature 'channel' has the name of a request field",
        ]

    def test_a_helpers_feature_does_not_take_anothers_name(self):
        shadow = FeatureView(
            "facts_age", entity=parts.customer, source=parts.people, features=[column("age", name="x")]
        )
        again = FeatureView(
            "facts", entity=parts.customer, source=parts.people, features=[column("age", name="age_x")]
        )
        assert faults(FeatureSet, "set", request=self.REQUEST, features=[shadow], helpers=[again]) == [
            "feature set 'set': 'facts_age_x' names two features, one of them a helper's"
        ]

    def test_one_feature_may_be_both_given_to_the_model_and_a_helper(self):
        made = FeatureSet(
            "set", request=self.REQUEST, features=[parts.facts.select("age")], helpers=[parts.facts]
        )
        assert made.names == ("facts_age",)
        assert [view.name for view in made.views] == ["facts"]


class TestLabelsAndRequests:
    def test_labels_list_all_faults(self):
        assert faults(Labels, "Late", source=source(), key=["k", "flight", "k"], value="t") == [
            "labels name 'Late': use lower-case letters, digits and _, starting with a letter, at most 63",
            "labels 'Late': column 'flight' is not in source 's'; it has at, k, t, v",
            "labels 'Late': value 't' is string; a label is a bool, or a number that is 0 or 1",
            "labels 'Late': source 's' needs an event_time: when the label became true",
            "labels 'Late' list the key 'k' twice",
        ]
        assert faults(Labels, "late", source=timed, key=[], value="v") == [
            "labels 'late' have no key: name the columns that identify the request a label belongs to"
        ]
        assert faults(Labels, "late", source="s", key="k", value="v") == [
            "labels 'late': source is 's'; give a tr.Source, or a function made a table by @tr.table"
        ]

    def test_requests_have_a_time(self):
        with pytest.raises(InvalidInput, match="requests need a prediction time: 's' has no event_time"):
            Requests(source())
        with pytest.raises(InvalidInput, match="requests: source is 's'; give a tr"):
            Requests("s")  # type: ignore[arg-type]  # what is refused


class TestEndpoint:
    def test_parts_of_another_kind_are_named(self):
        assert faults(Endpoint, "E", model="m", features=parts.facts, requests=parts.orders, labels=None) == [
            "endpoint name 'E': use lower-case letters, digits and _, starting with a letter, at most 63",
            "endpoint 'E': features is a FeatureView; give a tr.FeatureSet",
            "endpoint 'E': requests is a Source; give tr.Requests(source)",
            "endpoint 'E': labels is None; give tr.Labels",
            "endpoint 'E': model 'm' is not written name@alias, such as 'delay@champion'",
        ]

    @pytest.mark.parametrize("model", ["@champion", "m@", "M@champion", "m@Best", "a@b@c"])
    def test_a_model_is_a_name_and_an_alias(self, model):
        assert faults(parts.endpoint, model=model)

    def test_requests_have_what_features_and_labels_need_in_the_same_type(self):
        poor = source(
            "poor",
            columns={"at": "time", "customer": "string", "price": "int", "order": "string"},
            event_time="at",
        )
        assert faults(parts.endpoint, requests=Requests(poor)) == [
            "endpoint 'returns': request field 'order' is int, but string in the requests' source 'poor'",
            "endpoint 'returns': request field 'price' is float, but int in the requests' source 'poor'",
            "endpoint 'returns': request field 'channel' is not a column of the requests' source 'poor'",
            "endpoint 'returns': label key 'order' is int, but string in the requests' source 'poor'",
        ]

    def test_a_logged_prediction_can_be_told_its_label(self):
        fields = {"customer": "string", "score": "float"}
        rich = source("rich", columns={**parts.orders.columns, "score": "float"}, event_time="at")
        features = FeatureSet("f", request=fields, features=[number("score")])
        assert faults(parts.endpoint, features=features, requests=Requests(rich)) == [
            "endpoint 'returns': label key 'order' is not a request field, so a logged prediction could not be told its label",
            "endpoint 'returns': 'score' is what the prediction log calls something of its own; give it another name",
        ]

    def test_a_sound_endpoint_knows_its_model_and_alias(self):
        made = parts.endpoint()
        assert (made.model_name, made.alias) == ("returns", "champion")
