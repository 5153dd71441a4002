"""Receipts from a ledger and published rows: what `ibp payout receipts` and a member's page share.

It joins what `oracles` proves with what `multisig` states, so it is beside both, above neither.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TypeAlias

from ibp_chain.remarks import canonical_json
from ibp_chain.types import Hash
from ledger.pallets.scores import day_number
from ledger.program.rules import Rules
from ledger.state import State
from multisig.errors import ReceiptRefused
from multisig.receipts import Chain, Polls, ProofJson, Receipt, make_receipt
from multisig.service import ServiceRecord
from multisig.statement import Statement
from oracles.errors import ProofError
from oracles.proof import (
    Proof,
    StandingReport,
    prove_all,
    read_proof,
    verify_against_ledger,
    write_proof,
)
from oracles.report import REPORT, ReportRow, ServiceDay
from oracles.rowfiles import read_rows

DayProofs: TypeAlias = Mapping[str, Sequence[Proof]]
"""Of one member, by day, in the order of the rows."""


def made_receipt(
    statement: Statement,
    call_hash: Hash,
    member: str,
    chain: Chain,
    rules: Rules,
    proofs: DayProofs,
) -> Receipt:
    """What `multisig.receipts.make_receipt` makes of `proofs`, each of them checked.

    Raises `ReceiptRefused`, and `ProofRefused` for a proof that the ledger knows nothing of.
    """
    records = tuple(_records(member, proofs, chain.state))
    as_json: dict[str, tuple[ProofJson, ...]] = {
        day: tuple(json.loads(write_proof(each)) for each in found) for day, found in proofs.items()
    }
    return make_receipt(statement, call_hash, member, chain, rules, Polls(records, as_json))


def proofs_of(
    state: State, statement: Statement, rows: Path, members: Collection[str]
) -> Mapping[str, DayProofs]:
    """Of every service's day of `members` in the statement's reports, by member.

    Raises as reading rows does, and `ReceiptRefused` where a report does not stand.
    """
    found: dict[str, dict[str, list[Proof]]] = {}
    for score in statement.scores:
        day = date.fromisoformat(score.day)
        standing = _standing(state, day)
        read: Sequence[ReportRow] = read_rows(rows, REPORT, root=standing.root, size=standing.rows)
        for each, proof in zip(read, prove_all(REPORT, read), strict=True):
            if isinstance(each, ServiceDay) and each.member in members:
                found.setdefault(each.member, {}).setdefault(score.day, []).append(proof)
    return found


def proofs_in(theirs: Receipt) -> DayProofs:
    """The proofs in a receipt. Raises `ReceiptRefused` for what is none."""
    try:
        return {
            day.day: [read_proof(canonical_json(each)) for each in day.proofs]
            for day in theirs.scores
            if day.proofs
        }
    except ProofError as error:
        raise ReceiptRefused(f"a proof in the receipt is none: {error}") from error


# --- Parts ----------------------------------------------------------------------------


def _records(member: str, proofs: DayProofs, state: State) -> Iterator[ServiceRecord]:
    """What the proofs say, each held against the ledger's report of its day.

    Raises `ProofRefused`, and `ReceiptRefused` for a proof of another day, member or kind of row.
    """
    for text, found in proofs.items():
        day, last = date.fromisoformat(text), -1
        for proof in found:
            proven = verify_against_ledger(proof, _standing(state, day))
            if not isinstance(proven, ServiceDay) or proven.member != member:
                raise ReceiptRefused(f"a proof of {text} is not about a service of {member}")
            if proof.index <= last:
                raise ReceiptRefused(f"the proofs of {text} are not in the order of the rows")
            last = proof.index
            yield ServiceRecord(
                proven.day, member, proven.service, proven.counts.known, proven.failed
            )


def _standing(state: State, day: date) -> StandingReport:
    closing = state.scores.closings.find(day_number(day))
    report = state.scores.standing.find(day_number(day))
    if closing is None or report is None:
        raise ReceiptRefused(f"no report of {day} stands in this ledger")
    return StandingReport(day, report.root, report.rows, closing.quorum, report.reporters)
