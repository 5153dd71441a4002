"""Run a test network for some days and tell what came of it.

    python -m scripts.network --days 3 [--seed 7] [--keep FOLDER] [--stretch 1.5] [--short]

Exit 1 if a check fails. With the same seed the same things happen to the same oracles; what the
machine's load does to single polls differs.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from ibp_chain.types import AccountId
from scripts.network.checks import Findings, examine
from scripts.network.course import Run, fresh, ran, random_course, short_course
from scripts.network.evidence import DaySeen

_SHOWN = 8


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m scripts.network")
    parser.add_argument("--days", type=int, default=3)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--short", action="store_true", help="the two days that the tests run")
    parser.add_argument(
        "--stretch", type=float, help="how much slower than planned; by itself: as needed"
    )
    parser.add_argument("--keep", type=Path, help="leave everything in this folder")
    chosen = parser.parse_args()
    course = short_course() if chosen.short else random_course(
        chosen.days, chosen.seed, chosen.stretch
    )  # fmt: skip
    tell = teller()
    with _folder(chosen.keep) as folder, ran(course, folder, tell) as run:
        tell("the course is over; its chain is replayed")
        findings = examine(run)
        print_findings(run, findings)
    if findings.failures:
        sys.exit(1)


def teller() -> Callable[[str], None]:
    """Prints with the seconds since now."""
    begun = time.monotonic()

    def tell(text: str) -> None:
        print(f"{time.monotonic() - begun:6.1f} s  {text}", flush=True)

    return tell


def print_findings(run: Run, findings: Findings) -> None:
    names = {run.liar: f"{run.course.liar}!"}
    names |= {daemon.signer.account: str(daemon.number) for daemon in run.daemons}
    print(f"\n{run.blocks} blocks; oracle {run.course.liar}! is the bad one")
    for day in findings.days:
        print(f"\n{day.day}")
        for title, text in _lines(day, names):
            print(f"  {title:<10} {text}")
    print()
    for what in findings.passed:
        print(f"ok   {what}")
    for what in findings.failures:
        print(f"FAIL {what}")


def _lines(day: DaySeen, names: dict[AccountId, str]) -> Iterator[tuple[str, str]]:
    yield "committed", " ".join(sorted(names[oracle] for oracle in day.committed))
    roots = sorted(set(day.reported.values()))
    for root in roots:
        by = sorted(names[oracle] for oracle, found in day.reported.items() if found == root)
        yield "reported", f"{root.hex()[:_SHOWN]} by {' '.join(by)}"
    yield "stands", "nothing" if day.standing is None else day.standing.root.hex()[:_SHOWN]
    for oracle, kind in day.evidence:
        yield "evidence", f"{names[oracle]} gave two roots to {kind.name.lower()}"
    charges = [
        f"{member} {failed} failed {slow} slow" for member, (failed, slow) in day.charges.items()
    ]
    yield "charged", ", ".join(charges) or "nobody"


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        yield fresh(keep)
        return
    with TemporaryDirectory(prefix="ibp-network-") as name:
        yield Path(name)
