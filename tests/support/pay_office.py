"""A programme on the real runtime for payouts alone: founded in two blocks, then one block a time.

Blocks hold exactly the extrinsics that a test gives them, in its order, so that what happens in
one block is known beforehand: who opens an operation where, and who comes too late. Statements are
of months in the future, a month each, so that no test is in the way of another; their lines pay
registered members, and everything but the days served is as the ledger has it.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cache
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

from ibp_chain.accounts import multisig_account, other_signatories, ss58_encode
from ibp_chain.blocks import Block, EventRecord, blake2_256
from ibp_chain.extrinsics import Submitter, Weight
from ibp_chain.keys import KeypairSigner, signer_from_uri
from ibp_chain.networks import network
from ibp_chain.remark_bodies import Body, Member, MemberAction, Program
from ibp_chain.remarks import encode
from ibp_chain.runtime import Runtime
from ibp_chain.runtimes import runtimes
from ibp_chain.signing import SigningContext, sign_extrinsic
from ibp_chain.source import NodeSource
from ibp_chain.types import AccountId, Hash, Planck
from ledger.indexer import replay_into
from ledger.program.rules import load_rules
from ledger.state import State
from ledger.store import Identity, Store
from multisig.approve import as_multi
from multisig.batch import build_batches
from multisig.bundle import Bundle, make_bundles, write_file
from multisig.plan import PLAIN, PlanPart
from multisig.statement import Line, Statement, planck_owed
from scripts.devnet_process import DEFAULT_SPEC, Devnet, start_devnet
from scripts.scenario.cast import genesis_storage
from tests.support import payouts
from tests.support.command_line import DEMO
from tests.support.in_process import ibp_here

PASEO = network("paseo")
URIS = tuple(f"//IBP//Curator//{at}" for at in range(5))
THRESHOLD = 3
MEMBERS = ("amforc", "gatotech", "stake-plus", "turboflakes")
TWIN = "turboflakes"
"""Registered with the payee of the first member."""
STRANGER = "//IBP//Stranger"
_ISSUANCE = Planck(1_150_000_010_000_000_000)
_AMPLE = Weight(50_000_000_000, 1_000_000)
_TEMPLATE = payouts.bundle().statement


@cache
def key(uri: str) -> KeypairSigner:
    return signer_from_uri(uri)


def address(account: AccountId) -> str:
    return ss58_encode(account, PASEO.ss58_prefix)


def curator(at: int) -> str:
    """The address of curator number `at`, by its URI."""
    return address(key(URIS[at]).account)


ACCOUNTS = tuple(key(uri).account for uri in URIS)
MULTISIG = multisig_account(ACCOUNTS, THRESHOLD)


def payee(member: str) -> AccountId:
    return key(f"//IBP//Member//{member}").account


@dataclass
class PayOffice:
    """A running chain on which the programme stands, and what its curators do there."""

    devnet: Devnet
    node: NodeSource
    submitter: Submitter
    runtime: Runtime
    folder: Path
    program: Hash
    """Of the founding remark."""
    threshold: int = THRESHOLD
    """Of the multisig that `by_multisig` speaks for."""
    _context: SigningContext | None = None
    _nonces: dict[AccountId, int] = field(default_factory=dict)
    _months: int = 0
    _state: State | None = None

    # --- what is to be paid ---

    def month(self) -> str:
        """One that no statement has been for."""
        self._months += 1
        return f"{2030 + self._months // 12}-{self._months % 12 + 1:02d}"

    def statement(
        self,
        period: str | None = None,
        members: Sequence[str] = MEMBERS[:1],
        *,
        usd: str = "10.00",
        price: str = "2.15",
    ) -> Statement:
        """Every one of `members` is owed `usd`, at its registered payee."""
        return _TEMPLATE.model_copy(
            update={
                "period": period or self.month(),
                "rules": load_rules().hash,
                "ledger": _TEMPLATE.ledger.model_copy(update={"program": self.program, "block": 1}),
                "price": _TEMPLATE.price.model_copy(update={"usd": Decimal(price)}),
                "lines": tuple(
                    self.line(member, usd=usd, price=price) for member in sorted(members)
                ),
                "withheld": (),
            }
        )

    def line(self, member: str, *, usd: str = "10.00", price: str = "2.15") -> Line:
        update = {
            "member": member,
            "payee": address(payee(member)),
            "usd": Decimal(usd),
            "planck": planck_owed(Decimal(usd), Decimal(price), PASEO),
        }
        return _TEMPLATE.lines[0].model_copy(update=update)

    def bundles(self, stated: Statement, plan: PlanPart = PLAIN) -> tuple[Bundle, ...]:
        """As `ibp multisig build` makes them."""
        state, genesis = self.state(), self.node.genesis_hash
        batches = build_batches(stated, state, self.runtime, plan=plan)
        return make_bundles(stated, batches, state, genesis, self.runtime)

    def bundle(self, stated: Statement | None = None) -> Bundle:
        (made,) = self.bundles(self.statement() if stated is None else stated)
        return made

    def file(self, bundle: Bundle, name: str | None = None) -> Path:
        path = self.folder / f"{name or blake2_256(bundle.encoded).hex()[:12]}.json"
        write_file(path, bundle.encoded)
        return path

    # --- the ledger ---

    def state(self) -> State:
        """The ledger up to the head; the database is brought there too."""
        if (
            self._state is None
            or self._state.head.value is None
            or (self._state.head.value.hash != self.devnet.head_hash())
        ):
            identity = Identity(PASEO.name, self.node.genesis_hash, MULTISIG)
            with Store(self.db, identity) as store:
                known = self.submitter.runtimes
                self._state = replay_into(store, self.node, known, state=self._state)
        return self._state

    @property
    def db(self) -> str:
        return f"sqlite:///{self.folder / 'ledger.db'}"

    # --- extrinsics ---

    @property
    def next_height(self) -> int:
        return self.submitter.best().number + 1

    def approval(
        self,
        bundle: Bundle,
        at: int,
        timepoint: Mapping[str, int] | None,
        weight: Weight = _AMPLE,
    ) -> bytes:
        """Curator `at`'s `as_multi` of the whole call, signed with its next nonce."""
        call = as_multi(self.runtime, bundle, ACCOUNTS[at], timepoint, weight)
        return self.signed(call, URIS[at])

    def call_approval(self, call: bytes, at: int, timepoint: Mapping[str, int] | None) -> bytes:
        """The same of any call of the curators' multisig."""
        approval = self._multisig_call(
            "as_multi", at, maybe_timepoint=timepoint, call=self.runtime.decode_call(call),
            max_weight=_AMPLE._asdict(),
        )  # fmt: skip
        return self.signed(approval, URIS[at])

    def hash_approval(self, call_hash: Hash, at: int, timepoint: Mapping[str, int] | None) -> bytes:
        """By hash alone, which shows nobody what it is."""
        approval = self._multisig_call(
            "approve_as_multi", at, maybe_timepoint=timepoint, call_hash=call_hash,
            max_weight={"ref_time": 0, "proof_size": 0},
        )  # fmt: skip
        return self.signed(approval, URIS[at])

    def cancellation(self, call_hash: Hash, at: int, timepoint: Mapping[str, int]) -> bytes:
        call = self._multisig_call("cancel_as_multi", at, timepoint=timepoint, call_hash=call_hash)
        return self.signed(call, URIS[at])

    def _multisig_call(self, name: str, at: int, **args: Any) -> bytes:
        others = other_signatories(ACCOUNTS, ACCOUNTS[at])
        fields = {"threshold": self.threshold, "other_signatories": others, **args}
        return self.runtime.encode_call("Multisig", name, fields)

    def signed(self, call: bytes, uri: str) -> bytes:
        """With the account's next nonce; it has to go into the next block."""
        signer = key(uri)
        if self._context is None:
            self._context = self.submitter.context(signer.account)
        nonce = self._nonces.get(signer.account)
        if nonce is None:
            nonce = self._nonce(signer.account)
        self._nonces[signer.account] = nonce + 1
        return sign_extrinsic(call, signer, replace(self._context, nonce=nonce))

    def _nonce(self, account: AccountId) -> int:
        found = self.stored("System", "Account", account)
        return 0 if found is None else int(found["nonce"])

    def stored(self, pallet: str, entry: str, *keys: Any) -> Any:
        storage_key = self.runtime.storage_key(pallet, entry, *keys)
        (raw,) = self.node.storage([storage_key], self.devnet.head_hash())
        return None if raw is None else self.runtime.decode_storage(pallet, entry, raw)

    # --- blocks ---

    def block(self, *extrinsics: bytes) -> Block:
        """One with exactly these, in this order; afterwards nonces are read anew."""
        wanted = ["0x" + raw.hex() for raw in extrinsics]
        self.devnet.rpc("dev_newBlock", {"transactions": wanted})
        self._nonces.clear()
        self._context = None
        block = self.node.block(self.devnet.head_hash())
        assert block.extrinsics[len(block.extrinsics) - len(extrinsics) :] == extrinsics, (
            self.devnet.rpc("dev_dropped")
        )
        return block

    def waiting(self, extrinsic: bytes) -> None:
        """In the pool: the next block that a command brings about takes it first."""
        self.devnet.rpc("author_submitExtrinsic", "0x" + extrinsic.hex())

    def first_index(self) -> int:
        """Of a block's first signed extrinsic: inherents stand before it."""
        return 2

    def timepoint(self, place: int = 0) -> dict[str, int]:
        """Of the operation that extrinsic number `place` of the next block opens."""
        return {"height": self.next_height, "index": self.first_index() + place}

    def opened(self, bundle: Bundle, *who: int) -> dict[str, int]:
        """All of `who` approve in one block; the operation's timepoint."""
        timepoint = self.timepoint()
        first, *others = who
        rest = [self.approval(bundle, at, timepoint) for at in others]
        self.block(self.approval(bundle, first, None), *rest)
        return timepoint

    def executed(self, *bundles: Bundle, who: Sequence[int] = (0, 1, 2)) -> Block:
        """Opened, approved and executed in one block, one after the other."""
        extrinsics = []
        for place, bundle in enumerate(bundles):
            timepoint = self.timepoint(place * len(who))
            extrinsics += [
                self.approval(bundle, at, timepoint if nth else None) for nth, at in enumerate(who)
            ]
        block = self.block(*extrinsics)
        for event in self.events(block, "Multisig", "MultisigExecuted"):
            assert event.args["result"][0] == "Ok", event
        return block

    def said(self, *bodies: Body, who: Sequence[int] = (0, 1, 2)) -> Block:
        """Remarks of the curators' multisig, executed in one block."""
        return self.by_multisig(self._remarks(bodies), who)

    def by_multisig(self, call: bytes, who: Sequence[int] = (0, 1, 2)) -> Block:
        timepoint = self.timepoint()
        block = self.block(
            *(
                self.call_approval(call, at, timepoint if nth else None)
                for nth, at in enumerate(who)
            )
        )
        (executed,) = self.events(block, "Multisig", "MultisigExecuted")
        assert executed.args["result"][0] == "Ok", executed
        return block

    def _remarks(self, bodies: Sequence[Body]) -> bytes:
        calls = [
            self.runtime.call(
                "System", "remark_with_event", {"remark": encode(body, PASEO.ss58_prefix)}
            )
            for body in bodies
        ]
        return self.runtime.encode_call("Utility", "batch_all", {"calls": calls})

    def events(self, block: Block, pallet: str, name: str) -> list[EventRecord]:
        return [
            event
            for event in self.runtime.decode_events(block.events)
            if (event.pallet, event.name) == (pallet, name)
        ]

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """What a command sends is in a block at once, behind what was waiting."""
        self.devnet.rpc("dev_setBlockBuildMode", "Instant")
        try:
            yield
        finally:
            self.devnet.rpc("dev_setBlockBuildMode", "Manual")

    # --- commands ---

    def approve(
        self, file: Path, uri: str, *options: object, node: str | None = None, db: str | None = None
    ) -> CompletedProcess[str]:
        """`ibp multisig approve` by whoever has the key of `uri`."""
        whole = (
            "approve",
            file,
            "--yes",
            "--rows",
            DEMO / "rows",
            "--node",
            node or self.devnet.url,
        )
        with self.at_once():
            return self.ibp(*whole, "--db", db or self.db, *options, uri=uri)

    def build(self, stated: Statement, out: Path, *options: object) -> CompletedProcess[str]:
        """`ibp multisig build` of a statement, by the ledger as it is now."""
        self.state()
        statement = out.with_name("statement.json")
        write_file(statement, stated.encoded)
        return self.ibp("build", statement, "--out", out, "--db", self.db, *options)

    def ibp(self, *arguments: object, uri: str | None = None) -> CompletedProcess[str]:
        """`ibp multisig …`."""
        secret = {} if uri is None else {"IBP_SECRET_URI": uri}
        return ibp_here("multisig", *arguments, env=secret)

    def told(self, *arguments: object) -> Any:
        """The JSON of `ibp multisig …`, which must end with 0."""
        done = self.ibp(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


def program(threshold: int = THRESHOLD) -> Program:
    return Program(
        name="Infrastructure Builders Program",
        rules=load_rules().hash,
        curators=ACCOUNTS,
        threshold=threshold,
        oracles=tuple(key(f"//IBP//Oracle//{at}").account for at in range(3)),
        quorum=2,
    )


def registration(member: str, paid_to: AccountId) -> Member:
    return Member(
        action=MemberAction.REGISTER,
        member=member,
        name=member.title(),
        region="europe",
        accounts={PASEO.name: payee(member)},
        payee={PASEO.name: paid_to},
    )


@contextmanager
def pay_office(
    folder: Path, spec: str = DEFAULT_SPEC, changed: Mapping[str, str] | None = None
) -> Iterator[PayOffice]:
    """Founded, its members registered, its curators and its multisig with money.

    `changed` are raw entries of the genesis storage.
    """
    balances = dict.fromkeys(ACCOUNTS, PASEO.planck(10_000))
    balances |= {MULTISIG: PASEO.planck(100_000), key(STRANGER).account: PASEO.planck(1_000)}
    storage = {**genesis_storage(balances, _ISSUANCE), **(changed or {})}
    with start_devnet(spec, genesis_storage=storage) as devnet, NodeSource(devnet.url) as node:
        devnet.new_block(count=2)
        submitter = Submitter(node, runtimes(node), poll_seconds=0.0, advance=devnet.new_block)
        founding = program()
        office = PayOffice(
            devnet, node, submitter, submitter.runtime(), folder,
            blake2_256(encode(founding, PASEO.ss58_prefix)),
        )  # fmt: skip
        office.by_multisig(
            office.runtime.encode_call(
                "System", "remark_with_event", {"remark": encode(founding, PASEO.ss58_prefix)}
            )
        )
        office.said(
            *(
                registration(member, payee(MEMBERS[0] if member == TWIN else member))
                for member in MEMBERS
            )
        )
        yield office
