"""What happens on the chain of a differential test of treasury and bounties."""

from collections import Counter
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from typing import Any

from ibp_chain.accounts import ss58_encode
from ibp_chain.node import to_hex
from ibp_chain.scale.values import Call
from ibp_chain.types import AccountId
from ledger.pallets.bounties import BountyIndex
from ledger.pallets.treasury import Attempted, SpendIndex
from ledger.storage import StorageMap
from tests.differential.governance_acts import MOST_BLOCKS
from tests.differential.live_chain import CROWDED, FORTUNE, PASEO, WHALE, Chain
from tests.differential.random_governance import UNIT
from tests.differential.random_spending import NOBODYS, Open, SpendingDice

EXTRINSICS, ROOTED = 3, 60
"""In a random block: extrinsics by voters, and calls in root's batch."""
POT = AccountId(b"modlpy/trsry".ljust(32, b"\0"))
ASSET_HUB = 1000


def dice(chain: Chain) -> SpendingDice:
    assert isinstance(chain.dice, SpendingDice)
    return chain.dice


def prepare(chain: Chain) -> None:
    """Fill the pot, and let the paymaster reach a parachain that there is not."""
    fill_pot(chain, FORTUNE)
    chain.devnet.set_items({"Balances": {"TotalIssuance": str(100 * FORTUNE)}})  # to burn from
    runtime = chain.runtime
    heads = runtime.storage_key("Paras", "Heads", ASSET_HUB)
    chain.devnet.set_storage({to_hex(heads): to_hex(runtime.encode_storage("Paras", "Heads", b""))})
    chain.force(
        [
            chain.dice.call("XcmPallet", "force_default_xcm_version", maybe_xcm_version=3),
            chain.dice.call(
                "AssetRate", "create", asset_kind=dice(chain).asset_kind(ASSET_HUB), rate=10**18
            ),
        ]
    )


def fill_pot(chain: Chain, free: int) -> None:
    address = [ss58_encode(POT, PASEO.ss58_prefix)]
    account = {"providers": 1, "data": {"free": str(free)}}
    chain.devnet.set_items({"System": {"Account": [[address, account]]}})


def look(chain: Chain) -> None:
    """Let the dice know what there is."""
    at, height = chain.devnet.head_hash(), chain.node.head().number
    approvals = chain.entries("Treasury", "Approvals", at)
    bounties, proposals, spends = (
        {index: value for (index,), value in chain.entries(pallet, item, at).items()}
        for pallet, item in (
            ("Bounties", "Bounties"),
            ("Treasury", "Proposals"),
            ("Treasury", "Spends"),
        )
    )
    children = {
        (parent, child): value
        for (parent, child), value in chain.entries("ChildBounties", "ChildBounties", at).items()
    }
    waiting = tuple(approvals.get((), ()))
    dice(chain).open = Open(bounties, children, proposals, waiting, spends)
    dice(chain).height = height


def random_blocks(chain: Chain, count: int) -> None:
    """Of extrinsics by voters, and of a batch by root: extrinsics take the test chain's time."""
    for _ in range(count):
        chain.rounds += 1
        chain.dice.operations = chain.operations(chain.devnet.head_hash())
        look(chain)
        for _ in range(EXTRINSICS):
            chain.send(*chain.dice.extrinsic(rooted_percent=0))
        chain.force([chain.dice.rooted() for _ in range(ROOTED)])
        settle_payments(chain)


def random_blocks_until(chain: Chain, wanted: AbstractSet[str]) -> None:
    """Go on, with a spend period's end now and then, until all `wanted` are in `chain.seen`."""
    for round_ in range(MOST_BLOCKS):
        if wanted <= chain.seen.keys():
            return
        if round_ % 4 == 0:
            end_spend_periods(chain, 1)
        random_blocks(chain, 1)
    missing = sorted(wanted - chain.seen.keys())
    raise AssertionError(f"{chain.rounds} random blocks had no {', '.join(missing)}")


def end_spend_periods(chain: Chain, count: int) -> None:
    """Jump to a block in which the treasury pays and funds what was approved."""
    period: int = chain.runtime.constant("Treasury", "SpendPeriod")
    passed = chain.node.head().number // period
    before = chain.seen["Treasury.Spending"]
    chain.block((passed + count) * period)
    assert chain.seen["Treasury.Spending"] == before + 1


def settle_payments(chain: Chain) -> None:
    """Let the parachain answer three of four payments: the odd ones failed."""
    runtime, at = chain.runtime, chain.devnet.head_hash()
    overflow = (0, ("Overflow", ()))
    for (query,), value in chain.entries("XcmPallet", "Queries", at).items():
        if value[0] == "Pending" and query % 4:
            version = value[1]["responder"][0]
            result = ("ExecutionResult", overflow if query % 2 else None)
            ready = ("Ready", {"response": (version, result), "at": 1})
            key = runtime.storage_key("XcmPallet", "Queries", query)
            raw = runtime.encode_storage("XcmPallet", "Queries", ready)
            chain.devnet.set_storage({to_hex(key): to_hex(raw)})


# --- Tasks ----------------------------------------------------------------------------


def let_tasks_govern(chain: Chain) -> None:
    """Whatever no block shows: scheduled tasks approve, spend, accept, award, claim and close."""
    spending, draw = chain.mirrors.spending, dice(chain)
    one = spending.bounties.bounty_count.get(())
    curator, other = WHALE.account, CROWDED.account
    children = [{"parent_bounty_id": one, "child_bounty_id": n} for n in _next_children(chain)]

    def by(who: AccountId, name: str, **args: Any) -> Call:
        return chain.as_(who, "Bounties", name, bounty_id=one, **args)

    def child(name: str, n: int, **args: Any) -> Call:
        return chain.as_(curator, "ChildBounties", name, **children[n], **args)

    def root(pallet: str, name: str, **args: Any) -> Call:
        return chain.dice.call(pallet, name, **args)

    propose = {"value": 50 * UNIT, "description": b"by tasks"}
    add = {"parent_bounty_id": one, "value": UNIT, "description": b""}
    to_curator, to_other = {"curator": ("Id", curator)}, {"beneficiary": ("Id", other)}
    chain.force([chain.as_(other, "Bounties", "propose_bounty", **propose) for _ in range(2)])
    _run_tasks(
        chain,
        ("Bounties.BountyApproved", root("Bounties", "approve_bounty", bounty_id=one)),
        ("Bounties.BountyRejected", root("Bounties", "close_bounty", bounty_id=one + 1)),
        ("Treasury.SpendApproved", root("Treasury", "spend_local", amount=UNIT, **to_other)),
        ("Treasury.AssetSpendApproved", draw.spend(POOR)),
    )
    end_spend_periods(chain, 1)
    chain.force([root("Bounties", "propose_curator", bounty_id=one, **to_curator, fee=UNIT)])
    voided = spending.treasury.spend_count.get(()) - 1
    _run_tasks(
        chain,
        ("Bounties.CuratorAccepted", by(curator, "accept_curator")),
        ("Bounties.BountyExtended", by(curator, "extend_bounty_expiry", remark=b"")),
        ("Treasury.AssetSpendVoided", root("Treasury", "void_spend", index=voided)),
    )
    chain.force(
        [chain.as_(curator, "ChildBounties", "add_child_bounty", **add) for _ in children]
        + [child("propose_curator", n, **to_curator, fee=1) for n in range(2)]
        + [child("accept_curator", n) for n in range(2)]
    )
    _run_tasks(
        chain,
        ("ChildBounties.Awarded", child("award_child_bounty", 0, **to_other)),
        ("ChildBounties.Canceled", root("ChildBounties", "close_child_bounty", **children[1])),
    )
    end_spend_periods(chain, 1)  # which is the payout delay, too
    _run_tasks(
        chain,
        ("ChildBounties.Claimed", child("claim_child_bounty", 0)),
        ("Bounties.BountyAwarded", by(curator, "award_bounty", **to_other)),
    )
    end_spend_periods(chain, 1)
    _run_tasks(chain, ("Bounties.BountyClaimed", by(other, "claim_bounty")))
    assert BountyIndex(one) not in spending.bounties.bounties


def _next_children(chain: Chain) -> tuple[int, int]:
    """The numbers of the next two children of a bounty that has none yet."""
    if chain.runtime.has_call("Bounties", "poke_deposit"):
        return 0, 1
    first = chain.mirrors.spending.child_bounties.child_bounty_count.get(())
    return first, first + 1


def _run_tasks(chain: Chain, *tasks: tuple[str, Call]) -> None:
    """Each must leave its event in a hook, and be known as what was scheduled."""
    before = Counter(chain.seen)
    when = chain.node.head().number + 3
    schedule = {"when": when, "maybe_periodic": None}
    chain.force(
        [
            chain.dice.call("Scheduler", "schedule", **schedule, priority=n, call=call)
            for n, (_, call) in enumerate(tasks)
        ]
    )
    while any(chain.seen[event] == before[event] for event, _ in tasks):
        assert chain.block().header.number < when + MOST_BLOCKS
    assert all(chain.seen[str(call)] > before[str(call)] for _, call in tasks)


# --- Refusals -----------------------------------------------------------------------

POOR = AccountId(b"poor".ljust(32, b"\0"))
"""Owns nothing."""
SMALL_TIPPER = ("Origins", "SmallTipper")


@contextmanager
def planted(
    chain: Chain, storage_map: StorageMap[Any, Any], key: Any, value: Any
) -> Iterator[None]:
    """An entry made what it is to be, on both sides, and afterwards what it was."""
    before = storage_map.get(key)
    _plant(chain, storage_map, key, value)
    yield
    _plant(chain, storage_map, key, before)


def _plant(chain: Chain, storage_map: StorageMap[Any, Any], key: Any, value: Any) -> None:
    storage_map.insert(key, value)
    raw = storage_map.encode_value(value)
    chain.devnet.set_storage({to_hex(storage_map.raw_key(key)): to_hex(raw)})


def provoke_treasury_errors(chain: Chain) -> None:
    """Every error of the pallet, at a height beyond its payout period."""
    treasury, draw = chain.mirrors.spending.treasury, dice(chain)
    first = treasury.spend_count.get(())
    claimed, early, unreachable = map(SpendIndex, range(first, first + 3))
    now = chain.node.head().number

    def by(who: AccountId, name: str, **args: Any) -> Call:
        return chain.as_(who, "Treasury", name, **args)

    def root(name: str, **args: Any) -> Call:
        return chain.dice.call("Treasury", name, **args)

    to = {"beneficiary": ("Id", POOR)}
    nowhere = draw.asset_kind(None)
    a_lot = chain.dice.call("Treasury", "spend_local", amount=10**6 * UNIT, **to)
    chain.force(
        [
            chain.dice.call("AssetRate", "create", asset_kind=nowhere, rate=10**18),
            draw.spend(POOR),
            draw.spend(POOR, valid_from=now + 50),
            draw.spend(POOR, para=None),
            draw.spend(POOR, para=2002),  # FailedToConvertBalance
            draw.spend(POOR, valid_from=1),  # SpendExpired
            by(WHALE.account, "payout", index=NOBODYS),  # InvalidIndex
            by(WHALE.account, "payout", index=early),  # EarlyPayout
            by(WHALE.account, "payout", index=unreachable),  # PayoutError
            by(WHALE.account, "check_status", index=claimed),  # NotAttempted
            by(WHALE.account, "void_spend", index=early),  # BadOrigin
            root("payout", index=early),  # BadOrigin
            root("remove_approval", proposal_id=NOBODYS),  # ProposalNotApproved
        ]
    )
    _ask(chain, NOBODYS)
    spend = treasury.spends.get(claimed)._replace(status=Attempted(NOBODYS))
    _plant(chain, treasury.spends, claimed, spend)
    chain.force(
        [
            by(WHALE.account, "payout", index=claimed),  # AlreadyAttempted
            by(WHALE.account, "check_status", index=claimed),  # Inconclusive
            root("void_spend", index=claimed),  # AlreadyAttempted
        ]
    )
    settle_payments(chain)
    check = by(WHALE.account, "check_status", index=claimed)
    chain.force([check, check, check])  # PaymentFailed or SpendProcessed, then a refusal
    if chain.runtime.has_call("Treasury", "propose_spend"):
        chain.force(
            [
                by(POOR, "propose_spend", value=UNIT, **to),  # InsufficientProposersBalance
                # InsufficientPermission; newer test runtimes let nobody spend but root
                chain.dice.call("Utility", "dispatch_as", as_origin=SMALL_TIPPER, call=a_lot),
            ]
        )
    with planted(chain, treasury.approvals, (), (NOBODYS,) * 100):
        chain.force([root("spend_local", amount=UNIT, **to)])  # TooManyApprovals


def _ask(chain: Chain, query: int) -> None:
    """As a payment does: wait for the parachain's answer."""
    pending = {
        "responder": dice(chain).parachain(ASSET_HUB),
        "maybe_match_querier": None,
        "maybe_notify": None,
        "timeout": 2**31,
    }
    key = chain.runtime.storage_key("XcmPallet", "Queries", query)
    raw = chain.runtime.encode_storage("XcmPallet", "Queries", ("Pending", pending))
    chain.devnet.set_storage({to_hex(key): to_hex(raw)})


def provoke_bounties_errors(chain: Chain) -> None:
    """Every error of bounties and child bounties, on a bounty of the whale's."""
    spending = chain.mirrors.spending
    one = BountyIndex(spending.bounties.bounty_count.get(()))
    curator, other, stranger = WHALE.account, CROWDED.account, chain.dice.voters[0].account

    def by(who: AccountId, name: str, **args: Any) -> Call:
        return chain.as_(who, "Bounties", name, **{"bounty_id": one, **args})

    def root(name: str, **args: Any) -> Call:
        return chain.dice.call("Bounties", name, **{"bounty_id": one, **args})

    def propose(who: AccountId, value: int, description: bytes = b"") -> Call:
        args = {"value": value, "description": description}
        return chain.as_(who, "Bounties", "propose_bounty", **args)

    chain.force(
        [
            propose(other, 50 * UNIT, bytes(16_385)),  # ReasonTooBig
            propose(other, 1),  # InvalidValue
            propose(POOR, 50 * UNIT),  # InsufficientProposersBalance
            propose(other, 50 * UNIT),
            propose(other, 50 * UNIT),
            by(other, "approve_bounty"),  # BadOrigin
            root("approve_bounty", bounty_id=NOBODYS),  # InvalidIndex
            by(other, "unassign_curator"),  # UnexpectedStatus
        ]
    )
    with planted(chain, spending.bounties.bounty_approvals, (), (NOBODYS,) * 100):
        chain.force([root("approve_bounty")])  # TooManyQueued
    chain.force([root("approve_bounty"), root("close_bounty")])  # UnexpectedStatus
    end_spend_periods(chain, 1)
    to_curator, to_other = {"curator": ("Id", curator)}, {"beneficiary": ("Id", other)}
    chain.force(
        [
            root("propose_curator", **to_curator, fee=50 * UNIT),  # InvalidFee
            root("propose_curator", **to_curator, fee=30 * UNIT + 1),
            by(other, "accept_curator"),  # RequireCurator
            by(other, "unassign_curator"),  # BadOrigin
            by(curator, "accept_curator"),
            by(other, "unassign_curator"),  # Premature
            by(other, "extend_bounty_expiry", remark=b""),  # RequireCurator
        ]
    )
    _provoke_child_bounties_errors(chain, one, curator, other, stranger)
    chain.force(
        [
            by(curator, "award_bounty", **to_other),  # HasActiveChildBounty
            root("close_bounty"),  # HasActiveChildBounty
            chain.dice.call("ChildBounties", "unassign_curator", **_child_ids(chain, one)),
            chain.dice.call("ChildBounties", "close_child_bounty", **_child_ids(chain, one)),
            by(curator, "award_bounty", **to_other),
            root("close_bounty"),  # PendingPayout
            by(curator, "unassign_curator"),  # BadOrigin
        ]
    )


def _child_ids(chain: Chain, parent: BountyIndex) -> dict[str, int]:
    """Of the parent's youngest child."""
    child = max(
        child
        for of, child in dict(chain.mirrors.spending.child_bounties.child_bounties.items())
        if of == parent
    )
    return {"parent_bounty_id": parent, "child_bounty_id": child}


def _provoke_child_bounties_errors(
    chain: Chain, parent: BountyIndex, curator: AccountId, other: AccountId, stranger: AccountId
) -> None:
    """Leaves `parent` with one child, which is awarded."""
    children = chain.mirrors.spending.child_bounties

    def add(who: AccountId, value: int, of: int = parent, description: bytes = b"part") -> Call:
        args = {"parent_bounty_id": of, "value": value, "description": description}
        return chain.as_(who, "ChildBounties", "add_child_bounty", **args)

    chain.force(
        [
            add(curator, UNIT, description=bytes(16_385)),  # ReasonTooBig
            add(curator, 1),  # InvalidValue
            add(curator, UNIT, NOBODYS),  # InvalidIndex
            add(curator, UNIT, parent + 1),  # ParentBountyNotActive
            add(other, UNIT),  # RequireCurator
            add(curator, 100 * UNIT),  # InsufficientBountyBalance
        ]
    )
    newer = chain.runtime.has_call("Bounties", "poke_deposit")
    with planted(chain, children.parent_child_bounties, parent, 101):
        chain.force([add(curator, UNIT)])  # TooManyChildBounties
    # older runtimes take one more than the constant says (#10652)
    _plant(chain, children.parent_child_bounties, parent, 99 if newer else 100)
    chain.force([add(curator, 10 * UNIT)])
    _plant(chain, children.parent_child_bounties, parent, 1)
    ids = _child_ids(chain, parent)

    def by(who: AccountId, name: str, **args: Any) -> Call:
        return chain.as_(who, "ChildBounties", name, **{**ids, **args})

    to_other = {"curator": ("Id", other)}
    chain.force(
        [
            by(curator, "propose_curator", **to_other, fee=10 * UNIT),  # InvalidFee
            by(other, "propose_curator", **to_other, fee=1),  # RequireCurator
            by(curator, "accept_curator"),  # UnexpectedStatus
            by(curator, "propose_curator", **to_other, fee=3 * UNIT + 1),
            by(stranger, "unassign_curator"),  # BadOrigin
            by(curator, "accept_curator"),  # RequireCurator
            by(other, "accept_curator"),
            by(stranger, "unassign_curator"),  # Premature
            by(stranger, "award_child_bounty", beneficiary=("Id", other)),  # RequireCurator
            by(stranger, "close_child_bounty"),  # BadOrigin
            by(other, "claim_child_bounty", child_bounty_id=NOBODYS),  # InvalidIndex
            by(curator, "award_child_bounty", beneficiary=("Id", stranger)),
            by(curator, "close_child_bounty"),  # PendingPayout
            by(other, "unassign_curator"),  # BadOrigin
        ]
    )
