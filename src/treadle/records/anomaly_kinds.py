"""The catalogue of anomalies: every kind there is, what it means, and where in a schema its rule stands.

The table in docs/reference/anomalies.md is made of it. The kinds are our own; `peer` names the anomaly types of
TensorFlow Data Validation (its anomalies.md, 2026) that a kind covers, so that coverage can be compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from treadle.records.anomalies import Nature, Severity


class Seen(StrEnum):
    """What a kind is seen from."""

    PROFILE = "profile"
    """A profile and the schema are enough, as far as it counted; the rows give exact counts and examples as well."""
    ROWS = "rows"
    """Only the rows show it."""
    PROFILES = "two profiles"
    """Comparing with the profile of previous or training data."""
    TRAINING_SET = "training set"
    """The leak checks of a training set and its split."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of anomaly."""

    name: str
    group: str
    meaning: str
    rule: str
    """The key of the schema that decides, as `[table] key`."""
    seen: Seen = Seen.PROFILE
    nature: Nature = Nature.BROKEN
    severity: Severity = Severity.STOP
    """The severity when the schema says none."""
    peer: tuple[str, ...] = ()


_WARN = Severity.WARN
_STOP = Severity.STOP
_ROWS = Seen.ROWS
_PAIR = Seen.PROFILES
_SPLIT = Seen.TRAINING_SET

_SHAPE = (
    Kind("column_missing", "columns", "A column that the schema expects is not there; the nearest name is offered.",
         "[columns.X]", peer=("SCHEMA_MISSING_COLUMN",)),
    Kind("column_new", "columns", "A column is there that the schema does not name.",
         "[rows] new_columns", severity=_WARN, peer=("SCHEMA_NEW_COLUMN",)),
    Kind("column_out_of_place", "columns", "A column is there in an environment that must do without it: a label at serving.",
         "[columns.X] not_in_environments", nature=Nature.LEAKED),
    Kind("column_empty", "columns", "The column is there and has no value at all.",
         "[columns.X] min_count", peer=("FEATURE_TYPE_NOT_PRESENT",)),
    Kind("type_changed", "columns", "The column holds another type.",
         "[columns.X] type", peer=("UNEXPECTED_DATA_TYPE",)),
    Kind("nesting_changed", "columns", "Lists or structs where plain values are expected, or the other way round.",
         "[columns.X] type", peer=("VALUE_NESTEDNESS_MISMATCH",)),
    Kind("not_a_bool", "columns", "A boolean column came as text or numbers that are not all true or false (1 or 0).",
         "[columns.X] as_text",
         peer=("BOOL_TYPE_BIG_INT", "BOOL_TYPE_SMALL_INT", "BOOL_TYPE_UNEXPECTED_STRING", "BOOL_TYPE_UNEXPECTED_FLOAT")),
    Kind("not_an_int", "columns", "An integer column came as text that is not all integers.",
         "[columns.X] as_text", peer=("INT_TYPE_NOT_INT_STRING",)),
    Kind("not_a_float", "columns", "A float column came as text that is not all numbers.",
         "[columns.X] as_text", peer=("FLOAT_TYPE_STRING_NOT_FLOAT",)),
    Kind("statistic_missing", "columns", "A rule could not be checked: what was given lacks the statistic it needs.",
         "the rule named", nature=Nature.UNKNOWN, severity=_WARN,
         peer=("STATS_NOT_AVAILABLE", "FEATURE_TYPE_NO_UNIQUE")),
)  # fmt: skip

_PRESENCE = (
    Kind("too_few_present", "presence", "The share of rows that have a value is too small.",
         "[columns.X] min_fraction", peer=("FEATURE_TYPE_LOW_FRACTION_PRESENT",)),
    Kind("too_few_values", "presence", "Too few rows have a value.",
         "[columns.X] min_count", peer=("FEATURE_TYPE_LOW_NUMBER_PRESENT",)),
    Kind("too_few_distinct", "presence", "The column has fewer different values than expected.",
         "[columns.X] min_distinct", peer=("FEATURE_TYPE_LOW_UNIQUE",)),
    Kind("too_many_distinct", "presence", "The column has more different values than expected.",
         "[columns.X] max_distinct", peer=("FEATURE_TYPE_HIGH_UNIQUE",)),
    Kind("too_few_items", "presence", "Lists are shorter than allowed.",
         "[columns.X] min_items", seen=_ROWS, peer=("FEATURE_TYPE_LOW_NUMBER_VALUES", "INVALID_FEATURE_SHAPE")),
    Kind("too_many_items", "presence", "Lists are longer than allowed.",
         "[columns.X] max_items", seen=_ROWS, peer=("FEATURE_TYPE_HIGH_NUMBER_VALUES", "INVALID_FEATURE_SHAPE")),
)  # fmt: skip

_DOMAIN = (
    Kind("below_min", "domain", "Values lie below the smallest one allowed.",
         "[columns.X] min", peer=("INT_TYPE_SMALL_INT", "FLOAT_TYPE_SMALL_FLOAT")),
    Kind("above_max", "domain", "Values lie above the largest one allowed.",
         "[columns.X] max", peer=("INT_TYPE_BIG_INT", "FLOAT_TYPE_BIG_FLOAT")),
    Kind("nan_found", "domain", "NaN where the schema wants numbers.",
         "[columns.X] nan", peer=("FLOAT_TYPE_HAS_NAN",)),
    Kind("infinity_found", "domain", "Infinite values where the schema wants finite ones.",
         "[columns.X] infinite", peer=("FLOAT_TYPE_HAS_INF",)),
    Kind("value_unexpected", "domain", "Values are not among those listed, beyond the share tolerated.",
         "[columns.X] values", peer=("ENUM_TYPE_UNEXPECTED_STRING_VALUES",)),
    Kind("text_too_short", "domain", "Texts have fewer characters than allowed.", "[columns.X] min_length"),
    Kind("text_too_long", "domain", "Texts have more characters than allowed.", "[columns.X] max_length"),
    Kind("pattern_missed", "domain", "Texts do not match the pattern.", "[columns.X] pattern"),
    Kind("not_utf8", "domain", "Bytes that should be text are not UTF-8.",
         "[columns.X] utf8", seen=_ROWS, peer=("ENUM_TYPE_INVALID_UTF8",)),
)  # fmt: skip

_DATASET = (
    Kind("too_few_rows", "rows", "The data have too few rows.", "[rows] min", peer=("DATASET_LOW_NUM_EXAMPLES",)),
    Kind("too_many_rows", "rows", "The data have too many rows.", "[rows] max", peer=("DATASET_HIGH_NUM_EXAMPLES",)),
    Kind("rows_fell", "rows", "The data have far fewer rows than the previous ones.",
         "[rows] min_ratio", seen=_PAIR, peer=("COMPARATOR_LOW_NUM_EXAMPLES",)),
    Kind("rows_rose", "rows", "The data have far more rows than the previous ones.",
         "[rows] max_ratio", seen=_PAIR, peer=("COMPARATOR_HIGH_NUM_EXAMPLES",)),
    Kind("comparison_missing", "rows", "A comparison is asked for and there is nothing to compare with.",
         "[columns.X] drift, skew; [rows] min_ratio", seen=_PAIR, nature=Nature.UNKNOWN, severity=Severity.INFO,
         peer=("COMPARATOR_CONTROL_DATA_MISSING",)),
    Kind("rows_repeated", "rows", "Too large a share of rows repeats another row whole.",
         "[rows] max_duplicates", seen=_ROWS),
    Kind("key_repeated", "rows", "Rows share a key (of one column or several) that should tell them apart.",
         "[[keys]] columns", seen=_ROWS),
    Kind("key_empty", "rows", "A key column has no value in some rows.", "[[keys]] columns", seen=_ROWS),
    Kind("reference_missing", "rows", "Values refer to rows of another data set that are not there.",
         "[[references]] columns", seen=_ROWS),
    Kind("rule_broken", "rows", "Rows break a condition over their columns.", "[[rules]] rule", seen=_ROWS),
    Kind("lists_misaligned", "rows", "Lists that belong together differ in length: values and their weights or places.",
         "[[aligned]] columns", seen=_ROWS,
         peer=("SPARSE_FEATURE_LENGTH_MISMATCH", "WEIGHTED_FEATURE_LENGTH_MISMATCH", "SPARSE_FEATURE_MISSING_VALUE",
               "SPARSE_FEATURE_MISSING_INDEX", "WEIGHTED_FEATURE_MISSING_VALUE", "WEIGHTED_FEATURE_MISSING_WEIGHT")),
)  # fmt: skip

_TIME = (
    Kind("stale", "time", "The newest row is too old.", "[time] max_age"),
    Kind("late", "time", "Rows became known too long after they happened.", "[time] max_lateness", seen=_ROWS),
    Kind("from_the_future", "time", "Rows are from after the moment of looking.", "[time] future"),
    Kind("zone_shifted", "time", "Times have moved round the clock by whole hours: they were read in another zone.",
         "[columns.X] hours", seen=_ROWS),
    Kind("stuck", "time", "One value repeats itself in a run too long to be true: a sensor is stuck.",
         "[columns.X] max_run"),
)  # fmt: skip

_CHANGE = (
    Kind("unit_changed", "change", "Values were multiplied or moved by a change of unit: ×10, ×1000, °F for °C, a turned sign.",
         "[columns.X] unit", seen=_PAIR),
    Kind("scale_changed", "change", "Values were multiplied by a small factor that may be a unit (km for miles) or honest.",
         "[columns.X] unit", seen=_PAIR, nature=Nature.CHANGED, severity=_WARN),
    Kind("category_share_changed", "change", "The share of one category has moved (L∞ distance).",
         "[columns.X] drift, skew", seen=_PAIR, nature=Nature.CHANGED, severity=_WARN,
         peer=("COMPARATOR_L_INFTY_HIGH",)),
    Kind("categories_changed", "change", "The shares of the categories together have moved (half their L1 distance).",
         "[columns.X] drift, skew", seen=_PAIR, nature=Nature.CHANGED, severity=_WARN,
         peer=("COMPARATOR_NORMALIZED_ABSOLUTE_DIFFERENCE_HIGH",)),
    Kind("distribution_changed", "change", "Numbers are distributed otherwise (Kolmogorov–Smirnov distance).",
         "[columns.X] drift, skew", seen=_PAIR, nature=Nature.CHANGED, severity=_WARN,
         peer=("COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH",)),
)  # fmt: skip

_LEAKS = (
    Kind("entity_overlap", "leak", "An entity is in the training part and in the test part of a split by entity.",
         "the split", seen=_SPLIT, nature=Nature.LEAKED),
    Kind("value_after_request", "leak", "A feature's value was known only after the moment it is used at.",
         "the training set", seen=_SPLIT, nature=Nature.LEAKED),
    Kind("feature_tells_label", "leak", "One feature alone tells the label (AUC above 0.99): it may be made of it.",
         "the training set", seen=_SPLIT, nature=Nature.LEAKED),
    Kind("rows_overlap", "leak", "The same row is in the training part and in the test part of a split.",
         "the split", seen=_SPLIT, nature=Nature.LEAKED),
    Kind("label_before_request", "leak", "A label was known before its request was made.",
         "the training set", seen=_SPLIT, nature=Nature.LEAKED, severity=_WARN),
)  # fmt: skip

KINDS: dict[str, Kind] = {
    kind.name: kind for kind in (*_SHAPE, *_PRESENCE, *_DOMAIN, *_DATASET, *_TIME, *_CHANGE, *_LEAKS)
}
"""Every kind of anomaly by its name, in the order of the reference."""

SCHEMA_FAULTS: dict[str, str] = {
    "INVALID_SCHEMA_SPECIFICATION": "a key or table that schemas do not have, a value of another type, a number out of range",
    "INVALID_DOMAIN_SPECIFICATION": "min above max, an empty list of values, a pattern that is no regular expression",
    "DOMAIN_INVALID_FOR_TYPE": "a rule that the column's type cannot keep: a pattern for an int",
    "BOOL_TYPE_INVALID_CONFIG": "values of a boolean column that are no booleans",
    "FEATURE_MISSING_NAME": "a column without a name",
    "FEATURE_MISSING_TYPE": "a column without a type",
    "SPARSE_FEATURE_NAME_COLLISION": "a name that stands twice; TOML itself refuses it",
    "WEIGHTED_FEATURE_NAME_COLLISION": "the same",
}
"""What is no anomaly of data but a fault of the schema file, refused when it is read; by the peer's names."""

NOT_FOR_TABLES: dict[str, str] = {
    "SEMANTIC_DOMAIN_UPDATE": "treadle guesses no semantic domains",
    "DERIVED_FEATURE_BAD_LIFECYCLE": "derived columns are features, and have a lifecycle there",
    "DERIVED_FEATURE_INVALID_SOURCE": "the same",
    "SEQUENCE_VALUE_*": "token sequences of text models",
    "FEATURE_COVERAGE_*": "vocabularies of text models",
    "LOW_SUPPORTED_IMAGE_FRACTION": "images",
    "MAX_IMAGE_BYTE_SIZE_EXCEEDED": "images",
}
"""What the peer detects and has no meaning for tables."""
