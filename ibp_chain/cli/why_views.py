"""How a member's dossier is shown: to people, every step in a line of its own, and as JSON."""

from collections.abc import Iterable
from typing import Any

from ibp_chain.cli.output import console, hex_, row, say, table
from ledger.program.derivation import Step, explain, plain
from ledger.program.dossier import Dossier, LumpAccount
from ledger.program.milestones import Assessment
from ledger.program.rules import Rules


def tell(found: Dossier, rules: Rules) -> None:
    """Print where the member stands, and why."""
    order = "" if found.priority is None else f" ({found.priority.name.lower()} priority)"
    say(
        f"{found.member}: {found.standing} as of block {found.block}, region "
        f"{found.record.region}{order}; milestones "
        f"{', '.join(f'M{number}' for number in found.granted) or 'none'}."
    )
    life = table("How it came there", "block", "extrinsic", "what", "then")
    for move in found.moves:
        kind, number = move.transition.kind.name.lower(), move.transition.milestone
        what = kind if number is None else f"milestone {number} {kind}"
        extrinsic = "-" if move.transition.extrinsic is None else move.transition.extrinsic
        row(life, move.block, extrinsic, what, move.standing)
    console.print(life)
    if found.ranks is None:
        say("\nRanks: not known; --rows gives the rows of standing reports.")
    for rank in found.ranks or ():
        _steps(f"Rank in M{rank.milestone}: {rank.value}", rank.steps)
    for lock in found.locks:
        kept = "kept" if lock.kept else "falls short"
        _steps(f"Lock on {lock.network.name}: {kept}", lock.steps)
    if found.next is not None:
        _tell_next(found.next)
    for account in found.lumps:
        _steps(f"{_lump_line(account)}", (account.returned.step,))
    for again in found.lumps_again:
        say(f"The lump of M{again.milestone} was paid a second time, in block {again.block}.")
    _steps(f"Validator points claimed: {plain(found.claims.value)}", found.claims.steps)
    say(f"\nThe hash of these rules is {hex_(rules.hash)}.")
    if found.in_force.hash != rules.hash:
        say(
            f"They are not those of the programme: since block {found.in_force.since} it follows "
            f"{hex_(found.in_force.hash)}; give their file with --rules."
        )


def _tell_next(assessed: Assessment) -> None:
    verdict = "may be granted" if assessed.may_be_granted else "may not be granted yet"
    view = table(f"\nMilestone {assessed.milestone}: {verdict}", "requirement", "", "what")
    for check in assessed.checks:
        row(view, check.id, check.outcome, check.text)
    console.print(view)
    if assessed.promotion is not None:
        say(f"Granted whatever is missing: {assessed.promotion}")
    _steps("Because", assessed.steps)


def _lump_line(account: LumpAccount) -> str:
    milestone, settled = account.lump.milestone, account.settled
    if settled is not None:
        return f"Lump of M{milestone}: return settled, {settled}; receipts {account.receipts}"
    due = "due back" if account.exited_at is not None else "due back if it left now"
    return f"Lump of M{milestone}: {due} {account.returned.amount}; receipts {account.receipts}"


def _steps(title: str, steps: Iterable[Step]) -> None:
    say(f"\n{title}")
    for line in explain(steps):
        say(f"  {line}")


# --- JSON -----------------------------------------------------------------------------------


def as_json(found: Dossier, rules: Rules) -> dict[str, Any]:
    """Every number with its steps; planck as text."""
    return {
        "rules": rules.hash,
        "rules_in_force": {"hash": found.in_force.hash, "since": found.in_force.since},
        "member": found.member,
        "block": found.block,
        "standing": found.standing,
        "region": found.record.region,
        "priority": None if found.priority is None else found.priority.name.lower(),
        "milestones": found.granted,
        "moves": [
            {
                "block": move.block,
                "extrinsic": move.transition.extrinsic,
                "kind": move.transition.kind.name.lower(),
                "milestone": move.transition.milestone,
                "standing": move.standing,
            }
            for move in found.moves
        ],
        "ranks": None if found.ranks is None else {
            f"M{rank.milestone}": {"rank": rank.value, "steps": _steps_json(rank.steps)}
            for rank in found.ranks
        },
        "locks": [
            {
                "network": lock.network.name,
                "required": str(lock.terms.required),
                "covered": str(lock.covered),
                "kept": lock.kept,
                "steps": _steps_json(lock.steps),
            }
            for lock in found.locks
        ],
        "next": None if found.next is None else _next_json(found.next),
        "lumps": [_lump_json(account) for account in found.lumps],
        "lumps_paid_again": [
            {"milestone": lump.milestone, "amount": str(lump.amount), "block": lump.block}
            for lump in found.lumps_again
        ],
        "points_claimed": {
            "points": plain(found.claims.value), "steps": _steps_json(found.claims.steps),
        },
    }  # fmt: skip


def _next_json(assessed: Assessment) -> dict[str, Any]:
    return {
        "milestone": assessed.milestone,
        "may_be_granted": assessed.may_be_granted,
        "missing": [check.id for check in assessed.missing],
        "promotion": None if assessed.promotion is None else str(assessed.promotion),
        "requirements": [
            {
                "id": check.id,
                "text": check.text,
                "outcome": check.outcome,
                "steps": _steps_json(check.steps),
            }
            for check in assessed.checks
        ],
    }


def _lump_json(account: LumpAccount) -> dict[str, Any]:
    return {
        "milestone": account.lump.milestone,
        "amount": str(account.lump.amount),
        "block": account.lump.block,
        "period": account.lump.period,
        "receipts": account.receipts,
        "exited_at": account.exited_at,
        "days": account.returned.days,
        "due_back": str(account.returned.amount),
        "settled": None if account.settled is None else str(account.settled),
        "steps": _steps_json((account.returned.step,)),
    }


def _steps_json(steps: Iterable[Step]) -> list[dict[str, str]]:
    return [{"rule": step.rule, "text": step.text, "value": plain(step.value)} for step in steps]
