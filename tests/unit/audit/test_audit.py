"""An audit against a node over HTTP: every entry on which the two sides differ, and no other."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest

from ibp_chain.accounts import ss58_encode
from ibp_chain.blocks import BlockRef
from ibp_chain.errors import InputError, SourceError
from ibp_chain.rpc import RpcClient
from ibp_chain.scale import schema
from ibp_chain.source import NodeSource
from ibp_chain.types import AccountId, BlockNumber, Hash, PollIndex, SpecVersion
from ledger.audit import AuditResult, audit
from ledger.pallets.balances import BalanceLock, Reasons
from ledger.state import State
from ledger.storage import Hasher, KeyPart, StorageMap
from tests.support.chain import hex_
from tests.support.rpc_server import RpcFault, http_node
from tests.unit.store.demo import PASEO, demo, other_account

AFTER = 53
"""Blocks of the recording behind which no mirrored item is empty."""
ITEMS = (  # of which the recording has entries
    "ConvictionVoting.VotingFor",
    "ConvictionVoting.ClassLocksFor",
    "Balances.Locks",
    "Multisig.Multisigs",
    "Referenda.ReferendumInfoFor",
)
INFO_KEYS: StorageMap[PollIndex, bytes] = StorageMap(
    "Referenda",
    "ReferendumInfoFor",
    (KeyPart(Hasher.BLAKE2_128_CONCAT, schema.u32),),
    schema.octets,
)


@cache
def state() -> State:
    return demo().replay(AFTER)[0]


def head() -> BlockRef:
    found = state().head.value
    assert found is not None
    return found.ref


# --- The chain's side ---------------------------------------------------------------------


def u32(value: int) -> bytes:
    return value.to_bytes(4, "little")


def u128(value: int) -> bytes:
    return value.to_bytes(16, "little")


def ongoing(track: int) -> bytes:
    """`ReferendumInfo::Ongoing`, as `pallet_referenda` lays it out."""
    return b"".join(
        (
            b"\0",
            track.to_bytes(2, "little"),
            b"\0\0",  # origin: system, Root
            b"\1\x08\0\0",  # proposal: inline, two bytes
            b"\1" + u32(100),  # enactment: after
            u32(7),  # submitted
            other_account(1) + u128(10**10),  # submission deposit
            b"\0",  # no decision deposit
            b"\0",  # not deciding
            u128(1) + u128(2) + u128(3),  # tally
            b"\0",  # not in queue
            b"\0",  # no alarm
        )
    )


def ended(variant: int, at: int) -> bytes:
    """`Approved`, `Rejected`, `Cancelled` or `TimedOut`: when, and two deposits; `Killed`: when."""
    return bytes((variant,)) + u32(at) + (b"" if variant == 5 else b"\0\0")


def chain_storage() -> dict[bytes, bytes]:
    """What a node has at the state's block, all of it as the mirrors say."""
    storage = {
        key: value for item in state().mirrors.mirrored_maps() for key, value in item.raw_items()
    }
    for index, poll in state().mirrors.referenda.polls.items():
        raw = ongoing(poll.track or 0) if poll.end is None else ended(poll.status, poll.end)
        storage[INFO_KEYS.raw_key(index)] = raw
    return storage


@dataclass
class Node:
    """Answers from `storage`, whatever the block; `lists` are keys that it names besides."""

    storage: dict[bytes, bytes] = field(default_factory=chain_storage)
    lists: tuple[bytes, ...] = ()
    page: int = 1_000

    def __call__(self, method: str, params: list[Any]) -> Any:
        match method, params:
            case "chain_getBlockHash", [0]:
                return hex_(demo().source.genesis_hash)
            case "state_getRuntimeVersion", [_]:
                return {"specName": "paseo", "specVersion": demo().blocks[0].spec_version}
            case "state_getKeysPaged", [prefix, count, start, at]:
                assert at == hex_(head().hash)
                keys = sorted(map(hex_, (*self.storage, *self.lists)))
                found = [key for key in keys if key.startswith(prefix) and key > (start or "")]
                return found[: min(count, self.page)]
            case "state_getStorage", [key, at]:
                assert at == hex_(head().hash)
                raw = self.storage.get(bytes.fromhex(key[2:]))
                return None if raw is None else hex_(raw)
        raise RpcFault(-32601, f"Method not found: {method}")


@contextmanager
def source(node: Node) -> Iterator[NodeSource]:
    with http_node(node) as url, RpcClient(url) as client:
        yield NodeSource(url, client=client)


def audited(node: Node) -> AuditResult:
    with source(node) as opened:
        return audit(state(), opened, demo().runtime_of, head())


def key_text(item: StorageMap[Any, Any], raw: bytes) -> str:
    """A key as a person reads it."""
    key = item.key_of(raw)
    parts = []
    for at, part in enumerate(key if isinstance(key, tuple) else (key,)):
        if isinstance(part, int):
            parts.append(str(part))
        elif item.item == "Multisigs" and at == 1:
            parts.append(hex_(part))
        else:
            parts.append(ss58_encode(AccountId(part), PASEO.ss58_prefix))
    return ", ".join(parts)


def entries() -> Iterator[tuple[str, StorageMap[Any, Any], bytes]]:
    """Every entry that is compared: item, how its keys read, raw key."""
    for item in (*state().mirrors.mirrored_maps(), INFO_KEYS):
        for key in chain_storage():
            if key.startswith(item.prefix):
                yield f"{item.pallet}.{item.item}", item, key


# --- Equal and different ------------------------------------------------------------------


def test_equal_storage_has_no_difference() -> None:
    result = audited(Node())
    assert result.agrees
    assert result.differences == ()
    assert result.at == head()
    mirrored = (f"{item.pallet}.{item.item}" for item in state().mirrors.mirrored_maps())
    expected = dict.fromkeys((*mirrored, *ITEMS), 0)
    for name, _, _ in entries():
        expected[name] += 1
    assert dict(result.compared) == expected
    assert all(expected[name] for name in ITEMS)


def test_keys_that_come_in_many_pages_are_all_compared() -> None:
    result = audited(Node(page=3))
    assert result.agrees
    assert dict(result.compared) == dict(audited(Node()).compared)


def flipped(raw: bytes, name: str) -> bytes:
    """One bit different, and still a value of the item."""
    if name == "Referenda.ReferendumInfoFor":  # of which status, track and end are compared
        return raw[:1] + bytes((raw[1] ^ 1,)) + raw[2:]
    if raw == b"\0":  # no class locks any more
        return b"\4" + b"\1\0" + u128(5)
    if name == "Balances.Locks":  # the amount of the governance lock
        at = raw.index(b"pyconvot") + 8
    elif name.startswith("ConvictionVoting."):  # the last amount
        at = len(raw) - 16
    else:  # the deposit
        at = 8
    return raw[:at] + bytes((raw[at] ^ 1,)) + raw[at + 1 :]


def test_every_changed_entry_is_reported_alone_with_item_and_key() -> None:
    node = Node()
    with source(node) as opened:
        for name, item, key in entries():
            node.storage = chain_storage()
            node.storage[key] = flipped(node.storage[key], name)
            (difference,) = audit(state(), opened, demo().runtime_of, head()).differences
            assert (difference.item, difference.key) == (name, key_text(item, key))
            assert difference.mirror is not None
            assert difference.chain is not None
            assert difference.mirror != difference.chain


def test_every_entry_that_the_chain_lacks_is_reported_alone() -> None:
    node = Node()
    with source(node) as opened:
        for name, item, key in entries():
            node.storage = chain_storage()
            del node.storage[key]
            (difference,) = audit(state(), opened, demo().runtime_of, head()).differences
            assert (difference.item, difference.key) == (name, key_text(item, key))
            assert difference.chain is None
            assert str(difference).endswith("chain has nothing")


def test_every_entry_that_the_mirror_lacks_is_reported_alone() -> None:
    node = Node()
    stranger, call_hash = other_account(9), Hash(b"\x08" * 32)
    added = {
        "ConvictionVoting.VotingFor": (stranger, 1),
        "ConvictionVoting.ClassLocksFor": stranger,
        "Balances.Locks": stranger,
        "Multisig.Multisigs": (stranger, call_hash),
        "Referenda.ReferendumInfoFor": 77,
    }
    first = {name: (item, key) for name, item, key in entries()}
    with source(node) as opened:
        for name, key in added.items():
            item, alike = first[name]
            node.storage = chain_storage()
            node.storage[item.raw_key(key)] = node.storage[alike]
            result = audit(state(), opened, demo().runtime_of, head())
            (difference,) = result.differences
            assert (difference.item, difference.key) == (name, key_text(item, item.raw_key(key)))
            assert difference.mirror is None
            assert ": mirror has nothing, chain has " in str(difference)
            clean = sum(name == each for each, _, _ in entries())
            assert result.compared[name] == clean + 1


def test_several_differences_are_all_reported_in_the_order_of_items() -> None:
    node = Node()
    wrong = {name: (item, key) for name, item, key in entries()}
    for _, key in wrong.values():
        del node.storage[key]
    assert [difference.item for difference in audited(node).differences] == list(ITEMS)


@pytest.mark.parametrize("broken", [b"", b"\xff", b"\0" * 200])
def test_a_value_that_does_not_decode_is_a_difference(broken: bytes) -> None:
    node, wrong = Node(), {name: key for name, _, key in entries()}
    for key in wrong.values():
        node.storage[key] = broken
    differences = audited(node).differences
    assert [difference.item for difference in differences] == list(ITEMS)
    for difference in differences:
        assert difference.chain is not None
        assert "which does not decode" in difference.chain


def test_a_key_that_does_not_decode_is_a_difference() -> None:
    node = Node()
    item = state().mirrors.balances.locks
    odd = item.prefix + b"odd"
    node.storage[odd] = next(raw for _, raw in item.raw_items())
    (difference,) = audited(node).differences
    assert (difference.item, difference.key) == ("Balances.Locks", hex_(odd))


# --- What is compared in part --------------------------------------------------------------


def test_locks_of_other_pallets_are_not_compared() -> None:
    node, locks = Node(), state().mirrors.balances.locks
    staking = BalanceLock(b"staking ", 5, Reasons.ALL)  # type: ignore[arg-type]  # planck
    for account, held in locks.items():
        node.storage[locks.raw_key(account)] = locks.encode_value((staking, *held))
    node.storage[locks.raw_key(other_account(9))] = locks.encode_value((staking,))
    result = audited(node)
    assert result.agrees
    assert result.compared["Balances.Locks"] == len(locks)


def test_the_reasons_of_the_governance_lock_are_compared() -> None:
    node, locks = Node(), state().mirrors.balances.locks
    account, held = next(locks.items())
    node.storage[locks.raw_key(account)] = locks.encode_value(
        tuple(lock._replace(reasons=Reasons.MISC) for lock in held)
    )
    (difference,) = audited(node).differences
    assert difference.item == "Balances.Locks"


def test_every_status_of_a_referendum_is_told_from_every_other() -> None:
    polls = dict(state().mirrors.referenda.polls.items())
    index = next(index for index, poll in polls.items() if poll.end is not None)
    end = polls[index].end
    assert end is not None
    infos = [ongoing(0), *(ended(variant, end) for variant in range(1, 6))]
    for variant, info in enumerate(infos):
        node = Node()
        node.storage[INFO_KEYS.raw_key(index)] = info
        assert audited(node).agrees == (variant == polls[index].status)


def test_another_tally_or_deposit_of_a_referendum_is_no_difference() -> None:
    node = Node()
    for index, poll in state().mirrors.referenda.polls.items():
        key = INFO_KEYS.raw_key(index)
        if poll.end is None:
            node.storage[key] = node.storage[key].replace(u128(2), u128(99))
        else:
            deposit = b"\1" + other_account(3) + u128(4)
            node.storage[key] = node.storage[key][:5] + deposit + b"\0"
    assert node.storage != chain_storage()
    assert audited(node).agrees


# --- Audits that would mean nothing -------------------------------------------------------


def test_an_audit_at_another_block_is_refused() -> None:
    with source(Node()) as opened:
        for at in (
            BlockRef(head().number, Hash(b"\7" * 32)),
            BlockRef(BlockNumber(head().number + 1), head().hash),
        ):
            with pytest.raises(InputError, match="both must be the same block"):
                audit(state(), opened, demo().runtime_of, at)


def test_an_audit_of_an_empty_ledger_is_refused() -> None:
    with source(Node()) as opened, pytest.raises(InputError, match="before the first block"):
        audit(State(PASEO), opened, demo().runtime_of, head())


def test_a_listed_key_without_a_value_is_the_nodes_fault() -> None:
    odd = state().mirrors.balances.locks.raw_key(other_account(9))
    with pytest.raises(SourceError, match=f"lists storage key {hex_(odd)} and has no value"):
        audited(Node(lists=(odd,)))


def test_a_runtime_that_is_not_known_is_named() -> None:
    def unknown(spec_version: SpecVersion) -> Any:
        return demo().runtime_of(SpecVersion(spec_version + 1))

    with source(Node()) as opened, pytest.raises(InputError, match="spec version 1001003"):
        audit(state(), opened, unknown, head())
