"""How long a signature stays valid, and whether that is long enough for people.

An extrinsic can be included until its era ends; then it must be exported and signed again. What is
assumed of people is stated here, and told with every warning.
"""

from ibp_chain.errors import InputError
from ibp_chain.node import Node
from ibp_chain.runtime import Runtime
from ibp_chain.signing import MAX_PERIOD, MIN_PERIOD
from ibp_chain.types import Hash

MINUTES_PER_PERSON = 30
"""From the export to the submission: fetch the file, compare, scan or confirm on a device, send
the signature back."""
PEOPLE = 3
"""Who may all export at the same time, once the operation is open, and submit in turn."""
_MEASURED_BLOCKS = 100


def longest_period(runtime: Runtime) -> int:
    """The longest era whose birth block the chain still remembers at its end, in blocks.

    `System.BlockHashCount` limits it: an older birth block is `AncientBirthBlock`.
    """
    remembered = int(runtime.constant("System", "BlockHashCount"))
    if remembered < MIN_PERIOD:
        raise InputError(f"a runtime that remembers {remembered} blocks takes no mortal era")
    return min(1 << remembered.bit_length() - 1, MAX_PERIOD)


def period_of(wanted: int | None, runtime: Runtime) -> int:
    """`wanted`, or the longest. Raises `InputError` for an era that outlives the chain's memory."""
    longest = longest_period(runtime)
    if wanted is not None and wanted > longest:
        raise InputError(
            f"an era of {wanted} blocks: the chain remembers where it began for {longest} at most"
        )
    return wanted or longest


def block_milliseconds(node: Node, runtime: Runtime, head: Hash, nominal: int) -> int:
    """What a block takes, measured over the last blocks; `nominal` where the chain has too few."""
    newest = node.header(head).number
    oldest = max(newest - _MEASURED_BLOCKS, 1)
    (then,) = node.hashes((oldest,))
    if oldest >= newest or then is None:
        return nominal
    key = runtime.storage_key("Timestamp", "Now")
    (before,), (after,) = node.storage([key], then), node.storage([key], head)
    if before is None or after is None:
        return nominal
    passed = _moment(runtime, after) - _moment(runtime, before)
    return passed // (newest - oldest) or nominal


def era_warning(period: int, block_ms: int) -> str | None:
    """What to tell people whose era is too short; None where it is long enough."""
    needed = PEOPLE * MINUTES_PER_PERSON
    minutes = period * block_ms // 60_000
    if minutes >= needed:
        return None
    return (
        f"this era lasts {period:,} blocks of {block_ms / 1000:g} s, about {minutes} minutes; "
        f"{PEOPLE} people who export together and take {MINUTES_PER_PERSON} minutes each need "
        f"{needed}: choose a longer --period, or export for each person when it is their turn"
    )


def _moment(runtime: Runtime, raw: bytes) -> int:
    return int(runtime.decode_storage("Timestamp", "Now", raw))
