"""What an oracle owes the programme at a block: commit, reveal, gather, report.

Looked at anew after every block, from the ledger, the journal and the shelf alone. So it does not
matter what was under way when a process ended, a node went away or blocks came late.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ibp_chain.extrinsics import Submitter
from ibp_chain.keys import Signer
from ibp_chain.remark_bodies import Program
from ibp_chain.remarks import Kind
from ibp_chain.types import AccountId, BlockNumber, Hash
from ledger.pallets.scores import Closing, DigestKind, closes_at, day_at, day_date, starts_at
from ledger.program.rules import Rules
from ledger.remark_routing import Refused
from ledger.state import State
from oracles.consensus import Commitment, Observation, admit, consensus
from oracles.daemon.agreement import (
    Held,
    Lack,
    OnChain,
    Report,
    Situation,
    Turns,
    Wait,
    decide,
)
from oracles.daemon.journal import Journal, PollState, Word
from oracles.daemon.posting import Poster
from oracles.errors import ObservationRefused, RowsAltered, RowsError
from oracles.layout import SLOTS
from oracles.metrics import Metrics, Reported, Seen
from oracles.peers import Wanted
from oracles.report import REPORT, ReportRow
from oracles.rules import Roster, SlaRules, sla_rules
from oracles.samples import OBSERVATION, observation_rows
from oracles.scoring import MilestoneKey, Runs, report_rows, runs_after
from oracles.shelf import Shelf

log = logging.getLogger(__name__)
_LAST_POLL_MS = 120_000
"""After midnight, in which a poll of the day's last slot may still end."""
_LAST_CALL_MS = 60_000
"""Before the closing, when a commitment that was not sent yet would come too late."""
_ELSEWHERE = "the key is in use elsewhere, or the journal was lost"
_SPARE_ROWS = 1_000
"""For rosters that grow or shrink, beside twice what the present one has."""
HORIZON = 3
"""Days for which an oracle that was away still reports."""


@dataclass(frozen=True, slots=True)
class Now:
    """The block that the ledger stands at, and the door to the chain."""

    state: State
    head: BlockNumber
    timestamp_ms: int
    submitter: Submitter
    refused: tuple[Refused, ...] = ()
    """This oracle's remarks that the ledger has refused since the last look."""


@dataclass(frozen=True, slots=True)
class Done:
    """What came of looking."""

    wanted: tuple[Wanted, ...]
    """Rows to be fetched."""
    problems: tuple[str, ...]
    """What keeps this oracle from doing what it ought to, for people."""


class Duties:
    """The duties of the oracle that `signer` signs for; one thread at a time."""

    def __init__(
        self,
        *,
        signer: Signer,
        journal: Journal,
        shelf: Shelf,
        roster: Roster,
        rules: Rules,
        turns: Turns,
        era: int,
        metrics: Metrics,
    ) -> None:
        self._signer, self._me = signer, signer.account
        self._journal, self._shelf = journal, shelf
        self._roster, self._rules, self._turns, self._era = roster, rules, turns, era
        self._metrics = metrics
        self._poster: Poster | None = None
        self._told: set[int] = set()
        """Days whose outcome is counted."""
        self._admitted: dict[tuple[int, Commitment], Observation | Lack] = {}
        self._held_since: dict[tuple[int, Commitment], float] = {}
        self._looked: set[int] = set()
        """Days that this process has looked at before."""
        self._runs: dict[int, Mapping[MilestoneKey, Runs]] = {}
        self._computed: dict[tuple[int, frozenset[Hash]], tuple[ReportRow, ...]] = {}

    @property
    def sla(self) -> SlaRules:
        return sla_rules(self._rules.sla)

    def poster(self, now: Now) -> Poster:
        """Raises `JournalError` for a journal of another oracle or programme."""
        if self._poster is None:
            genesis = now.state.programme.genesis.value
            assert genesis is not None
            since = self._journal.claim(self._me, genesis.remark, now.head)
            self._poster = Poster(
                self._journal,
                self._signer,
                program=genesis.remark,
                ss58_prefix=now.state.network.ss58_prefix,
                since=since,
                era=self._era,
                metrics=self._metrics,
            )
        return self._poster

    def attend(self, now: Now) -> Done:
        """Do what is due. Raises `SourceError`, `JournalError`, `WouldContradict`, `OSError`."""
        program = now.state.programme.program.value
        if program is None:
            return Done((), ("no programme is founded on this chain yet",))
        poster = self.poster(now)
        for refused in now.refused:
            rejection = now.state.programme.rejections.find(refused.key)
            if rejection is not None:
                poster.rejected(rejection, refused.reason)
        in_office = self._me in program.oracles
        problems = [] if in_office else ["this oracle is not in office"]
        if in_office:
            problems += self._commit(now)
        wanted: list[Wanted] = []
        today = day_at(now.timestamp_ms)
        self._forget(today)
        for day in range(max(0, today - HORIZON), today):
            closing = now.state.scores.closings.find(day)
            if closing is not None:
                self._reveal(closing)
                held = self._hold(now, day, closing)
                wanted += self._wanted(day, closing, held)
                if in_office:
                    problems += self._report(now, program, day, closing, held)
        return Done(tuple(wanted), tuple(problems))

    # --- commit ---

    def _commit(self, now: Now) -> Iterator[str]:
        """The observation of the day that has just ended."""
        day = day_at(now.timestamp_ms) - 1
        if now.timestamp_ms >= closes_at(day) - _LAST_CALL_MS:
            return
        scores, key = now.state.scores, (self._me, day)
        known = scores.observations.find(key)
        word = self._journal.word(day_date(day), Kind.OBSERVE)
        if known is not None:
            if word is None or word.root != known.root:
                yield (
                    f"the ledger has an observation of {day_date(day)} that this journal does "
                    f"not: {_ELSEWHERE}"
                )
            return
        if (*key, DigestKind.OBSERVE) in scores.equivocations:
            yield f"this oracle contradicted itself on {day_date(day)}"
            return
        if word is None:
            word = self._observation(now, day)
        if word is not None and (problem := self._post(now, word)):
            yield problem

    def _observation(self, now: Now, day: int) -> Word | None:
        """The word to be given for `day`; None before its polls are over, or where it had none."""
        when = day_date(day)
        polls = self._journal.polls(when)
        if not polls:
            return None
        last = polls[-1]
        ended = last.slot == SLOTS - 1 and last.state is not PollState.BEGUN
        if not ended and now.timestamp_ms < starts_at(day + 1) + _LAST_POLL_MS:
            return None
        samples = self._journal.samples(when, self._me)
        rows = observation_rows(samples, oracle=self._me, day=when)
        root = self._shelf.put(OBSERVATION, rows)
        before = now.state.scores.last_observations.find(self._me)
        return self._journal.intend(
            Word(
                day=when.isoformat(),
                kind=Kind.OBSERVE.value,
                root=root,
                rows=len(rows),
                previous=bytes(32) if before is None else before.digest,
            )
        )

    # --- reveal and gather ---

    def _reveal(self, closing: Closing) -> None:
        own = next((found for found in closing.commitments if found.oracle == self._me), None)
        if own is not None and not self._shelf.revealed(own.root) and self._shelf.has(own.root):
            self._shelf.reveal(own.root)

    def _hold(self, now: Now, day: int, closing: Closing) -> Held:
        """What of the commitments is here. Nothing is read any more once the day stands."""
        if day in now.state.scores.standing:
            self._admitted = {key: had for key, had in self._admitted.items() if key[0] != day}
            return {}
        since = (now.timestamp_ms - closes_at(day)) / 1_000
        first_look = day not in self._looked
        self._looked.add(day)
        held: dict[AccountId, Observation | Lack] = {}
        for found in closing.commitments:
            commitment = Commitment(found.oracle, day_date(day), found.root, found.rows)
            key = day, commitment
            if key not in self._admitted and (admitted := self._admit(commitment)) is not None:
                self._admitted[key] = admitted
                # what was here before this process began is taken for known to all
                self._held_since[key] = 0.0 if first_look else since
            held[found.oracle] = self._admitted.get(key, Lack.MISSING)
        return held

    def _admit(self, commitment: Commitment) -> Observation | Lack | None:
        """None where its rows are not here whole. What no roster can need is never read."""
        who = f"observation of {commitment.day} by 0x{commitment.oracle.hex()}"
        if commitment.rows > most_rows(self._roster):
            log.warning("%s: %d rows are more than anybody measures", who, commitment.rows)
            return self._judged(Lack.REFUSED)
        if not self._shelf.has(commitment.root):
            return None
        try:
            rows = self._shelf.get(commitment.root, OBSERVATION)
        except (RowsAltered, RowsError) as error:
            log.warning("%s: %s", who, error)
            return None
        try:
            admitted = admit(commitment, rows, self.sla.slow_at)
        except ObservationRefused as error:
            log.warning("%s", error)
            return self._judged(Lack.REFUSED)
        measured = set(self._roster.endpoints)
        kept = tuple(row for row in admitted.rows if (row.member, row.service) in measured)
        return self._judged(Observation(commitment, kept))

    def _judged(self, found: Observation | Lack) -> Observation | Lack:
        self._metrics.observation(Seen.REFUSED if found is Lack.REFUSED else Seen.ADMITTED)
        return found

    def _wanted(self, day: int, closing: Closing, held: Held) -> Iterator[Wanted]:
        """Whose rows are not here, and the report that runs go on from."""
        for found in closing.commitments:
            here = held[found.oracle] is not Lack.MISSING if held else self._shelf.has(found.root)
            if not here and found.rows <= most_rows(self._roster):
                yield Wanted(found.oracle, found.root, found.rows, OBSERVATION)
        before = closing.before
        if held and before is not None and self._carried(day, closing) is None:
            yield Wanted(
                closing.commitments[day % len(closing.commitments)].oracle, *before, REPORT
            )

    def _carried(self, day: int, closing: Closing) -> Mapping[MilestoneKey, Runs] | None:
        """The runs that go into `day`; None where the report before is not here whole."""
        if day not in self._runs:
            before = closing.before
            if before is None:
                self._runs[day] = {}
            elif self._shelf.has(before.root):
                try:
                    rows = self._shelf.get(before.root, REPORT, before.rows)
                except (RowsAltered, RowsError) as error:
                    log.warning("report before %s: %s", day_date(day), error)
                else:
                    self._runs[day] = runs_after(rows, day_date(day))
        return self._runs.get(day)

    # --- report ---

    def _report(
        self, now: Now, program: Program, day: int, closing: Closing, held: Held
    ) -> Iterator[str]:
        scores, key, when = now.state.scores, (self._me, day), day_date(day)
        known, word = scores.reports.find(key), self._journal.word(when, Kind.REPORT)
        if known is not None and (word is None or word.turn < known.turn):
            yield f"the ledger has a report of {when} that this journal does not: {_ELSEWHERE}"
            return
        standing = scores.standing.find(day)
        if standing is not None:
            if known is not None:
                yield from self._outcome(day, same=known.root == standing.root)
            return
        if (*key, DigestKind.REPORT) in scores.equivocations:
            yield f"this oracle contradicted itself on {when}"
            return
        if self._rules.hash != closing.rules:
            yield f"{when} closed under the rules 0x{closing.rules.hex()}, not these"
            return
        situation = self._situation(now, program, day, closing, held)
        turn = int(situation.since_closing // self._turns.seconds)
        if word is None or word.turn < turn:
            decision = self._decision(day, closing, situation)
            if isinstance(decision, Wait):
                if turn > 0:
                    yield f"no score of {when} yet: {decision.why}"
                return
            log.info("report of %s in turn %d: %s", when, turn, decision.why)
            word = self._reported(day, closing, decision)
        if (known is None or known.turn < word.turn) and (problem := self._post(now, word)):
            yield problem

    def _outcome(self, day: int, *, same: bool) -> Iterator[str]:
        if day not in self._told:
            self._told.add(day)
            self._metrics.report(Reported.STANDS if same else Reported.OUTVOTED)
        if not same:
            yield f"{day_date(day)} stands on another root than this oracle reported"

    def _situation(
        self, now: Now, program: Program, day: int, closing: Closing, held: Held
    ) -> Situation:
        reports = (
            (oracle, now.state.scores.reports.find((oracle, day))) for oracle in program.oracles
        )
        return Situation(
            me=self._me,
            oracles=sorted(program.oracles),
            quorum=closing.quorum,
            day=day,
            since_closing=(now.timestamp_ms - closes_at(day)) / 1_000,
            held=held,
            held_since={
                key[1].oracle: since for key, since in self._held_since.items() if key[0] == day
            },
            reports=[
                OnChain(oracle, found.turn, found.root, found.rows, frozenset(found.observes))
                for oracle, found in reports
                if found is not None
            ],
        )

    def _decision(self, day: int, closing: Closing, situation: Situation) -> Report | Wait:
        if self._carried(day, closing) is None:
            return Wait("the rows of the report before are missing")

        def computed(observations: Sequence[Observation]) -> tuple[Hash, int]:
            rows = self._rows(day, closing, observations)
            return REPORT.root(rows), len(rows)

        return decide(situation, self._turns, computed)

    def _reported(self, day: int, closing: Closing, decision: Report) -> Word:
        rows = self._rows(day, closing, decision.observations)
        root = self._shelf.put(REPORT, rows)
        self._shelf.reveal(root)
        self._metrics.report(Reported.REPORTED)
        observes = sorted({found.commitment.root for found in decision.observations})
        return self._journal.intend(
            Word(
                day=day_date(day).isoformat(),
                kind=Kind.REPORT.value,
                turn=decision.turn,
                root=root,
                rows=len(rows),
                observes=b"".join(observes),
            )
        )

    def _rows(
        self, day: int, closing: Closing, observations: Sequence[Observation]
    ) -> tuple[ReportRow, ...]:
        """The day's report on `observations`: what every oracle computes alike."""
        key = day, frozenset(found.commitment.root for found in observations)
        if key not in self._computed:
            roster = scored(self._roster, closing.members)
            agreed = consensus(
                observations,
                day=day_date(day),
                roster=roster,
                rules=self.sla,
                quorum=closing.quorum,
            )
            carried = self._carried(day, closing)
            assert carried is not None
            self._computed[key] = report_rows(
                agreed, roster=roster, rules=self.sla, carried=carried
            )
        return self._computed[key]

    # --- parts ---

    def _post(self, now: Now, word: Word) -> str | None:
        return self.poster(now).post(word, now.head, now.submitter)

    def _forget(self, today: int) -> None:
        first = today - HORIZON
        self._admitted = {key: held for key, held in self._admitted.items() if key[0] >= first}
        self._held_since = {key: at for key, at in self._held_since.items() if key[0] >= first}
        self._computed = {key: rows for key, rows in self._computed.items() if key[0] >= first}
        self._runs = {day: runs for day, runs in self._runs.items() if day >= first}


def most_rows(roster: Roster) -> int:
    """With more rows than this an observation is refused unread, by every oracle alike."""
    return _SPARE_ROWS + 2 * len(roster.endpoints)


def scored(roster: Roster, members: Sequence[str]) -> Roster:
    """`roster` for those alone who were active when the day closed."""
    active = frozenset(members)
    assigned: Mapping[str, frozenset[str]] = {
        member: services for member, services in roster.assigned.items() if member in active
    }
    return Roster(roster.services, assigned)
