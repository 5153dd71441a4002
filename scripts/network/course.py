"""A course: what happens to whom and when, and the run of it from founding to the last report."""

import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from pathlib import Path
from random import Random

from ibp_chain.errors import CheckFailed
from ibp_chain.types import AccountId, Hash
from ledger.program.rules import Rules, load_rules
from oracles.daemon.clocks import TimeLapse, utc
from oracles.digest import Digest
from scripts.devnet_process import Devnet
from scripts.network import byzantine
from scripts.network.byzantine import Byzantine, sins_of
from scripts.network.chain import QUORUM, BlockMaker, cast_of, found, started_chain
from scripts.network.gates import gates
from scripts.network.members import MEMBERS, Role, start_members
from scripts.network.oracles import Crowd, Daemon, Places, ended, free_ports
from scripts.network.timetable import CLOSES, FIRST_DAY, Timetable, clock_time, moment
from scripts.scenario.cast import Cast

ORACLES = 5
POLL_SECONDS = 2.6
OUTAGE_SLOTS = range(283, 290)
"""Of the first day, the last two of the next: 23:35 to 00:10."""
_FOUNDING_SECONDS = 16.0
"""What founding takes on a machine that is fast enough for the pace as it is."""
_MOST_STRETCH = 2.5
_LEAD_SECONDS = 18.0
"""For the daemons to start before the first slot."""
_TAIL_SECONDS = 3.0
_LOOK_SECONDS = 0.5
Tell = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Kill:
    """SIGKILL, and a start some time later; programme seconds."""

    oracle: int
    at: float
    again: float


@dataclass(frozen=True, slots=True)
class Cut:
    """No way to the node or to any peer from `at` to `until`; programme seconds."""

    oracle: int
    at: float
    until: float


@dataclass(frozen=True, slots=True)
class Course:
    """What happens. Times are the programme's."""

    days: int
    liar: int
    """Which of the oracles is the bad one."""
    kills: Sequence[Kill]
    cuts: Sequence[Cut]
    outages: Mapping[str, Sequence[tuple[float, float]]]
    stretch: float | None = None
    """How much slower than planned; None: as slow as this machine seems to need."""
    closes: int = CLOSES

    @property
    def honest(self) -> tuple[int, ...]:
        return tuple(number for number in range(ORACLES) if number != self.liar)


@dataclass(frozen=True, slots=True)
class Run:
    """What is left of a course for whoever checks it; the chain still stands."""

    course: Course
    timetable: Timetable
    devnet: Devnet
    cast: Cast
    rules: Rules
    quorum: int
    daemons: Sequence[Daemon]
    said: Sequence[Digest]
    """By the bad oracle, in order."""
    wrong_roots: frozenset[Hash]
    blocks: int

    @property
    def liar(self) -> AccountId:
        return self.cast.oracles[self.course.liar].account

    @property
    def honest(self) -> tuple[AccountId, ...]:
        return tuple(self.cast.oracles[number].account for number in self.course.honest)

    @property
    def days(self) -> tuple[date, ...]:
        return self.timetable.dates


def short_course() -> Course:
    """Two days: one oracle lies, one is killed while it commits, one is cut off over midnight."""
    first, second = Timetable(0, 2).dates
    return Course(
        days=2,
        liar=4,
        kills=(Kill(1, clock_time(first, 24, 2), clock_time(first, 24, 11)),),
        cuts=(Cut(2, clock_time(second, 23, 35), clock_time(second, 24, 10)),),
        outages=_outages(),
    )


def random_course(days: int, seed: int, stretch: float | None = None) -> Course:
    """`days` days; each has a kill and a cut somewhere, of two of the honest."""
    dice = Random(seed)  # noqa: S311 - a course, not a secret
    liar = dice.randrange(ORACLES)
    honest = [number for number in range(ORACLES) if number != liar]
    kills, cuts = list[Kill](), list[Cut]()
    for day in Timetable(0, days).dates:
        killed, lonely = dice.sample(honest, 2)
        over_midnight = dice.random() < 0.5
        if over_midnight:
            cut = clock_time(day, 23, dice.uniform(32, 58)), clock_time(day, 24, 10)
        else:  # when the others want its rows
            cut = clock_time(day, 24, 56), clock_time(day, 25, dice.uniform(5, 20))
        # never both while rows are fetched: three of five are needed then, and one is bad
        at = clock_time(day, 23, dice.uniform(112, 122) if over_midnight else dice.uniform(35, 75))
        kills.append(Kill(killed, at, at + dice.uniform(620, 900)))
        cuts.append(Cut(lonely, *cut))
    return Course(days, liar, kills, cuts, _outages(), stretch, closes=CLOSES + 3)


def _outages() -> Mapping[str, Sequence[tuple[float, float]]]:
    slots = moment(FIRST_DAY, OUTAGE_SLOTS.start), moment(FIRST_DAY, OUTAGE_SLOTS.stop)
    return {member.id: [slots] for member in MEMBERS if member.role is Role.OUTAGE}


@contextmanager
def ran(course: Course, folder: Path, tell: Tell) -> Iterator[Run]:
    """Run `course` with everything in `folder`; the chain stands while the context is open.

    Raises `CheckFailed` where a process ends that should not.
    """
    cast = cast_of([member.id for member in MEMBERS], ORACLES)
    with ExitStack() as stack:
        devnet = stack.enter_context(started_chain(cast))
        tell(f"the test chain stands at {devnet.url}; the programme is being founded")
        begun = time.monotonic()
        program = found(devnet, cast)
        stretch = course.stretch or _stretch(time.monotonic() - begun)
        endpoints = stack.enter_context(start_members(folder))
        tell(f"{len(endpoints.members)} members serve")
        begins = time.time() + _LEAD_SECONDS * stretch
        timetable = Timetable(begins, course.days, stretch, course.closes)
        tell(
            f"{course.days} days in {timetable.ends - begins:.0f} s, {stretch:.1f} times as planned"
        )
        clock = TimeLapse(time.time, timetable.knots)
        endpoints.tell({
            member: [(clock.machine_at(begins), clock.machine_at(ends)) for begins, ends in times]
            for member, times in course.outages.items()
        })  # fmt: skip
        liar = _liar(course, cast, program, devnet, timetable)
        honest = course.honest
        ports = free_ports(len(honest))
        daemons = tuple(
            Daemon(number, cast.oracles[number], folder / f"oracle-{number}", port)
            for number, port in zip(honest, ports, strict=True)
        )
        served = stack.enter_context(byzantine.serving(honest, liar.shown))
        address = Daemon(course.liar, liar.signer, folder, 0).address
        crowd = Crowd(
            Places(folder, endpoints.authority, devnet.port, endpoints.members, timetable.knots,
                   POLL_SECONDS * stretch),
            daemons,
            stack.enter_context(gates()),
            {address: served},
        )  # fmt: skip
        crowd.write()
        maker = BlockMaker(devnet, clock)
        with ended(daemons), byzantine.sinning(liar), maker.running():
            _play(course, timetable, clock, crowd, tell)
        yield Run(
            course, timetable, devnet, cast, load_rules(), QUORUM, daemons,
            tuple(liar.said), liar.wrong_roots(), maker.made,
        )  # fmt: skip


def _stretch(founding_seconds: float) -> float:
    """Founding is work of the same kind as what comes: a busy machine is as slow at both."""
    return min(_MOST_STRETCH, max(1.0, founding_seconds / _FOUNDING_SECONDS))


def _liar(
    course: Course, cast: Cast, program: Hash, devnet: Devnet, timetable: Timetable
) -> Byzantine:
    return Byzantine(
        url=devnet.url,
        signer=cast.oracles[course.liar],
        program=program,
        honest=frozenset(cast.oracles[number].account for number in course.honest),
        quorum=QUORUM,
        plan={day: sins_of(number) for number, day in enumerate(timetable.dates)},
    )


@dataclass(order=True)
class _Event:
    at: float
    what: str = field(compare=False)
    act: Callable[[], object] = field(compare=False)


def _play(course: Course, timetable: Timetable, clock: TimeLapse, crowd: Crowd, tell: Tell) -> None:
    """Start everybody, let the course happen, stop everybody."""
    for daemon in crowd.daemons:
        daemon.start()
    events = sorted(_events(course, timetable, crowd))
    ends = timetable.ends + _TAIL_SECONDS
    while (now := time.time()) < ends:
        while events and clock.machine_at(events[0].at) <= now:
            event = events.pop(0)
            tell(f"{utc(clock.now())}: {event.what}")
            event.act()
        for daemon in crowd.daemons:
            daemon.check()
        due = clock.machine_at(events[0].at) if events else ends
        time.sleep(max(0.0, min(_LOOK_SECONDS, due - time.time())))
    for daemon in crowd.daemons:
        if code := daemon.stop():
            raise CheckFailed(f"{daemon.name} was asked to end and did so with code {code}")


def _events(course: Course, timetable: Timetable, crowd: Crowd) -> Iterator[_Event]:
    named = {daemon.number: daemon for daemon in crowd.daemons}
    for kill in course.kills:
        daemon = named[kill.oracle]
        yield _Event(kill.at, f"{daemon.name} is killed", daemon.kill)
        yield _Event(kill.again, f"{daemon.name} is started again", daemon.start)
    for cut in course.cuts:
        name = named[cut.oracle].name
        yield _Event(cut.at, f"{name} is cut off", partial(crowd.gates.cut, name))
        yield _Event(cut.until, f"{name} is back", partial(crowd.gates.mend, name))
    for member, times in course.outages.items():
        for begins, ends in times:
            yield _Event(begins, f"{member} is down", _nothing)
            yield _Event(ends, f"{member} is up again", _nothing)
    for day in timetable.dates:
        yield _Event(moment(day, 288), f"{day} is over", _nothing)
        yield _Event(clock_time(day, 25), f"{day} closes", _nothing)


def _nothing() -> None:
    """The members' process does it by itself."""


def fresh(folder: Path) -> Path:
    """`folder`, empty."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
