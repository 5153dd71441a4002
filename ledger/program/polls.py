"""Uptime, the one share that everything is measured by (F6): of a day, of a month, of both sums.

Source: seed 000 asks for 99.9 % and names no period. Reading F6 of `docs/rules.md`: of the polls
whose outcome a quorum of oracles knew, the share that did not fail. A slow poll is up. What is
unknown or excluded is in neither number.
"""

from collections.abc import Iterable

from ibp_chain.types import Ppm

MILLION = 1_000_000


def uptime(known: int, failed: int) -> Ppm | None:
    """1 - failed / known in ppm, rounded down; None where nothing is known.

    Rounding down loses nothing against a threshold in whole ppm: the share reaches it exactly when
    the rounded share does. Raises `ValueError` for counts that cannot be.
    """
    if not 0 <= failed <= known:
        raise ValueError(f"{failed} of {known} polls failed")
    return Ppm((known - failed) * MILLION // known) if known else None


def uptime_of(parts: Iterable[tuple[int, int]]) -> Ppm | None:
    """The uptime of several (known, failed) together: services of a day, or days of a month.

    Polls are added up and divided once. The mean of the parts' uptimes would weigh a day of one
    known poll like a day of 288.
    """
    known = failed = 0
    for part_known, part_failed in parts:
        known, failed = known + part_known, failed + part_failed
    return uptime(known, failed)
