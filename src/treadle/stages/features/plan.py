"""The serving plan: a feature set compiled once, so that a request only carries keys and fields."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Protocol

from treadle.define.feature_sets import Category, FeatureSet, Number
from treadle.define.row_features import RowFeature
from treadle.define.views import FeatureView, Selection, WindowView
from treadle.records.errors import NotFound
from treadle.records.instants import Instant
from treadle.stages.features.forms import Form, forms_of
from treadle.stages.features.keys import pack_key
from treadle.stages.features.rows.program import compile_rows
from treadle.stages.features.state import Value, latest_values
from treadle.stages.features.window_state import window_reader

_ReadView = Callable[[bytes | None, Instant], Sequence[Value]]


class Gets(Protocol):
    """Anything the newest value of a key can be read from: a snapshot, or a batch being written."""

    def get(self, view: str, key: bytes) -> bytes | None:
        """Return the key's value, or None."""
        ...


@dataclass(frozen=True, slots=True)
class _Lookup:
    """One view's read: where its key comes from, how its bytes become values, where the values go."""

    view: str
    keys: tuple[int, ...]
    packed: int
    """Which of the plan's distinct keys; views on one entity share it."""
    read: _ReadView
    entity: str | None
    """The entity that must exist, if its absence is an error."""


class ServingPlan:
    """Turns a request's fields and time into the model's raw feature vector.

    The vector holds floats, None for "no value", and text for categories, in the order of `names`; it equals what
    `OfflineFeatures` computes for the same request once the online store has seen everything known by T.
    """

    def __init__(self, features: FeatureSet) -> None:
        self.names = features.names
        self.fields = tuple(features.request)
        slots: dict[str, int] = {name: i for i, name in enumerate((*self.fields, "at"))}
        lookups: list[_Lookup] = []
        distinct: dict[tuple[int, ...], int] = {}
        clean: set[str] = set()
        for selection in features.selections:
            keys = tuple(slots[key] for key in selection.view.entity.keys)
            entity = selection.view.entity
            must = entity.name if entity.must_exist else None
            distinct.setdefault(keys, len(distinct))
            for stored, names, read in _reads(selection):
                lookups.append(_Lookup(stored, keys, distinct[keys], read, must))
                for name in names:
                    slots[name] = len(slots)
            clean.update(_floats(selection))
        self._lookups = tuple(lookups)
        self._keys = tuple(distinct)
        self._program: Callable[..., tuple[object, ...]] | None = None
        self._program_inputs: tuple[int, ...] = ()
        if features.row_features:
            program = compile_rows(features.row_features, features.row_inputs())
            self._program = program.row
            self._program_inputs = tuple(slots[name] for name in program.inputs)
            for name in program.outputs:
                slots[name] = len(slots)
        outputs = _outputs(features)
        picks = [slots[name] for name, _ in outputs]
        self._pick: Callable[[Sequence[Value]], Sequence[Value]] = (
            itemgetter(*picks) if len(picks) > 1 else lambda known: [known[i] for i in picks]
        )
        self._mend = tuple(
            (place, _number if numeric else _text)
            for place, (name, numeric) in enumerate(outputs)
            if name not in clean
        )

    def vector(self, online: Gets, fields: Sequence[Value], at: Instant) -> list[Value]:
        """Return the raw feature vector of one request.

        Args:
            online: a consistent snapshot of the online store.
            fields: the request's fields in the order of `self.fields`; times are instants.
            at: the prediction time T.
        """
        known: list[Value] = [*fields, at]
        get = online.get
        keys = self._pack_keys(known)
        absent = False
        for lookup in self._lookups:
            key = keys[lookup.packed]
            stored = None if key is None else get(lookup.view, key)
            absent |= stored is None and lookup.entity is not None
            known += lookup.read(stored, at)
        if absent:
            self._require_entities(online, known)
        if self._program is not None:
            known += self._program(*[known[i] for i in self._program_inputs])  # type: ignore[arg-type]  # typed values
        found = list(self._pick(known))
        for place, mend in self._mend:
            found[place] = mend(found[place])
        return found

    def wanted(self, fields: Sequence[Value]) -> list[tuple[str, bytes]]:
        """Return the views and keys that a request's vector is made of, for `Online.read`."""
        keys = self._pack_keys(fields)  # entity keys are request fields
        return [(lookup.view, key) for lookup in self._lookups if (key := keys[lookup.packed]) is not None]

    def _pack_keys(self, known: Sequence[Value]) -> list[bytes | None]:
        """Return the plan's distinct keys, None for one with a null part."""
        packed: list[bytes | None] = []
        for places in self._keys:
            key = [known[i] for i in places]
            packed.append(None if None in key else pack_key(key))  # type: ignore[arg-type]  # no None here
        return packed

    def _require_entities(self, online: Gets, known: Sequence[Value]) -> None:
        """Refuse a request about an entity that must exist and that no view has seen."""
        seen: dict[str, bool] = {}
        said: dict[str, str] = {}
        for lookup in self._lookups:
            if lookup.entity is None:
                continue
            key = [known[i] for i in lookup.keys]
            stored = None if None in key else online.get(lookup.view, pack_key(key))  # type: ignore[arg-type]
            seen[lookup.entity] = seen.get(lookup.entity, False) or stored is not None
            said[lookup.entity] = ", ".join(f"{self.fields[i]}={known[i]!r}" for i in lookup.keys)
        unknown = [name for name, found in seen.items() if not found]
        if unknown:
            raise NotFound(
                f"no {unknown[0]} with {said[unknown[0]]} has ever been seen",
                where=f"the request's entity key of {unknown[0]!r}",
                fix="check the spelling; a new one is known once its rows have been ingested",
                command=f"treadle features keys {unknown[0]}",
            )


def _reads(selection: Selection) -> Iterator[tuple[str, Sequence[str], _ReadView]]:
    """Yield what is read of a view: the name of each state in the online store, the features it gives, and how."""
    view = selection.view
    if isinstance(view, WindowView):
        by_name = {feature.name: feature for feature in view.features}
        reader = window_reader(view, [by_name[name] for name in selection.names])
        yield view.name, selection.columns, reader.read
        return
    for form in forms_of(view):
        names = [feature.name for feature in form.features if feature.name in selection.names]
        if names:
            yield form.stored, [f"{view.name}_{name}" for name in names], _latest_reader(view, form, names)


def _latest_reader(view: FeatureView, form: Form, names: Sequence[str]) -> _ReadView:
    stored_columns = form.columns
    positions = {feature.name: stored_columns.index(feature.column) for feature in form.features}
    picks = [positions[name] for name in names]
    absent: list[Value] = [None] * len(picks)
    ttl = view.ttl
    whole = picks == list(range(len(stored_columns)))

    def read(stored: bytes | None, at: Instant) -> Sequence[Value]:
        values = latest_values(stored, at, ttl)
        if values is None:
            return absent
        return values if whole else [values[i] for i in picks]

    return read


def _floats(selection: Selection) -> list[str]:
    """Return the columns of a selection that are stored as floats without NaN, so that nothing is left to mend."""
    view = selection.view
    if not isinstance(view, FeatureView):
        return []
    kinds = {f.name: view.source.columns[f.column] for f in view.features}
    return [
        column
        for name, column in zip(selection.names, selection.columns, strict=True)
        if kinds[name] == "float"
    ]


def _outputs(features: FeatureSet) -> list[tuple[str, bool]]:
    out: list[tuple[str, bool]] = []
    for part in features.parts:
        if isinstance(part, Selection):
            out += [(name, True) for name in part.columns]
        elif isinstance(part, RowFeature | Number):
            out.append((part.name, True))
        elif isinstance(part, Category):
            out.append((part.name, False))
    return out


def _number(value: Value) -> Value:
    if value is None:
        return None
    number = float(value)
    return number if number == number else None


def _text(value: Value) -> Value:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if value is None or isinstance(value, str) else str(value)


def request_values(fields: Sequence[str], request: Mapping[str, Value]) -> list[Value]:
    """Return a request's values in the plan's order of fields."""
    return [request.get(name) for name in fields]
