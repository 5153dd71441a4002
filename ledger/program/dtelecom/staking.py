"""A node's stake: deposited, unbonding for seven days, slashed, given back after an appeal.

Source: seed 003, "Economic Requirements". Units: amounts are integers of the token's smallest unit,
moments seconds since 1970. Always `deposited + restored == held + slashed + withdrawn`: `slashed`
counts what was ever taken, `restored` what was given back.
"""

from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from ibp_chain.errors import InputError
from ledger.program.derivation import Derived, plain
from ledger.program.dtelecom.discipline_rules import StakingRules
from ledger.program.dtelecom.penalties import DAY


class StakeError(InputError):
    """An act that the stake does not allow; nothing changed."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """An amount on its way out."""

    amount: int
    ready: int
    """From then on it may be withdrawn."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a slash took, from where: an appeal gives it back there."""

    bonded: int = 0
    unbonding: tuple[Chunk, ...] = ()

    @property
    def amount(self) -> int:
        return self.bonded + sum(chunk.amount for chunk in self.unbonding)


@dataclass(frozen=True, slots=True)
class Stake:
    bonded: int = 0
    unbonding: tuple[Chunk, ...] = ()
    """By `ready`, one chunk for each moment."""
    deposited: int = 0
    deposited_usd: Fraction = Fraction()
    """Each deposit at its own day's price; never marked to market (D10)."""
    withdrawn: int = 0
    slashed: int = 0
    restored: int = 0

    @property
    def held(self) -> int:
        """What can be slashed: bonded and unbonding (S3, D5)."""
        return self.bonded + sum(chunk.amount for chunk in self.unbonding)

    def usd(self, amount: int) -> Fraction:
        """`amount` at the average price of the deposits (D10)."""
        if not self.deposited:
            return Fraction()
        return self.deposited_usd * Fraction(amount, self.deposited)


def deposit(stake: Stake, amount: int, usd: Decimal) -> Stake:
    """Seed: "Initial Stake": `amount`, worth `usd` at its deposit. Raises `StakeError`."""
    _ensure_positive(amount, "deposit")
    if not usd.is_finite() or usd < 0:
        raise StakeError(f"a deposit is not worth {usd} USD")
    return replace(
        stake,
        bonded=stake.bonded + amount,
        deposited=stake.deposited + amount,
        deposited_usd=stake.deposited_usd + Fraction(usd),
    )


def unbond(rules: StakingRules, stake: Stake, amount: int, now: int) -> Stake:
    """Seed: "Withdrawal: 7-day unbonding period". Raises `StakeError` for more than is bonded."""
    _ensure_positive(amount, "unbond")
    if amount > stake.bonded:
        raise StakeError(f"{amount} cannot be unbonded: {stake.bonded} are bonded")
    chunk = Chunk(amount, now + rules.unbonding_days * DAY)
    return replace(
        stake, bonded=stake.bonded - amount, unbonding=_merged((*stake.unbonding, chunk))
    )


def withdraw(stake: Stake, now: int) -> tuple[Stake, int]:
    """Everything that is ready at `now`, once: the stake without it, and the amount paid out."""
    paid = sum(chunk.amount for chunk in stake.unbonding if chunk.ready <= now)
    kept = tuple(chunk for chunk in stake.unbonding if chunk.ready > now)
    return replace(stake, unbonding=kept, withdrawn=stake.withdrawn + paid), paid


def slash(stake: Stake, amount: int) -> tuple[Stake, Taken]:
    """Take `amount`: bonded first, then what would be ready last (D20).

    Raises `StakeError` for more than is held.
    """
    if not 0 <= amount <= stake.held:
        raise StakeError(f"{amount} cannot be slashed: {stake.held} are held")
    bonded = min(amount, stake.bonded)
    left, kept, taken = amount - bonded, [], []
    for chunk in reversed(stake.unbonding):
        part = min(left, chunk.amount)
        left -= part
        if part:
            taken.append(Chunk(part, chunk.ready))
        if part < chunk.amount:
            kept.append(Chunk(chunk.amount - part, chunk.ready))
    after = replace(
        stake,
        bonded=stake.bonded - bonded,
        unbonding=tuple(reversed(kept)),
        slashed=stake.slashed + amount,
    )
    return after, Taken(bonded, tuple(reversed(taken)))


def restore(stake: Stake, taken: Taken) -> Stake:
    """Seed: "Appeal process available": what a slash took, back where it was, ready when it was."""
    return replace(
        stake,
        bonded=stake.bonded + taken.bonded,
        unbonding=_merged((*stake.unbonding, *taken.unbonding)),
        restored=stake.restored + taken.amount,
    )


def slash_amount(share: Fraction, base: int, held: int, room: int) -> Derived:
    """`share` of the stake at the offence, rounded down; at most what is held and the cap leaves.

    S3, S4 (D5). `room` is what `slash_room` leaves.
    """
    whole = share * base
    amount = min(whole.numerator // whole.denominator, held, room)
    text = f"{plain(share)} * {base} at the offence, rounded down"
    if amount < whole.numerator // whole.denominator:
        text += f", at most {held} held and {room} under the cap"
    return Derived.by("S3", text, amount)


def slash_room(rules: StakingRules, held: int, slashed: int) -> int:
    """How much more may be slashed, where `slashed` was within the look-back (S4, D5)."""
    cap = Fraction(rules.cumulative_cap) * (held + slashed)
    return max(cap.numerator // cap.denominator - slashed, 0)


# --- Internals ----------------------------------------------------------------------


def _ensure_positive(amount: int, act: str) -> None:
    if amount <= 0:
        raise StakeError(f"{act} {amount}: an amount above 0 is needed")


def _merged(chunks: tuple[Chunk, ...]) -> tuple[Chunk, ...]:
    amounts: dict[int, int] = {}
    for chunk in chunks:
        amounts[chunk.ready] = amounts.get(chunk.ready, 0) + chunk.amount
    return tuple(Chunk(amount, ready) for ready, amount in sorted(amounts.items()))
