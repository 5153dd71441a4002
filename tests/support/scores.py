"""A small programme to score: three oracles, two members, rows written as text.

`series("..F")` is a day that begins with two good slots and a failed one; the rest are good.
`.` OK, `F` failed, `S` slow, `?` unknown.
"""

from datetime import date

from ibp_chain.keys import signer_from_uri
from ibp_chain.types import AccountId, Hash, Micros, Ppm
from oracles.consensus import Commitment, Consensus, Observation, admit, consensus
from oracles.report import ConsensusRow
from oracles.rules import ChargeWindow, Roster, Service, SlaRules
from oracles.samples import OBSERVATION, ObservationRow, Sample, Status, observation_rows

DAY = date(2026, 1, 29)
SLOTS = 288
FAST, SLOW = Micros(20_000), Micros(140_000)
PREFIX = 0
PROGRAM = Hash(bytes(range(32)))
SIGNERS = tuple(signer_from_uri(f"//Test//Oracle//{i}") for i in range(3))
ORACLES: tuple[AccountId, ...] = tuple(signer.account for signer in SIGNERS)

RULES = SlaRules(
    slow_at=Micros(100_000),
    slots_per_charge=3,
    failed_charge=7,
    slow_charge=1,
    clean_day=1,
    clean_day_known=Ppm(950_000),
    chain_fault_members=2,
    window=ChargeWindow.RUNS,
)
SERVICES = (Service("kusama", "kusama", 3), Service("polkadot", "polkadot", 3))
ROSTER = Roster(SERVICES, {"alpha": frozenset({"polkadot"}), "beta": frozenset({"polkadot"})})
_CODES = {".": Status.OK, "F": Status.FAILED, "S": Status.SLOW, "?": Status.UNKNOWN}


def series(head: str, rest: str = ".") -> str:
    return head + rest * (SLOTS - len(head))


def observed(  # what one oracle saw of one endpoint
    oracle: int,
    slots: str,
    member: str = "alpha",
    service: str = "polkadot",
    fast: int = FAST,
    day: date = DAY,
) -> ObservationRow:
    times = {"S": SLOW, ".": Micros(fast)}
    return ObservationRow(
        ORACLES[oracle],
        day,
        member,
        service,
        bytes(_CODES[slot] for slot in slots),
        tuple(times[slot] for slot in slots if slot in times),
    )


def sample(slot: int, status: Status = Status.OK, member: str = "alpha", oracle: int = 0) -> Sample:
    times = {Status.OK: FAST, Status.SLOW: SLOW}
    return Sample(ORACLES[oracle], DAY, slot, member, "polkadot", status, times.get(status))


def sampled(*samples: Sample, oracle: int = 0) -> tuple[ObservationRow, ...]:
    return observation_rows(samples, oracle=ORACLES[oracle], day=DAY)


def admitted(oracle: int, *rows: ObservationRow) -> Observation:
    ordered = OBSERVATION.canonical(rows)
    commitment = Commitment(ORACLES[oracle], DAY, OBSERVATION.root(ordered), len(ordered))
    return admit(commitment, ordered, RULES.slow_at)


def agreed(
    *observations: Observation, roster: Roster = ROSTER, rules: SlaRules = RULES, quorum: int = 2
) -> Consensus:
    return consensus(observations, day=DAY, roster=roster, rules=rules, quorum=quorum)


def row_of(result: Consensus, member: str = "alpha", service: str = "polkadot") -> ConsensusRow:
    return next(row for row in result.rows if (row.member, row.service) == (member, service))


def verdicts(result: Consensus, member: str = "alpha", service: str = "polkadot") -> str:
    """The agreed slots as text; `x` is excluded."""
    text = row_of(result, member, service).fields()["verdicts"]
    assert isinstance(text, str)
    return text
