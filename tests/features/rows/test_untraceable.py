"""Python that cannot be traced: every form is refused at its line, with what to write instead; none is silently wrong."""

import pytest

import treadle as tr

HEAD = "import math, random\nfrom datetime import datetime, UTC\nimport numpy as np\nTABLE = {'a': 1}\n\n"

FORMS = {
    "is None": ("return 0 if x is None else x", "`is` cannot", "x.is_null()"),
    "is not None": ("return x is not None", "`is not` cannot", "x.is_not_null()"),
    "isinstance": ("return x + isinstance(x, float)", "`isinstance(...)`", "x.cast"),
    "type": ("return x + (type(x) is int)", "`type(...)`", "x.cast"),
    "match": ("match x:\n        case str():\n            return x\n    return x + 1", "a `match` statement", "x.lookup"),
    "try": ("try:\n        return x + 1\n    except ValueError:\n        return 0", "a `try` statement", "null"),
    "the clock": ("return x.cast('int') + datetime.now(UTC).hour", "`datetime.now(UTC)`", "`at`"),
    "chance": ("return x * random.random()", "`random.random()`", "no chance"),
    "equal to NaN": ("return x == math.nan", "NaN equals nothing", "x != x"),
    "equal to None": ("return x == None", "None in `a == b`", "x.is_null()"),
    "log10": ("return math.log10(x)", "`math.log10(x)`", "x.log() / math.log(10)"),
    "tan": ("return math.tan(x)", "`math.tan(x)`", "x.sin() / x.cos()"),
    "radians": ("return math.radians(x)", "`math.radians(x)`", "math.pi / 180"),
    "hypot": ("return math.hypot(x, 3)", "`math.hypot(x, 3)`", "(x**2 + y**2).sqrt()"),
    "fabs": ("return math.fabs(x)", "`math.fabs(x)`", "abs(x)"),
    "sorted": ("return sorted([x, 1])[0]", "`sorted([x, 1])`", "tr.minimum"),
    "numpy clip": ("return np.clip(x, 0, 1)", "`np.clip(x, 0, 1)`", "x.clip(lower, upper)"),
    "numpy maximum": ("return np.maximum(x, 1)", "`np.maximum(x, 1)`", "tr.maximum(a, b)"),
    "numpy digitize": ("return np.digitize(x, [1, 2])", "`np.digitize(x, [1, 2])`", "tr.bucketise"),
    "format": ("return '{}'.format(x)", "f-string", "join text with +"),
    "percent": ("return '%s' % x", "`str(...)`", 'x.cast("string")'),
    "join": ("return '-'.join([x, x])", "failed while it was traced", "tr.opaque_feature"),
    "dict index": ("return TABLE[x]", "a key of a dict", "x.lookup"),
    "dict get": ("return TABLE.get(x)", "a key of a dict", "x.lookup"),
    "unpacking": ("a, b = x\n    return a", "a loop over a column", "one value a row"),
    "comprehension": ("return [v for v in x]", "a loop over a column", "window views"),
    "not in": ("return x not in [1, 2]", "`in`", "x.is_in"),
    "assignment into": ("x[0] = 1\n    return x", "failed while it was traced", "tr.opaque_feature"),
    "shift": ("return x << 2", "failed while it was traced", "tr.opaque_feature"),
    "strftime": ("return x.strftime('%H')", "no `.strftime`", "x.dt.year()"),
    "date": ("return x.dt.date()", "no `.date`", "x.dt.year()"),
    "quarter": ("return x.dt.quarter()", "no `.quarter`", "(x.dt.month() + 2) // 3"),
    "split": ("return x.str.split(',')", "no `.split`", "x.str.slice"),
    "sign": ("return x.sign()", "no `.sign`", "tr.when(x > 0)"),
    "unheard of": ("return x.wobble()", "no `.wobble`", "tr.opaque_feature"),
    "is_between": ("return x.is_between(1, 2)", "no `.is_between`", "x.between(low, high)"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "what", "fix"), FORMS.values(), ids=FORMS.keys())
def test_a_form_is_refused_at_its_line_with_the_nearest_supported_one(
    body: str, what: str, fix: str, tmp_path
) -> None:
    source = tmp_path / "features.py"
    source.write_text(f"{HEAD}def found(x):\n    {body}\n")
    names: dict[str, object] = {}
    exec(compile(source.read_text(), str(source), "exec"), names)
    with pytest.raises(tr.InvalidInput) as caught:
        tr.row_feature(names["found"])
    assert what in caught.value.what
    assert fix in (caught.value.fix or "")
    line = HEAD.count("\n") + 2
    assert caught.value.where == f"{source}:{line}, in found"


def test_what_only_looks_like_such_a_form_is_traced() -> None:
    ceiling = None

    @tr.row_feature
    def capped(x):
        return x if ceiling is None else x.clip(upper=ceiling)

    assert capped.inputs == ("x",)
