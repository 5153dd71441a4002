"""What only all results of a slot tell: our own network, stale heads, one sample per service."""

from dataclasses import replace
from datetime import date
from ipaddress import ip_address
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibp_chain.errors import ConfigError
from ibp_chain.types import AccountId, Micros
from oracles.probes.outcomes import (
    Doubt,
    Facts,
    Failed,
    Ok,
    Outcome,
    Reason,
    Result,
    Slow,
    Unknown,
)
from oracles.probes.slots import Freshness, samples, settle, worst_of
from oracles.probes.targets import Chain, Endpoint, Kind, Scheme, Target
from oracles.samples import Sample, Status, observation_rows

SECOND = 1_000_000_000
POLKADOT = Chain("polkadot", genesis=b"\x91" * 32, eth_chain_id=1, block_millis=6_000)
KUSAMA = replace(POLKADOT, id="kusama")
ORACLE = AccountId(b"\x01" * 32)
DAY = date(2026, 1, 29)
OK = Ok(Micros(10_000))


def result(
    member: str,
    outcome: Outcome = OK,
    *,
    head: int | None = 1_000,
    at: float = 0.0,
    chain: Chain = POLKADOT,
    kind: Kind = Kind.RPC,
    address: str = "192.0.2.1",
    service: str = "polkadot",
    connected: bool = True,
) -> Result:
    endpoint = Endpoint(Scheme.WSS, "rpc.example", ip_address(address), 443)
    facts = Facts(
        connected=connected,
        head=head,
        head_ns=None if head is None else int(at * SECOND),
    )
    return Result(Target(member, service, kind, chain, endpoint), outcome, facts)


def verdicts(*results: Result, behind: int = 10, least_members: int = 3) -> list[str]:
    names = []
    for settled in settle(results, Freshness(behind, least_members)):
        match settled.outcome:
            case Failed(reason=reason):
                names.append(reason.value)
            case Unknown(doubt=doubt):
                names.append(doubt.value)
            case other:
                names.append(other.status.name.lower())
    return names


# -- heads ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("head", "verdict"), [(990, "ok"), (989, "behind"), (0, "behind")])
def test_more_than_so_many_blocks_behind_the_others_is_failed(head: int, verdict: str) -> None:
    found = verdicts(result("a"), result("b"), result("c"), result("stuck", head=head))
    assert found == ["ok", "ok", "ok", verdict]


@pytest.mark.parametrize(("head", "verdict"), [(1_010, "ok"), (1_011, "ahead"), (2**32, "ahead")])
def test_more_than_so_many_blocks_ahead_is_unknown_and_moves_nobody_else(
    head: int, verdict: str
) -> None:
    found = verdicts(result("a"), result("b"), result("c"), result("liar", head=head))
    assert found == ["ok", "ok", "ok", verdict]


def test_a_head_told_earlier_is_not_held_against_a_chain_that_may_stand_still() -> None:
    """Nothing is extrapolated: all of these say the same of a chain that makes no block."""
    stalled = [result(m, at=60.0 * i) for i, m in enumerate("abcde")]
    assert verdicts(*stalled, behind=0) == ["ok"] * 5


def test_a_chain_that_goes_on_during_the_poll_makes_nobody_stale() -> None:
    """A poll of 280 s sees 46 blocks: each told the head of its own moment."""
    moving = [result(m, head=1_000 + 10 * i, at=60.0 * i) for i, m in enumerate("abcde")]
    assert verdicts(*moving, behind=1) == ["ok"] * 5


def test_who_is_asked_last_and_tells_the_first_ones_head_is_behind() -> None:
    moving = [result(m, head=1_000 + 10 * i, at=60.0 * i) for i, m in enumerate("abcd")]
    stuck = result("stuck", head=1_000, at=240.0)
    assert verdicts(*moving, stuck, behind=5)[-1] == "behind"


def test_who_is_asked_first_is_held_against_later_heads_less_what_can_have_come_since() -> None:
    later = [result(m, head=1_000, at=60.0) for m in "abc"]
    assert verdicts(*later, result("stuck", head=979, at=0.0))[-1] == "behind"
    assert verdicts(*later, result("fresh", head=980, at=0.0))[-1] == "ok"


def test_with_too_few_heads_nothing_is_known() -> None:
    refused = Failed(Reason.REFUSED, "")
    found = verdicts(result("a"), result("b"), result("c", refused, head=None))
    assert found == ["too-few-heads", "too-few-heads", "refused"]


def test_a_chain_with_fewer_members_than_that_is_judged_by_all_it_has() -> None:
    assert verdicts(result("a"), result("b", head=1)) == ["ahead", "behind"]
    assert verdicts(result("alone")) == ["ok"]


def test_a_failed_member_has_no_voice_about_heads() -> None:
    syncing = Failed(Reason.SYNCING, "")
    stuck = [result(m, syncing, head=5) for m in "xyz"]
    assert verdicts(*stuck, result("a"), result("b"), result("c"))[-3:] == ["ok"] * 3


def test_a_member_has_one_voice_however_many_ways_in_it_has() -> None:
    many = [result("sybil", head=1, address=f"192.0.2.{i}") for i in range(1, 9)]
    found = verdicts(*many, result("a"), result("b"), result("c"))
    assert found == ["behind"] * 8 + ["ok"] * 3


def test_heads_of_other_chains_and_protocols_are_not_compared() -> None:
    found = verdicts(
        *(result(m) for m in "abc"),
        *(result(m, chain=KUSAMA, head=9) for m in "abc"),
        *(result(m, kind=Kind.ETH, head=77) for m in "abc"),
    )
    assert found == ["ok"] * 9


def test_a_slow_target_that_is_behind_is_failed_and_a_failed_one_keeps_its_reason() -> None:
    late, syncing = Slow(Micros(200_000)), Failed(Reason.SYNCING, "")
    others = [result(m) for m in "abc"]
    assert verdicts(*others, result("d", late, head=1))[-1] == "behind"
    assert verdicts(*others, result("d", syncing, head=1))[-1] == "syncing"


@settings(max_examples=60, deadline=None)
@given(
    members=st.integers(3, 9),
    lie=st.integers(0, 2**40),
    behind=st.integers(0, 20),
)
def test_one_liar_among_members_that_agree_costs_none_of_them_anything(
    members: int, lie: int, behind: int
) -> None:
    honest = [result(f"m{i}", head=1_000) for i in range(members)]
    found = verdicts(*honest, result("liar", head=lie), behind=behind)
    assert found[:-1] == ["ok"] * members


@settings(max_examples=60, deadline=None)
@given(
    heads=st.lists(st.tuples(st.integers(900, 1_100), st.integers(0, 280)), min_size=1, max_size=5)
)
def test_the_order_of_results_changes_nothing(heads: list[tuple[int, int]]) -> None:
    results = [result(f"m{i}", head=h, at=float(at)) for i, (h, at) in enumerate(heads)]
    one = {r.target.member: r.outcome for r in settle(results, Freshness())}
    for order in list(permutations(results))[:6]:
        assert {r.target.member: r.outcome for r in settle(order, Freshness())} == one


# -- our own network --------------------------------------------------------------------------


def test_where_no_target_of_a_family_was_reached_it_is_our_own_network() -> None:
    gone = Failed(Reason.NO_CONNECTION, "")
    found = verdicts(
        result("a", gone, address="2001:db8::1", head=None, connected=False),
        result("b", gone, address="2001:db8::2", head=None, connected=False),
        result("a", gone, head=None, connected=False),
        result("b", least := OK),
        least_members=1,
    )
    assert least is OK
    assert found == ["own-network", "own-network", "no-connection", "ok"]


def test_what_was_said_on_a_connection_is_no_matter_of_our_network() -> None:
    assert verdicts(result("a", Failed(Reason.SYNCING, ""))) == ["syncing"]
    closed = result("a", Failed(Reason.CLOSED, ""), connected=False)
    assert verdicts(closed) == ["closed"]


# -- samples ----------------------------------------------------------------------------------


def test_of_several_ways_in_the_worst_counts() -> None:
    failed, unknown = Failed(Reason.TLS, ""), Unknown(Doubt.NO_ROUTE, "")
    slow, slower = Slow(Micros(100_000)), Slow(Micros(300_000))
    assert worst_of([OK, failed, slow, unknown]) is failed
    assert worst_of([OK, slow, unknown, slower]) is slower
    assert worst_of([OK, unknown, Ok(Micros(20_000))]) == Ok(Micros(20_000))
    assert worst_of([unknown]) is unknown


def test_samples_are_one_for_each_member_and_service_and_make_rows() -> None:
    results = [
        result("b", Slow(Micros(150_000))),
        result("a", OK),
        result("a", Unknown(Doubt.NO_ROUTE, ""), address="2001:db8::1"),
        result("a", Failed(Reason.TLS, ""), service="kusama"),
        result("c", Unknown(Doubt.LOCAL, "")),
    ]
    found = samples(results, oracle=ORACLE, day=DAY, slot=7)
    assert found == (
        Sample(ORACLE, DAY, 7, "a", "kusama", Status.FAILED, None),
        Sample(ORACLE, DAY, 7, "a", "polkadot", Status.OK, Micros(10_000)),
        Sample(ORACLE, DAY, 7, "b", "polkadot", Status.SLOW, Micros(150_000)),
        Sample(ORACLE, DAY, 7, "c", "polkadot", Status.UNKNOWN, None),
    )
    rows = observation_rows(found, oracle=ORACLE, day=DAY)
    assert [(row.member, row.service) for row in rows] == [
        ("a", "kusama"), ("a", "polkadot"), ("b", "polkadot"), ("c", "polkadot"),
    ]  # fmt: skip


def test_a_fault_of_a_whole_chain_is_left_to_scoring() -> None:
    results = [result(m, Failed(Reason.TIMEOUT, ""), head=None) for m in "abc"]
    settled = settle(results, Freshness())
    found = samples(settled, oracle=ORACLE, day=DAY, slot=0)
    assert {sample.status for sample in found} == {Status.FAILED}


@pytest.mark.parametrize(("behind", "least_members"), [(-1, 3), (0, 0)])
def test_a_rule_that_means_nothing_is_refused(behind: int, least_members: int) -> None:
    with pytest.raises(ConfigError):
        Freshness(behind, least_members)
