"""The pallet's rules on worked examples, and the record of operations: spec/pallets.md E."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from ibp_chain.accounts import multisig_account, other_signatories
from ibp_chain.blocks import blake2_256
from ibp_chain.types import AccountId, BlockNumber, Hash, Planck
from ledger.pallets import multisig
from ledger.pallets.multisig import Status, Timepoint
from tests.unit.mirrors.recorded_runtime import module_error, runtime

ALICE, BOB, CAROL, DAVE = GROUP = tuple(
    AccountId(letter * 32) for letter in (b"a", b"b", b"c", b"d")
)
CALL = b"call"
CALL_HASH = blake2_256(CALL)
THRESHOLD = 2
OURS = multisig_account([ALICE, BOB, CAROL], THRESHOLD)
OPENED = Timepoint(BlockNumber(5), 3)


class World:
    """A multisig of Alice, Bob and Carol, two of whom are needed; block 5, extrinsic 3."""

    def __init__(self) -> None:
        self.storage = multisig.Storage()
        self.config = multisig.Config(BlockNumber(5), 3, Planck(100), Planck(10), 100)

    def at(self, block: int, extrinsic: int | None = 0) -> "World":
        self.config = replace(self.config, block=BlockNumber(block), extrinsic_index=extrinsic)
        return self

    def approve(
        self,
        who: AccountId,
        when: Timepoint | None = OPENED,
        *,
        others: Sequence[AccountId] | None = None,
        threshold: int = THRESHOLD,
        call_hash: Hash = CALL_HASH,
    ) -> multisig.Event:
        given = self._others(who) if others is None else others
        return multisig.approve_as_multi(
            self.storage, self.config, who, threshold, given, when, call_hash
        )

    def submit(
        self, who: AccountId, when: Timepoint | None = OPENED, result: str | None = None
    ) -> multisig.Event:
        """`as_multi`."""
        others = self._others(who)
        return multisig.as_multi(
            self.storage, self.config, who, THRESHOLD, others, when, CALL, result
        )

    def cancel(
        self, who: AccountId, when: Timepoint = OPENED, call_hash: Hash = CALL_HASH
    ) -> multisig.Event:
        others = self._others(who)
        return multisig.cancel_as_multi(
            self.storage, self.config, who, THRESHOLD, others, when, call_hash
        )

    def poke(self, who: AccountId, call_hash: Hash = CALL_HASH) -> multisig.Event | None:
        others = self._others(who)
        return multisig.poke_deposit(self.storage, self.config, who, THRESHOLD, others, call_hash)

    @staticmethod
    def _others(who: AccountId) -> list[AccountId]:
        return other_signatories([ALICE, BOB, CAROL], who)

    @property
    def open(self) -> multisig.Multisig | None:
        return self.storage.multisigs.find((OURS, CALL_HASH))

    @property
    def operations(self) -> list[multisig.Operation]:
        return [operation for _, operation in self.storage.operations.items()]


@pytest.fixture
def world() -> World:
    return World()


# --- Approvals ------------------------------------------------------------------------


def test_the_first_approval_opens_and_pays_even_with_the_whole_call(world: World) -> None:
    assert world.submit(BOB, None) == multisig.NewMultisig(BOB, OURS, CALL_HASH)
    assert world.open == multisig.Multisig(OPENED, Planck(120), BOB, (BOB,))
    (operation,) = world.operations
    assert (operation.status, operation.call, operation.deposit) == (Status.OPEN, CALL, 120)


def test_the_last_approval_by_hash_executes_nothing(world: World) -> None:
    world.approve(CAROL, None)
    assert world.approve(ALICE) == multisig.MultisigApproval(ALICE, OPENED, OURS, CALL_HASH)
    assert world.open is not None
    assert world.open.approvals == (ALICE, CAROL)
    assert [approval.who for approval in world.operations[0].approvals] == [CAROL, ALICE]


def test_with_enough_approvals_any_signatory_executes_without_approving(world: World) -> None:
    world.approve(CAROL, None)
    world.approve(ALICE)
    assert world.at(9, 1).submit(BOB) == multisig.MultisigExecuted(BOB, OPENED, OURS, CALL_HASH)
    (operation,) = world.operations
    assert [approval.who for approval in operation.approvals] == [CAROL, ALICE]
    assert operation.closing == multisig.Closing(BOB, multisig.Position(BlockNumber(9), 1), None)


def test_an_approver_may_execute_too(world: World) -> None:
    world.approve(CAROL, None)
    world.approve(ALICE)
    world.submit(CAROL)
    assert (world.open, world.operations[0].status) == (None, Status.EXECUTED)


def test_one_call_approves_and_executes(world: World) -> None:
    world.approve(CAROL, None)
    world.submit(ALICE, result="System.CallFiltered")
    (operation,) = world.operations
    assert [approval.who for approval in operation.approvals] == [CAROL, ALICE]
    assert operation.closing is not None
    assert (operation.closing.error, operation.call) == ("System.CallFiltered", CALL)


def test_a_threshold_above_the_number_of_signatories_never_executes(world: World) -> None:
    world.approve(ALICE, None, threshold=4)
    world.approve(BOB, threshold=4)
    world.approve(CAROL, threshold=4)
    with pytest.raises(multisig.AlreadyApproved):
        world.approve(CAROL, threshold=4)


def test_a_call_may_only_be_known_later(world: World) -> None:
    world.approve(ALICE, None)
    assert world.operations[0].call is None
    world.submit(BOB)
    assert world.operations[0].call == CALL


# --- Ends -----------------------------------------------------------------------------


def test_the_depositor_alone_cancels(world: World) -> None:
    world.approve(ALICE, None)
    with pytest.raises(multisig.NotOwner):
        world.cancel(BOB)
    assert world.cancel(ALICE) == multisig.MultisigCancelled(ALICE, OPENED, OURS, CALL_HASH)
    assert (world.open, world.operations[0].status) == (None, Status.CANCELLED)


def test_one_extrinsic_may_open_the_same_operation_twice(world: World) -> None:
    for _ in range(2):
        world.approve(ALICE, None)
        world.cancel(ALICE)
    world.approve(ALICE, None)
    statuses = [operation.status for operation in world.operations]
    assert statuses == [Status.CANCELLED, Status.CANCELLED, Status.OPEN]
    assert [key[4] for key, _ in world.storage.operations.items()] == [0, 1, 2]


def test_a_hook_opens_at_index_0_and_is_told_from_an_extrinsic(world: World) -> None:
    world.at(6, None).approve(ALICE, None)
    assert world.open is not None
    assert world.open.when == Timepoint(BlockNumber(6), 0)
    assert world.operations[0].approvals[0].at == multisig.Position(BlockNumber(6), None)


def test_an_operation_from_before_our_first_block_is_recorded_when_it_goes_on(
    world: World,
) -> None:
    known = multisig.Multisig(OPENED, Planck(7), BOB, (ALICE, BOB))
    world.storage.multisigs.insert((OURS, CALL_HASH), known)
    world.at(8, 2).submit(CAROL)
    (operation,) = world.operations
    assert operation.approvals == (
        multisig.Approval(BOB, multisig.Position(BlockNumber(5), 3)),
        multisig.Approval(ALICE, None),
    )
    assert (operation.deposit, operation.status) == (7, Status.EXECUTED)


def test_a_poke_brings_the_deposit_to_what_it_costs_now(world: World) -> None:
    world.approve(ALICE, None)
    assert world.poke(ALICE) is None
    world.config = replace(world.config, deposit_factor=Planck(1))
    assert world.poke(ALICE) == multisig.DepositPoked(ALICE, CALL_HASH, Planck(120), Planck(102))
    assert world.open is not None
    assert (world.open.deposit, world.operations[0].deposit) == (102, 102)


def test_threshold_1_acts_at_once_and_leaves_no_trace(world: World) -> None:
    alone = multisig.as_multi_threshold_1(world.config, ALICE, [BOB], CALL)
    account = multisig_account([ALICE, BOB], 1)
    assert alone == multisig.MultisigExecuted(ALICE, OPENED, account, CALL_HASH)
    assert (len(world.storage.multisigs), world.operations) == (0, [])


# --- Refusals -------------------------------------------------------------------------

OTHER = blake2_256(b"another call")
LATER = Timepoint(BlockNumber(5), 4)
REFUSED: dict[str, tuple[Callable[[World], object], type[multisig.Error]]] = {
    "a threshold of one": (lambda w: w.approve(ALICE, threshold=1, others=[]),
                           multisig.MinimumThreshold),
    "nobody else": (lambda w: w.approve(ALICE, others=[]), multisig.TooFewSignatories),
    "a hundred others": (
        lambda w: w.approve(ALICE, others=[AccountId(bytes([n]) * 32) for n in range(100)]),
        multisig.TooManySignatories,
    ),
    "signatories out of order": (lambda w: w.approve(ALICE, others=[CAROL, BOB]),
                                 multisig.SignatoriesOutOfOrder),
    "a signatory twice": (lambda w: w.approve(ALICE, others=[BOB, BOB]),
                          multisig.SignatoriesOutOfOrder),
    "the sender among the others": (lambda w: w.approve(ALICE, others=[ALICE, BOB]),
                                    multisig.SenderInSignatories),
    "a timepoint too early": (lambda w: w.approve(BOB, call_hash=OTHER),
                              multisig.UnexpectedTimepoint),
    "no timepoint": (lambda w: w.approve(BOB, None), multisig.NoTimepoint),
    "a wrong timepoint": (lambda w: w.submit(BOB, LATER), multisig.WrongTimepoint),
    "an approval again": (lambda w: w.submit(ALICE), multisig.AlreadyApproved),
    "cancelling what is not there": (lambda w: w.cancel(ALICE, call_hash=OTHER),
                                     multisig.NotFound),
    "cancelling at a wrong timepoint": (lambda w: w.cancel(ALICE, LATER),
                                        multisig.WrongTimepoint),
    "poking what is not there": (lambda w: w.poke(ALICE, OTHER), multisig.NotFound),
    "poking another's deposit": (lambda w: w.poke(BOB), multisig.NotOwner),
}  # fmt: skip


@pytest.mark.parametrize(("act", "error"), REFUSED.values(), ids=REFUSED.keys())
def test_it_refuses_and_changes_nothing(
    world: World, act: Callable[[World], object], error: type[multisig.Error]
) -> None:
    world.approve(ALICE, None)
    before = world.open
    with pytest.raises(error):
        act(world)
    assert (world.open, len(world.operations)) == (before, 1)


def test_an_approval_by_hash_is_refused_once_there_are_enough(world: World) -> None:
    world.approve(ALICE, None)
    world.approve(BOB)
    with pytest.raises(multisig.AlreadyApproved):
        world.approve(CAROL)


def test_an_outsider_names_another_multisig(world: World) -> None:
    world.approve(ALICE, None)
    with pytest.raises(multisig.UnexpectedTimepoint):
        world.approve(DAVE, others=[ALICE, BOB])


# --- As the runtime has it --------------------------------------------------------------


@pytest.mark.parametrize("error", multisig.Error.__subclasses__())
def test_errors_are_numbered_as_in_the_runtime(error: type[multisig.Error]) -> None:
    assert runtime().error_name(module_error(error, "Multisig")) == f"Multisig.{error.__name__}"


def test_storage_reads_as_the_runtime_reads_it(world: World) -> None:
    world.approve(CAROL, None)
    world.approve(ALICE)
    key = runtime().storage_key("Multisig", "Multisigs", OURS, CALL_HASH)
    raw = dict(world.storage.multisigs.raw_items())[key]
    assert runtime().decode_storage("Multisig", "Multisigs", raw) == {
        "when": {"height": 5, "index": 3},
        "deposit": 120,
        "depositor": CAROL,
        "approvals": [ALICE, CAROL],
    }
