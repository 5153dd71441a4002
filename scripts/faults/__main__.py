"""Follow a ledger while everything goes wrong, and compare it with a clean replay.

    python -m scripts.faults --rounds 25 [--seed 8] [--seconds 1800] [--keep FOLDER] [--short]

Each round follows the programme's chain into a new database, SQLite and PostgreSQL in turn, with
eight processes killed and others disturbed on the way. Prints every fault as it happens, and what
became of it. Exit 1 if a ledger or an archive differs from a clean replay's in anything, or a
process ended in another way than it has to. The seed gives the same faults again; at which
instruction they hit a process is the machine's doing.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from scripts.faults.course import Judged, ran
from scripts.faults.faults import Kind, Round
from scripts.faults.plan import rounds, short_rounds
from scripts.network.main import teller


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m scripts.faults")
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--seconds", type=float, help="begin no round after so many")
    parser.add_argument("--seed", type=int, default=8)
    parser.add_argument("--short", action="store_true", help="the two rounds that the tests run")
    parser.add_argument("--keep", type=Path, help="leave everything in this folder")
    given = parser.parse_args()
    planned = short_rounds(given.seed) if given.short else rounds(given.seed, given.rounds)
    tell = teller()
    judged = []
    for one in ran(_in_time(planned, given.seconds), tell, given.keep):
        judged.append(one)
        tell(verdict(one))
    sys.stdout.write("\n" + summary(judged) + f"\nseed {given.seed}\n")
    if any(one.wrong for one in judged):
        sys.exit(1)


def _in_time(
    planned: Iterator[Round] | tuple[Round, ...], seconds: float | None
) -> Iterator[Round]:
    begun = time.monotonic()
    for one in planned:
        if seconds is not None and time.monotonic() - begun > seconds:
            return
        yield one


def verdict(judged: Judged) -> str:
    """Of one round, in words."""
    name = f"round {judged.round.number}, {judged.round.database}: "
    if judged.wrong:
        return name + "; ".join(f"DIFFERS: {what}" for what in judged.wrong)
    return (
        name + f"{judged.blocks} blocks, {judged.rows} rows, as a clean replay's; archives verify"
    )


def summary(judged: list[Judged]) -> str:
    """A table: how often what happened."""
    happened = [one for each in judged for one in each.happened]
    turns = Counter(one.turn.kind for one in happened)
    met = Counter(kind for one in happened for kind in one.mishaps)
    killed = sum(one.code == -9 for one in happened)
    lines = [f"{'fault':<28}{'processes':>10}{'met':>6}"]
    lines += [
        f"{kind:<28}{turns[kind]:>10}{met[kind] or '':>6}"
        for kind in Kind
        if turns[kind] or met[kind]
    ]
    bad = sum(bool(one.wrong) for one in judged)
    lines.append(f"{len(judged)} rounds, {bad} of them wrong")
    lines.append(f"{len(happened)} processes, {killed} of them killed")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
