"""Programme: who decides, who measures, what was decided, and what was refused.

One of the ledger's own pallets, fed by `program` and `decision` remarks.
Storage: `Genesis`, `Program`, `RulesSince`, `Decisions`, `Rejections`. Rule: `docs/remarks.md`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias, TypeVar

from pydantic import ValidationError

from ibp_chain.accounts import multisig_account
from ibp_chain.errors import DecodeError
from ibp_chain.remark_bodies import Body, Decision, Program
from ibp_chain.scale import schema
from ibp_chain.types import AccountId, BlockNumber, Hash
from ledger.pallets.rejections import Rejected, RejectionCode
from ledger.storage import Hasher, KeyPart, StorageMap, StorageValue

RemarkKey: TypeAlias = tuple[BlockNumber, int]
"""Block, and the remark's place among the block's programme remarks."""


@dataclass(frozen=True, slots=True)
class Said:
    """The circumstances of a remark that took effect on chain."""

    origin: AccountId
    """The effective one: the multisig or proxied account, where there is one."""
    key: RemarkKey
    extrinsic_index: int | None
    timestamp_ms: int
    """The block's own time, `Timestamp.Now` after its inherent."""
    hash: Hash
    """blake2b-256 of the remark's bytes."""

    @property
    def block(self) -> BlockNumber:
        return self.key[0]


class Genesis(NamedTuple):
    """Where this ledger begins."""

    remark: Hash
    """blake2b-256 of the founding remark's bytes: digests are bound to it."""
    origin: AccountId
    at: BlockNumber


class Rejection(NamedTuple):
    """A remark that was not taken as a fact."""

    code: RejectionCode
    origin: AccountId | None
    """None for an origin that is no account."""
    remark: Hash
    extrinsic: int | None


# --- Storage ----------------------------------------------------------------------

B = TypeVar("B", bound=Body)


def _stored(body: type[B]) -> Callable[..., B]:
    """`body`, refusing stored fields that no remark could have brought."""

    def make(**fields: Any) -> B:
        try:
            return body(**fields)
        except ValidationError as error:
            problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
            raise DecodeError(f"stored {body.__name__}: {problem['msg']}") from error

    return make


class Storage:
    """`RulesSince` keeps every version of the rules, by the block whose post-state has it first."""

    def __init__(self) -> None:
        self.genesis: StorageValue[Genesis] = StorageValue(
            "Programme",
            "Genesis",
            schema.struct(Genesis, remark=schema.hash256, origin=schema.account, at=schema.u32),
        )
        self.program: StorageValue[Program] = StorageValue(
            "Programme",
            "Program",
            schema.struct(
                _stored(Program),
                name=schema.text,
                rules=schema.hash256,
                curators=schema.vec(schema.account),
                threshold=schema.u16,
                oracles=schema.vec(schema.account),
                quorum=schema.u16,
            ),
        )
        number = KeyPart(Hasher.IDENTITY, schema.u32)
        self.rules_since: StorageMap[BlockNumber, Hash] = StorageMap(
            "Programme", "RulesSince", (number,), schema.hash256
        )
        self.decisions: StorageMap[RemarkKey, Decision] = StorageMap(
            "Programme",
            "Decisions",
            (number, number),
            schema.struct(
                _stored(Decision),
                member=schema.text,
                outcome=schema.text,
                subject=schema.text,
                reason=schema.text,
            ),
        )
        self.rejections: StorageMap[RemarkKey, Rejection] = StorageMap(
            "Programme",
            "Rejections",
            (number, number),
            schema.struct(
                Rejection,
                code=schema.enum(RejectionCode),
                origin=schema.option(schema.account),
                remark=schema.hash256,
                extrinsic=schema.option(schema.u32),
            ),
        )


# --- Origins ----------------------------------------------------------------------


def curators_account(program: Program) -> AccountId:
    """The multisig that speaks for the curators."""
    return multisig_account(program.curators, program.threshold)


def ensure_curators(storage: Storage, origin: AccountId) -> None:
    """Raises `Rejected` unless `origin` is the curators' multisig."""
    program = storage.program.value
    if program is None or origin != curators_account(program):
        raise Rejected(RejectionCode.WRONG_ORIGIN, "only the curators' multisig may say this")


def ensure_oracle(storage: Storage, origin: AccountId) -> None:
    """Raises `Rejected` unless `origin` is one of the programme's oracles."""
    program = storage.program.value
    if program is None or origin not in program.oracles:
        raise Rejected(RejectionCode.WRONG_ORIGIN, "only an oracle of the programme may say this")


# --- Calls ------------------------------------------------------------------------


def founds(body: Program, origin: AccountId, expected: AccountId | None) -> bool:
    """Whether `body`, said by `origin`, may found a ledger.

    It must come from the multisig that it describes: nobody can found a programme for others.
    """
    return origin == curators_account(body) and expected in {None, origin}


def program(storage: Storage, said: Said, body: Program) -> None:
    """Found the ledger, or let the curators in office change who they are, the rules, the oracles.

    The caller asks `founds` first where there is no ledger yet.
    """
    if storage.genesis.value is None:
        storage.genesis.put(Genesis(said.hash, said.origin, said.block))
    else:
        ensure_curators(storage, said.origin)
    before = storage.program.value
    if before is None or before.rules != body.rules:
        storage.rules_since.insert(said.block, body.rules)
    storage.program.put(body)


def decision(storage: Storage, said: Said, body: Decision) -> None:
    """Record a waiver, an override or an appeal's outcome."""
    ensure_curators(storage, said.origin)
    storage.decisions.insert(said.key, body)


def reject(
    storage: Storage,
    key: RemarkKey,
    code: RejectionCode,
    origin: AccountId | None,
    remark: Hash,
    extrinsic: int | None,
) -> None:
    """Record that a remark was not taken as a fact."""
    storage.rejections.insert(key, Rejection(code, origin, remark, extrinsic))
