"""Act three: three oracles watch four days, commit, agree, report; one of them lies twice.

What happened to whom on this stage, in slots of five minutes:

| day    | what                                                                        |
|--------|-----------------------------------------------------------------------------|
| Jan 28 | oracle 1 was down in slots 10 to 19: it knows nothing of them                  |
| Jan 29 | gatotech's Polkadot endpoint failed in slots 100 to 106; oracle 2 reports another root |
| Jan 30 | everybody's Asset Hub failed in slot 200: the chain's fault; stake-plus was slow in 40 to 42; oracle 2 commits to two roots |
| Jan 31 | oracle 0 alone saw amforc fail in slots 50 to 60: a minority                    |
"""  # noqa: E501 (a table)

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from hashlib import blake2b
from pathlib import Path

from ibp_chain.keys import Signer
from ibp_chain.remark_bodies import Observe
from ibp_chain.remarks import encode, signing_digest
from ibp_chain.types import Hash, Micros
from ledger.pallets.scores import NO_PREVIOUS, Closing, closes_at, day_number
from ledger.program.rules import Rules
from oracles import digest
from oracles.consensus import Commitment, admit, consensus
from oracles.report import REPORT, ReportRow
from oracles.rowfiles import write_rows
from oracles.rules import Roster, Service, sla_rules
from oracles.samples import OBSERVATION, ObservationRow, Sample, Status, observation_rows
from oracles.scoring import report_rows, runs_after
from scripts.scenario.cast import QUORUM, Cast
from scripts.scenario.stage import Stage

DAYS = tuple(date(2026, 1, day) for day in (28, 29, 30, 31))
SERVICES = (
    Service("polkadot", "polkadot", milestone=3),
    Service("asset-hub-polkadot", "asset-hub-polkadot", milestone=5),
)
SLOTS = range(288)
_DISSENT_DAY, _EQUIVOCATION_DAY = DAYS[1], DAYS[2]
_LIAR = 2
_BASE_TIME = 20_000
_SLOW_TIME = Micros(140_000)


def roster(cast: Cast, members: Iterable[str]) -> Roster:
    """Each of `members` on those of `SERVICES` that it is assigned."""
    known = {service.id for service in SERVICES}
    return Roster(SERVICES, {member: cast.member(member).services & known for member in members})


# --- What the oracles saw ---------------------------------------------------------------


def samples(cast: Cast, oracle: int, day: date) -> Iterator[Sample]:
    """Every poll of one oracle on `day`: the same numbers in every run."""
    account = cast.oracles[oracle].account
    active = [member.id for member in cast.members if member.active]
    for member, service in roster(cast, active).endpoints:
        for slot in SLOTS:
            status = _seen(oracle, day, member, service, slot)
            if status is not Status.UNKNOWN:
                time = _time(oracle, day, member, service, slot, status)
                yield Sample(account, day, slot, member, service, status, time)


def _seen(oracle: int, day: date, member: str, service: str, slot: int) -> Status:
    match day.day, member, service:
        case 28, _, _ if oracle == 1 and 10 <= slot < 20:
            return Status.UNKNOWN
        case 29, "gatotech", "polkadot" if 100 <= slot < 107:
            return Status.FAILED
        case 30, _, "asset-hub-polkadot" if slot == 200:
            return Status.FAILED
        case 30, "stake-plus", "polkadot" if 40 <= slot < 43:
            return Status.SLOW
        case 31, "amforc", "polkadot" if oracle == 0 and 50 <= slot < 61:
            return Status.FAILED
    return Status.OK


def _time(
    oracle: int, day: date, member: str, service: str, slot: int, status: Status
) -> Micros | None:
    if status is Status.FAILED:
        return None
    if status is Status.SLOW:
        return Micros(_SLOW_TIME + oracle)
    seed = f"{oracle} {day} {member} {service} {slot}".encode()
    return Micros(_BASE_TIME + int.from_bytes(blake2b(seed, digest_size=2).digest(), "little"))


# --- What they posted -------------------------------------------------------------------


@dataclass
class Scorekeepers:
    """The oracles through the days: each carries its last digest, all report on what is closed."""

    stage: Stage
    cast: Cast
    rules: Rules
    program: Hash
    rows: Path
    """Where published rows go, one file per root."""
    _previous: dict[int, Hash] = field(default_factory=dict)
    _reported: dict[Hash, tuple[ReportRow, ...]] = field(default_factory=dict)
    """What honest oracles reported, by root."""

    def day(self, day: date) -> None:
        """Everybody observes `day` right after midnight, and reports it once it is closed."""
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
        self.stage.jump_to_time(int(midnight.timestamp()) * 1_000)
        seen = [
            observation_rows(samples(self.cast, oracle, day), oracle=signer.account, day=day)
            for oracle, signer in enumerate(self.cast.oracles)
        ]
        for oracle, rows in enumerate(seen):
            self._observe(oracle, day, rows)
        if day == _EQUIVOCATION_DAY:
            self._equivocate(day, seen[_LIAR])
        self.stage.block()
        self.stage.jump_to_time(closes_at(day_number(day)))
        closing = self.stage.state().scores.closings.get(day_number(day))
        self._report(day, closing, {OBSERVATION.root(rows): rows for rows in seen})

    def _observe(self, oracle: int, day: date, rows: tuple[ObservationRow, ...]) -> None:
        body = self._commitment(oracle, day, rows)
        write_rows(self.rows, OBSERVATION, rows)
        self._previous[oracle] = signing_digest(body, self.stage.network.ss58_prefix)
        self._post(self.cast.oracles[oracle], body)

    def _equivocate(self, day: date, rows: tuple[ObservationRow, ...]) -> None:
        """A second root for the same day: the liar leaves out one endpoint."""
        self._post(self.cast.oracles[_LIAR], self._commitment(_LIAR, day, rows[1:]))

    def _commitment(self, oracle: int, day: date, rows: tuple[ObservationRow, ...]) -> Observe:
        signer = self.cast.oracles[oracle]
        return digest.observe(
            program=self.program,
            oracle=signer.account,
            day=day,
            root=OBSERVATION.root(rows),
            rows=len(rows),
            previous=self._previous.get(oracle, NO_PREVIOUS),
            ss58_prefix=self.stage.network.ss58_prefix,
            sign=signer.sign,
        )

    def _report(
        self, day: date, closing: Closing, published: Mapping[Hash, tuple[ObservationRow, ...]]
    ) -> None:
        sla, on_it = sla_rules(self.rules.sla), roster(self.cast, closing.members)
        agreed = consensus(
            [
                admit(
                    Commitment(found.oracle, day, found.root, found.rows),
                    published[found.root],
                    sla.slow_at,
                )
                for found in closing.commitments
            ],
            day=day,
            roster=on_it,
            rules=sla,
            quorum=QUORUM,
        )
        before = () if closing.before is None else self._reported[closing.before.root]
        rows = report_rows(agreed, roster=on_it, rules=sla, carried=runs_after(before, day))
        write_rows(self.rows, REPORT, rows)
        self._reported[REPORT.root(rows)] = rows
        for oracle in range(len(self.cast.oracles)):
            lies = (oracle, day) == (_LIAR, _DISSENT_DAY)
            self._post_report(oracle, day, rows[1:] if lies else rows, agreed.observes)
        self.stage.block()

    def _post_report(
        self, oracle: int, day: date, rows: tuple[ReportRow, ...], observes: tuple[Hash, ...]
    ) -> None:
        signer = self.cast.oracles[oracle]
        body = digest.report(
            program=self.program,
            oracle=signer.account,
            day=day,
            turn=0,
            root=REPORT.root(rows),
            rows=len(rows),
            observes=observes,
            ss58_prefix=self.stage.network.ss58_prefix,
            sign=signer.sign,
        )
        self._post(signer, body)

    def _post(self, signer: Signer, body: digest.Digest) -> None:
        raw = encode(body, self.stage.network.ss58_prefix)
        self.stage.send(signer, self.stage.remark(raw))
