"""Send calls to a node: sign them for its runtime, submit, and wait until they are final.

Calls arrive as bytes that `Runtime.encode_call` made. Inclusion is looked for in finalised blocks
alone: what a node says of pending or unfinalised extrinsics counts for nothing.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from ibp_chain.accounts import ss58_encode
from ibp_chain.blocks import Block, BlockRef, EventRecord, blake2_256
from ibp_chain.errors import CallFailed, DecodeError, SourceError
from ibp_chain.keys import Signer
from ibp_chain.node import to_hex
from ibp_chain.peer_codec import PeerCodec, peer_codec
from ibp_chain.rpc import Request, RpcRefusal
from ibp_chain.runtime import Runtime
from ibp_chain.scale.primitives import decode_compact
from ibp_chain.signing import NO_TIP, SigningContext, assemble, sign_extrinsic
from ibp_chain.source import NodeSource
from ibp_chain.types import AccountId, BlockNumber, Hash, Planck, SpecVersion

DEFAULT_PERIOD = 64
_GENERIC_PREFIX = 42
_VALIDATE = "TaggedTransactionQueue_validate_transaction"
_EXTERNAL = b"\2"
_CANNOT_LOOKUP = b"\1\1\0"
"""`Err(TransactionValidityError::Unknown(UnknownTransaction::CannotLookup))`."""
_NO_SIGNATURE = b"\1" + bytes(64)
_QUERY_CALL_INFO = "TransactionPaymentCallApi_query_call_info"


class Weight(NamedTuple):
    """`sp_weights::Weight`: picoseconds of reference time, bytes of proof."""

    ref_time: int
    proof_size: int

    def with_margin(self, percent: int) -> "Weight":
        """This and `percent` more in both dimensions, rounded up."""
        return Weight(*(-(-part * (100 + percent) // 100) for part in self))

    def covers(self, needed: "Weight") -> bool:
        return self.ref_time >= needed.ref_time and self.proof_size >= needed.proof_size


class CallInfo(NamedTuple):
    """What the runtime says that a call weighs and costs, by `query_call_info`."""

    weight: Weight
    fee: Planck


@dataclass(frozen=True, slots=True)
class Submitted:
    """An extrinsic that a node's pool took."""

    raw: bytes
    """With its length prefix."""
    call: str
    """`Pallet.name`."""
    after: BlockRef
    """The finalised head before it was submitted."""
    death: BlockNumber
    """The first block that can no longer include it."""

    @property
    def hash(self) -> Hash:
        return blake2_256(self.raw)


@dataclass(frozen=True, slots=True)
class Inclusion:
    """Where a finalised extrinsic is, and what came of it."""

    block: BlockRef
    extrinsic_index: int
    extrinsic_hash: Hash
    events: tuple[EventRecord, ...]
    """Of this extrinsic alone, in order."""
    error: str | None
    """`Pallet.Error` as the runtime names it; None for success."""

    @property
    def ok(self) -> bool:
        """Whether the extrinsic succeeded. What a multisig or batch inside it did may differ."""
        return self.error is None


class Submitter:
    """Signs and submits for one node.

    `period` is the mortal era in blocks. `timeout` (seconds) is how long `wait` waits for finality,
    asking every `poll_seconds`; on a chain whose blocks the caller makes, `advance` makes the next.
    With `codecs`, calls are not checked by the node's own word for its metadata; `runtimes` is then
    to be of the same source.
    """

    def __init__(
        self,
        node: NodeSource,
        runtimes: Callable[[SpecVersion], Runtime],
        *,
        period: int = DEFAULT_PERIOD,
        timeout: float = 300.0,
        poll_seconds: float = 2.0,
        advance: Callable[[], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        codecs: Callable[[SpecVersion], PeerCodec] | None = None,
    ) -> None:
        self.node, self.runtimes, self._own_codecs = node, runtimes, codecs
        self.period, self.advance = period, advance
        self._timeout, self._poll_seconds = timeout, poll_seconds
        self._clock, self._sleep = clock, sleep
        self._codecs: dict[SpecVersion, PeerCodec] = {}

    # --- what the runtime says ---

    def best(self) -> BlockRef:
        """The node's best block, which need not become final."""
        digest = self.node.hash(self.node.client.call("chain_getBlockHash"), "best block")
        if digest == self.node.genesis_hash:
            return BlockRef(BlockNumber(0), digest)
        return BlockRef(self.node.header(digest).number, digest)

    def spec_version(self) -> SpecVersion:
        """Of the runtime that will execute the next block."""
        return self._versions(self.best().hash)[0]

    def codec(self) -> PeerCodec:
        """substrate-interface's codec for the runtime that will execute the next block."""
        best = self.best().hash
        return self._codec(self._versions(best)[0], best)

    def runtime(self) -> Runtime:
        """Our own decoder for the runtime that will execute the next block."""
        return self.runtimes(self.spec_version())

    def nonce(self, account: AccountId) -> int:
        """Of the next extrinsic of `account`, what waits in the node's pool included."""
        address = ss58_encode(account, _GENERIC_PREFIX)
        nonce = self.node.client.call("system_accountNextIndex", address)
        if type(nonce) is not int or not 0 <= nonce < 2**32:
            raise self.node.wrong(f"sent the nonce {nonce!r}")
        return nonce

    def context(
        self, account: AccountId, *, tip: Planck = NO_TIP, metadata_hash: Hash | None = None
    ) -> SigningContext:
        """What a signature of `account` binds itself to now, for `period` blocks."""
        final, best = self.node.head(), self.best()
        spec_version, transaction_version = self._versions(best.hash)
        # where finality is far behind, an era that is counted from it would already be old
        base = final if best.number - final.number < self.period // 2 else best
        return SigningContext(
            codec=self._codec(spec_version, best.hash),
            genesis_hash=self.node.genesis_hash,
            spec_version=spec_version,
            transaction_version=transaction_version,
            birth=base,
            period=self.period,
            nonce=self.nonce(account),
            tip=tip,
            metadata_hash=metadata_hash,
        )

    def call_info(self, call: bytes) -> CallInfo:
        """Weight and fee of `call` as an extrinsic of its own, at the best block."""
        data = call + len(call).to_bytes(4, "little")
        raw = self.node.call(_QUERY_CALL_INFO, data, self.best().hash)
        try:
            ref_time, offset = decode_compact(raw)
            proof_size, offset = decode_compact(raw, offset)
        except DecodeError as error:
            raise self.node.wrong(f"sent malformed dispatch info: {error}") from error
        if len(raw) != offset + 17:  # class, fee
            raise self.node.wrong("sent dispatch info of another length")
        fee = int.from_bytes(raw[offset + 1 :], "little")
        return CallInfo(Weight(ref_time, proof_size), Planck(fee))

    def knows_metadata_hash(self, call: bytes, context: SigningContext, who: AccountId) -> bool:
        """Whether the runtime was built with a metadata hash, which only its build decides.

        It looks its hash up before it looks at the signature, so an unsigned `call` tells.
        """
        raw = assemble(call, who, _NO_SIGNATURE, context)
        best = self.best().hash
        return self.node.call(_VALIDATE, _EXTERNAL + raw + best, best) != _CANNOT_LOOKUP

    # --- sending ---

    def submit(
        self,
        call: bytes,
        signer: Signer,
        *,
        tip: Planck = NO_TIP,
        metadata_hash: Hash | None = None,
    ) -> Submitted:
        """Sign `call` and hand it to the node's pool.

        Raises `CheckFailed` when substrate-interface disagrees with the bytes, `CallFailed` when
        the pool refuses, `SourceError` when the node does not answer.
        """
        if not call:
            raise CallFailed("an empty call cannot be submitted")
        context = self.context(signer.account, tip=tip, metadata_hash=metadata_hash)
        name = context.codec.check_call(call)
        return self.send(sign_extrinsic(call, signer, context), name, context.death)

    def send(self, raw: bytes, name: str, death: BlockNumber) -> Submitted:
        """Hand an extrinsic to the node's pool, signed by whoever it was. Raises as `submit`.

        `name` is its call's `Pallet.name`, `death` the first block that can no longer include it.
        """
        submitted = Submitted(raw, name, self.node.head(), death)
        try:
            reply = self.node.client.call_once("author_submitExtrinsic", to_hex(raw))
        except RpcRefusal as refusal:
            raise CallFailed(f"{name}: not taken into the pool: {refusal}") from refusal
        except SourceError as error:
            raise SourceError(
                f"{error}; {name} may have arrived all the same: before trying again look for "
                f"extrinsic {to_hex(submitted.hash)} up to block {death - 1}"
            ) from error
        if self.node.hash(reply, "extrinsic hash") != submitted.hash:
            raise self.node.wrong(f"took {name}, but names another extrinsic hash")
        return submitted

    def wait(self, submitted: Submitted, *, raise_on_failure: bool = True) -> Inclusion:
        """Where `submitted` is, once that is final.

        Raises `CallFailed` when it failed (unless told not to) or when its era ended without it,
        `SourceError` when `timeout` passes first.
        """
        number = BlockNumber(submitted.after.number + 1)
        deadline = self._clock() + self._timeout
        while True:
            head = self.node.head()
            if head.number >= number:
                for block in self.node.blocks(number, head.number):
                    if submitted.raw in block.extrinsics:
                        return self._included(submitted, block, raise_on_failure=raise_on_failure)
                number = BlockNumber(head.number + 1)
            if number >= submitted.death:
                raise CallFailed(
                    f"{submitted.call}: extrinsic {to_hex(submitted.hash)} is in no finalised "
                    f"block up to {head.number}, and its era has ended: it can no longer happen"
                )
            if self._clock() > deadline:
                raise SourceError(
                    f"{submitted.call}: extrinsic {to_hex(submitted.hash)} was not final after "
                    f"{self._timeout:g} s; it still may be included up to block "
                    f"{submitted.death - 1}"
                )
            if self.advance is None:
                self._sleep(self._poll_seconds)
            else:
                self.advance()

    def submit_and_wait(
        self,
        call: bytes,
        signer: Signer,
        *,
        tip: Planck = NO_TIP,
        raise_on_failure: bool = True,
    ) -> Inclusion:
        """`submit`, then `wait`."""
        submitted = self.submit(call, signer, tip=tip)
        return self.wait(submitted, raise_on_failure=raise_on_failure)

    # --- parts ---

    def _versions(self, at: Hash) -> tuple[SpecVersion, int]:
        (reply,) = self.node.ask_state([Request("state_getRuntimeVersion", (to_hex(at),))])
        spec_version = self.node.spec_version(reply)
        transaction_version = reply.get("transactionVersion")
        if type(transaction_version) is not int or not 0 <= transaction_version < 2**32:
            raise self.node.wrong("sent a runtime version without a transaction version")
        return spec_version, transaction_version

    def _codec(self, spec_version: SpecVersion, at: Hash) -> PeerCodec:
        if self._own_codecs is not None:
            return self._own_codecs(spec_version)
        if spec_version not in self._codecs:
            (text,) = self.node.ask_state([Request("state_getMetadata", (to_hex(at),))])
            self._codecs[spec_version] = peer_codec(self.node.bytes(text, "metadata"))
        return self._codecs[spec_version]

    def _included(self, submitted: Submitted, block: Block, *, raise_on_failure: bool) -> Inclusion:
        index = block.extrinsics.index(submitted.raw)
        runtime = self.runtimes(block.spec_version)
        events = tuple(
            event for event in runtime.decode_events(block.events) if event.extrinsic_index == index
        )
        error = _error(runtime, events)
        if error is not None and raise_on_failure:
            raise CallFailed(f"{submitted.call} failed in block {block.header.number}: {error}")
        return Inclusion(block.ref, index, submitted.hash, events, error)


def _error(runtime: Runtime, events: tuple[EventRecord, ...]) -> str | None:
    match events:
        case (*_, EventRecord(pallet="System", name="ExtrinsicSuccess")):
            return None
        case (*_, EventRecord(pallet="System", name="ExtrinsicFailed", args=args)):
            return str(runtime.error_name(args["dispatch_error"]))
        case _:
            raise DecodeError("an extrinsic's last event is neither its success nor its failure")
