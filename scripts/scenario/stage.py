"""The chain to play on: send calls, make blocks, let time pass, see that it went as expected."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ibp_chain.accounts import multisig_account, other_signatories, ss58_encode
from ibp_chain.blocks import Block, EventRecord, Phase
from ibp_chain.errors import CallFailed, SourceError
from ibp_chain.extrinsics import Submitter
from ibp_chain.keys import Signer
from ibp_chain.networks import Network
from ibp_chain.runtime import Runtime
from ibp_chain.scale.values import Call
from ibp_chain.source import NodeSource
from ibp_chain.types import AccountId, BlockNumber, Hash, PollIndex
from ledger.replay import apply_block
from ledger.state import State
from scripts.devnet_process import Devnet
from scripts.scenario.cast import THRESHOLD

BLOCK_TIME_MS = 6_000
MAX_WEIGHT = {"ref_time": 20_000_000_000, "proof_size": 1_000_000}


@dataclass
class Stage:
    """A test chain with the tools to play on it. Blocks are made only when `block` says so."""

    devnet: Devnet
    node: NodeSource
    submitter: Submitter
    runtime: Runtime
    network: Network
    curators: Sequence[Signer]
    _expected: list[tuple[str, str | None]] = field(default_factory=list)
    """Per extrinsic sent since the last block: what it was and the error it must end with."""

    # --- calls ---

    def encode(self, pallet: str, name: str, **args: Any) -> bytes:
        return self.runtime.encode_call(pallet, name, args)

    def call(self, data: bytes) -> Call:
        """Encoded bytes as a value that another call can carry."""
        return self.runtime.decode_call(data)

    def remark(self, raw: bytes) -> bytes:
        return self.encode("System", "remark_with_event", remark=raw)

    def batch(self, calls: Sequence[bytes]) -> bytes:
        return self.encode("Utility", "batch", calls=[self.call(data) for data in calls])

    def batch_all(self, calls: Sequence[bytes]) -> bytes:
        return self.encode("Utility", "batch_all", calls=[self.call(data) for data in calls])

    # --- extrinsics ---

    def send(self, signer: Signer, call: bytes, *, expect: str | None = None) -> None:
        """Sign and submit; `expect` names the error that the extrinsic must fail with."""
        self.submitter.submit(call, signer)
        self._expected.append((str(self.call(call)), expect))

    def by_multisig(self, call: bytes, signers: Sequence[Signer]) -> None:
        """Let `signers`, in this order, carry `call` through the curators' multisig."""
        first, *others = signers[:THRESHOLD]
        self.send(first, self.as_multi(call, first, None))
        opened = self.block()
        timepoint = next(
            {"height": opened.header.number, "index": event.extrinsic_index}
            for event in self.events(opened)
            if (event.pallet, event.name) == ("Multisig", "NewMultisig")
        )
        for signer in others:
            self.send(signer, self.as_multi(call, signer, timepoint))
            self.block()

    def as_multi(self, call: bytes, signer: Signer, timepoint: dict[str, Any] | None) -> bytes:
        accounts = [curator.account for curator in self.curators]
        return self.encode(
            "Multisig",
            "as_multi",
            threshold=THRESHOLD,
            other_signatories=other_signatories(accounts, signer.account),
            maybe_timepoint=timepoint,
            call=self.call(call),
            max_weight=MAX_WEIGHT,
        )

    @property
    def multisig(self) -> AccountId:
        return multisig_account([curator.account for curator in self.curators], THRESHOLD)

    @property
    def multisig_address(self) -> str:
        return ss58_encode(self.multisig, self.network.ss58_prefix)

    # --- blocks and time ---

    def block(self) -> Block:
        """Make blocks until everything sent is in, and check each outcome against the expected one.

        Session blocks have no room for signed extrinsics: those wait for the block after.
        """
        expected, self._expected = self._expected, []
        for _ in range(3):
            block = self._latest(self.devnet.new_block())
            if len(block.extrinsics) > len(expected):
                break
        self._check(block, expected)
        return block

    def jump_to(self, height: int) -> Block:
        """The next block has `height`, and as much time has passed as its blocks would take."""
        return self._latest(self.devnet.new_block(to_height=height))

    def jump_to_time(self, timestamp_ms: int) -> Block:
        """Jump to the first height whose time is at least `timestamp_ms`."""
        missing = timestamp_ms - self.now_ms
        return self.jump_to(self.height + max(1, -(-missing // BLOCK_TIME_MS)))

    @property
    def height(self) -> BlockNumber:
        return BlockNumber(int(self.devnet.rpc("chain_getHeader")["number"], 16))

    @property
    def now_ms(self) -> int:
        """The chain's own clock, milliseconds since 1970."""
        return int(self._read("Timestamp", "Now"))

    def next_alarm(self, poll: PollIndex) -> int | None:
        """When the scheduler will look at `poll` again; None when it is decided."""
        kind, info = self._read("Referenda", "ReferendumInfoFor", poll)
        return int(info["alarm"][0]) if kind == "Ongoing" else None

    def state(self) -> State:
        """The ledger of the chain as it stands, folded from its blocks."""
        state = State(self.network, self.multisig)
        for block in self.node.blocks(self.node.first()):
            apply_block(state, block, self.submitter.runtimes(block.spec_version))
        return state

    def events(self, block: Block) -> tuple[EventRecord, ...]:
        return self.runtime.decode_events(block.events)

    def _read(self, pallet: str, entry: str, *keys: Any) -> Any:
        key = self.runtime.storage_key(pallet, entry, *keys)
        (raw,) = self.node.storage([key], self.devnet.head_hash())
        if raw is None:
            raise SourceError(f"{pallet}.{entry}{list(keys)} is not in storage")
        return self.runtime.decode_storage(pallet, entry, raw)

    def _latest(self, block_hash: Hash) -> Block:
        return self.node.block(block_hash)

    def _check(self, block: Block, expected: list[tuple[str, str | None]]) -> None:
        outcomes = [
            None if event.name == "ExtrinsicSuccess" else self._error(event)
            for event in self.events(block)
            if event.phase is Phase.APPLY_EXTRINSIC and event.name.startswith("Extrinsic")
        ]
        signed = outcomes[len(outcomes) - len(expected) :]
        for (what, error), outcome in zip(expected, signed, strict=True):
            if outcome != error:
                raise CallFailed(
                    f"block {block.header.number}: {what}: expected {error or 'success'}, "
                    f"got {outcome or 'success'}"
                )

    def _error(self, event: EventRecord) -> str:
        return self.runtime.error_name(event.args["dispatch_error"])
