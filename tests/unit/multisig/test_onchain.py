"""What a node has of operations: open by its storage, executed by its blocks, pruned or not."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ibp_chain.blocks import BlockRef
from ibp_chain.errors import InputError
from ibp_chain.rpc import RpcClient
from ibp_chain.source import NodeSource
from ibp_chain.types import BlockNumber, Hash, SpecVersion
from multisig.errors import ApprovalRefused
from multisig.onchain import (
    Witness,
    age_of,
    call_of,
    ensure_unpaid,
    last_closing,
    operation_of,
    operations_of,
    runtime_at,
    witness,
)
from multisig.steps import Point, StepKind
from tests.support import heard, payouts, recording
from tests.support.replayed_node import ReplayedNode, served

BUNDLE, ACCOUNT = payouts.bundle(), heard.party().account
CALL, RUNTIME = BUNDLE.call_hash, recording.runtime()
OPENED, LAST = 60_105, 60_107


def ref(height: int) -> BlockRef:
    found = (block.ref for block in recording.blocks() if block.header.number == height)
    return next(found)


@contextmanager
def node(head: int, pruned: int = 0, final: int | None = None) -> Iterator[NodeSource]:
    with (
        served(ReplayedNode(head, pruned, final=final)) as url,
        NodeSource(url, client=RpcClient(url, attempts=1)) as source,
    ):
        yield source


def ensure(source: NodeSource, seen: Witness, best: int) -> None:
    ensure_unpaid(source, lambda _: RUNTIME, seen, ref(best), ACCOUNT, CALL)


# --- Executed before --------------------------------------------------------------------------


def test_a_ledger_knows_executions_that_did_not_fail_inside() -> None:
    paid = witness(payouts.state(payouts.PAID), ACCOUNT, CALL)
    failed = witness(payouts.state(payouts.FAILED), ACCOUNT, CALL)
    assert paid is not None
    assert failed is not None
    assert (paid.executed, failed.executed) == ((LAST,), ())
    assert witness(payouts.state(payouts.PAID), ACCOUNT, Hash(bytes(32))) == Witness(paid.head, ())


def test_blocks_behind_the_ledger_tell_of_an_execution_and_not_of_a_failure() -> None:
    with node(LAST) as source:
        ensure(source, Witness(ref(60_100), ()), LAST - 1)
        with pytest.raises(ApprovalRefused, match="executed in block 60107, which your ledger"):
            ensure(source, Witness(ref(60_100), ()), LAST)
        with pytest.raises(ApprovalRefused, match="executed in block 60107: approving it now"):
            ensure(source, Witness(ref(LAST), (BlockNumber(LAST),)), LAST)


@pytest.mark.parametrize("final", [60_103, LAST - 1])
def test_an_execution_that_is_not_final_yet_counts_too(final: int) -> None:
    with node(LAST, final=final) as source:
        ensure(source, Witness(ref(60_104), ()), LAST - 1)
        with pytest.raises(ApprovalRefused, match="executed in block 60107"):
            ensure(source, Witness(ref(60_104), ()), LAST)


def test_where_finality_has_stopped_nothing_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("multisig.onchain._MOST_UNFINALISED", 3)
    with (
        node(LAST, final=60_103) as source,
        pytest.raises(ApprovalRefused, match="finality has stopped"),
    ):
        ensure(source, Witness(ref(60_103), ()), LAST)


def test_a_ledger_that_is_too_far_behind_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("multisig.onchain.MOST_BLOCKS", 3)
    with node(LAST) as source:
        with pytest.raises(ApprovalRefused, match="too far behind to know"):
            ensure(source, Witness(ref(60_100), ()), LAST - 1)
        ensure(source, Witness(ref(60_103), ()), LAST - 1)


def test_a_ledger_of_another_fork_or_ahead_of_the_node_is_refused() -> None:
    with node(LAST) as source:
        other = BlockRef(BlockNumber(60_103), Hash(bytes(32)))
        with pytest.raises(ApprovalRefused, match="on another fork or lies"):
            ensure(source, Witness(other, ()), LAST)
        with pytest.raises(ApprovalRefused, match="use a node that is up to date"):
            ensure(source, Witness(ref(LAST), ()), LAST - 1)


@pytest.mark.parametrize(
    ("first", "last", "kind"),
    [(60_101, 60_104, StepKind.FAILED), (60_104, LAST, StepKind.EXECUTED), (60_104, 60_106, None)],
)
def test_the_last_end_of_an_operation_is_found_in_blocks(
    first: int, last: int, kind: StepKind | None
) -> None:
    with node(LAST) as source:
        found = last_closing(
            source, lambda _: RUNTIME, ACCOUNT, CALL, BlockNumber(first), BlockNumber(last)
        )
    assert (None if found is None else found.kind) == kind


# --- Open -------------------------------------------------------------------------------------


def test_what_is_open_is_read_from_storage_with_the_call_that_opened_it() -> None:
    with node(LAST - 1) as source:
        found = operations_of(source, RUNTIME, ACCOUNT, ref(LAST - 1).hash)
        (operation,) = found.values()
        assert [*found] == [CALL]
        assert operation == operation_of(source, RUNTIME, ACCOUNT, CALL, ref(LAST - 1).hash)
        assert operation.point.height == OPENED
        assert len(operation.approvals) == 2
        assert call_of(source, lambda _: RUNTIME, operation.point, CALL) == BUNDLE.call
        nobody = Point(OPENED, 99)
        assert call_of(source, lambda _: RUNTIME, nobody, CALL) is None
        assert call_of(source, lambda _: RUNTIME, operation.point, Hash(bytes(32))) is None
        assert operation_of(source, RUNTIME, ACCOUNT, Hash(bytes(32)), ref(OPENED).hash) is None


def test_without_the_state_of_then_an_age_is_nominal_and_a_call_is_not_known() -> None:
    with node(LAST - 1, pruned=LAST - 1) as source:
        (operation,) = operations_of(source, RUNTIME, ACCOUNT, ref(LAST - 1).hash).values()
        age = age_of(source, RUNTIME, operation, ref(LAST - 1), payouts.PASEO)
        assert (age.blocks, age.milliseconds, age.exact) == (1, 6_000, False)
        assert call_of(source, lambda _: RUNTIME, operation.point, CALL) is None


@pytest.mark.parametrize("pruned", [0, LAST])
def test_a_runtime_that_the_node_never_ran_is_not_found(pruned: int) -> None:
    with node(LAST, pruned) as source:
        assert runtime_at(source, SpecVersion(999), 60_100) is None


def test_blocks_before_the_first_are_nobodys() -> None:
    with node(LAST) as source, pytest.raises(InputError):
        last_closing(source, lambda _: RUNTIME, ACCOUNT, CALL, BlockNumber(0), BlockNumber(1))
