"""What happens when: a pure function of the seed. Each round has dice of its own."""

from collections.abc import Iterator
from random import Random

from scripts.faults.faults import OF_NODES, Database, Kind, Mishap, Round, Turn

KILLS = 8
"""In every round, besides whatever else happens in it."""
OTHERS = 4
_BY_BLOCKS = 0.7
"""Share of the moments that are counted in blocks; the others are earlier, or between two."""
_CALLS, _BLOCKS, _MS = 160, 6, 60
_FOLLOWS = frozenset(Kind) - {Kind.RECORDING, Kind.DEAD_WORKER, Kind.SECOND_WRITER}
"""By a process that tells of blocks."""
_AWAY = 12
"""Answers that a mishap spoils at most."""
_TURNS_OF: dict[Database, tuple[Kind, ...]] = {
    Database.SQLITE: (*OF_NODES, Kind.DISK_FULL, Kind.SECOND_WRITER, Kind.RECORDING),
    Database.POSTGRESQL: (
        *OF_NODES,
        Kind.DISK_FULL,
        Kind.DATABASE_RESTART,
        Kind.DATABASE_RESTART,
        Kind.SECOND_WRITER,
    ),
}
_RARE = (Kind.REORG, Kind.DEAD_WORKER)
"""They take long: one of them in every second round."""


def rounds(seed: int, count: int) -> Iterator[Round]:
    """The full campaign: both databases in turn, `KILLS` kills in each round."""
    for number in range(1, count + 1):
        dice = Random(f"{seed}/{number}")  # noqa: S311 - a plan, not a secret
        database = Database.SQLITE if number % 2 else Database.POSTGRESQL
        kinds = [Kind.KILL] * KILLS
        kinds += dice.choices(_TURNS_OF[database], k=OTHERS)
        if number % 4 in (1, 2):
            kinds.append(_RARE[number // 4 % 2])
        dice.shuffle(kinds)
        yield _round(dice, number, database, kinds)


def short_rounds(seed: int) -> tuple[Round, ...]:
    """Each kind once or more, on a database each: what the tests run."""
    dice = Random(f"{seed}/short")  # noqa: S311
    of_files = [Kind.KILL, Kind.WRONG, Kind.DISCONNECT, Kind.SLOW, Kind.DISK_FULL]
    of_files += [Kind.SECOND_WRITER, Kind.RECORDING, Kind.REORG]
    of_server = [Kind.KILL, Kind.TRUNCATED, Kind.DUPLICATED, Kind.DELAYED, Kind.DISK_FULL]
    of_server += [Kind.DATABASE_RESTART, Kind.DEAD_WORKER]
    for kinds in (of_files, of_server):
        dice.shuffle(kinds)
    return (
        _round(dice, 1, Database.SQLITE, of_files),
        _round(dice, 2, Database.POSTGRESQL, of_server),
    )


def _round(dice: Random, number: int, database: Database, kinds: list[Kind]) -> Round:
    turns = tuple(_turn(dice, kind) for kind in kinds)
    return Round(number, database, dice.randrange(1, 8), dice.randrange(1, 3), turns)


def _turn(dice: Random, kind: Kind) -> Turn:
    mishaps: tuple[Mishap, ...] = ()
    if kind in OF_NODES:
        mishaps = (_mishap(dice, kind),)
    elif dice.random() < 0.3:
        mishaps = (_mishap(dice, dice.choice(OF_NODES)),)
    calls = dice.randrange(_CALLS) + (mishaps[0].at if kind in OF_NODES else 0)
    blocks = 0
    if kind in _FOLLOWS and dice.random() < _BY_BLOCKS:
        calls, blocks = calls // 4, dice.randrange(1, _BLOCKS)
    scheme = dice.choice(("http", "ws"))
    return Turn(kind, calls, blocks, dice.randrange(_MS), scheme, mishaps)


def _mishap(dice: Random, kind: Kind) -> Mishap:
    answers = 1 if kind is Kind.DELAYED else dice.randrange(1, _AWAY)
    return Mishap(kind, dice.randrange(_CALLS // 2), answers)
