"""What every table must hold for a state, worked out from the state alone, as SQLite has it."""

from datetime import date, timedelta
from typing import Any

from ibp_chain.accounts import multisig_account
from ledger.pallets.conviction_voting.types import (
    AccountVote,
    Casting,
    Delegating,
    Split,
    SplitAbstain,
    Standard,
)
from ledger.state import State

Rows = set[tuple[Any, ...]]


def expected_rows(state: State) -> dict[str, Rows]:
    """By table, each row in the order of the table's columns."""
    tables = {
        **governance(state),
        **operations(state),
        **programme(state),
        **scores(state),
        **payouts(state),
    }
    in_words = {table: {tuple(map(words, row)) for row in rows} for table, rows in tables.items()}
    return {"state_entry": set(state.entries()), **in_words}


def governance(state: State) -> dict[str, Rows]:
    voting = dict(state.mirrors.conviction_voting.voting_for.items())
    casting = {key: value for key, value in voting.items() if isinstance(value, Casting)}
    delegating = {key: value for key, value in voting.items() if isinstance(value, Delegating)}
    return {
        "poll": {
            (poll, value.track, value.status.name.lower(), value.end)
            for poll, value in state.mirrors.referenda.polls.items()
        },
        "vote": {
            (*key, poll, *vote(said))
            for key, value in casting.items()
            for poll, said in value.votes
        },
        "delegation": {
            (*key, value.target, value.conviction.name.lower(), planck(value.balance))
            for key, value in delegating.items()
        },
        "prior_lock": {
            (*key, value.prior.until, planck(value.prior.amount))
            for key, value in voting.items()
            if value.prior.amount > 0
        },
        "class_lock": {
            (account, track, planck(amount))
            for account, locks in state.mirrors.conviction_voting.class_locks_for.items()
            for track, amount in locks
        },
        "account_lock": {
            (account, lock.id, planck(lock.amount), lock.reasons.name.lower())
            for account, locks in state.mirrors.balances.locks.items()
            for lock in locks
        },
    }


def vote(said: AccountVote) -> tuple[str, str | None, str | None, str | None, str | None]:
    """Kind, conviction, aye, nay, abstain."""
    match said:
        case Standard(aye, conviction, balance):
            sides = (planck(balance), None) if aye else (None, planck(balance))
            return "aye" if aye else "nay", conviction.name.lower(), *sides, None
        case Split():
            return "split", None, planck(said.aye), planck(said.nay), None
        case SplitAbstain(aye, nay, abstain):
            return "split_abstain", None, planck(aye), planck(nay), planck(abstain)


def operations(state: State) -> dict[str, Rows]:
    found = dict(state.mirrors.multisig.operations.items())
    return {
        "multisig_operation": {
            (
                *key,
                value.status.name.lower(),
                value.threshold,
                b"".join(value.signatories),
                value.depositor,
                planck(value.deposit),
                value.call,
                *(
                    (None, None, None, None)
                    if value.closing is None
                    else (value.closing.by, *value.closing.at, value.closing.error)
                ),
            )
            for key, value in found.items()
        },
        "multisig_approval": {
            (*key, approval.who, position, *(approval.at or (None, None)))
            for key, value in found.items()
            for position, approval in enumerate(value.approvals)
        },
    }


def programme(state: State) -> dict[str, Rows]:
    program = state.programme.program.value
    members = dict(state.membership.members.items())
    return {
        "programme": set()
        if program is None
        else {
            (
                1,
                program.name,
                program.rules,
                multisig_account(program.curators, program.threshold),
                program.threshold,
                program.quorum,
            )
        },
        "officer": set()
        if program is None
        else {
            (role, position, account)
            for role, accounts in (("curator", program.curators), ("oracle", program.oracles))
            for position, account in enumerate(accounts)
        },
        "decision": {
            (*key, value.member, value.outcome.value, value.subject, value.reason)
            for key, value in state.programme.decisions.items()
        },
        "member": {
            (
                member,
                value.name,
                value.region,
                value.status.name.lower(),
                value.reason,
                value.registered_at,
                value.status_since,
            )
            for member, value in members.items()
        },
        "member_account": {
            (member, network, dict(value.accounts).get(network), dict(value.payees).get(network))
            for member, value in members.items()
            for network in {name for name, _ in (*value.accounts, *value.payees)}
        },
        "milestone": {
            (*key, value.evidence, value.granted_at)
            for key, value in state.membership.milestones.items()
        },
        "link": {(*key, at) for key, at in state.membership.links.items()},
    }


def scores(state: State) -> dict[str, Rows]:
    pallet = state.scores
    return {
        "digest": {
            (oracle, day_text(day), kind, value.root, value.rows, value.digest, value.at)
            for kind, items in (
                ("observe", list(pallet.observations.items())),
                ("report", list(pallet.reports.items())),
            )
            for (oracle, day), value in items
        },
        "closing": {
            (day_text(day), *(value.before or (None, None)), value.at)
            for day, value in pallet.closings.items()
        },
        "closing_commitment": {
            (day_text(day), *commitment)
            for day, value in pallet.closings.items()
            for commitment in value.commitments
        },
        "closing_member": {
            (day_text(day), member)
            for day, value in pallet.closings.items()
            for member in value.members
        },
        "standing_report": {
            (day_text(day), value.root, value.rows, len(value.reporters), value.since)
            for day, value in pallet.standing.items()
        },
        "equivocation": {
            (
                oracle,
                day_text(day),
                kind.name.lower(),
                value.first_root,
                value.second_root,
                value.at,
            )
            for (oracle, day, kind), value in pallet.equivocations.items()
        },
    }


def payouts(state: State) -> dict[str, Rows]:
    return {
        "payout_batch": {
            (
                *key,
                value.status.name.lower(),
                value.period,
                value.statement,
                value.call_hash,
                value.extrinsic,
                value.lines,
                planck(value.total),
                value.error,
            )
            for key, value in state.payouts.batches.items()
        },
        "paid": {
            (*key, value.payee, planck(value.amount), *value.batch, value.line)
            for key, value in state.payouts.paid.items()
        },
        "violation": {
            (*key, value.code.name.lower(), value.payee, planck(value.amount))
            for key, value in state.payouts.violations.items()
        },
    }


def words(value: Any) -> Any:
    """Without U+0000, which PostgreSQL cannot store."""
    return value.replace("\0", "\u2400") if isinstance(value, str) else value


def planck(amount: int) -> str:
    return str(amount).zfill(39)


def day_text(day: int) -> str:
    return (date(1970, 1, 1) + timedelta(days=day)).isoformat()
