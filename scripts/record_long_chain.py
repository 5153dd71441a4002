"""Record a long test chain for benchmarks: thousands of blocks with some traffic in them.

    python -m scripts.record_long_chain --blocks 10000 --out var/long-chain

It makes some thirty blocks a second on two cores of its own. Interrupted, it goes on from its last
snapshot.
"""

import argparse
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ibp_chain.archive_record import record
from ibp_chain.blocks import BlockRef
from ibp_chain.cli.output import progress
from ibp_chain.extrinsics import Submitter
from ibp_chain.keys import Signer
from ibp_chain.runtimes import runtimes
from ibp_chain.signing import SigningContext, sign_extrinsic
from ibp_chain.source import NodeSource
from ibp_chain.types import BlockNumber
from scripts.devnet_process import Devnet, start_devnet
from scripts.scenario.play import devnet_options, load_cast

CHUNK = 250
"""Blocks between snapshots."""
BUSY_EVERY = 5
_SEED = 3
_PERIOD = 64


@dataclass
class Traffic:
    """Signs extrinsics that need no answer from the chain but the hash of its last block."""

    node: NodeSource
    signers: tuple[Signer, ...]
    dice: random.Random
    _runtime: Any = field(init=False)
    _codec: Any = field(init=False)

    def __post_init__(self) -> None:
        submitter = Submitter(self.node, runtimes(self.node))
        self._runtime, self._codec = submitter.runtime(), submitter.codec()

    def block(self, last: BlockRef) -> list[bytes]:
        """The extrinsics of one busy block, each by another signer.

        Nonces are the chain's own: a block that changes the session takes no extrinsics.
        """
        chosen = self.dice.sample(self.signers, self.dice.randrange(2, len(self.signers) + 1))
        keys = [self._runtime.storage_key("System", "Account", s.account) for s in chosen]
        stored = self.node.storage(keys, last.hash)
        return [
            self._extrinsic(last, signer, self._nonce(raw))
            for signer, raw in zip(chosen, stored, strict=True)
        ]

    def _nonce(self, raw: bytes | None) -> int:
        if raw is None:
            return 0
        return int(self._runtime.decode_storage("System", "Account", raw)["nonce"])

    def _extrinsic(self, last: BlockRef, signer: Signer, nonce: int) -> bytes:
        runtime = self._runtime
        context = SigningContext(
            codec=self._codec,
            genesis_hash=self.node.genesis_hash,
            spec_version=runtime.spec_version,
            transaction_version=runtime.transaction_version,
            birth=last,
            period=_PERIOD,
            nonce=nonce,
        )
        return sign_extrinsic(self._call(), signer, context)

    def _call(self) -> bytes:
        calls = [self._simple() for _ in range(self.dice.choice((1, 1, 1, 3, 5)))]
        if len(calls) == 1:
            return calls[0]
        inner = [self._runtime.decode_call(call) for call in calls]
        batched: bytes = self._runtime.encode_call("Utility", "batch", {"calls": inner})
        return batched

    def _simple(self) -> bytes:
        to = self.dice.choice(self.signers).account
        amount = self.dice.randrange(10**10, 10**11)
        choices = (
            ("Balances", "transfer_keep_alive", {"dest": ("Id", to), "value": amount}),
            ("System", "remark_with_event", {"remark": self.dice.randbytes(40)}),
            ("System", "remark_with_event", {"remark": b'IBP/1 exit {"member":"nobody"}'}),
        )
        pallet, name, arguments = self.dice.choice(choices)
        encoded: bytes = self._runtime.encode_call(pallet, name, arguments)
        return encoded


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, default=10_000)
    parser.add_argument("--out", type=Path, default=Path("var/long-chain"))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    with progress("blocks", given.blocks) as tick:
        done = _made(given.out)
        while done < given.blocks:
            done = _chunk(given.out, done, min(CHUNK, given.blocks - done), tick)


def _chunk(out: Path, done: int, count: int, tick: Any) -> int:
    """`count` more blocks, recorded and saved; how many there are then."""
    cast, snapshot = load_cast(), out / "snapshot"
    options = devnet_options(cast)
    if done:
        options["load"] = snapshot
    with start_devnet(**options) as devnet, NodeSource(devnet.url) as node:
        traffic = Traffic(
            node,
            tuple(member.signer for member in cast.members),
            random.Random(_SEED + done),  # noqa: S311  # traffic, no secret
        )
        for made in _blocks(devnet, traffic, done, count):
            tick(made)
        # the snapshot first: what is recorded must be in the chain that the next run goes on with
        devnet.save(snapshot)
        (out / "state.json").write_text(json.dumps({"blocks": done + count}))
        record(node, out / "archive", proofs=False)
    return done + count


def _blocks(devnet: Devnet, traffic: Traffic, done: int, count: int) -> Iterator[int]:
    last = BlockRef(traffic.node.head().number, devnet.head_hash())
    for made in range(done + 1, done + count + 1):
        extrinsics = traffic.block(last) if made % BUSY_EVERY == 0 else []
        options = {"transactions": ["0x" + raw.hex() for raw in extrinsics]}
        head = devnet.rpc("dev_newBlock", options)
        last = BlockRef(BlockNumber(last.number + 1), bytes.fromhex(head[2:]))  # type: ignore[arg-type]  # a hash
        yield made


def _made(out: Path) -> int:
    path = out / "state.json"
    return int(json.loads(path.read_text())["blocks"]) if path.exists() else 0


if __name__ == "__main__":
    main()
