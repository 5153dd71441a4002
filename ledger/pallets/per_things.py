"""`Permill` as the pallets multiply with it.

Mirrors: `sp_arithmetic::per_things` (`substrate/primitives/arithmetic/src/per_things.rs`).
"""

_MILLION = 10**6


def permill_of(parts: int, amount: int) -> int:
    """`Permill * amount`: rounded to the nearest integer, a half rounded down."""
    quotient, rest = divmod(parts * amount, _MILLION)
    return quotient + (rest > _MILLION // 2)
