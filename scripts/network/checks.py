"""What must be true of a network after its course, whatever happened on the way.

Each check yields what is wrong, in words, and nothing where all is well.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing as ending
from dataclasses import dataclass, replace
from datetime import date, timedelta

from ibp_chain.errors import CheckFailed, IbpError
from ibp_chain.remark_bodies import Observe, Report
from ibp_chain.remarks import Kind
from ledger.pallets.scores import DigestKind, day_number
from oracles.consensus import Commitment, admit
from oracles.daemon.journal import PollState
from oracles.errors import ObservationRefused
from oracles.evidence import read_evidence, write_evidence
from oracles.layout import SLOTS
from oracles.proof import (
    Proof,
    StandingReport,
    prove_member,
    read_proof,
    verify_against_ledger,
    write_proof,
)
from oracles.report import REPORT, ConsensusRow, MilestoneDay, Verdict
from oracles.rules import SlaRules, sla_rules
from oracles.samples import OBSERVATION
from oracles.shelf import Shelf
from scripts.network.byzantine import CONVICTING, Sin, sins_of
from scripts.network.course import OUTAGE_SLOTS, Kill, Run
from scripts.network.evidence import DaySeen, Ledger, data_of, day_seen, read_ledger
from scripts.network.members import MEMBERS, Role
from scripts.network.oracles import Daemon
from scripts.network.timetable import FIRST_DAY, moment
from scripts.scenario.play import NETWORK

DESERVED = {
    Role.HEALTHY: Verdict.OK,
    Role.OUTAGE: Verdict.OK,
    Role.SLOW: Verdict.SLOW,
    Role.DEAD: Verdict.FAILED,
    Role.LYING: Verdict.FAILED,
    Role.STUCK: Verdict.FAILED,
    Role.SYNCING: Verdict.FAILED,
    Role.HALF_OPEN: Verdict.FAILED,
    Role.IPV6_BROKEN: Verdict.FAILED,
}
"""By a member's role, in every slot that a quorum knows; an outage has other ones besides."""
_SHOWN = 800
"""Characters of a traceback."""
_LEAST_KNOWN = 4
"""Slots of a day: with fewer of them known, nothing is checked at all."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What was checked; empty `failures` is what is hoped for."""

    days: Sequence[DaySeen]
    passed: Sequence[str]
    failures: Sequence[str]


def examine(run: Run) -> Findings:
    """Every check on `run`, whose chain still stands."""
    ledger = read_ledger(run)
    days = [day_seen(run, ledger, day) for day in run.days]
    checks: dict[str, Callable[[], Iterator[str]]] = {
        "honest oracles report one root a day, and exactly it stands": (
            lambda: _agreed(run, ledger, days)
        ),
        "no root of the bad oracle ever stood": lambda: _bad_never_stood(run, ledger),
        "rows that the bad oracle copied or made impossible do not count": (
            lambda: _copies_refused(run, ledger, days)
        ),
        "rows that it showed to some only reached everybody, withheld ones did not count": (
            lambda: _handed_on(run, ledger, days)
        ),
        "contradictions are in the ledger, and their two remarks convict": (
            lambda: _convicted(run, ledger)
        ),
        "every member has what it deserves, and nobody more": (lambda: member_faults(days)),
        "proofs of rows hold against the ledger, and for nothing else": (
            lambda: (fault for day in days for fault in _provable(run, day))
        ),
        "a killed oracle signed one root a day and knows what it missed": (
            lambda: (fault for kill in run.course.kills for fault in _recovered(run, ledger, kill))
        ),
        "no daemon ended, or logged, with a traceback": lambda: _clean_logs(run.daemons),
    }
    passed, failures = [], []
    for what, check in checks.items():
        found = list(_faults(check))
        failures += [f"{what}: NO: {fault}" for fault in found]
        passed += [] if found else [what]
    return Findings(days, passed, failures)


def _faults(check: Callable[[], Iterator[str]]) -> Iterator[str]:
    try:
        yield from check()
    except (IbpError, LookupError) as error:
        yield f"{type(error).__name__}: {error}"


def _rules(run: Run) -> SlaRules:
    return sla_rules(run.rules.sla)


# --- Agreement ------------------------------------------------------------------------


def _agreed(run: Run, ledger: Ledger, days: Sequence[DaySeen]) -> Iterator[str]:
    """Who came too late to be needed has not reported; who reported said what stands."""
    for seen in days:
        reported = {name: seen.reported[name] for name in run.honest if name in seen.reported}
        if len(set(reported.values())) > 1:
            yield f"{seen.day}: {sorted(root.hex()[:8] for root in reported.values())}"
        elif seen.standing is None:
            yield f"{seen.day}: nothing stands, of {len(reported)} reports by honest oracles"
        elif seen.standing.root not in reported.values():
            yield f"{seen.day}: what stands is of the bad oracle"
        stood = {root for day, root in ledger.stood if day == day_number(seen.day)}
        if len(stood) > 1:
            yield f"{seen.day}: {len(stood)} roots stood, one after the other"


def _bad_never_stood(run: Run, ledger: Ledger) -> Iterator[str]:
    if not run.wrong_roots:
        yield "it has reported no wrong root at all"
    for day, root in ledger.stood:
        if root in run.wrong_roots:
            yield f"day {day}: 0x{root.hex()} stood"


def _copies_refused(run: Run, ledger: Ledger, days: Sequence[DaySeen]) -> Iterator[str]:
    """Whoever has the rows of a copied root finds another's name in them."""
    for position, seen in enumerate(days):
        if Sin.COPY not in sins_of(position):
            continue
        closing = ledger.state.scores.closings.get(day_number(seen.day))
        mine = next((c for c in closing.commitments if c.oracle == run.liar), None)
        if mine is None or [c.root for c in closing.commitments].count(mine.root) < 2:
            yield f"{seen.day}: the bad oracle's commitment is no copy"
            continue
        rows = Shelf(data_of(run.daemons[0]) / "rows").get(mine.root, OBSERVATION, mine.rows)
        try:
            admit(Commitment(run.liar, seen.day, mine.root, mine.rows), rows, _rules(run).slow_at)
        except ObservationRefused:
            continue
        yield f"{seen.day}: a copied root counts"


def _handed_on(run: Run, ledger: Ledger, days: Sequence[DaySeen]) -> Iterator[str]:
    """Everybody serves what it has; who is given other rows for a root refuses them."""
    scores = ledger.state.scores
    for position, seen in enumerate(days):
        sins, number = sins_of(position), day_number(seen.day)
        if not sins & {Sin.SPLIT, Sin.WITHHOLD} or seen.standing is None:
            continue
        mine = scores.observations.get((run.liar, number)).root
        honest = next(oracle for oracle in seen.standing.reporters if oracle != run.liar)
        counts = mine in scores.reports.get((honest, number)).observes
        if counts != (Sin.SPLIT in sins):
            yield f"{seen.day}: rows that {sins} count: {counts}"
    if not any("wrong-rows" in daemon.log.read_text(errors="replace") for daemon in run.daemons):
        yield "no daemon was ever given rows of another root"


# --- Evidence -------------------------------------------------------------------------


def _convicted(run: Run, ledger: Ledger) -> Iterator[str]:
    expected = set()
    for position, day in enumerate(run.days):
        sins = sins_of(position)
        if sins & CONVICTING:
            expected.add((run.liar, day_number(day), DigestKind.OBSERVE))
        if Sin.REPORT_TWICE in sins:
            expected.add((run.liar, day_number(day), DigestKind.REPORT))
    if not expected:
        yield "nothing was contradicted"
    recorded = {key for key, _ in ledger.state.scores.equivocations.items()}
    if recorded != expected:
        yield f"recorded: {len(recorded)}, of {len(expected)} expected: {recorded ^ expected}"
    for oracle, number, kind in recorded:
        form = Observe if kind is DigestKind.OBSERVE else Report
        two = [
            body
            for body in ledger.bodies
            if isinstance(body, form)
            and body.oracle == oracle
            and day_number(date.fromisoformat(body.day)) == number
        ]
        if len(two) != 2:
            yield f"{len(two)} remarks are behind the evidence of day {number}"
            continue
        first, second = read_evidence(write_evidence(two[0], two[1], NETWORK.ss58_prefix))
        found = ledger.state.scores.equivocations.get((oracle, number, kind))
        if {first.root, second.root} != {found.first_root, found.second_root}:
            yield f"day {number}: the ledger's evidence is of other roots"


# --- Members --------------------------------------------------------------------------


def member_faults(days: Sequence[DaySeen]) -> Iterator[str]:
    """Verdicts that no role explains, and charges that do not follow from them (F2, F3)."""
    runs: dict[str, tuple[int, int]] = {}
    for seen in days:
        agreed = {row.member: row for row in seen.rows if isinstance(row, ConsensusRow)}
        charged = {row.member: row for row in seen.rows if isinstance(row, MilestoneDay)}
        for member in MEMBERS:
            where = f"{seen.day} {member.id} ({member.role})"
            row, points = agreed[member.id], charged[member.id]
            known = [slot for slot, found in enumerate(row.verdicts) if found != Verdict.UNKNOWN]
            if len(known) < _LEAST_KNOWN:
                yield f"{where}: only {len(known)} slots are known"
            for slot in known:
                verdict = Verdict(row.verdicts[slot])
                if verdict not in _allowed(member.role, seen.day, slot):
                    yield f"{where}: {verdict.name} in slot {slot}"
            charges, runs[member.id] = charges_of(row.verdicts, runs.get(member.id, (0, 0)))
            if charges != (points.failed_charges, points.slow_charges):
                yield f"{where}: {charges} charges are due, {points.fields()} says otherwise"
            if points.points != -7 * charges[0] - charges[1] + points.clean:
                yield f"{where}: {points.points} points for {charges} charges"
            if member.role is Role.OUTAGE and seen.day == FIRST_DAY and not charges[0]:
                yield f"{where}: its outage was not noticed"


def charges_of(
    verdicts: bytes, open_runs: tuple[int, int]
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Every third failed, and slow, slot of a run; and how long the runs are at midnight (F2)."""
    charges, runs = [0, 0], list(open_runs)
    for verdict in verdicts:
        for position, bad in enumerate((Verdict.FAILED, Verdict.SLOW)):
            runs[position] = runs[position] + 1 if verdict == bad else 0
            charges[position] += verdict == bad and runs[position] % 3 == 0
    return (charges[0], charges[1]), (runs[0], runs[1])


def _allowed(role: Role, day: date, slot: int) -> frozenset[Verdict]:
    since = slot + SLOTS * (day - FIRST_DAY).days
    if role is Role.OUTAGE and since in OUTAGE_SLOTS:
        return frozenset({Verdict.FAILED})
    return frozenset({DESERVED[role]})


# --- Proofs ---------------------------------------------------------------------------


def _provable(run: Run, seen: DaySeen) -> Iterator[str]:
    if seen.standing is None:
        yield f"{seen.day}: nothing stands"
        return
    report = StandingReport(
        seen.day, seen.standing.root, seen.standing.rows, run.quorum, seen.standing.reporters
    )
    for member in MEMBERS:
        for proof in prove_member(REPORT, seen.rows, member.id):
            row = verify_against_ledger(read_proof(write_proof(proof)), report)
            if row not in seen.rows:
                yield f"{seen.day}: a proof of {member.id} shows another row"
            flipped = bytes([proof.row[0], *proof.row[1:-1], proof.row[-1] ^ 1])
            if _holds(replace(proof, row=flipped), report):
                yield f"{seen.day}: a proof of {member.id} holds with a bit flipped"


def _holds(proof: Proof, report: StandingReport) -> bool:
    try:
        verify_against_ledger(proof, report)
    except CheckFailed:
        return False
    return True


# --- Crashes --------------------------------------------------------------------------


def _recovered(run: Run, ledger: Ledger, kill: Kill) -> Iterator[str]:
    daemon = next(found for found in run.daemons if found.number == kill.oracle)
    with ending(
        sqlite3.connect(f"file:{data_of(daemon) / 'journal.sqlite'}?mode=ro", uri=True)
    ) as db:
        polls = {(day, slot): state for day, slot, state in db.execute(
            "select day, slot, state from poll")}  # fmt: skip
        words = {tuple(key): root for *key, root in db.execute(
            "select day, kind, turn, root from word")}  # fmt: skip
    for body in ledger.bodies:
        if body.oracle == daemon.signer.account:
            kind = Kind.OBSERVE if isinstance(body, Observe) else Kind.REPORT
            turn = body.turn if isinstance(body, Report) else 0
            if words.get((body.day, kind.value, turn)) != body.root:
                yield f"{daemon.name}: its {kind} of {body.day} is not in its journal"
    if any(
        oracle == daemon.signer.account
        for (oracle, _, _), _ in ledger.state.scores.equivocations.items()
    ):
        yield f"{daemon.name} contradicted itself"
    dead = [
        (str(day), slot)
        for day in (*run.days, run.days[-1] + timedelta(days=1))
        for slot in range(SLOTS)
        if kill.at < moment(day, slot) and moment(day, slot + 1) < kill.again
    ]
    if not dead:
        yield f"{daemon.name} was dead for too short a time to miss a slot"
    for day_slot in dead:
        if (state := polls.get(day_slot)) != PollState.MISSED.name:
            yield f"{daemon.name} was dead in slot {day_slot}; its journal says {state}"
    for day in run.days:
        noted = [slot for at, slot in polls if at == str(day)]
        for slot in run.timetable.polled(day):
            if noted and min(noted) < slot < max(noted) and slot not in noted:
                yield f"{daemon.name}: nothing is noted of {day} slot {slot}"


def _clean_logs(daemons: Sequence[Daemon]) -> Iterator[str]:
    for daemon in daemons:
        text = daemon.log.read_text(errors="replace")
        if "Traceback" in text:
            yield f"{daemon.log}: {text[text.index('Traceback') :][:_SHOWN]}"
