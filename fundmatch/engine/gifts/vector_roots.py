"""Many square roots at once, each exact to 24 decimals.

A root R of c is the integer nearest to √(c·10⁴⁸): the one with −R < E ≤ R, where
E = c·10⁴⁸ − R². Floating point proposes R to within a few units; E, computed in
integers modulo 2¹²⁸ (it has at most 115 bits), corrects it and proves it. What
would not be proven falls back on Python's integers.
"""

from __future__ import annotations

from math import log2

from ..arrays import Array, np
from ..roots import SCALE, root

#: roots are made in arrays from this many on, and up to this many cents
MANY = 256
LARGEST = 1 << 50

_LOW = 0xFFFFFFFF
_FIVES = 5**24
_SCALE_SQUARED = SCALE * SCALE
assert _FIVES < 1 << 56 and log2(LARGEST) <= 50  # noqa: S101 - the widths that the products rely on


def exact_roots(cents: Array) -> tuple[Array, Array]:
    """Return the roots (units of 10^-24) of distinct amounts as two columns: high and low 64 bits."""
    if cents.size < MANY or int(cents.max()) >= LARGEST:
        return _one_by_one(cents)
    high, low = _proposed(cents)
    for _ in range(2):
        e_high, e_low = _error(cents, high, low)
        # E / 2R, in floating point: how many units R is off.
        off = np.rint(_as_float(e_high, e_low) / (2.0 * _as_float(high.view(np.int64), low))).astype(np.int64)
        high, low = _plus(high, low, off)
    e_high, e_low = _error(cents, high, low)
    wrong = np.flatnonzero(~_is_nearest(e_high, e_low, high, low))
    if wrong.size:
        high[wrong], low[wrong] = _one_by_one(cents[wrong])
    return high, low


def _one_by_one(cents: Array) -> tuple[Array, Array]:
    data = b"".join([root(amount).to_bytes(16, "little") for amount in cents.tolist()])
    pairs = np.frombuffer(data, dtype="<u8").reshape(-1, 2)
    return pairs[:, 1].copy(), pairs[:, 0].copy()


def _proposed(cents: Array) -> tuple[Array, Array]:
    """Return √c·10²⁴ to within a few units: the rounded root, and the correction of its rounding."""
    x = np.sqrt(cents.astype(np.float64))
    mantissa, exponent = np.frexp(x)
    digits = np.ldexp(mantissa, 53).astype(np.uint64)
    # c − x² without rounding: the root in two halves whose products are exact.
    head = np.float64(134217729.0) * x
    head -= head - x
    tail = x - head
    rest = ((cents.astype(np.float64) - head * head) - 2.0 * head * tail) - tail * tail
    correction = np.rint(rest / (2.0 * x) * 1e24).astype(np.int64)
    # x·10²⁴ = digits · 5²⁴ · 2^(exponent − 53 + 24)
    high, low = _product(digits, np.uint64(_FIVES))
    shift = (29 - exponent).astype(np.uint64)
    low = (low >> shift) | (high << (np.uint64(64) - shift))
    return _plus(high >> shift, low, correction)


def _product(a: Array, b: Array) -> tuple[Array, Array]:
    """Return a·b (unsigned 64 bits each) as high and low 64 bits."""
    mask, half = np.uint64(_LOW), np.uint64(32)
    a0, a1, b0, b1 = a & mask, a >> half, b & mask, b >> half
    middle = (a0 * b0 >> half) + (a0 * b1 & mask) + (a1 * b0 & mask)
    high = a1 * b1 + (a0 * b1 >> half) + (a1 * b0 >> half) + (middle >> half)
    return high, a * b


def _plus(high: Array, low: Array, signed: Array) -> tuple[Array, Array]:
    """Add a signed 64-bit number to a 128-bit one."""
    total = low + signed.view(np.uint64)
    carry = (total < low).astype(np.uint64)
    return high + (signed >> 63).view(np.uint64) + carry, total


def _error(cents: Array, high: Array, low: Array) -> tuple[Array, Array]:
    """Return c·10⁴⁸ − R² modulo 2¹²⁸, the high half signed."""
    c = cents.astype(np.uint64)
    scale_high = np.uint64(_SCALE_SQUARED >> 64 & (1 << 64) - 1)
    n_high, n_low = _product(c, np.uint64(_SCALE_SQUARED & (1 << 64) - 1))
    n_high = n_high + c * scale_high
    s_high, s_low = _product(low, low)
    s_high = s_high + np.uint64(2) * high * low
    e_low = n_low - s_low
    borrow = (n_low < s_low).astype(np.uint64)
    return (n_high - s_high - borrow).view(np.int64), e_low


def _as_float(high: Array, low: Array) -> Array:
    return high.astype(np.float64) * 2.0**64 + low.astype(np.float64)


def _is_nearest(e_high: Array, e_low: Array, high: Array, low: Array) -> Array:
    """Return whether −R < E ≤ R."""
    r_high = high.view(np.int64)
    at_most = (e_high < r_high) | ((e_high == r_high) & (e_low <= low))
    # E + R > 0
    sum_low = e_low + low
    sum_high = e_high + r_high + (sum_low < low)
    positive = (sum_high > 0) | ((sum_high == 0) & (sum_low > 0))
    return at_most & positive
