"""One oracle that lies: the library's own parts, put together to do what a daemon never does.

It follows the chain in a thread and acts by the blocks' own time; what it does on which day is
`SINS`. It serves every daemon at a port of its own, so that it can show each something else.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from ibp_chain.blocks import blake2_256
from ibp_chain.extrinsics import Submitter
from ibp_chain.keys import Signer
from ibp_chain.remarks import encode
from ibp_chain.runtimes import runtimes
from ibp_chain.source import NodeSource
from ibp_chain.types import AccountId, BlockNumber, Hash, Micros
from ledger.pallets.scores import NO_PREVIOUS, Closing, ReportRecord, closes_at, day_number
from ledger.replay import BlockReport, apply_block
from ledger.state import State
from oracles import digest
from oracles.layout import SLOTS
from oracles.samples import OBSERVATION, ObservationRow, Status
from scripts.network.members import MEMBERS, Role
from scripts.network.timetable import moment
from scripts.scenario.play import NETWORK

_PAUSE_SECONDS = 0.4
_ROWS = 3 * len(MEMBERS)
"""Of a report, such that a made-up one looks like others."""
_FALLBACK_MS = 600_000
"""After midnight, when it commits by itself if there is nothing to copy yet."""


class Sin(Enum):
    """What it does, each once on the days that have it."""

    ACCUSE = auto()
    """Commits to rows in which healthy members fail and broken ones are fine."""
    COPY = auto()
    """Commits to another's root instead of its own."""
    SPLIT = auto()
    """Shows the rows that it committed to some daemons, and others to the rest."""
    WITHHOLD = auto()
    """Shows nobody the rows that it committed to, but others in their place."""
    CONTRADICT = auto()
    """Commits to a second root before the day closes."""
    CONTRADICT_LATE = auto()
    """Commits to a second root when the day has closed."""
    REPORT_WRONG = auto()
    """Reports a root of its own."""
    REPORT_RIGHT = auto()
    """Reports what an honest oracle has reported."""
    REPORT_TWICE = auto()
    """Reports another root as well."""


SINS: Sequence[frozenset[Sin]] = (
    frozenset({Sin.ACCUSE, Sin.SPLIT, Sin.REPORT_WRONG}),
    frozenset({Sin.COPY, Sin.CONTRADICT_LATE, Sin.REPORT_WRONG, Sin.REPORT_TWICE}),
    frozenset({Sin.ACCUSE, Sin.WITHHOLD, Sin.REPORT_RIGHT, Sin.REPORT_TWICE}),
    frozenset({Sin.ACCUSE, Sin.CONTRADICT, Sin.REPORT_WRONG}),
)
"""Day by day, over and over."""
CONVICTING = frozenset({Sin.CONTRADICT, Sin.CONTRADICT_LATE})
"""Those that the ledger records as two observations; `REPORT_TWICE` is two reports."""


def sins_of(number: int) -> frozenset[Sin]:
    """What it does on the day with this number, from 0."""
    return SINS[number % len(SINS)]


class _Claim(NamedTuple):
    """What it says of a day."""

    turn: int
    root: Hash
    rows: int
    observes: Sequence[Hash]


@dataclass
class Byzantine:
    """The liar; `run` lives in a thread until `stop` is set."""

    url: str
    signer: Signer
    program: Hash
    honest: frozenset[AccountId]
    quorum: int
    plan: Mapping[date, frozenset[Sin]]
    stop: threading.Event = field(default_factory=threading.Event)
    said: list[digest.Digest] = field(default_factory=list)
    """Everything that it signed and sent, in order."""
    error: BaseException | None = None
    _shown: dict[tuple[Hash, int], bytes] = field(default_factory=dict)
    """The row file for each root and parity of a daemon's number."""
    _pending: dict[bytes, int] = field(default_factory=dict)
    """Remarks that no block has yet, and when their extrinsics die."""
    _done: set[tuple[date, str]] = field(default_factory=set)

    def shown(self, root: Hash, number: int) -> bytes | None:
        """What daemon `number` is given for `root`."""
        return self._shown.get((root, number % 2))

    def wrong_roots(self) -> frozenset[Hash]:
        """What must never stand: the roots that it made up."""
        made_up = {_made_up(day, turn) for day in self.plan for turn in (0, 1)}
        return frozenset(body.root for body in self.said if body.root in made_up)

    def run(self) -> None:
        try:
            self._run()
        except BaseException as error:  # noqa: BLE001 - handed to whoever stops the thread
            self.error = error

    def _run(self) -> None:
        with NodeSource(self.url) as node:
            known = runtimes(node)
            submitter = Submitter(node, known, period=8)
            state, following = State(NETWORK, None), node.first()
            while not self.stop.wait(_PAUSE_SECONDS):
                now_ms = 0
                for block in node.blocks(following):
                    report = apply_block(state, block, known(block.spec_version))
                    following, now_ms = BlockNumber(block.header.number + 1), report.timestamp_ms
                    self._hear(report, state)
                if now_ms:
                    self._insist(following, submitter)
                    for day, sins in self.plan.items():
                        self._sin(day, sins, state, now_ms, submitter)

    def _sin(
        self, day: date, sins: frozenset[Sin], state: State, now_ms: int, submitter: Submitter
    ) -> None:
        """Whatever of `sins` can be done by now, each once."""
        number, midnight = day_number(day), int(moment(day, SLOTS)) * 1_000
        scores, me = state.scores, self.signer.account
        if now_ms < midnight:
            return
        closing = scores.closings.find(number)
        if now_ms < closes_at(number) - 300_000:
            theirs = next(
                (
                    found
                    for oracle in sorted(self.honest)
                    if (found := scores.observations.find((oracle, number))) is not None
                ),
                None,
            )
            own = _rows(me, day, accusing=Sin.ACCUSE in sins)
            if Sin.COPY in sins and theirs is not None:
                self._observe(day, theirs.root, theirs.rows, state, submitter)
            elif Sin.COPY not in sins or now_ms > midnight + _FALLBACK_MS:
                self._show(own, _rows(me, day, accusing=Sin.ACCUSE not in sins), sins)
                self._observe(day, OBSERVATION.root(own), len(own), state, submitter)
        committed = (me, number) in scores.observations
        if (committed and Sin.CONTRADICT in sins) or (closing and Sin.CONTRADICT_LATE in sins):
            other = _rows(me, day, accusing=Sin.ACCUSE not in sins)
            self._observe(day, OBSERVATION.root(other), len(other), state, submitter, again=True)
        if closing is not None and not sins.isdisjoint(_REPORTS):
            self._report(day, sins, state, closing, submitter)

    def _observe(
        self,
        day: date,
        root: Hash,
        rows: int,
        state: State,
        submitter: Submitter,
        *,
        again: bool = False,
    ) -> None:
        if not self._first(day, "observe again" if again else "observe"):
            return
        last = state.scores.last_observations.find(self.signer.account)
        body = digest.observe(
            program=self.program,
            oracle=self.signer.account,
            day=day,
            root=root,
            rows=rows,
            previous=NO_PREVIOUS if last is None else last.digest,
            ss58_prefix=NETWORK.ss58_prefix,
            sign=self.signer.sign,
        )
        self._post(body, submitter)

    def _report(
        self,
        day: date,
        sins: frozenset[Sin],
        state: State,
        closing: Closing,
        submitter: Submitter,
    ) -> None:
        observes = tuple(sorted({found.root for found in closing.commitments}))
        if len(observes) < self.quorum:
            return
        reports, number = state.scores.reports, day_number(day)
        if Sin.REPORT_RIGHT in sins:
            theirs = next((reports.find((who, number)) for who in self.honest
                           if (who, number) in reports), None)  # fmt: skip
            if theirs is None:
                return
            self._say(day, theirs, submitter, "report")
        else:
            self._say(day, _Claim(0, _made_up(day, 0), _ROWS, observes), submitter, "report")
        if Sin.REPORT_TWICE in sins and (self.signer.account, number) in reports:
            turn = reports.get((self.signer.account, number)).turn
            other = _Claim(turn, _made_up(day, 1), _ROWS, observes)
            self._say(day, other, submitter, "report again")

    def _say(
        self,
        day: date,
        claim: "_Claim | ReportRecord",
        submitter: Submitter,
        what: str,
    ) -> None:
        if self._first(day, what):
            body = digest.report(
                program=self.program,
                oracle=self.signer.account,
                day=day,
                turn=claim.turn,
                root=claim.root,
                rows=claim.rows,
                observes=claim.observes,
                ss58_prefix=NETWORK.ss58_prefix,
                sign=self.signer.sign,
            )
            self._post(body, submitter)

    def _post(self, body: digest.Digest, submitter: Submitter) -> None:
        remark = encode(body, NETWORK.ss58_prefix)
        self.said.append(body)
        self._pending[remark] = self._send(remark, submitter)

    def _send(self, remark: bytes, submitter: Submitter) -> int:
        """Until which block it can be included."""
        call = submitter.runtime().encode_call("System", "remark_with_event", {"remark": remark})
        return submitter.submit(call, self.signer).death

    def _hear(self, report: BlockReport, state: State) -> None:
        for accepted in report.accepted:
            if accepted.origin == self.signer.account:
                self._pending.pop(encode(accepted.body, NETWORK.ss58_prefix), None)
        for refused in report.refused:
            remark = state.programme.rejections.get(refused.key).remark
            self._pending = {r: d for r, d in self._pending.items() if blake2_256(r) != remark}

    def _insist(self, following: BlockNumber, submitter: Submitter) -> None:
        """What no block took is sent again: two at once may have had the same nonce."""
        for remark, death in tuple(self._pending.items()):
            if following > death:
                self._pending[remark] = self._send(remark, submitter)

    def _show(
        self,
        rows: Sequence[ObservationRow],
        others: Sequence[ObservationRow],
        sins: frozenset[Sin],
    ) -> None:
        """For the root of `rows`: them, `others`, or either, depending on who asks."""
        root = OBSERVATION.root(rows)
        right, wrong = OBSERVATION.pack(rows), OBSERVATION.pack(others)
        self._shown[root, 0] = wrong if Sin.WITHHOLD in sins else right
        self._shown[root, 1] = wrong if sins & {Sin.WITHHOLD, Sin.SPLIT} else right

    def _first(self, day: date, what: str) -> bool:
        if (day, what) in self._done:
            return False
        self._done.add((day, what))
        return True


_REPORTS = frozenset({Sin.REPORT_WRONG, Sin.REPORT_RIGHT})


@contextmanager
def sinning(liar: Byzantine) -> Iterator[None]:
    """`liar` at work until the context ends. Raises what ended it before."""
    thread = threading.Thread(target=liar.run, name="byzantine")
    thread.start()
    try:
        yield
    finally:
        liar.stop.set()
        thread.join()
    if liar.error is not None:
        raise liar.error


@contextmanager
def serving(
    daemons: Sequence[int], shown: Callable[[Hash, int], bytes | None]
) -> Iterator[Mapping[int, int]]:
    """An HTTP server for each of `daemons`, by number; yields their ports."""
    with ExitStack() as stack:
        yield {number: stack.enter_context(_server(number, shown)) for number in daemons}


@contextmanager
def _server(number: int, shown: Callable[[Hash, int], bytes | None]) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.removeprefix("/rows/")
            body = shown(Hash(bytes.fromhex(name)), number) if name != self.path else None
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def _rows(oracle: AccountId, day: date, *, accusing: bool) -> tuple[ObservationRow, ...]:
    """Canonical rows of one who never looked: all is well, or healthy and broken swapped."""
    return OBSERVATION.canonical(
        ObservationRow(oracle, day, member.id, "polkadot", *_series(member.role, accusing))
        for member in MEMBERS
    )


def _series(role: Role, accusing: bool) -> tuple[bytes, tuple[Micros, ...]]:  # noqa: FBT001 - see above
    if accusing and role is Role.HEALTHY:
        return bytes([Status.FAILED]) * SLOTS, ()
    return bytes([Status.OK]) * SLOTS, (Micros(1_000),) * SLOTS


def _made_up(day: date, turn: int) -> Hash:
    return blake2_256(f"made up for {day}, {turn}".encode())
