"""How many different values there were: a HyperLogLog of 4,096 registers, 4 KiB.

P. Flajolet, É. Fusy, O. Gandouet, F. Meunier, "HyperLogLog" (2007); the estimate is the improved raw estimator of
O. Ertl, "New cardinality estimation algorithms for HyperLogLog sketches" (arXiv 1702.01284, 2017), which needs no
tables of corrections from one value to billions. Standard error 1.04 / sqrt(4096) = 1.6 %.

Merging takes the larger of two registers: associative, commutative, idempotent, to the byte.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from treadle.records.errors import Corrupt
from treadle.records.sketch_hashes import Hashes

LG_REGISTERS = 12
REGISTERS = 1 << LG_REGISTERS
STANDARD_ERROR = 1.04 / math.sqrt(REGISTERS)
_BITS = 64 - LG_REGISTERS
_BLOCK = 1 << 16

Registers = NDArray[np.uint8]


def no_values() -> Registers:
    """Return the registers of no values."""
    return np.zeros(REGISTERS, np.uint8)


def count_in(registers: Registers, hashes: Hashes) -> None:
    """Count values in, by their hashes; changes `registers`.

    Cost: about 3 ns a value once the registers are warm, since most values cannot change any.
    """
    for start in range(0, len(hashes), _BLOCK):
        block = hashes[start : start + _BLOCK]
        # A value moves a register only when it has more leading zeros than the lowest register says.
        lowest = int(registers.min())
        if lowest:
            block = block[(block & np.uint64((1 << _BITS) - 1)) < np.uint64(1 << (_BITS - lowest))]
        places = (block >> np.uint64(_BITS)).astype(np.intp)
        tails = block & np.uint64((1 << _BITS) - 1)
        # 52 bits fit a float64 exactly; its exponent is the number of bits that are used.
        ranks = (_BITS + 1 - np.frexp(tails.astype(np.float64))[1]).astype(np.uint8)
        np.maximum.at(registers, places, ranks)


def merged(one: Registers, other: Registers) -> Registers:
    """Return the registers of the values of both."""
    return np.maximum(one, other)


def estimate(registers: Registers) -> float:
    """Return about how many different values were counted in; 0 for none."""
    counts = np.bincount(registers, minlength=_BITS + 2).astype(np.float64)
    z = REGISTERS * _tau(1.0 - counts[_BITS + 1] / REGISTERS)
    for rank in range(_BITS, 0, -1):
        z = 0.5 * (z + counts[rank])
    z += REGISTERS * _sigma(counts[0] / REGISTERS)
    return float(REGISTERS * REGISTERS / (2.0 * math.log(2.0) * z)) if math.isfinite(z) else 0.0


def to_bytes(registers: Registers) -> bytes:
    """Return the registers as bytes, equal for equal registers."""
    return registers.tobytes()


def from_bytes(data: bytes) -> Registers:
    """Return the registers that `to_bytes` wrote; no bytes at all are no values.

    Raises:
        Corrupt: the bytes are not such registers.
    """
    if not data:
        return no_values()
    registers = np.frombuffer(data, np.uint8)
    if len(registers) != REGISTERS or int(registers.max()) > _BITS + 1:
        raise Corrupt(f"{len(data):,} bytes are not a distinct count of {REGISTERS:,} registers")
    return registers


def _sigma(x: float) -> float:
    """Ertl's correction for registers that no value has reached."""
    if x == 1.0:
        return math.inf
    y, z = 1.0, x
    while True:
        x *= x
        before = z
        z += x * y
        y += y
        if z == before:
            return z


def _tau(x: float) -> float:
    """Ertl's correction for registers that are full."""
    if x in (0.0, 1.0):
        return 0.0
    y, z = 1.0, 1.0 - x
    while True:
        x = math.sqrt(x)
        before = z
        y *= 0.5
        z -= (1.0 - x) ** 2 * y
        if z == before:
            return z / 3.0
