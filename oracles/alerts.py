"""When a person should hear of something: once when it begins, once when it ends. Pure.

Two kinds of trouble: a member's service, told by settled slots, and the daemon's own conditions,
told by the daemon. Times are Unix seconds. `oracles.alert_sinks` delivers what comes of it.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from hashlib import blake2b
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ibp_chain.errors import ConfigError
from ibp_chain.validation import first_problem
from oracles.documents import VersionOne
from oracles.layout import SLOT_SECONDS
from oracles.probes.outcomes import Failed, Ok, Outcome, Result, Slow, shown
from oracles.probes.slots import worst_of
from oracles.samples import slot_start

# what chats make tags, mentions and code of
_HARMLESS = str.maketrans({"<": "(", ">": ")", "@": "(at)", "`": "'", "[": "(", "]": ")"})


class Trouble(StrEnum):
    """What is wrong with a member's service."""

    FAILS = "fails"
    SLOW = "slow"


class Condition(StrEnum):
    """What is wrong with this oracle."""

    NODE = "node-unreachable"
    CLOCK = "clock-not-sound"
    BLIND = "sees-nothing"
    """Nothing at all could be said of any service: fed by `Watch.slot` itself."""
    NO_STANDING_REPORT = "day-without-standing-report"
    CONTRADICTION = "refused-to-contradict-itself"
    BALANCE = "low-balance"
    DUTIES = "duties-not-done"
    """Something else keeps it from committing or reporting."""


_BEGAN = {
    Trouble.FAILS: "fails",
    Trouble.SLOW: "is slow",
    Condition.NODE: "does not reach its node",
    Condition.CLOCK: "cannot trust its clock",
    Condition.BLIND: "sees nothing",
    Condition.NO_STANDING_REPORT: "has no standing report for the day",
    Condition.CONTRADICTION: "refused to contradict itself",
    Condition.BALANCE: "is low on funds",
    Condition.DUTIES: "cannot do its duties",
}
_ENDED = {
    Trouble.FAILS: "answers again",
    Trouble.SLOW: "is fast again",
    Condition.NODE: "reaches its node again",
    Condition.CLOCK: "trusts its clock again",
    Condition.BLIND: "sees again",
    Condition.NO_STANDING_REPORT: "has a standing report for the day",
    Condition.CONTRADICTION: "is settled about what it refused to contradict",
    Condition.BALANCE: "has funds again",
    Condition.DUTIES: "does its duties again",
}


@dataclass(frozen=True, slots=True, order=True)
class Subject:
    """What an alert is about."""

    what: Trouble | Condition
    member: str = ""
    service: str = ""
    """Both for a `Trouble` only."""
    key: str = ""
    """Which of several of the same `Condition`: the day, say."""

    @property
    def name(self) -> str:
        if isinstance(self.what, Trouble):
            return f"{self.member}/{self.service}"
        return f"This oracle ({self.key})" if self.key else "This oracle"


@dataclass(frozen=True, slots=True)
class Alert:
    """Something began or ended."""

    subject: Subject
    ended: bool
    since: int
    """When it began: the beginning of the first bad slot."""
    at: int
    """When this was known: of an end, when it ended."""
    detail: str
    """What was seen last; a stranger may have written it. Printable, one line, no mark-up."""

    @property
    def id(self) -> str:
        """The same for the same beginning or end, whenever it is made: 32 hex digits."""
        subject = self.subject
        parts = (subject.what, subject.member, subject.service, subject.key, self.since, self.ended)
        return blake2b("\0".join(map(str, parts)).encode(), digest_size=16).hexdigest()

    @property
    def text(self) -> str:
        """One plain sentence for people."""
        what, detail = self.subject.what, f": {self.detail}" if self.detail else ""
        if self.ended:
            lasted = span(self.at - self.since)
            return (
                f"{self.subject.name} {_ENDED[what]} since {moment(self.at)}, "
                f"after {lasted} (since {moment(self.since)}){detail}"
            )
        return f"{self.subject.name} {_BEGAN[what]} since {moment(self.since)}{detail}"

    def fields(self) -> dict[str, Any]:
        """JSON for machines; `text` for people is in it."""
        subject = self.subject
        known = {"member": subject.member, "service": subject.service, "key": subject.key}
        return {
            "id": self.id,
            "event": "ended" if self.ended else "began",
            "what": subject.what.value,
            **{name: value for name, value in known.items() if value},
            "since": self.since,
            "at": self.at,
            "detail": self.detail,
            "text": self.text,
        }


@dataclass(frozen=True, slots=True)
class Patience:
    """How long something must be bad before anybody hears of it. Raises `ConfigError`."""

    bad_slots: int = 2
    """So many in a row. As in scoring, an unknown or missed slot ends a run; it ends no alert."""
    good_slots: int = 1
    condition_seconds: int = 120
    """For the conditions that come and go: the node, the clock. All others are told at once."""

    def __post_init__(self) -> None:
        if min(self.bad_slots, self.good_slots) < 1 or self.condition_seconds < 0:
            raise ConfigError("alerts: slots are at least 1, seconds not negative")


_PASSING = (Condition.NODE, Condition.CLOCK, Condition.DUTIES)


_Moment = Annotated[int, Field(ge=0, le=253_402_300_799)]
"""Unix seconds, to the year 9999."""


class _Track(BaseModel):
    """One subject that is bad, or was a moment ago."""

    model_config = ConfigDict(extra="forbid", strict=True)

    since: _Moment
    bad: Annotated[int, Field(ge=0)] = 0
    good: Annotated[int, Field(ge=0)] = 0
    good_since: _Moment | None = None
    alerted: bool = False
    detail: str = ""


class _Entry(_Track):
    what: str
    member: str = ""
    service: str = ""
    key: str = ""


class _State(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    version: VersionOne
    slot: _Moment | None
    """When the last slot began."""
    tracks: list[_Entry]


class Watch:
    """Remembers what is bad and what was told. Deliver its alerts, then save it: none is lost."""

    def __init__(self, patience: Patience = Patience()) -> None:
        self._patience = patience
        self._tracks: dict[Subject, _Track] = {}
        self._slot: int | None = None

    def slot(self, day: date, slot: int, results: Sequence[Result]) -> tuple[Alert, ...]:
        """What the settled results of one slot change; a slot that is not after the last: nothing.

        Raises `SampleError` for a slot that no day has.
        """
        at = int(slot_start(day, slot).timestamp())
        if self._slot is not None and at <= self._slot:
            return ()
        gap = self._slot is not None and at - self._slot != SLOT_SECONDS
        self._slot = at
        if gap:
            self._break_runs(set())
            self._break_run(Subject(Condition.BLIND))
        outcomes: dict[tuple[str, str], list[Outcome]] = {}
        for result in results:
            key = result.target.member, result.target.service
            outcomes.setdefault(key, []).append(result.outcome)
        self._break_runs(set(outcomes))
        worst = {key: worst_of(found) for key, found in sorted(outcomes.items())}
        alerts = [alert for key, one in worst.items() for alert in self._service(*key, one, at)]
        if worst:
            blind = not any(isinstance(one, Ok | Slow | Failed) for one in worst.values())
            doubts = sorted({shown(_words(one)) for one in worst.values()}) if blind else [""]
            alerts += self._step(Subject(Condition.BLIND), at, bad=blind, detail=doubts[0])
        return tuple(alerts)

    def condition(
        self, what: Condition, at: int, *, bad: bool, detail: str = "", key: str = ""
    ) -> tuple[Alert, ...]:
        """What it changes that the daemon found `what` bad or good at `at`; told as often as liked.

        `key` tells several of the same condition apart, as days.
        """
        subject, track = Subject(what, key=key), self._tracks.get(Subject(what, key=key))
        if not bad:
            return tuple(self._good(subject, at, needed=1))
        if track is None:
            track = self._tracks[subject] = _Track(since=at)
        track.detail = _plain(detail)
        wait = self._patience.condition_seconds if what in _PASSING else 0
        return tuple(self._tell(subject, track, at, due=at - track.since >= wait))

    def keep(self, services: Collection[tuple[str, str]]) -> None:
        """Forgets, without a word, every (member, service) that is not one of `services` now."""
        self._tracks = {
            subject: track
            for subject, track in self._tracks.items()
            if isinstance(subject.what, Condition) or (subject.member, subject.service) in services
        }

    def lasting(self) -> tuple[Subject, ...]:
        """What was told to have begun and not to have ended, ascending by name."""
        told = (subject for subject, track in self._tracks.items() if track.alerted)
        return tuple(sorted(told, key=lambda subject: (subject.name, subject.what)))

    def save(self) -> bytes:
        """Its state as JSON."""
        tracks = [
            _Entry(
                what=subject.what.value,
                member=subject.member,
                service=subject.service,
                key=subject.key,
                **track.model_dump(),
            )
            for subject, track in sorted(
                self._tracks.items(), key=lambda item: (item[0].what, item[0].name)
            )
        ]
        return _State(version=1, slot=self._slot, tracks=tracks).model_dump_json().encode()

    @classmethod
    def load(cls, raw: bytes, patience: Patience = Patience()) -> "Watch":
        """What `save` wrote. Raises `ConfigError` for anything else."""
        watch = cls(patience)
        try:
            state = _State.model_validate_json(raw)
            for entry in state.tracks:
                named = {"what", "member", "service", "key"}
                subject = Subject(_what(entry.what), entry.member, entry.service, entry.key)
                watch._tracks[subject] = _Track(**entry.model_dump(exclude=named))
        except ValidationError as error:
            raise ConfigError(f"the saved state of the alerts: {first_problem(error)}") from error
        except ValueError as error:
            raise ConfigError(f"the saved state of the alerts: {error}") from error
        watch._slot = state.slot
        return watch

    def _service(self, member: str, service: str, outcome: Outcome, at: int) -> Iterator[Alert]:
        fails, slow = (Subject(what, member, service) for what in (Trouble.FAILS, Trouble.SLOW))
        match outcome:
            case Failed():
                yield from self._step(fails, at, bad=True, detail=_words(outcome))
                self._break_run(slow)  # how fast it would be nobody knows
            case Slow():
                yield from self._step(fails, at, bad=False)
                yield from self._step(slow, at, bad=True, detail=_words(outcome))
            case Ok():
                yield from self._step(fails, at, bad=False)
                yield from self._step(slow, at, bad=False)
            case _:
                self._break_run(fails)
                self._break_run(slow)

    def _step(self, subject: Subject, at: int, *, bad: bool, detail: str = "") -> Iterator[Alert]:
        """One slot that says something of `subject`."""
        if not bad:
            yield from self._good(subject, at, needed=self._patience.good_slots)
            return
        track = self._tracks.setdefault(subject, _Track(since=at))
        track.bad, track.good, track.good_since = track.bad + 1, 0, None
        track.detail = _plain(detail)
        yield from self._tell(subject, track, at, due=track.bad >= self._patience.bad_slots)

    def _tell(self, subject: Subject, track: _Track, at: int, *, due: bool) -> Iterator[Alert]:
        if due and not track.alerted:
            track.alerted = True
            yield Alert(subject, False, track.since, at, track.detail)

    def _good(self, subject: Subject, at: int, *, needed: int) -> Iterator[Alert]:
        if (track := self._tracks.get(subject)) is None:
            return
        if not track.alerted:
            del self._tracks[subject]
            return
        track.good += 1
        track.good_since = at if track.good_since is None else track.good_since
        if track.good >= needed:
            del self._tracks[subject]
            yield Alert(subject, True, track.since, track.good_since, track.detail)

    def _break_run(self, subject: Subject) -> None:
        track = self._tracks.get(subject)
        if track is None:
            return
        if not track.alerted:
            del self._tracks[subject]
        else:
            track.good, track.good_since = 0, None

    def _break_runs(self, polled: Collection[tuple[str, str]]) -> None:
        """For every service that is not one of `polled`."""
        for subject in tuple(self._tracks):
            service = subject.member, subject.service
            if isinstance(subject.what, Trouble) and service not in polled:
                self._break_run(subject)


def moment(unix_seconds: int) -> str:
    """UTC, to the minute."""
    return datetime.fromtimestamp(unix_seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def span(seconds: int) -> str:
    """A duration in its two greatest units: `3 d 4 h`, `25 min`."""
    minutes = max(0, seconds) // 60
    units = ((minutes // 1440, "d"), (minutes // 60 % 24, "h"), (minutes % 60, "min"))
    words = [f"{number} {unit}" for number, unit in units if number][:2]
    return " ".join(words) or f"{max(0, seconds)} s"


def _words(outcome: Outcome) -> str:
    match outcome:
        case Failed(reason, text):
            return f"{reason}, {text}"
        case Ok(time) | Slow(time):
            return f"{time // 1_000} ms"
        case _:
            return f"{outcome.doubt}, {outcome.text}"


def _plain(text: str) -> str:
    return shown(text).translate(_HARMLESS).replace("://", ":/ /")  # no link to click on


def _what(value: str) -> Trouble | Condition:
    return Trouble(value) if value in list(Trouble) else Condition(value)
