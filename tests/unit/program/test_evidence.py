"""Evidence documents, and the tables of progress that are made from them (seed 002)."""

from collections.abc import Mapping

import pytest

from ibp_chain.blocks import blake2_256
from ibp_chain.errors import ConfigError
from ledger.program.evidence import Evidence, parse_evidence, progress
from tests.support.law import everything

ITEM = b'{"requirement":"x","link":"y"}'
RELAYS = ("polkadot", "kusama", "westend")


def document(member: str, number: int, *items: Mapping[str, object]) -> Evidence:
    return Evidence.model_validate({"member": member, "milestone": number, "items": items})


# --- The document -------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(1, 9))
def test_a_document_is_read_as_it_was_written(number: int) -> None:
    written = everything(number)
    assert parse_evidence(written.encoded, "e.json") == written
    assert written.hash == blake2_256(written.encoded)


def test_white_space_and_order_of_keys_do_not_change_the_hash() -> None:
    spread = b""" {"milestone": 1, "member": "a", "version": 1, "format": "ibp-evidence",
        "items": [{"link": "x", "requirement": "application"}]} """
    packed = document("a", 1, {"requirement": "application", "link": "x"})
    assert parse_evidence(spread, "e.json").hash == packed.hash


def test_a_changed_document_has_another_hash() -> None:
    document_ = everything(1)
    assert document_.hash != document_.model_copy(update={"member": "rival"}).hash


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"", "no JSON"),
        (b"[]", "e.json: "),
        (b'{"member":"a","member":"b"}', "'member' stands there twice"),
        (b'{"member":"a","milestone":9,"items":[]}', "milestone"),
        (b'{"member":"a","milestone":1.0,"items":[]}', "milestone"),
        (b'{"member":"A","milestone":1,"items":[]}', "member"),
        (b'{"member":"a","milestone":1,"items":[],"note":""}', "note"),
        (b'{"member":"a","milestone":1,"items":[{"requirement":"x"}]}', "items.0.link"),
        (b'{"member":"a","milestone":1,"items":[{"requirement":"x","link":"\\u202e"}]}', "link"),
        (b'{"member":"a","milestone":1,"items":[{"requirement":"x","link":"y","value":-1}]}',
         "value"),
        (b'{"member":"a","milestone":1,"items":[{"requirement":"x","link":"y","verdict":"ok"}]}',
         "verdict"),
        (b'{"member":"a","milestone":1,"items":[%b,%b]}' % (ITEM, ITEM), "listed twice"),
    ],
)  # fmt: skip
def test_a_malformed_document_is_refused(raw: bytes, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_evidence(raw, "e.json")
    assert str(caught.value).startswith("e.json: ")
    assert told in str(caught.value)


# --- Progress -----------------------------------------------------------------------------------


def test_progress_in_milestone_1_is_a_pull_request_for_each_member_and_chain() -> None:
    def pull(member: str, **numbers: int) -> Evidence:
        items = (
            {"requirement": "boot-nodes", "chain": chain, "link": f"paritytech/polkadot/{number}"}
            for chain, number in numbers.items()
        )
        return document(member, 1, *items)

    table = progress(
        [
            pull("stake-plus", polkadot=6159, kusama=6159, westend=6159),
            pull("amforc", polkadot=6077, kusama=6077, westend=6434),
        ],
        "boot-nodes",
        RELAYS,
    )
    assert [row[0] for row in table] == ["amforc", "stake-plus"]
    assert [cell.rpartition("/")[2] for cell in table[0][1:]] == ["6077", "6077", "6434"]


def test_progress_in_milestone_3_is_a_count_for_each_member_and_chain() -> None:
    backends = {"stake-plus": (2, 2, 2), "helikon": (3, 3, 3), "amforc": (2, 1, 1)}
    documents = [
        document(
            member,
            3,
            *(
                {"requirement": "archive-nodes", "chain": chain, "value": count, "link": "file:m"}
                for chain, count in zip(RELAYS, counts, strict=True)
            ),
        )
        for member, counts in backends.items()
    ]
    assert progress(documents, "archive-nodes", RELAYS) == [
        ("amforc", "2", "1", "1"), ("helikon", "3", "3", "3"), ("stake-plus", "2", "2", "2"),
    ]  # fmt: skip


def test_progress_says_what_is_pending_needs_work_or_does_not_apply() -> None:
    """Seed 002: BridgeHub pending, Collectives on Kusama N/A, a contract that needs work."""
    shown = document(
        "gatotech",
        4,
        {"requirement": "boot-nodes", "chain": "bridgehub", "verdict": "pending", "link": "x"},
        {"requirement": "boot-nodes", "chain": "collectives", "verdict": "n/a", "link": "x"},
        {"requirement": "boot-nodes", "chain": "statemint", "verdict": "needs work",
         "note": "bandwidth", "link": "x"},
    )  # fmt: skip
    chains = ("bridgehub", "collectives", "statemint", "westmint")
    assert progress([shown], "boot-nodes", chains) == [
        ("gatotech", "pending", "n/a", "needs work (bandwidth)", "-")
    ]
