"""Rates of decoding, verifying and replaying, ours beside other codecs', in one run.

    make bench
    python -m scripts.bench --archive var/long-chain/archive --rounds 5

Prints tables and writes them to docs/benchmarks.md. Asserts that every codec reads the same; no
time is asserted.
"""

import argparse
import gc
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, date, datetime
from importlib import resources
from pathlib import Path

from ibp_chain.cli.output import say
from ibp_chain.errors import ConfigError, IbpError
from scripts.bench import crowd, peers, sheets
from scripts.bench.inputs import Chain, Input, real_blocks, recorded_chain
from scripts.bench.parts import parts_of
from scripts.bench.report import Made, Sheet, machine, markdown, show, write
from scripts.bench.timing import stay_on_one_core

_ROOT = Path(__file__).parents[2]
_LONG = _ROOT / "var" / "long-chain" / "archive"
_DEFAULT_ROUNDS = 10


def main() -> int:
    given = _arguments()
    stay_on_one_core()
    try:
        with ExitStack() as stack:
            chain = recorded_chain(given.archive or _default_archive(stack))
            found = sheets_of(chain, given.rounds, given.peers, polkadot=given.polkadot)
    except IbpError as error:
        sys.stderr.write(f"bench: {error}\n")
        return error.exit_code
    made = Made(given.date, given.rounds, machine(peers.node_version()))
    show(found)
    known = given.out.read_text() if given.out.exists() else ""
    kept = parts_of(known)
    write(given.out, markdown(found, made) + (f"\n{kept}" if kept else ""))
    say(f"written to {given.out}")
    return 0


def sheets_of(chain: Chain, rounds: int, names: Sequence[str], *, polkadot: bool) -> list[Sheet]:
    """Everything that is measured, in order, with the peers of these `names`.

    Raises `CheckFailed` where codecs disagree.
    """
    found_peers, notes = peers.available()
    asked = [peer for peer in found_peers if peer.name in names]
    inputs: list[Input] = []
    if polkadot:
        try:
            inputs.append(real_blocks())
        except ConfigError as error:
            notes.append(f"Real Polkadot blocks were not measured: {error}.")
    inputs.append(chain.input)
    gc.collect()
    gc.freeze()  # as the peers in Python do with their inputs
    found: list[Sheet] = []
    loaded: list[str] = []
    for given in inputs:
        _tell(given.title)
        able = [peer for peer in asked if given is chain.input or not peer.whole_only]
        with peers.running(able, given) as at_work:
            found.append(sheets.events(given, at_work, rounds))
            if given is chain.input:
                found.append(sheets.whole_blocks(chain, at_work, rounds))
            loaded.append(sheets.peers_metadata(given, at_work))
    _tell("Metadata, ledger, memory")
    found.append(_noted(sheets.metadata(inputs, rounds), loaded if asked else []))
    found.append(sheets.ledger(chain, rounds))
    found.append(crowd.sheet(chain, rounds))
    found.append(sheets.memory(chain))
    return [_noted(found[0], notes), *found[1:]]


def _noted(sheet: Sheet, notes: Sequence[str]) -> Sheet:
    return Sheet(sheet.title, sheet.columns, sheet.rows, (*sheet.notes, *notes))


def _tell(text: str) -> None:
    sys.stderr.write(f"bench: {text}\n")


def _default_archive(stack: ExitStack) -> Path:
    if (_LONG / "manifest.json").is_file():
        return _LONG
    bundled = resources.files("ibp_chain") / "data" / "demo" / "archive"
    return stack.enter_context(resources.as_file(bundled))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--archive",
        type=Path,
        help="a recorded chain from its first block on; default var/long-chain/archive, else the "
        "bundled recording",
    )
    parser.add_argument("--rounds", type=_positive, default=_DEFAULT_ROUNDS)
    parser.add_argument("--peers", nargs="*", choices=peers.NAMES, default=peers.NAMES)
    parser.add_argument("--date", type=date.fromisoformat, default=datetime.now(UTC).date())
    parser.add_argument("--out", type=Path, default=_ROOT / "docs" / "benchmarks.md")
    parser.add_argument(
        "--without-polkadot",
        dest="polkadot",
        action="store_false",
        help="leave the real Polkadot blocks out, whose metadata takes the peers a while",
    )
    return parser.parse_args()


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not above 0")
    return value


if __name__ == "__main__":
    sys.exit(main())
