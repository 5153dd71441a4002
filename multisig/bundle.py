"""The bundle: one file with everything that a curator needs to rebuild a payout alone.

It carries the statement whole, the call, and what they are for. Nothing in it is believed:
`check_bundle` rebuilds the call from the statement and reads it with a second decoder;
`verify_bundle` also rebuilds the statement from the curator's own ledger, rules and scores.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ModelWrapValidatorHandler, ValidationInfo, model_validator

from ibp_chain.accounts import ss58_decode, ss58_encode
from ibp_chain.blocks import blake2_256
from ibp_chain.errors import IbpError
from ibp_chain.extrinsics import Weight
from ibp_chain.networks import Network, network
from ibp_chain.peer_codec import PeerCodec
from ibp_chain.remark_bodies import MAX_INTEGER, Count, HashText
from ibp_chain.remarks import canonical_json
from ibp_chain.runtime import Runtime
from ibp_chain.types import AccountId, Hash
from ledger.pallets.programme import curators_account
from ledger.program.bill_document import Payable
from ledger.program.rules import Rules
from ledger.state import State
from multisig.batch import DEFAULT_POLICY, Batch, build_batches
from multisig.checks import Policy
from multisig.decode import decode_payout
from multisig.differences import compare_statements, differences
from multisig.documents import FROM_FILE, Document, Octets, Part, Text, read_file, write_file
from multisig.errors import BatchRefused, BundleRefused, StatementError
from multisig.pending import pending_lines
from multisig.plan import PLAIN, Kind, PlanPart
from multisig.service import ServiceRecord
from multisig.statement import Ledger, Line, Statement, build_statement

__all__ = [
    "Bundle",
    "Latest",
    "check_bundle",
    "compare_statements",
    "differences",
    "make_bundles",
    "read_bundle",
    "read_statement",
    "verify_bundle",
    "verify_statement",
    "write_file",
    "wrong_reading",
]


_CHECKSUM = "checksum"


class ChainPart(Part):
    """The chain and runtime that the call is for."""

    network: Text
    genesis_hash: HashText
    spec_version: Annotated[int, Field(ge=0, lt=2**32)]
    """The call's bytes are those of this runtime."""


class MultisigPart(Part):
    """Addresses in the network's prefix; signatories ascend by raw public key."""

    account: Text
    threshold: Annotated[int, Field(ge=2, lt=2**16)]
    signatories: Annotated[tuple[Text, ...], Field(strict=False, min_length=2)]

    def account_id(self, chain: Network) -> AccountId:
        """Raises `AddressError`."""
        return ss58_decode(self.account, chain.ss58_prefix)

    def account_ids(self, chain: Network) -> tuple[AccountId, ...]:
        """Of the signatories. Raises `AddressError`."""
        return tuple(ss58_decode(text, chain.ss58_prefix) for text in self.signatories)


class TimepointPart(Part):
    """Block and extrinsic that opened the operation."""

    height: Count
    index: Count


class WeightPart(Part):
    """What the runtime said that the call weighs, without any margin."""

    ref_time: Annotated[int, Field(gt=0, le=MAX_INTEGER)]
    proof_size: Count


class Bundle(Document):
    """One payout call and what it follows from."""

    format: Literal["ibp-payout-bundle"] = "ibp-payout-bundle"
    version: Literal[1] = 1
    chain: ChainPart
    multisig: MultisigPart
    statement: Statement
    statement_hash: HashText
    part: Annotated[int, Field(ge=1, le=MAX_INTEGER)]
    parts: Annotated[int, Field(ge=1, le=MAX_INTEGER)]
    """A statement too long for one remark is paid in several."""
    plan: PlanPart | None = None
    """How the call pays; without one by plain transfers, and nothing was overridden."""
    call: Octets
    call_hash: HashText
    timepoint: TimepointPart | None = None
    """Of the open operation, where there was one when the bundle was made."""
    weight: WeightPart | None = None
    """For who signs away from a node; `multisig.approve` asks the runtime again."""

    @model_validator(mode="wrap")
    @classmethod
    def _undamaged(
        cls, value: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo
    ) -> Self:
        """Take a file's checksum off, which `encoded` puts on: in memory there is none to go stale.

        It finds damage to what no ledger can check, such as the weight; it keeps out no forger.
        """
        if info.context is not FROM_FILE or not isinstance(value, dict):
            return handler(value)
        content = {name: each for name, each in value.items() if name != _CHECKSUM}
        bundle, own, found = handler(content), _checksum(content), value.get(_CHECKSUM)
        if found is None:
            raise ValueError("it has no checksum: build it again")
        if found != own:
            raise ValueError(
                f"its checksum is {found}, its content has {own}: was it edited, or damaged?"
            )
        return bundle

    @property
    def encoded(self) -> bytes:
        """The file: RFC 8785, with its checksum."""
        content = self.model_dump(mode="json", exclude_none=True)
        return canonical_json(content | {_CHECKSUM: _checksum(content)})

    @property
    def network(self) -> Network:
        """Raises `ConfigError` for a network that we do not know."""
        return network(self.chain.network)

    @property
    def paid_by(self) -> PlanPart:
        return PLAIN if self.plan is None else self.plan

    @property
    def numbered(self) -> bool:
        """Whether the call depends on numbers of child bounties, which are of a later block."""
        return self.paid_by.children is not None


def make_bundles(
    statement: Statement,
    batches: Sequence[Batch],
    state: State,
    genesis_hash: Hash,
    runtime: Runtime,
    *,
    weights: Sequence[Weight] = (),
) -> tuple[Bundle, ...]:
    """One bundle for each batch of `statement`, for the curators in office.

    `weights` are those of the calls, in order, where the caller has a node to ask.
    """
    multisig = _multisig_of(state)
    account = multisig.account_id(state.network)
    chain = ChainPart(
        network=state.network.name, genesis_hash=genesis_hash, spec_version=runtime.spec_version
    )
    found = []
    for index, batch in enumerate(batches):
        opened = state.mirrors.multisig.multisigs.find((account, batch.call_hash))
        weight = weights[index] if weights else None
        found.append(
            Bundle(
                chain=chain,
                multisig=multisig,
                statement=statement,
                statement_hash=statement.hash,
                part=index + 1,
                parts=len(batches),
                plan=None if batch.plan == PLAIN else batch.plan,
                call=batch.call,
                call_hash=batch.call_hash,
                timepoint=opened
                and TimepointPart(height=opened.when.height, index=opened.when.index),
                weight=weight
                and WeightPart(ref_time=weight.ref_time, proof_size=weight.proof_size),
            )
        )
    return tuple(found)


def read_bundle(path: Path) -> Bundle:
    """The bundle in `path`. Raises `DocumentError` for anything but its one canonical form."""
    return read_file(path, Bundle)


def read_statement(path: Path) -> Statement:
    """The statement in `path`. Raises `DocumentError`."""
    return read_file(path, Statement)


# --- Checks ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Latest:
    """A ledger as it is today, and the runtime of its last block."""

    state: State
    runtime: Runtime
    codec: PeerCodec


def verify_bundle(
    bundle: Bundle,
    ledger: Ledger,
    rules: Rules,
    service: Iterable[ServiceRecord],
    genesis_hash: Hash,
    runtime: Runtime,
    codec: PeerCodec,
    *,
    policy: Policy = DEFAULT_POLICY,
    bill: Payable | None = None,
    now: Latest | None = None,
) -> tuple[Line, ...]:
    """Rebuild statement and call alone; the lines that the call pays.

    `ledger` must be at the statement's block, which `runtime` executed. A call of another runtime,
    built after an upgrade, is rebuilt and checked by the ledger of `now`, as by `check_bundle`.
    Numbers of child bounties, which are of a later block, are taken as far as they can be right:
    `check_bundle` on a ledger of today tells. The price is the bundle's own: whether it is right,
    its source tells. Raises `BundleRefused` with everything
    that differs, `StatementError` for a ledger at another block and as `build_statement`.
    """
    verify_statement(bundle.statement, ledger, rules, service, runtime, bill=bill)
    if now is not None and bundle.chain.spec_version != runtime.spec_version:
        return check_bundle(bundle, now.state, genesis_hash, now.runtime, now.codec, policy=policy)
    return check_bundle(
        bundle, ledger.state, genesis_hash, runtime, codec, policy=policy, before=True
    )


def verify_statement(
    theirs: Statement,
    ledger: Ledger,
    rules: Rules,
    service: Iterable[ServiceRecord],
    runtime: Runtime,
    *,
    bill: Payable | None = None,
) -> None:
    """Rebuild the statement alone, whatever its call is. Raises as `verify_bundle`."""
    head = ledger.state.head.value
    if head is None or head.number != theirs.ledger.block:
        raise StatementError(
            f"the bundle's statement is of block {theirs.ledger.block}, the ledger is at "
            f"{head and head.number}: replay it up to there"
        )
    if theirs.bill is not None and bill is None:
        raise StatementError(
            f"the statement follows bill 0x{theirs.bill.hex()}: give it with --bill"
        )
    pending = pending_lines(ledger.state, runtime)
    mine = build_statement(ledger, rules, theirs.period, theirs.price, service, pending, bill)
    compare_statements(mine, theirs)


def check_bundle(
    bundle: Bundle,
    state: State,
    genesis_hash: Hash,
    runtime: Runtime,
    codec: PeerCodec,
    *,
    policy: Policy = DEFAULT_POLICY,
    before: bool = False,
) -> tuple[Line, ...]:
    """Rebuild the call from the bundle's statement, and read it with both decoders.

    The lines that the call pays. `state` may be of a later block than the statement's; with
    `before` it may be of an earlier one than the bundle, as in `build_batches`. Raises
    `BundleRefused` with everything that does not hold.
    """
    wrong = [*_wrong_chain(bundle, state, genesis_hash, runtime)]
    if wrong:
        raise BundleRefused(wrong)
    try:
        batches = build_batches(
            bundle.statement,
            state,
            runtime,
            part=bundle.part,
            plan=bundle.paid_by,
            policy=policy,
            before=before,
        )
    except BatchRefused as error:
        raise BundleRefused(error.rows) from error
    if len(batches) != bundle.parts or bundle.part > bundle.parts:
        raise BundleRefused(
            [f"it says to be part {bundle.part} of {bundle.parts}, there are {len(batches)}"]
        )
    rebuilt = batches[bundle.part - 1]
    if rebuilt.call != bundle.call:
        raise BundleRefused(
            [f"its statement makes another call, with hash 0x{rebuilt.call_hash.hex()}"]
        )
    if wrong := [*wrong_reading(bundle, rebuilt.lines, runtime, codec)]:
        raise BundleRefused(wrong)
    return rebuilt.lines


def wrong_reading(
    bundle: Bundle, lines: Sequence[Line], runtime: Runtime, codec: PeerCodec
) -> Iterator[str]:
    """Where the bundle's call, read by both decoders, is anything but what pays `lines`."""
    try:
        reading = decode_payout(runtime, codec, bundle.call, bundle.network)
    except IbpError as error:
        yield str(error)
        return
    if reading.statement != bundle.statement_hash or reading.period != bundle.statement.period:
        yield "its call names another statement or period"
    if reading.lines != tuple((line.member, line.item) for line in lines):
        yield "its call names other lines"
    claims = bundle.paid_by.kind is Kind.CHILD_CLAIMS
    if reading.transfers != (() if claims else tuple((line.payee, line.planck) for line in lines)):
        yield "its call makes other transfers"
    plan, children = bundle.paid_by, reading.children or reading.claims
    if tuple((plan.parent, child) for child in plan.children or ()) != tuple(
        (child.parent, child.child) for child in children
    ):
        yield "its call is about other child bounties"


# --- Internals ----------------------------------------------------------------------


def _checksum(content: Mapping[str, Any]) -> str:
    """blake2b-256 of the canonical form of everything else in the file."""
    return "0x" + blake2_256(canonical_json(content)).hex()


def _multisig_of(state: State) -> MultisigPart:
    """The curators in office. Raises `StatementError` where the ledger has no programme."""
    program, prefix = state.programme.program.value, state.network.ss58_prefix
    if program is None:
        raise StatementError("the ledger has no programme yet")
    return MultisigPart(
        account=ss58_encode(curators_account(program), prefix),
        threshold=program.threshold,
        signatories=tuple(ss58_encode(account, prefix) for account in sorted(program.curators)),
    )


def _wrong_chain(
    bundle: Bundle, state: State, genesis_hash: Hash, runtime: Runtime
) -> Iterator[str]:
    if bundle.chain.network != state.network.name:
        yield f"it is for {bundle.chain.network}, the ledger is of {state.network.name}"
    if bundle.chain.genesis_hash != genesis_hash:
        yield f"it is for a chain with genesis 0x{bundle.chain.genesis_hash.hex()}"
    if bundle.chain.spec_version != runtime.spec_version:
        yield (
            f"its call is of spec version {bundle.chain.spec_version}, "
            f"the runtime is {runtime.spec_version}: build it again"
        )
    if bundle.plan == PLAIN:
        yield "its plan says nothing, and is to be left out"
    if bundle.statement_hash != bundle.statement.hash:
        yield f"its statement hashes to 0x{bundle.statement.hash.hex()}"
    if bundle.call_hash != blake2_256(bundle.call):
        yield f"its call hashes to 0x{blake2_256(bundle.call).hex()}"
    own = _multisig_of(state)
    if bundle.multisig.account != own.account:
        yield f"its multisig is {bundle.multisig.account}, the curators' in office {own.account}"
    elif bundle.multisig != own:
        yield "its signatories or threshold are not those of the curators in office"
    opened = state.mirrors.multisig.multisigs.find(
        (own.account_id(state.network), bundle.call_hash)
    )
    if opened is not None and bundle.timepoint is not None:
        point = TimepointPart(height=opened.when.height, index=opened.when.index)
        if bundle.timepoint != point:
            yield f"its timepoint is {bundle.timepoint}, the operation's is {point}"
