"""Addresses and derived ids, against vectors from live chains and from substrate-interface."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from substrateinterface.utils import ss58 as peer

from ibp_chain.accounts import (
    MAX_SS58_PREFIX,
    derivative_account,
    multisig_account,
    other_signatories,
    pallet_account,
    ss58_decode,
    ss58_encode,
    verify_signature,
)
from ibp_chain.errors import AddressError
from ibp_chain.types import AccountId

account_ids = st.binary(min_size=32, max_size=32).map(AccountId)
RESERVED_BY_THE_PEER = {46, 47}

KUSAMA_CURATORS = (
    "Cbbsb4t8Uq5KDaWeg12f2LMwTg6RGjei29bVo2ei4ZkFN1g",
    "D8DtYYJUUBoACJwJrLNyn8aYArumdViVWAcZRUKcxnSoV9D",
    "G78epYd9YJUGnLDNzKPx9mrMTCUtRHgrDVzB7Ucu5UAJVbK",
    "EUbLd8Vc2PepZKz9onPDfRzzE2GqsUtLjUy8yDunZu7xndz",
    "GCMGu8sjEuEZuMZavo5PLvAhr8fJXAty76jDV1YPquG9erp",
)


@pytest.mark.parametrize("order", list(permutations(range(5)))[::17])
def test_the_programmes_kusama_multisig_is_derived_whatever_the_order(order: list[int]) -> None:
    curators = [ss58_decode(KUSAMA_CURATORS[i], 2) for i in order]
    expected = "DmHG4r2oKs6CkWYjS8WrSPgUAV84VnzgbrshqLakHk1xsCg"
    assert ss58_encode(multisig_account(curators, 3), 2) == expected


def test_the_threshold_is_part_of_a_multisigs_identity() -> None:
    curators = [ss58_decode(address, 2) for address in KUSAMA_CURATORS]
    assert multisig_account(curators, 3) != multisig_account(curators, 4)


@pytest.mark.parametrize(
    ("signatories", "expected"),
    [
        (
            (
                "13Mbv5CRZeSZUqgN4fnS7bQ8XekARHe4kHaekM9mC3J4Fh7e",
                "1ZLR63GQkKph3XmxzziZ1RrPsL6CrJJ1izhgR1mzMaoHZJA",
            ),
            "16cDmVyXj6UTFyH6RknA3qMvCQHiZK1dsWKMnWey8FnSwaNG",
        ),
        (
            (
                "13Mbv5CRZeSZUqgN4fnS7bQ8XekARHe4kHaekM9mC3J4Fh7e",
                "1ZLR63GQkKph3XmxzziZ1RrPsL6CrJJ1izhgR1mzMaoHZJA",
                "1TUmpQQUiXWobQcoUMcqxbAuw6PW9KQaKAZe3bjv3fFaWSy",
            ),
            "12BtfvVr1dH42xFTjMbF5c4MAMLRBRGfiHY24cN7KkueFPFF",
        ),
    ],
)
def test_multisigs_of_live_polkadot_are_derived(
    signatories: tuple[str, ...], expected: str
) -> None:
    accounts = [ss58_decode(address, 0) for address in signatories]
    assert ss58_encode(multisig_account(accounts, 2), 0) == expected


def test_other_signatories_are_ascending_by_public_key_and_leave_the_signer_out() -> None:
    accounts = [AccountId(bytes([i]) * 32) for i in (9, 3, 7)]
    assert other_signatories(accounts, accounts[2]) == [accounts[1], accounts[0]]


def test_a_derivative_is_neither_its_parent_nor_its_sibling() -> None:
    parent = AccountId(bytes(32))
    assert len({parent, derivative_account(parent, 0), derivative_account(parent, 1)}) == 3


def test_the_treasurys_pot_is_derived() -> None:
    expected = "13UVJyLnbVp9RBZYFwFGyDvVd1y27Tt8tkntv6Q7JVPhFsTB"
    assert ss58_encode(pallet_account(b"py/trsry"), 0) == expected


@given(account=account_ids, prefix=st.integers(0, MAX_SS58_PREFIX))
def test_addresses_round_trip_and_equal_the_peers(account: AccountId, prefix: int) -> None:
    address = ss58_encode(account, prefix)
    assert ss58_decode(address, prefix) == account
    if prefix not in RESERVED_BY_THE_PEER:
        assert address == peer.ss58_encode(account, prefix)


@given(account=account_ids, prefix=st.integers(0, MAX_SS58_PREFIX), data=st.data())
def test_a_mistyped_character_is_refused(
    account: AccountId, prefix: int, data: st.DataObject
) -> None:
    address = ss58_encode(account, prefix)
    at = data.draw(st.integers(0, len(address) - 1))
    other = data.draw(st.sampled_from([c for c in "123456789ABCabc0OIl" if c != address[at]]))
    with pytest.raises(AddressError):
        ss58_decode(address[:at] + other + address[at + 1 :], prefix)


@pytest.mark.parametrize("text", ["", "1", "5Grw", "0x00", "not an address", "1" * 80, "é"])
def test_text_that_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(AddressError, match="SS58"):
        ss58_decode(text)


def test_an_address_of_another_network_is_refused_with_both_prefixes() -> None:
    with pytest.raises(AddressError, match="prefix 2, expected 0"):
        ss58_decode(KUSAMA_CURATORS[0], 0)


def test_a_real_sign_and_verify_signature_of_the_programme_holds() -> None:
    signer = ss58_decode("F8FswEGD1quEyNciuR9KwsragUmqnk7mFLqmAdRdnY9Sdwx", 2)
    message = b"<Bytes>HERTWZK4ZpmuXsEgW3UfL5x27XCdT5fE9x4QRbyNWifafdU</Bytes>"
    signature = bytes.fromhex(
        "52df0775a054197b56d1a6bdf1fdf2365b09f1b6dc784ab5118e36c2bfa7a23f"
        "02c782d3c24b3056b82e74cf5550db22d0d457d4dc7f249d5aac2526d7f76681"
    )
    assert verify_signature(signer, signature, message)
    assert not verify_signature(signer, signature, message.removeprefix(b"<Bytes>"))
    assert not verify_signature(AccountId(bytes(32)), signature, message)


@given(account=account_ids, signature=st.binary(max_size=80))
def test_arbitrary_bytes_are_no_signature(account: AccountId, signature: bytes) -> None:
    assert not verify_signature(account, signature, b"message")
