"""The money of one spend period, which the treasury and its `SpendFunds` share out."""

from dataclasses import dataclass

from ibp_chain.types import Planck


@dataclass(slots=True)
class Budget:
    remaining: Planck
    """Planck; at first the whole pot."""
    missed_any: bool = False
    """Whether anything had to wait: nothing is burnt then."""

    def take(self, value: Planck) -> bool:
        """Spend `value`, if that much remains."""
        if value > self.remaining:
            self.missed_any = True
            return False
        self.remaining = Planck(self.remaining - value)
        return True
