"""What docs/remarks.md and docs/state.md say, read from their text."""

import re
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from ibp_chain.scale.values import Call
from ibp_chain.types import AccountId, Hash, Planck, RelayBlockNumber
from ledger.remark_routing import Accepted, Refused
from ledger.state import Head
from tests.support.programme import MULTISIG, Stage, account, milliseconds, remark, transfer

DOCS = Path(__file__).parents[3] / "docs"
PAID = Planck(625 * 10**10)


class Example(NamedTuple):
    who: str
    """`curators`, or the name of a development key."""
    code: str | None
    """Of the rejection that it meets; None where it is accepted."""
    raw: bytes


@lru_cache
def text(name: str) -> str:
    return (DOCS / name).read_text()


def fenced(name: str, language: str) -> list[tuple[list[str], str]]:
    """The words behind `language` and the content of every such block of a page."""
    found = re.findall(
        rf"^```{language}( [^\n]*)?\n(.*?)\n```$", text(name), re.DOTALL | re.MULTILINE
    )
    return [(words.split(), content) for words, content in found]


def table(name: str, first: str) -> list[list[str]]:
    """The rows of the table whose first heading is `first`, or begins with it."""
    lines = iter(text(name).splitlines())
    for line in lines:
        if line.startswith(f"| {first} |"):
            next(lines)
            break
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip().strip("`") for cell in line.strip("|").split(" | ")])
    return rows


@lru_cache
def examples() -> list[Example]:
    return [
        Example(words[0], words[1] if len(words) > 1 else None, content.encode())
        for words, content in fenced("remarks.md", "remark")
    ]


def payout_call(raw: bytes) -> Call:
    """The batch of the page: its bytes are the page's, its parts what they must say."""
    ((_, encoded),) = fenced("remarks.md", "call")
    data = bytes.fromhex(encoded.removeprefix("0x"))
    calls = [remark(raw), transfer(account("amforc-payee"), PAID)]
    return Call("Utility", "batch_all", {"calls": calls}, data, 0, len(data))


def moments() -> tuple[str, str]:
    """When the story begins, and the time from its first `report` on."""
    said = r"at (\S+) (\S+) and from the first `report` on at (\S+) (\d\d:\d\d)\."
    (found,) = re.findall(said, re.sub(r"\s+", " ", text("remarks.md")))
    first_day, first_time, then_day, then_time = found
    return f"{first_day}T{first_time}", f"{then_day}T{then_time}"


def play() -> tuple[Stage, list[Accepted | Refused | None]]:
    """The story of docs/remarks.md, one remark to a block, and what became of each."""
    stage, (moment, then) = Stage(), moments()
    outcomes: list[Accepted | Refused | None] = []
    for number, example in enumerate(examples(), start=1):
        if example.raw.startswith(b"IBP/1 report "):
            moment = then
        if number > 1:
            stage.next_block(moment)
        assert stage.fold.timestamp_ms == milliseconds(moment)
        origin = origin_of(example)
        if example.raw.startswith(b"IBP/1 payout "):
            stage.dispatch(payout_call(example.raw), origin)
            outcomes += [*stage.fold.accepted, *stage.fold.refused]
        else:
            outcomes.append(stage.say(example.raw, origin))
    height = stage.fold.number
    stage.state.head.put(Head(height, Hash(b"\x11" * 32), RelayBlockNumber(height)))
    return stage, outcomes


def origin_of(example: Example) -> AccountId:
    return MULTISIG if example.who == "curators" else account(example.who)
