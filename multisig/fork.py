"""The whole path of the signatures on a fork of the chain: each curator's `as_multi` in a block.

The operation that is open is read from the fork, and only the signatures that are missing are made.
Nobody's key is needed: the extrinsics are those that the curators would send, around a signature
that only a fork takes. What comes back is what the chain recorded; `multisig.simulate` judges it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from ibp_chain.accounts import ss58_encode
from ibp_chain.blocks import BlockRef
from ibp_chain.errors import InputError
from ibp_chain.extrinsics import Weight
from ibp_chain.runtime import Runtime
from ibp_chain.signing import SigningContext, assemble
from ibp_chain.source import EVENTS_KEY, NO_EVENTS
from ibp_chain.types import AccountId, BlockNumber, Hash
from multisig.approve import as_multi
from multisig.bundle import Bundle
from multisig.effects import Event
from multisig.operations import OpenOperation, read_operation
from multisig.runs import Balance, Path, PathStep, read_step
from multisig.simulate import watched_accounts

MOCK_SIGNATURE = b"\1" + bytes.fromhex("deadbeef") + b"\xcd" * 60
"""The sr25519 scheme and the mark that Chopsticks gives a signature which is none."""
_FULL_BLOCKS = 3
"""How many blocks may have no room: one that changes the session takes no extrinsics."""


@dataclass(frozen=True, slots=True)
class Built:
    """A block on a fork, with the one extrinsic that was given, or without."""

    number: BlockNumber
    hash: Hash
    index: int | None
    """Of the extrinsic; None where the runtime refused it."""
    refused: str | None
    full: bool
    """Refused only because this block has no room."""


class ForkedChain(Protocol):
    """A chain of one's own that begins with another's state."""

    def storage(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """The values at the fork's head."""

    def build(self, extrinsic: bytes) -> Built:
        """The next block. Signatures are not checked, everything else is."""


def choose_signers(
    bundle: Bundle, operation: OpenOperation | None, wanted: Sequence[AccountId] | None
) -> tuple[AccountId, ...]:
    """Who signs what is missing, in order: the first of `wanted` who have not approved yet.

    By default of the bundle's signatories. Raises `InputError` for somebody else among them, for
    one twice, and where there are too few.
    """
    signatories = bundle.multisig.account_ids(bundle.network)
    order = signatories if wanted is None else tuple(wanted)
    for account in order:
        address = ss58_encode(account, bundle.network.ss58_prefix)
        if account not in signatories:
            raise InputError(f"{address} is not one of the multisig's signatories")
        if order.count(account) > 1:
            raise InputError(f"{address} is named twice")
    approved = () if operation is None else operation.approvals
    missing = bundle.multisig.threshold - len(approved)
    if missing <= 0:
        # approved by hash alone: it takes one more, by anybody, that brings the call
        return order[:1]
    free = tuple(account for account in order if account not in approved)
    if len(free) < missing:
        raise InputError(
            f"{missing} signatures are missing, and {len(free)} of those named have not signed yet"
        )
    return free[:missing]


def run_signatures(
    bundle: Bundle,
    chain: ForkedChain,
    at: BlockRef,
    runtime: Runtime,
    max_weight: Weight,
    context_of: Callable[[AccountId], SigningContext],
    wanted: Sequence[AccountId] | None = None,
) -> Path:
    """Let the missing curators approve on `chain`, which is forked at `at`, until the call is
    dispatched, or one of them cannot.

    `context_of` is what a signature of an account is made with; its era is counted from `at` and
    its nonce is the fork's, since what waits in a node's pool is not on it.
    """
    operation = _operation(bundle, chain, runtime)
    signers = choose_signers(bundle, operation, wanted)
    watched = watched_accounts(bundle, runtime, signers)
    before = _balances(chain, runtime, watched)
    opened, steps = operation, list[PathStep]()
    for signer in signers:
        timepoint = None if opened is None else opened.timepoint
        call = as_multi(runtime, bundle, signer, timepoint, max_weight)
        nonce = _nonce(chain, runtime, signer)
        context = replace(context_of(signer), birth=at, nonce=nonce)
        step = _sign(signer, assemble(call, signer, MOCK_SIGNATURE, context), chain, runtime)
        steps.append(step)
        if step.error is not None:
            break
        opened = _operation(bundle, chain, runtime)
    after = _balances(chain, runtime, watched)
    return Path(
        at=at,
        spec_version=runtime.spec_version,
        operation=operation,
        steps=tuple(steps),
        before=before,
        after=after,
        still_open=opened,
    )


# --- Internals ------------------------------------------------------------------------


def _sign(signer: AccountId, raw: bytes, chain: ForkedChain, runtime: Runtime) -> PathStep:
    for _ in range(_FULL_BLOCKS):
        built = chain.build(raw)
        if not built.full:
            break
    if built.index is None:
        return PathStep(signer, built.number, f"refused: {built.refused}")
    (events,) = chain.storage([EVENTS_KEY])
    records = runtime.decode_events(NO_EVENTS if events is None else events)
    own = [record for record in records if record.extrinsic_index == built.index]
    found = [Event(record.pallet, record.name, record.args) for record in own]
    return read_step(signer, built.number, found, runtime.error_name)


def _operation(bundle: Bundle, chain: ForkedChain, runtime: Runtime) -> OpenOperation | None:
    account = bundle.multisig.account_id(bundle.network)
    key = runtime.storage_key("Multisig", "Multisigs", account, bundle.call_hash)
    (raw,) = chain.storage([key])
    if raw is None:
        return None
    return read_operation(runtime.decode_storage("Multisig", "Multisigs", raw))


def _nonce(chain: ForkedChain, runtime: Runtime, account: AccountId) -> int:
    (raw,) = chain.storage([runtime.storage_key("System", "Account", account)])
    return 0 if raw is None else int(runtime.decode_storage("System", "Account", raw)["nonce"])


def _balances(
    chain: ForkedChain, runtime: Runtime, accounts: Sequence[AccountId]
) -> dict[AccountId, Balance]:
    keys = [runtime.storage_key("System", "Account", account) for account in accounts]
    return {
        account: _balance(runtime, raw)
        for account, raw in zip(accounts, chain.storage(keys), strict=True)
    }


def _balance(runtime: Runtime, raw: bytes | None) -> Balance:
    if raw is None:
        return Balance(0, 0)
    data = runtime.decode_storage("System", "Account", raw)["data"]
    return Balance(data["free"], data["reserved"])
