"""Membership: members, their accounts and payees, milestones, and the accounts linked to them.

One of the ledger's own pallets, fed by `member`, `milestone` and `link` remarks.
Storage: `Members`, `Owners`, `Milestones`, `Links`, `Transitions`. Rule: `docs/remarks.md`.
What a member is called, candidate or member, follows from these by `ledger.program.standing`.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import NamedTuple, TypeAlias

from ibp_chain.accounts import ss58_encode, verify_signature
from ibp_chain.networks import Network
from ibp_chain.remark_bodies import Link, Member, MemberAction, Milestone, MilestoneAction
from ibp_chain.remarks import link_message
from ibp_chain.scale import schema
from ibp_chain.types import AccountId, BlockNumber, Hash
from ledger.pallets.programme import Said
from ledger.pallets.rejections import Rejected, RejectionCode
from ledger.storage import Hasher, KeyPart, StorageMap

MemberId: TypeAlias = str
"""The slug that remarks use."""
AccountOn: TypeAlias = tuple[str, AccountId]
"""Network name and account id."""


class MemberStatus(IntEnum):
    ACTIVE = 0
    SUSPENDED = 1
    REMOVED = 2


class MemberRecord(NamedTuple):
    """A member as the curators last described it."""

    name: str
    region: str
    status: MemberStatus
    reason: str | None
    """Why it was suspended, reinstated or removed, in the curators' words."""
    accounts: tuple[AccountOn, ...]
    """By network name, ascending."""
    payees: tuple[AccountOn, ...]
    """Who is paid on a network, by network name."""
    registered_at: BlockNumber
    status_since: BlockNumber

    def account(self, network: str) -> AccountId | None:
        return dict(self.accounts).get(network)

    def payee(self, network: str) -> AccountId | None:
        return dict(self.payees).get(network)


class MilestoneRecord(NamedTuple):
    evidence: Hash
    granted_at: BlockNumber


class TransitionKind(IntEnum):
    REGISTERED = 0
    SUSPENDED = 1
    REINSTATED = 2
    REMOVED = 3
    GRANTED = 4
    REVOKED = 5


class Transition(NamedTuple):
    """Something that the curators made of a member. Kept for ever, beyond the member's removal."""

    kind: TransitionKind
    milestone: int | None
    """Which was granted or revoked."""
    extrinsic: int | None
    """None for what a hook dispatched."""


# --- Storage ----------------------------------------------------------------------

_ACCOUNTS = schema.vec(schema.sequence(schema.text, schema.account))


class Storage:
    """`Owners` tells whose an account is, registered or linked: no two members share one."""

    def __init__(self) -> None:
        member = KeyPart(Hasher.BLAKE2_128_CONCAT, schema.text)
        network = KeyPart(Hasher.TWOX_64_CONCAT, schema.text)
        account = KeyPart(Hasher.IDENTITY, schema.account)
        self.members: StorageMap[MemberId, MemberRecord] = StorageMap(
            "Membership",
            "Members",
            (member,),
            schema.struct(
                MemberRecord,
                name=schema.text,
                region=schema.text,
                status=schema.enum(MemberStatus),
                reason=schema.option(schema.text),
                accounts=_ACCOUNTS,
                payees=_ACCOUNTS,
                registered_at=schema.u32,
                status_since=schema.u32,
            ),
        )
        self.owners: StorageMap[AccountOn, MemberId] = StorageMap(
            "Membership", "Owners", (network, account), schema.text
        )
        self.milestones: StorageMap[tuple[MemberId, int], MilestoneRecord] = StorageMap(
            "Membership",
            "Milestones",
            (member, KeyPart(Hasher.IDENTITY, schema.u8)),
            schema.struct(MilestoneRecord, evidence=schema.hash256, granted_at=schema.u32),
        )
        self.links: StorageMap[tuple[MemberId, str, AccountId], BlockNumber] = StorageMap(
            "Membership",
            "Links",
            (member, network, account),
            schema.u32,  # type: ignore[arg-type]  # BlockNumber is a NewType of int
        )
        number = KeyPart(Hasher.IDENTITY, schema.u32)
        self.transitions: StorageMap[tuple[MemberId, BlockNumber, int], Transition] = StorageMap(
            "Membership",
            "Transitions",
            (member, number, number),
            schema.struct(
                Transition,
                kind=schema.enum(TransitionKind),
                milestone=schema.option(schema.u8),
                extrinsic=schema.option(schema.u32),
            ),
        )


def active(storage: Storage) -> frozenset[MemberId]:
    """Who is a member and neither suspended nor removed."""
    return frozenset(
        member for member, record in storage.members.items() if record.status is MemberStatus.ACTIVE
    )


# --- Calls: the curators, who are checked by the caller -------------------------------


def member(storage: Storage, said: Said, body: Member) -> None:
    """Register, update, suspend, reinstate or remove a member. Raises `Rejected`."""
    if body.action is MemberAction.REGISTER:
        _register(storage, said, body)
        _note(storage, said, body.member, TransitionKind.REGISTERED)
        return
    known = _present(storage, body.member)
    match body.action:
        case MemberAction.UPDATE:
            _update(storage, body, known)
        case MemberAction.SUSPEND:
            _move(storage, said, body, known, MemberStatus.ACTIVE, MemberStatus.SUSPENDED)
        case MemberAction.REINSTATE:
            _move(storage, said, body, known, MemberStatus.SUSPENDED, MemberStatus.ACTIVE)
        case MemberAction.REMOVE:
            _move(storage, said, body, known, known.status, MemberStatus.REMOVED)
            _disown(storage, body.member)
    if body.action in _TRANSITIONS:
        _note(storage, said, body.member, _TRANSITIONS[body.action])


def milestone(storage: Storage, said: Said, body: Milestone) -> None:
    """Grant or revoke a milestone. Raises `Rejected`."""
    _present(storage, body.member)
    key = body.member, body.milestone
    granted = key in storage.milestones
    if granted == (body.action is MilestoneAction.GRANT):
        state = "has" if granted else "does not have"
        raise Rejected(
            RejectionCode.NOT_POSSIBLE_NOW, f"{body.member} {state} milestone {body.milestone}"
        )
    if granted:
        storage.milestones.remove(key)
        kind = TransitionKind.REVOKED
    else:
        storage.milestones.insert(key, MilestoneRecord(body.evidence, said.block))
        kind = TransitionKind.GRANTED
    _note(storage, said, body.member, kind, body.milestone)


# --- Calls: a member --------------------------------------------------------------------


def link(storage: Storage, said: Said, body: Link, network: Network) -> None:
    """'Sign & Verify': tie an account to the member that says so, with that account's signature.

    `network` is the chain that carries the remark. Raises `Rejected`.
    """
    _present(storage, body.member)
    if storage.owners.find((network.name, said.origin)) != body.member:
        raise Rejected(RejectionCode.WRONG_ORIGIN, f"the origin is no account of {body.member}")
    linked = body.network, body.account_id
    if storage.owners.find(linked) is not None:
        raise Rejected(RejectionCode.ACCOUNT_TAKEN, f"{body.account} belongs to a member already")
    message = link_message(body.member, ss58_encode(said.origin, network.ss58_prefix))
    if not verify_signature(body.account_id, body.sig, message):
        raise Rejected(RejectionCode.WRONG_SIGNATURE, f"{body.account} did not sign this link")
    storage.links.insert((body.member, *linked), said.block)
    storage.owners.insert(linked, body.member)


# --- Internals ----------------------------------------------------------------------

_TRANSITIONS = {
    MemberAction.SUSPEND: TransitionKind.SUSPENDED,
    MemberAction.REINSTATE: TransitionKind.REINSTATED,
    MemberAction.REMOVE: TransitionKind.REMOVED,
}


def _note(
    storage: Storage,
    said: Said,
    member_id: MemberId,
    kind: TransitionKind,
    milestone_number: int | None = None,
) -> None:
    transition = Transition(kind, milestone_number, said.extrinsic_index)
    storage.transitions.insert((member_id, *said.key), transition)


def _present(storage: Storage, member_id: MemberId) -> MemberRecord:
    known = storage.members.find(member_id)
    if known is None or known.status is MemberStatus.REMOVED:
        raise Rejected(RejectionCode.UNKNOWN_MEMBER, f"there is no member {member_id!r}")
    return known


def _register(storage: Storage, said: Said, body: Member) -> None:
    known = storage.members.find(body.member)
    if known is not None and known.status is not MemberStatus.REMOVED:
        raise Rejected(RejectionCode.NOT_POSSIBLE_NOW, f"{body.member} is registered already")
    assert body.name is not None
    assert body.region is not None
    accounts = _sorted(body.accounts)
    _own(storage, body.member, (), accounts)
    storage.members.insert(
        body.member,
        MemberRecord(
            name=body.name,
            region=body.region,
            status=MemberStatus.ACTIVE,
            reason=None,
            accounts=accounts,
            payees=_sorted(body.payee),
            registered_at=said.block,
            status_since=said.block,
        ),
    )


def _update(storage: Storage, body: Member, known: MemberRecord) -> None:
    """What is given replaces what was: accounts and payees as a whole."""
    accounts = known.accounts if body.accounts is None else _sorted(body.accounts)
    _own(storage, body.member, known.accounts, accounts)
    storage.members.insert(
        body.member,
        known._replace(
            name=known.name if body.name is None else body.name,
            region=known.region if body.region is None else body.region,
            accounts=accounts,
            payees=known.payees if body.payee is None else _sorted(body.payee),
        ),
    )


def _move(
    storage: Storage,
    said: Said,
    body: Member,
    known: MemberRecord,
    source: MemberStatus,
    target: MemberStatus,
) -> None:
    if known.status is not source:
        raise Rejected(
            RejectionCode.NOT_POSSIBLE_NOW,
            f"{body.member} is {known.status.name.lower()}: cannot {body.action}",
        )
    storage.members.insert(
        body.member,
        known._replace(status=target, reason=body.reason, status_since=said.block),
    )


def _own(
    storage: Storage,
    member_id: MemberId,
    old: tuple[AccountOn, ...],
    new: tuple[AccountOn, ...],
) -> None:
    """Let the member own `new` instead of `old`; nothing is changed where one is taken."""
    for name, account in new:
        if storage.owners.find((name, account)) not in {None, member_id}:
            raise Rejected(
                RejectionCode.ACCOUNT_TAKEN, f"the {name} account belongs to another member"
            )
    for key in set(old) - set(new):
        if (member_id, *key) not in storage.links:
            storage.owners.remove(key)
    for key in new:
        storage.owners.insert(key, member_id)


def _disown(storage: Storage, member_id: MemberId) -> None:
    """A removed member's accounts are free again, its milestones and links gone."""
    for key in [key for key, owner in storage.owners.items() if owner == member_id]:
        storage.owners.remove(key)
    for granted in [key for key, _ in storage.milestones.items() if key[0] == member_id]:
        storage.milestones.remove(granted)
    for linked in [key for key, _ in storage.links.items() if key[0] == member_id]:
        storage.links.remove(linked)


def _sorted(accounts: Mapping[str, AccountId] | None) -> tuple[AccountOn, ...]:
    return tuple(sorted((accounts or {}).items()))
