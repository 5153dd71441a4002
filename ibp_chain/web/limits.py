"""How often one client may ask for what is expensive: states of earlier blocks, proofs, exports.

A token bucket for each client. Pure: the caller brings the time, of a clock that never goes back.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from math import ceil


@dataclass(frozen=True, slots=True)
class Rate:
    """`burst` at once, then one every `seconds_each`."""

    burst: int
    seconds_each: float


@dataclass(slots=True)
class Bucket:
    """What one client has left, as of `at` in seconds."""

    tokens: float
    at: float

    def take(self, cost: float, rate: Rate, now: float) -> int | None:
        """None where `cost` tokens were there and are taken; else the seconds until they are."""
        gained = max(now - self.at, 0.0) / rate.seconds_each
        self.tokens, self.at = min(self.tokens + gained, float(rate.burst)), now
        if self.tokens >= cost:
            self.tokens -= cost
            return None
        return max(1, ceil((cost - self.tokens) * rate.seconds_each))


class Buckets:
    """One for each client, of the `most` clients that asked last. For any thread."""

    def __init__(self, rate: Rate, most: int = 4_096) -> None:
        self._rate, self._most = rate, most
        self._of: OrderedDict[str, Bucket] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, client: str, now: float, cost: float = 1.0) -> int | None:
        """As `Bucket.take`. Raises `ValueError` for a cost that no bucket ever holds."""
        if cost > self._rate.burst:
            raise ValueError(f"{cost} tokens are more than a bucket holds, {self._rate.burst}")
        with self._lock:
            bucket = self._of.pop(client, None) or Bucket(float(self._rate.burst), now)
            self._of[client] = bucket
            if len(self._of) > self._most:
                self._of.popitem(last=False)
            return bucket.take(cost, self._rate, now)
