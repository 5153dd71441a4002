"""The named checks of a payout: what each saw, where, and what to do about it.

Pure: a check takes plain values and returns what it refuses, nothing where it has no objection.
The builder and `verify` run the same ones by `screen`; those that need what only a node knows
(free balance, weight) are called beside it where there is a node.
Rule: `docs/payouts.md`, "Checks". Amounts are planck unless they say USD.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias

from ibp_chain.accounts import ss58_decode, ss58_encode
from ibp_chain.extrinsics import Weight
from ibp_chain.networks import Network
from ibp_chain.runtime import Runtime
from ibp_chain.types import AccountId, Planck, Ppm
from ledger.pallets.payouts import PaidLine
from ledger.program import usd
from ledger.program.budget import Budget, BudgetError, Payment
from ledger.program.law import BudgetRules
from ledger.state import State
from multisig.statement import Line

LineKey: TypeAlias = tuple[str, str]
"""(member, item)."""

MILLION = 1_000_000
USUAL_CHANGE = Ppm(500_000)


class Check(StrEnum):
    """Its name in refusals, in `--allow` and in a bundle."""

    EXISTENTIAL_DEPOSIT = "existential-deposit"
    DUPLICATE_PAYEE = "duplicate-payee"
    DENY_LIST = "deny-list"
    CHANGED_PAYEE = "changed-payee"
    LINE_CAP = "line-cap"
    MONTH_CAP = "month-cap"
    BUDGET_CAP = "budget-cap"
    LARGE_CHANGE = "large-change"
    UNKNOWN_CALL = "unknown-call"
    OTHER_MULTISIG = "other-multisig"
    BALANCE = "balance"
    BLOCK_WEIGHT = "block-weight"
    BLOCK_LENGTH = "block-length"


OVERRIDABLE = frozenset(
    {Check.CHANGED_PAYEE, Check.LARGE_CHANGE, Check.UNKNOWN_CALL, Check.OTHER_MULTISIG}
)
"""What a person may know better than the ledger; everything else is a matter of fact."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check refuses."""

    check: Check
    about: str
    """A line as member/item, or the batch."""
    saw: str
    do: str

    def __str__(self) -> str:
        return f"{self.about}: {self.check}: {self.saw}; {self.do}"


@dataclass(frozen=True, slots=True)
class Limits:
    """What the runtime takes at most in one extrinsic."""

    length: int
    """Bytes."""
    weight: Weight


@dataclass(frozen=True, slots=True)
class Caps:
    """The most that may be paid, in USD; None for no cap."""

    line: Decimal | None = None
    """To one member for one item of one month."""
    line_item: str | None = None
    """The only item that `line` is for; None for every one."""
    month: Decimal | None = None
    """In one month, over all lines."""
    budget: BudgetRules | None = None
    """No line of the budget is paid above its cap, over all months that are known."""
    earlier: tuple[Payment, ...] = ()
    """What was paid before, as `multisig.history` knows it."""
    gaps: tuple[str, ...] = ()
    """What was paid before and `earlier` does not have: the caps cannot be told."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What whoever builds or verifies holds a payout against."""

    caps: Caps = Caps()
    denied: Mapping[AccountId, str] = field(default_factory=dict)
    """Accounts that must never be paid, besides the programme's own, and what they are."""
    change: Ppm = USUAL_CHANGE
    """How much more or less than the last paid month is no large change."""
    allowed: frozenset[Check] = frozenset()
    """Overridden by a person; recorded in the bundle."""


# --- One line -------------------------------------------------------------------------


def existential_deposit(
    lines: Sequence[Line], minimum: Planck, network: Network
) -> Iterator[Finding]:
    """No line below what the chain lets an account hold or a child bounty be worth."""
    for line in lines:
        if line.planck < minimum:
            yield Finding(
                Check.EXISTENTIAL_DEPOSIT,
                _name(line),
                f"{network.format(line.planck)} are below the chain's least, "
                f"{network.format(minimum)}",
                "pay it by hand, and leave it out of the statement",
            )


def duplicate_payee(lines: Sequence[Line], network: Network) -> Iterator[Finding]:
    """No account is paid by the lines of two members."""
    members: defaultdict[AccountId, set[str]] = defaultdict(set)
    for line in lines:
        members[_payee(line, network)].add(line.member)
    for line in lines:
        others = sorted(members[_payee(line, network)] - {line.member})
        if others:
            yield Finding(
                Check.DUPLICATE_PAYEE,
                _name(line),
                f"{line.payee} is also the payee of {', '.join(others)}",
                "let one of them register an address of its own",
            )


def deny_list(
    lines: Sequence[Line], denied: Mapping[AccountId, str], network: Network
) -> Iterator[Finding]:
    """No account that cannot be a member's: what it is says the list."""
    for line in lines:
        what = denied.get(_payee(line, network))
        if what is not None:
            yield Finding(
                Check.DENY_LIST,
                _name(line),
                f"{line.payee} is {what}",
                "let the member register an address of its own",
            )


def changed_payee(
    lines: Sequence[Line], last: Mapping[LineKey, tuple[str, PaidLine]], network: Network
) -> Iterator[Finding]:
    """The payee is who was paid for the same item the last time."""
    for line in lines:
        before = last.get((line.member, line.item))
        if before is None:
            continue
        period, paid = before
        if paid.payee != _payee(line, network):
            yield Finding(
                Check.CHANGED_PAYEE,
                _name(line),
                f"{line.payee} is paid, for {period} it was "
                f"{ss58_encode(paid.payee, network.ss58_prefix)}",
                "ask the member by another way than the one that the change came by",
            )


def large_change(
    lines: Sequence[Line],
    last: Mapping[LineKey, tuple[str, PaidLine]],
    most: Ppm,
    network: Network,
) -> Iterator[Finding]:
    """No amount differs from the last paid month's by more than `most` of it, either way."""
    for line in lines:
        before = last.get((line.member, line.item))
        if before is None:
            continue
        period, paid = before
        if abs(line.planck - paid.amount) * MILLION > most * paid.amount:
            yield Finding(
                Check.LARGE_CHANGE,
                _name(line),
                f"{network.format(line.planck)}, for {period} it was "
                f"{network.format(paid.amount)}: more than {_percent(most)} apart",
                "look at the price and at the days served",
            )


def large_change_usd(
    lines: Sequence[Line], period: str, earlier: Iterable[Payment], most: Ppm
) -> Iterator[Finding]:
    """No line differs in USD from the last month's by more than `most` of it, either way.

    Beside `large_change`, which a moving price hides one way and shows the other.
    """
    last: dict[LineKey, Payment] = {}
    for each in earlier:
        known = last.get((each.member, each.item))
        if each.period < period and (known is None or known.period < each.period):
            last[each.member, each.item] = each
    for line in lines:
        before = last.get((line.member, line.item))
        if before is None:
            continue
        apart = abs(usd.total((line.usd, -before.usd)))
        if usd.product(apart, MILLION) > usd.product(before.usd, most):
            yield Finding(
                Check.LARGE_CHANGE,
                _name(line),
                f"{usd.plain(line.usd)} USD, for {before.period} it was "
                f"{usd.plain(before.usd)} USD: more than {_percent(most)} apart",
                "look at the days served",
            )


# --- Caps -----------------------------------------------------------------------------


def line_cap(
    lines: Sequence[Line], cap: Decimal | None, item: str | None = None
) -> Iterator[Finding]:
    """No line is above `cap` USD, or none of `item`."""
    for line in lines:
        if cap is not None and line.usd > cap and item in (None, line.item):
            yield Finding(
                Check.LINE_CAP,
                _name(line),
                f"{usd.plain(line.usd)} USD are above the cap of {usd.plain(cap)} USD to a line",
                "correct the statement",
            )


def month_cap(lines: Sequence[Line], period: str, caps: Caps) -> Iterator[Finding]:
    """A statement's lines, with what else was paid for its month, are within the month's cap."""
    if caps.month is None:
        return
    before = usd.total(each.usd for each in _besides(lines, period, caps) if each.period == period)
    total = usd.total((before, *(line.usd for line in lines)))
    if total > caps.month:
        with_ = f", {usd.plain(before)} USD paid before included," if before else ""
        yield _batch(
            Check.MONTH_CAP,
            f"{usd.plain(total)} USD{with_} are above the cap of {usd.plain(caps.month)} USD for "
            f"{period}",
            "correct the statement",
        )


def budget_cap(lines: Sequence[Line], period: str, caps: Caps) -> Iterator[Finding]:
    """No line of the budget is paid above its cap over all months, and no item without a line."""
    if caps.budget is None:
        return
    for gap in caps.gaps:
        yield _batch(Check.BUDGET_CAP, gap, "add it to the history: nobody can tell what is left")
    try:
        spent = Budget.recorded(caps.budget, _besides(lines, period, caps))
        spent.with_(Payment(period, line.member, line.item, line.usd) for line in lines)
    except BudgetError as error:
        yield _batch(Check.BUDGET_CAP, str(error), "correct the statement or change the budget")


# --- The whole batch --------------------------------------------------------------------


def balance(
    total: Planck, free: Planck, keep: Planck, payer: str, network: Network
) -> Iterator[Finding]:
    """What pays has `total` free, and keeps `keep`."""
    if total + keep > free:
        yield _batch(
            Check.BALANCE,
            f"{payer} has {network.format(free)} free, {network.format(total)} are paid"
            + (f" and {network.format(keep)} have to stay" if keep else ""),
            f"let {network.format(Planck(total + keep - free))} more come in first",
        )


def block_length(size: int, limits: Limits) -> Iterator[Finding]:
    """An extrinsic of `size` bytes fits a block."""
    if size > limits.length:
        yield _batch(
            Check.BLOCK_LENGTH,
            f"an extrinsic with it has {size:,} bytes, a block takes {limits.length:,}",
            "build it with fewer lines to a part",
        )


def block_weight(weight: Weight, limits: Limits) -> Iterator[Finding]:
    """A call of `weight`, its margin included, may be dispatched in one extrinsic."""
    for name, wanted, most in (
        ("ref time", weight.ref_time, limits.weight.ref_time),
        ("proof size", weight.proof_size, limits.weight.proof_size),
    ):
        if wanted > most:
            yield _batch(
                Check.BLOCK_WEIGHT,
                f"its {name} is {wanted:,}, an extrinsic may have {most:,}",
                "build it with fewer lines to a part",
            )


# --- Together ---------------------------------------------------------------------------


def last_paid(state: State, before: str) -> dict[LineKey, tuple[str, PaidLine]]:
    """What each (member, item) was paid in its last paid month earlier than `before`."""
    found: dict[LineKey, tuple[str, PaidLine]] = {}
    for (period, member, item), paid in state.payouts.paid.items():
        known = found.get((member, item))
        if period < before and (known is None or known[0] < period):
            found[member, item] = period, paid
    return found


def screen(
    lines: Sequence[Line],
    period: str,
    policy: Policy,
    denied: Mapping[AccountId, str],
    minimum: Planck,
    state: State,
) -> tuple[Finding, ...]:
    """What every check that needs no node has against `lines`, which are a whole statement's."""
    network, last = state.network, last_paid(state, period)
    return (
        *existential_deposit(lines, minimum, network),
        *duplicate_payee(lines, network),
        *deny_list(lines, {**policy.denied, **denied}, network),
        *changed_payee(lines, last, network),
        *line_cap(lines, policy.caps.line, policy.caps.line_item),
        *month_cap(lines, period, policy.caps),
        *budget_cap(lines, period, policy.caps),
        *large_change(lines, last, policy.change, network),
        *large_change_usd(lines, period, policy.caps.earlier, policy.change),
    )


def refusing(found: Iterable[Finding], allowed: Iterable[Check]) -> tuple[Finding, ...]:
    """What refuses a batch: all that no person has overridden, or that none may override."""
    overridden = OVERRIDABLE.intersection(allowed)
    return tuple(finding for finding in found if finding.check not in overridden)


def fewer_lines(
    most: int, weights: Sequence[Weight], lengths: Sequence[int], limits: Limits
) -> int | None:
    """How many lines to try in a part where `most` were too many; None where all parts fit.

    A single line that does not fit is left to the checks.
    """
    fits = all(limits.weight.covers(weight) for weight in weights) and all(
        length <= limits.length for length in lengths
    )
    return None if fits or most == 1 else -(-most // 2)


def limits_of(runtime: Runtime) -> Limits:
    """What `runtime` lets one ordinary extrinsic have. Raises `InputError` without constants."""
    most = runtime.constant("System", "BlockWeights")["per_class"]["normal"]["max_extrinsic"]
    length: int = runtime.constant("System", "BlockLength")["max"]["normal"]
    return Limits(length, Weight(**(most or {"ref_time": 2**64 - 1, "proof_size": 2**64 - 1})))


# --- Internals ----------------------------------------------------------------------


def _besides(lines: Sequence[Line], period: str, caps: Caps) -> list[Payment]:
    """What was paid before, without these very lines: they may be looked at again once paid."""
    own = {(period, line.member, line.item) for line in lines}
    return [each for each in caps.earlier if each.key not in own]


def _name(line: Line) -> str:
    return f"{line.member}/{line.item}"


def _batch(check: Check, saw: str, do: str) -> Finding:
    return Finding(check, "the batch", saw, do)


def _payee(line: Line, network: Network) -> AccountId:
    return ss58_decode(line.payee, network.ss58_prefix)


def _percent(ppm: Ppm) -> str:
    return f"{Decimal(ppm).scaleb(-4).normalize():f} %"
