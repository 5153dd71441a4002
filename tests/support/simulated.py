"""Bundles for a chain that has no ledger: the recording's statement, for other curators."""

from collections.abc import Sequence

from ibp_chain.accounts import multisig_account, ss58_encode
from ibp_chain.networks import network
from ibp_chain.runtime import Runtime
from ibp_chain.types import AccountId, Hash, Planck
from ledger.pallets.bounties import BountyIndex
from multisig.batch import encode_batch
from multisig.bundle import Bundle, ChainPart, MultisigPart
from multisig.children import Parent
from multisig.effects import claimed_at_once
from multisig.plan import PLAIN, Kind, PlanPart
from multisig.statement import Line, Statement
from tests.support import payouts

PASEO = network("paseo")
PREFIX = PASEO.ss58_prefix


def statement(period: str = payouts.PERIOD, *changed: Line) -> Statement:
    """The recording's, for another period; `changed` in place of its first lines."""
    lines = payouts.bundle().statement.lines
    update = {"period": period, "lines": (*changed, *lines[len(changed) :])}
    return payouts.bundle().statement.model_copy(update=update)


def line(place: int = 0, *, planck: int | None = None, payee: AccountId | None = None) -> Line:
    """A line of the recording's statement, paid otherwise."""
    found = payouts.bundle().statement.lines[place]
    return found.model_copy(
        update={
            "planck": found.planck if planck is None else Planck(planck),
            "payee": found.payee if payee is None else ss58_encode(payee, PREFIX),
        }
    )


def bundle_for(
    runtime: Runtime,
    curators: Sequence[AccountId],
    stated: Statement,
    *,
    genesis_hash: Hash,
    threshold: int = 3,
    plan: PlanPart = PLAIN,
) -> Bundle:
    """The bundle that pays `stated`, whatever any check or ledger has against it."""
    account = multisig_account(curators, threshold)
    parent = None
    if plan.kind is Kind.CHILD_BOUNTIES:
        assert plan.parent is not None
        parent = Parent(BountyIndex(plan.parent), account, at_once=claimed_at_once(runtime))
    batch = encode_batch(stated, stated.lines, runtime, plan, parent)
    return Bundle(
        chain=ChainPart(
            network=PASEO.name, genesis_hash=genesis_hash, spec_version=runtime.spec_version
        ),
        multisig=MultisigPart(
            account=ss58_encode(account, PREFIX),
            threshold=threshold,
            signatories=tuple(ss58_encode(who, PREFIX) for who in sorted(curators)),
        ),
        statement=stated,
        statement_hash=stated.hash,
        part=1,
        parts=1,
        plan=None if plan == PLAIN else plan,
        call=batch.call,
        call_hash=batch.call_hash,
    )
