"""Row features run as Polars expressions in training, as generated Python a row in serving, and on DuckDB and Spark.

All follow the rules below to the bit; `tests/features/rows` holds them together on random expressions and values.

Types
    float (IEEE 754 double), int (64-bit, two's complement), string (Unicode), bool, time and duration (64-bit
    integers of microseconds; an instant counts from 1970-01-01T00:00Z). An integer beside a float becomes a float
    first, rounded to the nearest, also in comparisons. Nothing else converts by itself: write `.cast(...)`.

Null
    Every operator gives null when one of its operands is null, comparisons too. The exceptions: `is_null` and
    `is_not_null`; `coalesce` and `fill_null`; `&` and `|`, which are Kleene's (false & null is false, true | null
    is true); `tr.when`, whose null condition counts as not true and whose branch not taken does not matter.

Integers
    `+ - *`, negation and `abs` wrap around at 64 bits, so do instants and durations. `//` rounds down and `%` has
    the sign of the divisor, as in Python; both are null for a divisor of zero. `/` always gives a float.

Floats
    As IEEE 754 says: x/0 is an infinity or NaN, overflow is an infinity, sqrt and log below zero are NaN, and so are
    sin and cos of an infinity. `a // b` is floor(a / b) and `a % b` is a - b * floor(a / b), each step rounded.
    NaN equals nothing, itself neither, and is neither less nor greater; `x != x` finds it. `minimum`, `maximum` and
    `clip` give NaN when an operand is NaN; of equal operands (0.0 and -0.0) they give the first.
    `**` takes a constant: a whole exponent is a fixed chain of multiplications by squaring (an integer stays an
    integer if the exponent is one and not negative), 0.5 is sqrt, any other is the C library's pow.
    `round(n)` is (x * 10**n) to the nearest whole number, halves to even, / 10**n, each step rounded; |x| >= 2**52
    stays as it is. exp, log, log1p, sin, cos and pow are the C library's in these two lowerings: equal on one machine,
    within its error (less than 1 ulp) across machines.

Casts
    float to int drops the fraction; NaN, infinities and what has more than 64 bits are null. Text is a number if all
    of it is an optional sign, ASCII digits and, for floats, a point and an exponent; otherwise null, like an integer
    beyond 64 bits. Text is a boolean if it is `true` or `false`. A number is true if it is not zero (NaN is).
    Instants and durations cast to int as microseconds. Floats, instants and durations have no cast to text.

Time
    `convert_time_zone` keeps the instant and says on which clocks its parts are read; without it they are read in
    UTC. Zone rules come from the interpreter's `zoneinfo` (both lowerings read one table made from it), to the second
    and back to local mean time; from 2100 on a zone keeps the offset it has at that moment. Every instant has one
    local time, so gaps and folds of daylight saving need no choice. Outside the local years 1 to 9999 parts are null.
    Weekdays are ISO: Monday is 1, Sunday 7. `total_days` and the like drop the fraction (towards zero), a day
    being 24 hours. Times compare as instants, whatever their zones.

Text
    Length and slices count characters (code points). `slice(offset, length)` is the part of the text inside the
    window of `length` characters that starts at `offset`, counted from the end when negative. `strip` removes ASCII
    white space. `lower` and `upper` follow Unicode's full mappings; for letters that are newer than the
    interpreter's Unicode (14.0 in Python 3.11) Polars may know a mapping that Python does not. Order is that of
    code points. `contains`, `starts_with` and `ends_with` compare letter by letter.
"""
