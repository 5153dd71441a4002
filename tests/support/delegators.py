"""Accounts that delegate, end that and unlock, so that votes and locks change at random."""

from dataclasses import dataclass, field
from random import Random

from ibp_chain.blocks import BlockRef
from ibp_chain.keys import Signer
from ibp_chain.peer_codec import peer_codec
from ibp_chain.runtime import Runtime
from ibp_chain.runtimes import runtimes
from ibp_chain.signing import SigningContext, sign_extrinsic
from ibp_chain.source import NodeSource
from ibp_chain.types import Hash
from scripts.devnet_process import Devnet

UNIT = 10**10


@dataclass
class Delegators:
    """`delegate`, `undelegate` and `unlock` need no referendum."""

    devnet: Devnet
    node: NodeSource
    signers: tuple[Signer, ...]
    dice: Random = field(default_factory=lambda: Random(4))

    def __post_init__(self) -> None:
        version = self.node.version_after(self.devnet.head_hash())
        self.runtime: Runtime = runtimes(self.node)(version)

    def block(self) -> Hash:
        """A block in which three of them do something at random, on top of the head."""
        head = self.devnet.head_hash()
        extrinsics = [self._extrinsic(head, who) for who in self.dice.sample(self.signers, 3)]
        options = {"transactions": ["0x" + raw.hex() for raw in extrinsics]}
        return Hash(bytes.fromhex(self.devnet.rpc("dev_newBlock", options)[2:]))

    def _extrinsic(self, head: Hash, who: Signer) -> bytes:
        runtime, header = self.runtime, self.node.header(head)
        key = runtime.storage_key("System", "Account", who.account)
        (raw,) = self.node.storage([key], head)
        nonce = 0 if raw is None else runtime.decode_storage("System", "Account", raw)["nonce"]
        context = SigningContext(
            codec=peer_codec(self.node.metadata_v14(runtime.spec_version)),
            genesis_hash=self.node.genesis_hash,
            spec_version=runtime.spec_version,
            transaction_version=runtime.transaction_version,
            birth=BlockRef(header.number, head),
            period=64,
            nonce=nonce,
        )
        return sign_extrinsic(self._call(who), who, context)

    def _call(self, who: Signer) -> bytes:
        track = self.dice.choice((0, 30))
        other = self.dice.choice([s for s in self.signers if s is not who]).account
        conviction = self.dice.choice(("None", "Locked1x", "Locked6x"))
        lent = {"to": ("Id", other), "conviction": conviction, "balance": UNIT}
        name, arguments = self.dice.choice(
            (
                ("delegate", {"class": track, **lent}),
                ("delegate", {"class": track, **lent}),
                ("undelegate", {"class": track}),
                ("unlock", {"class": track, "target": ("Id", who.account)}),
            )
        )
        return self.runtime.encode_call("ConvictionVoting", name, arguments)
