"""What time it is: the machine's, or a test network's whose days pass faster.

Times are seconds since 1970, UTC. `machine` names the machine's own, everything else is the
programme's.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Protocol

from ibp_chain.errors import ConfigError

MachineTime = Callable[[], float]
"""`time.time` outside of tests."""


class Clock(Protocol):
    """The programme's time, and when it is that by the machine."""

    def now(self) -> float: ...

    def at(self, machine: float) -> float:
        """The programme's time when the machine says `machine`."""

    def machine_at(self, moment: float) -> float:
        """What the machine says at the programme's `moment`."""


@dataclass(frozen=True, slots=True)
class MachineClock:
    """Time as it passes."""

    machine: MachineTime

    def now(self) -> float:
        return self.machine()

    def at(self, machine: float) -> float:
        return machine

    def machine_at(self, moment: float) -> float:
        return moment


@dataclass(frozen=True, slots=True)
class TimeLapse:
    """Time that runs evenly from one knot to the next, and as the machine's beyond them.

    `knots` are (machine, programme) seconds, at least one, both strictly ascending: `ConfigError`
    otherwise. For test networks: everybody there, the chain included, needs the same.
    """

    machine: MachineTime
    knots: Sequence[tuple[float, float]]

    def __post_init__(self) -> None:
        if not self.knots:
            raise ConfigError("a time lapse needs knots")
        for (machine, programme), (later, after) in pairwise(self.knots):
            if machine >= later or programme >= after:
                raise ConfigError(
                    f"time lapse: ({later}, {after}) is not after ({machine}, {programme})"
                )

    def now(self) -> float:
        return self.at(self.machine())

    def at(self, machine: float) -> float:
        return _along(self.knots, machine)

    def machine_at(self, moment: float) -> float:
        return _along([(programme, machine) for machine, programme in self.knots], moment)


def utc(moment: float) -> str:
    """`moment` for people, to the second."""
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _along(knots: Sequence[tuple[float, float]], x: float) -> float:
    """`x` on the broken line through `knots`, which goes on with slope 1 at both ends."""
    behind = bisect_right(knots, x, key=lambda knot: knot[0])
    if behind == 0:
        return knots[0][1] + (x - knots[0][0])
    if behind == len(knots):
        return knots[-1][1] + (x - knots[-1][0])
    (x0, y0), (x1, y1) = knots[behind - 1], knots[behind]
    return y0 + (x - x0) * (y1 - y0) / (x1 - x0)
