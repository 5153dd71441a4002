"""Act one: the curators found the programme, register its members, and a stranger tries to."""

from ibp_chain.accounts import ss58_encode
from ibp_chain.blocks import blake2_256
from ibp_chain.remark_bodies import (
    Link,
    Member,
    MemberAction,
    Milestone,
    MilestoneAction,
    Payout,
    Program,
)
from ibp_chain.remarks import encode, link_message
from ibp_chain.types import Hash
from ledger.program.rules import Rules
from scripts.scenario.cast import QUORUM, THRESHOLD, Cast, CastMember
from scripts.scenario.stage import Stage

REGISTERED_MILESTONES = range(1, 7)


def found(stage: Stage, cast: Cast, rules: Rules) -> Hash:
    """The `program` remark by the multisig; returns its hash, which digests are bound to."""
    body = Program(
        name="Infrastructure Builders Program",
        rules=rules.hash,
        curators=tuple(curator.account for curator in cast.curators),
        threshold=THRESHOLD,
        oracles=tuple(oracle.account for oracle in cast.oracles),
        quorum=QUORUM,
    )
    raw = encode(body, stage.network.ss58_prefix)
    stage.by_multisig(stage.remark(raw), cast.curators[:THRESHOLD])
    return blake2_256(raw)


def register(stage: Stage, cast: Cast) -> None:
    """Every member of the real file, with its milestones; inactive ones are suspended."""
    remarks = [stage.remark(_registration(stage, member)) for member in cast.members]
    stage.by_multisig(stage.batch_all(remarks), (cast.curators[4], *cast.curators[1:3]))
    milestones = [
        stage.remark(
            encode(
                Milestone(
                    action=MilestoneAction.GRANT,
                    member=member.id,
                    milestone=milestone,
                    evidence=blake2_256(f"{member.id} milestone {milestone}".encode()),
                ),
                stage.network.ss58_prefix,
            )
        )
        for member in cast.members
        for milestone in REGISTERED_MILESTONES
        if milestone <= member.level
    ]
    stage.by_multisig(stage.batch_all(milestones), cast.curators[2:5])
    inactive = [
        stage.remark(
            encode(
                Member(
                    action=MemberAction.SUSPEND,
                    member=member.id,
                    reason="inactive in members_professional.json",
                ),
                stage.network.ss58_prefix,
            )
        )
        for member in cast.members
        if not member.active
    ]
    stage.by_multisig(stage.batch_all(inactive), cast.curators[:THRESHOLD])


def link(stage: Stage, cast: Cast) -> None:
    """'Sign & Verify': each member's 1,000 Validators account says that it speaks for it."""
    for member in cast.members:
        origin = ss58_encode(member.signer.account, stage.network.ss58_prefix)
        body = Link(
            member=member.id,
            network="kusama",
            account=ss58_encode(member.validator.account, 2),
            sig=member.validator.sign(link_message(member.id, origin)),
        )
        stage.send(member.signer, stage.remark(encode(body, stage.network.ss58_prefix)))
    stage.block()


def forge(stage: Stage, cast: Cast) -> None:
    """A stranger claims what only curators may say, and says what nobody can parse."""
    prefix = stage.network.ss58_prefix
    forged = Payout(
        period="2026-01", statement=Hash(bytes(32)), lines=((cast.members[0].id, "services"),)
    )
    for raw in (
        encode(forged, prefix),
        b'IBP/1 member {"action":"remove"}',
        b"IBP/1 milestone {not json",
        b"IBP/9 prophecy {}",
    ):
        stage.send(cast.stranger, stage.remark(raw))
    stage.block()


def _registration(stage: Stage, member: CastMember) -> bytes:
    account = member.signer.account
    return encode(
        Member(
            action=MemberAction.REGISTER,
            member=member.id,
            name=member.name,
            region=member.region,
            accounts={stage.network.name: account, "kusama": account},
            payee={stage.network.name: account},
        ),
        stage.network.ss58_prefix,
    )
