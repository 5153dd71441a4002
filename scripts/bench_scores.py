"""How long a day of scores takes to agree on, and proofs of many rows to make and check.

    make bench-scores
    python -m scripts.bench_scores [--members 12] [--services 30] [--oracles 7] [--rows 100000]

One process on one core, pure Python and hashlib. Prints two tables and rewrites their section of
docs/benchmarks.md. It asserts that what was made holds, and no time.
"""

import argparse
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from random import Random
from typing import NamedTuple

from ibp_chain.cli.output import say
from ibp_chain.merkle import verify_inclusion
from ibp_chain.types import AccountId, Hash, Micros
from ledger.program.rules import load_rules
from oracles.consensus import Commitment, Observation, admit, consensus
from oracles.layout import SLOTS
from oracles.proof import Proof, prove_about, prove_all, read_proof, verify, write_proof
from oracles.report import REPORT, Counts, ReportRow, ServiceDay
from oracles.rules import Roster, Service, sla_rules
from oracles.samples import OBSERVATION, ObservationRow, Status
from oracles.scoring import report_rows
from scripts.bench.parts import Part, write_part
from scripts.bench.report import Sheet, number, rate, show
from scripts.bench.scores_peer import Peer, merkle_peer
from scripts.bench.timing import Seconds, stay_on_one_core, timed

_ABOUT = """\
`make bench-scores` measures what follows and rewrites it; `make bench` leaves it as it is. One
core, pure Python and hashlib, the fastest of {rounds} passes. It asserts that what was made holds,
and no time.
"""

_DOCUMENT = Path(__file__).parents[1] / "docs" / "benchmarks.md"
_DAY = date(2026, 1, 29)
_SLA = sla_rules(load_rules().sla)
_BAD = 0.02
"""Share of slots in which an endpoint fails or is slow; a machine that is always fine is rare."""
_BLIND = 0.01
"""Share of slots of which an oracle can tell nothing."""


_DOCUMENTS = 10_000
"""How many proofs are written and read as documents: enough for a rate, and soon done."""


class Published(NamedTuple):
    """One oracle's rows as others get them."""

    commitment: Commitment
    data: bytes


# --- What is measured: a day -----------------------------------------------------------


def roster_of(members: int, services: int) -> Roster:
    """Every member on every service; three services share a chain, relay chains come first."""
    listed = tuple(
        Service(f"service-{n}", f"chain-{n // 3}", 3 if n < services // 5 else 5)
        for n in range(services)
    )
    everything = frozenset(service.id for service in listed)
    return Roster(listed, {f"member-{n}": everything for n in range(members)})


def published(roster: Roster, oracles: int, seed: int) -> list[Published]:
    """What each oracle saw of the same truth; the last one sees what it likes."""
    random = Random(seed)  # noqa: S311 - a benchmark's input, the same every time
    weights = (1 - _BAD, _BAD / 2, _BAD / 2)
    answers = (Status.OK, Status.FAILED, Status.SLOW)
    truth = {e: random.choices(answers, weights, k=SLOTS) for e in roster.endpoints}
    found = []
    for oracle in range(oracles):
        account = AccountId(bytes([oracle]) * 32)
        liar = oracle == oracles - 1 and oracles > 2
        rows = OBSERVATION.canonical(
            _seen(random, account, e, random.choices(answers, k=SLOTS) if liar else truth[e])
            for e in roster.endpoints
        )
        commitment = Commitment(account, _DAY, OBSERVATION.root(rows), len(rows))
        found.append(Published(commitment, OBSERVATION.pack(rows)))
    return found


def _seen(
    random: Random, oracle: AccountId, endpoint: tuple[str, str], slots: Sequence[Status]
) -> ObservationRow:
    statuses = [Status.UNKNOWN if random.random() < _BLIND else status for status in slots]
    ranges = {Status.OK: (0, _SLA.slow_at - 1), Status.SLOW: (_SLA.slow_at, 4 * _SLA.slow_at)}
    times = tuple(Micros(random.randint(*ranges[s])) for s in statuses if s in ranges)
    return ObservationRow(oracle, _DAY, *endpoint, bytes(statuses), times)


class Step(NamedTuple):
    name: str
    taken: Seconds


def day(roster: Roster, files: Sequence[Published], rounds: int) -> tuple[list[Step], int]:
    """The steps from the oracles' published bytes to a report's root, each the best of `rounds`."""
    quorum = len(files) // 2 + 1
    read, rows = timed(
        lambda: [OBSERVATION.unpack(f.data, root=f.commitment.root) for f in files], rounds
    )
    admitting, admitted = timed(lambda: _admitted(files, rows), rounds)
    agreeing, agreed = timed(
        lambda: consensus(admitted, day=_DAY, roster=roster, rules=_SLA, quorum=quorum), rounds
    )
    scoring, scored = timed(
        lambda: report_rows(agreed, roster=roster, rules=_SLA, carried={}), rounds
    )
    rooting, root = timed(lambda: REPORT.root(scored), rounds)
    packing, packed = timed(lambda: REPORT.pack(scored), rounds)
    assert REPORT.unpack(packed, root=root, size=len(scored)) == scored
    steps = [
        Step("read the published rows, check their roots", read),
        Step("admit: roots, order, statuses against times", admitting),
        Step("consensus", agreeing),
        Step("scores: services, milestones, runs", scoring),
        Step("root of the report", rooting),
        Step("the report's published bytes", packing),
    ]
    return steps, len(scored)


def _admitted(
    files: Sequence[Published], rows: Sequence[tuple[ObservationRow, ...]]
) -> list[Observation]:
    return [
        admit(file.commitment, seen, _SLA.slow_at) for file, seen in zip(files, rows, strict=True)
    ]


# --- What is measured: proofs ------------------------------------------------------------


def service_rows(count: int, seed: int) -> tuple[ReportRow, ...]:
    """`count` service days, of as many (member, service)."""
    random = Random(seed)  # noqa: S311 - as above
    rows = []
    for n in range(count):
        failed, slow = random.randrange(9), random.randrange(9)
        counts = Counts(SLOTS - failed - slow, failed, slow, 0, 0)
        times = sorted(Micros(random.randrange(_SLA.slow_at)) for _ in range(3))
        about = f"member-{n // 100}", f"service-{n % 100}"
        rows.append(ServiceDay(_DAY, *about, *counts, counts.uptime, *times))
    return REPORT.canonical(rows)


class ProofTimes(NamedTuple):
    tree: Seconds
    proofs: Seconds
    documents: Seconds
    one: Seconds
    checks: Seconds
    document_checks: Seconds
    paths: Seconds
    size: int


def proofs(rows: tuple[ReportRow, ...], rounds: int) -> ProofTimes:
    """Making and checking a proof of each row; `one` is a member's, from the rows alone."""
    count = len(rows)
    treeing, root = timed(lambda: REPORT.root(rows), rounds)
    making, made = timed(lambda: list(prove_all(REPORT, rows)), rounds)
    writing, documents = timed(lambda: [write_proof(proof) for proof in made[:_DOCUMENTS]], rounds)
    key = REPORT.key(rows[count // 2])
    single, _ = timed(lambda: prove_about(REPORT, rows, key), rounds)
    checking, held = timed(lambda: _check(made, root, count), rounds)
    assert held == list(rows)
    reading, held = timed(lambda: _check(map(read_proof, documents), root, count), rounds)
    assert held == list(rows[:_DOCUMENTS])
    walking, every = timed(
        lambda: all(verify_inclusion(p.row, p.index, count, p.path, root) for p in made),
        rounds,
    )
    assert every
    return ProofTimes(
        treeing,
        making,
        writing,
        single,
        checking,
        reading,
        walking,
        len(documents[len(documents) // 2]),
    )


def _check(made: Iterator[Proof] | Sequence[Proof], root: Hash, size: int) -> list[object]:
    return [verify(proof, root=root, size=size) for proof in made]


# --- Told -----------------------------------------------------------------------------


def day_sheet(steps: Sequence[Step], rows: int, shape: str) -> Sheet:
    cells = [(step.name, number(step.taken.cpu), number(step.taken.wall)) for step in steps]
    cpu, wall = (sum(getattr(step.taken, name) for step in steps) for name in ("cpu", "wall"))
    return Sheet(
        "Scores: a day agreed on",
        ("", "seconds of CPU", "by the clock"),
        (*cells, ("all of it", number(cpu), number(wall))),
        (f"{shape}; the last oracle lies about every slot. The report has {rows:,} rows.",),
    )


def proof_sheet(times: ProofTimes, count: int, peer: Peer | None, note: str) -> Sheet:
    def line(
        name: str, taken: Seconds, theirs: Seconds | None = None, of: int = count
    ) -> tuple[str, ...]:
        ratio = "" if theirs is None else number(theirs.cpu / taken.cpu)
        beside = "" if theirs is None else rate(of, theirs.cpu)
        return name, rate(of, taken.cpu), number(1e6 * taken.cpu / of), beside, ratio

    few = min(count, _DOCUMENTS)

    about = (
        f"{count:,} rows of service days, {few:,} of them as documents of about {times.size:,} "
        f"bytes. One proof alone, from all the rows, takes {number(times.one.cpu)} s: nearly all "
        "of it is the tree."
    )
    return Sheet(
        "Scores: proofs of rows",
        ("", "rows/s", "µs a row", "peer, rows/s", "ratio"),
        (
            line("encode rows, build the tree, its root", times.tree, peer and peer.tree),
            line("make a proof of every row", times.proofs, peer and peer.proofs),
            line("write them as documents", times.documents, of=few),
            line("walk the path to the root", times.paths, peer and peer.checks),
            line("check a proof: row, path, root", times.checks),
            line("read a document and check it", times.document_checks, of=few),
        ),
        (about, note),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--members", type=int, default=12)
    parser.add_argument("--services", type=int, default=30)
    parser.add_argument("--oracles", type=int, default=7)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=_DOCUMENT)
    given = parser.parse_args()
    stay_on_one_core()
    roster = roster_of(given.members, given.services)
    files = published(roster, given.oracles, given.seed)
    steps, scored = day(roster, files, given.rounds)
    shape = (
        f"{given.members} members, {given.services} services of each, {SLOTS} slots, "
        f"{given.oracles} oracles"
    )
    rows = service_rows(given.rows, given.seed)
    peer, note = merkle_peer(rows, partial(timed, rounds=given.rounds))
    sheets = [
        day_sheet(steps, scored, shape),
        proof_sheet(proofs(rows, given.rounds), len(rows), peer, note),
    ]
    show(sheets)
    about = _ABOUT.format(rounds=given.rounds)
    write_part(given.out, Part.SCORES, about, sheets, datetime.now(UTC).date())
    say(f"written to {given.out}")


if __name__ == "__main__":
    main()
