"""What an account can pay, as `pallet_balances` reckons it, and who is refused by it. Pure.

Units: planck. `held` is the `data` of `System.Account`; None for an account that is not there.
"""

from collections.abc import Mapping
from typing import NamedTuple

from ibp_chain.accounts import ss58_encode
from ibp_chain.networks import Network
from ibp_chain.runtime import Runtime
from ibp_chain.types import AccountId, Planck
from multisig.batch import bounty_account, moved_by
from multisig.bundle import Bundle
from multisig.effects import lines_of
from multisig.errors import ApprovalRefused
from multisig.plan import Kind, PlanPart

Held = Mapping[str, int] | None


def minimum_of(runtime: Runtime) -> Planck:
    """The existential deposit."""
    return Planck(int(runtime.constant("Balances", "ExistentialDeposit")))


def spendable(held: Held, minimum: Planck) -> Planck:
    """What can be transferred while the account stays alive: `reducible_balance`."""
    if held is None:
        return Planck(0)
    return Planck(max(held["free"] - untouchable(held, minimum), 0))


def untouchable(held: Held, minimum: Planck) -> Planck:
    """What has to stay free in an account that stays alive."""
    if held is None:
        return minimum
    return Planck(max(held["frozen"] - held["reserved"], minimum))


def reservable(held: Held, minimum: Planck) -> Planck:
    """What can be reserved: `can_reserve`, by which locks hold the free balance alone."""
    if held is None:
        return Planck(0)
    return Planck(max(held["free"] - max(held["frozen"], minimum), 0))


def opening_deposit(runtime: Runtime, threshold: int) -> Planck:
    """What `pallet_multisig` reserves from whoever opens an operation: `DepositBase` and a
    `DepositFactor` for each signature of the threshold.
    """
    base, factor = (
        int(runtime.constant("Multisig", name)) for name in ("DepositBase", "DepositFactor")
    )
    return Planck(base + threshold * factor)


class Payer(NamedTuple):
    """What a bundle's call takes money from."""

    account: AccountId
    name: str
    """For people: `the multisig`, `bounty 17`."""
    total: Planck
    """That it pays."""


def paying(plan: PlanPart, multisig: AccountId) -> tuple[AccountId, str] | None:
    """Which account a plan takes money from, and its name for people: the multisig, or the bounty
    whose children are awarded. None for claims, which are paid out of what was awarded before.
    """
    match plan.kind, plan.parent:
        case Kind.CHILD_CLAIMS, _:
            return None
        case Kind.CHILD_BOUNTIES, int(parent):
            return bounty_account(parent), f"bounty {parent}"
    return multisig, "the multisig"


def payer_of(bundle: Bundle, runtime: Runtime) -> Payer | None:
    """None where `paying` is."""
    found = paying(bundle.paid_by, bundle.multisig.account_id(bundle.network))
    if found is None:
        return None
    if bundle.paid_by.kind is Kind.CHILD_BOUNTIES:
        return Payer(*found, Planck(sum(line.planck for line in lines_of(bundle))))
    return Payer(*found, Planck(moved_by(runtime.decode_call(bundle.call))))


def ensure_covered(held: Held, payer: Payer, runtime: Runtime, network: Network) -> None:
    """That `payer`, who has `held`, can pay now. Raises `ApprovalRefused`."""
    usable, show = spendable(held, minimum_of(runtime)), network.format
    if usable < payer.total:
        address = ss58_encode(payer.account, network.ss58_prefix)
        raise ApprovalRefused(
            f"{payer.name} can spend {show(usable)}, the call pays {show(payer.total)}: "
            f"fund {address} first"
        )


def ensure_deposit(
    held: Held, threshold: int, runtime: Runtime, who: str, network: Network
) -> None:
    """That `who` can open an operation; what the fee takes of it first is left out, because only
    the block knows it. Raises `ApprovalRefused`.
    """
    needed, show = opening_deposit(runtime, threshold), network.format
    free = reservable(held, minimum_of(runtime))
    if free < needed:
        raise ApprovalRefused(
            f"{who} has {show(free)} to reserve, and who opens an operation has {show(needed)} "
            "reserved until it is closed: let another curator open it, or fund the account first"
        )
