"""The payout of the bundled recording: its documents, and the ledger at every stage of it.

The recording is replayed once. A state that is handed out is the caller's own to change.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from functools import cache
from typing import Any, NamedTuple, TypeAlias

from ibp_chain.accounts import multisig_account, ss58_encode
from ibp_chain.blocks import blake2_256
from ibp_chain.cli.served import service_records
from ibp_chain.networks import network
from ibp_chain.remarks import canonical_json
from ibp_chain.runtime import Runtime
from ibp_chain.scale.values import Call
from ibp_chain.types import AccountId, Hash
from ledger.mirrors import Constants
from ledger.pallets.multisig.types import Status
from ledger.pallets.payouts import Batch as PaidBatch
from ledger.replay import apply_block
from ledger.state import State
from multisig.batch import encode_batch
from multisig.bundle import Bundle, ChainPart, MultisigPart, read_bundle
from multisig.documents import parse
from multisig.service import ServiceRecord
from multisig.statement import Ledger, Statement
from tests.support import recording
from tests.support.command_line import DEMO

PASEO = network("paseo")
ROWS = DEMO / "rows"
PERIOD = "2026-01"

Operations: TypeAlias = tuple[tuple[Status, int], ...]
"""Each operation of the bundle's call, in order: how it stands, and how many approved it."""

STATED: Operations = ()
HALF_SIGNED: Operations = ((Status.OPEN, 2),)
FAILED: Operations = ((Status.EXECUTED, 3),)
OPEN_AGAIN: Operations = ((Status.EXECUTED, 3), (Status.OPEN, 1))
PAID: Operations = ((Status.EXECUTED, 3), (Status.EXECUTED, 3))

Path: TypeAlias = tuple[str | int, ...]
"""Where in a JSON value: keys and indices."""


@cache
def bundle() -> Bundle:
    return read_bundle(DEMO / "bundle.json")


def state(operations: Operations) -> State:
    """The ledger when the operations of the bundle's call stood so first."""
    return deepcopy(_history()[operations])


def genesis_hash() -> Hash:
    return recording.source().genesis_hash


def ledger(operations: Operations = STATED) -> Ledger:
    return Ledger(state(operations), Constants.of(recording.runtime()))


@cache
def service() -> tuple[ServiceRecord, ...]:
    """The published rows of the period."""
    return tuple(service_records(_history()[STATED], ROWS, PERIOD))


# --- Documents, changed ---------------------------------------------------------------


def as_json(document: Bundle | Statement) -> dict[str, Any]:
    return document.model_dump(mode="json", exclude_none=True)


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every value that holds no other, and where it is."""
    match value:
        case dict():
            for key, item in value.items():
                yield from leaves(item, (*path, key))
        case list():
            for index, item in enumerate(value):
                yield from leaves(item, (*path, index))
        case _:
            yield path, value


def with_value(document: Mapping[str, Any], path: Path, value: Any) -> dict[str, Any]:
    """`document` with something else at `path`."""
    changed = deepcopy(dict(document))
    inner: Any = changed
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return changed


def bundle_of(value: Mapping[str, Any]) -> Bundle:
    """What a reader makes of a file that says `value`, its checksum made to fit.

    Raises `DocumentError`.
    """
    return parse(sealed(value), Bundle)


def sealed(value: Mapping[str, Any]) -> bytes:
    """The file of a bundle that says `value`: with a checksum that fits."""
    content = {name: each for name, each in value.items() if name != "checksum"}
    checksum = "0x" + blake2_256(canonical_json(content)).hex()
    return canonical_json(content | {"checksum": checksum})


def forged(change: Callable[[dict[str, Any]], object]) -> Bundle:
    """The bundle with its statement changed, and every hash and the call made to fit."""
    value = as_json(bundle())
    change(value["statement"])
    statement = parse(canonical_json(value["statement"]), Statement)
    batch = encode_batch(statement, statement.lines, recording.runtime())
    return resealed(bundle().model_copy(update={"statement": statement}), batch.call)


def on_chain(
    statement: Statement, runtime: Runtime, genesis_hash: Hash, curators: Iterable[AccountId]
) -> Bundle:
    """`statement` whole as the payout of a test chain, by three of its `curators`."""
    prefix, accounts = PASEO.ss58_prefix, sorted(curators)
    batch = encode_batch(statement, statement.lines, runtime)
    return Bundle(
        chain=ChainPart(
            network=PASEO.name, genesis_hash=genesis_hash, spec_version=runtime.spec_version
        ),
        multisig=MultisigPart(
            account=ss58_encode(multisig_account(accounts, 3), prefix),
            threshold=3,
            signatories=tuple(ss58_encode(account, prefix) for account in accounts),
        ),
        statement=statement,
        statement_hash=statement.hash,
        part=1,
        parts=1,
        call=batch.call,
        call_hash=batch.call_hash,
    )


def resealed(of: Bundle, call: bytes) -> Bundle:
    """`of` around another call, both hashes made to fit."""
    return of.model_copy(
        update={
            "statement_hash": of.statement.hash,
            "call": call,
            "call_hash": blake2_256(call),
        }
    )


# --- Calls ----------------------------------------------------------------------------


class Parts(NamedTuple):
    """The calls in a payout batch."""

    remark: Call
    transfers: tuple[Call, ...]


def parts() -> Parts:
    """Of the bundle's call."""
    first, *rest = recording.runtime().decode_call(bundle().call).args["calls"]
    return Parts(first, tuple(rest))


def call(pallet: str, name: str, **args: Any) -> Call:
    return recording.runtime().call(pallet, name, args)


def batch_all(*calls: Call) -> bytes:
    return recording.runtime().encode_call("Utility", "batch_all", {"calls": list(calls)})


def remark(text: str | bytes, name: str = "remark_with_event") -> Call:
    return call("System", name, remark=text.encode() if isinstance(text, str) else text)


def the_batch(of: State) -> PaidBatch:
    """The last payout batch that `of` has recorded."""
    return list(of.payouts.batches.items())[-1][1]


# --- Internals ------------------------------------------------------------------------


@cache
def _history() -> dict[Operations, State]:
    found: dict[Operations, State] = {}
    running, paid = State(PASEO), bundle()
    account = paid.multisig.account_id(PASEO)
    for block in recording.blocks():
        apply_block(running, block, recording.runtime())
        if block.header.number < paid.statement.ledger.block:
            continue
        standing = tuple(
            (operation.status, len(operation.approvals))
            for key, operation in sorted(running.mirrors.multisig.operations.items())
            if key[:2] == (account, paid.call_hash)
        )
        found.setdefault(standing, deepcopy(running))
    return found
