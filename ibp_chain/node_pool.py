"""The nodes of one chain: connections to them, who is well, who is set aside and until when.

Contract: any thread may ask. A question has a connection to itself; connections are kept for the
next one. Whoever fails is set aside, longer each time, told to the observer and then tried again.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import TypeVar

from ibp_chain.blocks import BlockRef
from ibp_chain.errors import CheckFailed, ConfigError, SourceError
from ibp_chain.node import Missing, Pruned, Untrue, to_hex
from ibp_chain.node_events import NodeBack, NodeEvent, NodeFailed, NodeObserver, Trouble
from ibp_chain.pipeline import ATTENTION_SECONDS
from ibp_chain.rpc import RpcClient, RpcRefusal, Unreachable
from ibp_chain.source import NodeSource, WrongChain
from ibp_chain.types import BlockNumber, Hash
from ibp_chain.urls import public_url

Answer = TypeVar("Answer")
Question = Callable[[NodeSource], Answer]

_FIRST_SECONDS, _LONGEST_SECONDS = 1.0, 60.0
"""For which a node is set aside the first time, and at most."""
_SHORTEST_LOOK_SECONDS, _LONGEST_LOOK_SECONDS = 0.1, 1.0
"""Between two looks for a node that may be asked."""
_LIAR_FACTOR = 8
"""Who sends what is not true is left alone for longer than who is not there."""
_SUSPECTED_SECONDS, _FORGOTTEN_SECONDS = 60.0, 600.0
"""How long one missing block is remembered for a second, and two are believed.

Behind one address there may be several nodes, of which one is behind or keeps less.
"""
_ATTEMPTS = 2
"""A connection that was lost while nobody used it costs one."""
_TROUBLES: tuple[tuple[type[Exception], Trouble], ...] = (
    (WrongChain, Trouble.WRONG_CHAIN),
    (Unreachable, Trouble.UNREACHABLE),
    (Pruned, Trouble.PRUNED),
    (Missing, Trouble.LAGGING),
    (RpcRefusal, Trouble.REFUSED),
    (Untrue, Trouble.UNTRUE),
    (CheckFailed, Trouble.UNTRUE),
)
_JUDGED = frozenset({Trouble.LAGGING, Trouble.OUTVOTED})
"""Of which an answer alone does not absolve."""


@dataclass(eq=False, slots=True)
class Member:
    """One node. Its fields are the pool's to change, under its lock."""

    url: str = field(repr=False)
    name: str
    """As people are told of it: scheme, host and port."""
    retry_at: float | None = 0.0
    """By the pool's clock; None for a node that is never asked again."""
    failures: int = 0
    """In a row."""
    trouble: Trouble | None = None
    answered: bool = False
    """Whether it has answered since it was set aside, or ever."""
    pruned_to: BlockNumber | None = None
    """The highest block that it was found to have forgotten, more than once."""
    suspected: tuple[BlockNumber, float] | None = None
    """The highest that it did not have, and until when by the pool's clock a second one counts."""
    believed_until: float = 0.0
    """By the pool's clock: when `pruned_to` is found out anew."""
    head: BlockRef | None = None
    """Its finalised head, when last asked."""
    lines: list["_Line"] = field(default_factory=list)
    """Connections that nobody uses now."""

    def has_forgotten(self, height: BlockNumber) -> bool:
        """As far as is known."""
        return self.pruned_to is not None and self.pruned_to >= height


class NodePool:
    """Connections to `urls`, which are nodes of one chain.

    `timeout` is in seconds, of one attempt; `patience` is how many the others wait for the slowest
    where all are asked. Once `leaving` is set nobody waits any longer.

    Raises `WrongChain` where genesis is another than `expected_genesis`, or than another node's;
    `ConfigError` for a URL that is there twice; `SourceError` where no node answers.
    """

    def __init__(
        self,
        urls: Sequence[str],
        *,
        expected_genesis: Hash | None,
        observer: NodeObserver,
        leaving: Event,
        timeout: float,
        patience: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.members = _members(urls)
        events: list[NodeEvent] = []
        self._observer: NodeObserver = events.append
        self._leaving, self._closed = leaving, Event()
        self._timeout, self._patience, self._clock = timeout, patience, clock
        self._lock, self._turn = Lock(), 0
        self._threads = ThreadPoolExecutor(4 * len(urls), thread_name_prefix="node")
        self._genesis = expected_genesis
        try:
            self.genesis_hash = self._agree_on_genesis()
        except BaseException:
            self.close()
            raise
        self._genesis, self._observer = self.genesis_hash, observer
        for event in events:  # where there is no pool, its error says everything
            observer(event)

    def close(self) -> None:
        """Ends every question and every connection."""
        self._closed.set()
        self._threads.shutdown()
        for member in self.members:
            for line in member.lines:
                line.source.close()
            member.lines.clear()

    # --- Who may be asked ---------------------------------------------------------------------

    def ready(self) -> list[Member]:
        """Nodes that are not set aside now, in the order in which they were given."""
        now = self._clock()
        with self._lock:
            for member in self.members:
                if member.pruned_to is not None and member.believed_until <= now:
                    member.pruned_to = None
            return [m for m in self.members if m.retry_at is not None and m.retry_at <= now]

    def in_turn(self, members: Sequence[Member]) -> list[Member]:
        """`members`, each time with the next one first."""
        with self._lock:
            self._turn += 1
            start = self._turn % len(members) if members else 0
        return [*members[start:], *members[:start]]

    def seconds_to_retry(self) -> float:
        """Until the next node that is set aside may be asked. Raises `SourceError` for never."""
        times = self._retries()
        return max(0.0, min(times) - self._clock())

    def patience(self, longest: float = _LONGEST_LOOK_SECONDS) -> float:
        """Seconds until it is worth asking again. Raises `SourceError` where it never will be.

        Those who may be asked now were asked just before: what has to be waited for is another one.
        """
        now = self._clock()
        away = [seconds - now for seconds in self._retries() if seconds > now]
        return min(longest, max(_SHORTEST_LOOK_SECONDS, min(away, default=longest)))

    def _retries(self) -> list[float]:
        with self._lock:
            times = [m.retry_at for m in self.members if m.retry_at is not None]
        if not times:
            raise SourceError("none of the nodes is on this chain any more")
        return times

    # --- Asking -------------------------------------------------------------------------------

    def ask(
        self, member: Member, question: Question[Answer], abandoned: Event | None = None
    ) -> Answer:
        """What `member` answers; `abandoned` is set once nobody waits for it any more.

        Raises `SourceError`; the node is set aside then, for a block that it has forgotten only in
        so far. What a check finds is one, too.
        """
        try:
            with_line = self._line(member, abandoned)
            try:
                answer = question(with_line.source)
            except BaseException:
                with_line.source.close()
                raise
        except (SourceError, CheckFailed) as error:
            if not self._given_up(abandoned):
                self.set_aside(member, error)
            if isinstance(error, SourceError):
                raise
            raise Untrue(f"{member.name} sent what does not hold up: {error}") from error
        with_line.abandoned = None
        with self._lock:
            member.lines.append(with_line)
        if not self._given_up(abandoned):  # who is too late was set aside
            self._absolve(member, judged=False)
        return answer

    def survey(
        self,
        members: Iterable[Member],
        question: Callable[[Member, NodeSource], Answer],
        abandoned: Event | None = None,
    ) -> dict[Member, Answer]:
        """The answers of those who answer in time, asked all at once; the others are set aside."""
        asked = list(members)
        if len(asked) == 1:
            return self._alone(asked[0], question, abandoned)
        late = Event()
        futures = {
            self._threads.submit(
                self.ask, member, lambda source, m=member: question(m, source), late
            ): member
            for member in asked
        }
        done, running = wait(futures, self._patience)
        late.set()
        for future in running:
            member = futures[future]
            seconds = f"{self._patience:g} seconds"
            self.set_aside(member, Unreachable(f"{member.name}: no answer within {seconds}"))
        answers = {}
        for future, member in futures.items():  # in the members' order
            if future in done and not isinstance(future.exception(), SourceError):
                answers[member] = future.result()
        return answers

    def _alone(
        self,
        member: Member,
        question: Callable[[Member, NodeSource], Answer],
        abandoned: Event | None,
    ) -> dict[Member, Answer]:
        try:
            return {member: self.ask(member, lambda source: question(member, source), abandoned)}
        except SourceError:
            return {}

    # --- Judging ------------------------------------------------------------------------------

    def set_aside(self, member: Member, error: Exception, trouble: Trouble | None = None) -> None:
        """For a while, told to the observer; who forgot a block stays, for others."""
        why = trouble or trouble_of(error)
        with self._lock:
            member.trouble, member.answered = why, False
            seconds: float | None = None
            if why is Trouble.WRONG_CHAIN:
                member.retry_at = None
            elif why is not Trouble.PRUNED:
                liar = why in (Trouble.UNTRUE, Trouble.OUTVOTED)
                first = _FIRST_SECONDS * (_LIAR_FACTOR if liar else 1)
                seconds = min(_LONGEST_SECONDS, first * 2 ** min(member.failures, 10))
                member.retry_at = self._clock() + seconds
            member.failures += 1
        self._tell(NodeFailed(member.name, why, str(error), seconds))

    def note_pruned(self, member: Member, height: BlockNumber) -> None:
        """It did not have block `height`: the second time it is taken to have forgotten it."""
        now = self._clock()
        with self._lock:
            before, member.suspected = member.suspected, (height, now + _SUSPECTED_SECONDS)
            if before is not None and before[1] > now:
                height = max(height, before[0])
                member.pruned_to = max(height, member.pruned_to or height)
                member.believed_until = now + _FORGOTTEN_SECONDS

    def absolve(self, member: Member) -> None:
        """It is where the others are, or delivered what holds up."""
        with self._lock:
            member.failures = 0
        self._absolve(member, judged=True)

    def _absolve(self, member: Member, *, judged: bool) -> None:
        with self._lock:
            back = not member.answered and (judged or member.trouble not in _JUDGED)
            if back:
                member.answered, member.trouble = True, None
        if back:
            self._tell(NodeBack(member.name))

    def _tell(self, event: NodeEvent) -> None:
        self._observer(event)

    # --- Connections --------------------------------------------------------------------------

    def _line(self, member: Member, abandoned: Event | None) -> "_Line":
        with self._lock:
            line = member.lines.pop() if member.lines else None
        if line is not None:
            line.abandoned = abandoned
            return line
        return _Line(member.url, self._genesis, self._timeout, self._given_up, abandoned)

    def _given_up(self, abandoned: Event | None) -> bool:
        events = self._leaving, self._closed, abandoned
        return any(event is not None and event.is_set() for event in events)

    def _agree_on_genesis(self) -> Hash:
        found: dict[Member, Hash] = {}
        refused: list[SourceError] = []

        def genesis(member: Member) -> None:
            try:
                found[member] = self.ask(member, lambda source: source.genesis_hash)
            except SourceError as error:
                refused.append(error)

        wait([self._threads.submit(genesis, member) for member in self.members])
        for error in refused:
            if isinstance(error, WrongChain):
                raise error
        if not found and len(refused) > 1:
            raise Unreachable(f"no node answers: {'; '.join(map(str, refused))}")
        if not found:
            raise refused[0]
        if len(set(found.values())) > 1:
            named = ", ".join(f"{m.name} has genesis {to_hex(h)}" for m, h in found.items())
            raise WrongChain(f"these nodes are of different chains: {named}")
        return next(iter(found.values()))


class _Line:
    """A connection to a node. Serves one question at a time."""

    def __init__(
        self,
        url: str,
        genesis: Hash | None,
        timeout: float,
        given_up: Callable[[Event | None], bool],
        abandoned: Event | None,
    ) -> None:
        self.abandoned, self._given_up = abandoned, given_up
        client = RpcClient(
            url,
            timeout=timeout,
            attempts=_ATTEMPTS,
            sleep=self._pause,
            interrupted=self._interrupted,
        )
        try:
            self.source = NodeSource(url, expected_genesis=genesis, client=client)
        except BaseException:
            client.close()
            raise

    def _pause(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self._interrupted() and time.monotonic() < deadline:
            time.sleep(min(seconds, ATTENTION_SECONDS))

    def _interrupted(self) -> bool:
        return self._given_up(self.abandoned)


def trouble_of(error: Exception) -> Trouble:
    """What kind of failure an error is."""
    for kind, trouble in _TROUBLES:
        if isinstance(error, kind):
            return trouble
    return Trouble.MALFORMED


def public_names(urls: Sequence[str]) -> tuple[str, ...]:
    """What people and events call each of `urls`."""
    names = [public_url(url) for url in urls]
    # two accounts with one provider differ in what is not shown
    return tuple(
        name if names.count(name) == 1 else f"{name}#{place}" for place, name in enumerate(names, 1)
    )


def _members(urls: Sequence[str]) -> tuple[Member, ...]:
    if not urls:
        raise ConfigError("no node is given: --node ws://…")
    twice = [url for url, count in Counter(urls).items() if count > 1]
    if twice:
        raise ConfigError(f"{public_url(twice[0])} is given twice: one node has one vote")
    return tuple(Member(url, name) for url, name in zip(urls, public_names(urls), strict=True))
