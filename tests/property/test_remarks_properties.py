"""Whatever bytes a remark has, reading it ends in a body, an unknown kind or a RemarkError."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ibp_chain.errors import RemarkError
from ibp_chain.networks import NETWORKS
from ibp_chain.remark_bodies import (
    Body,
    Decision,
    DecisionOutcome,
    Member,
    MemberAction,
    Milestone,
    MilestoneAction,
    Observe,
    Payout,
    Program,
    Report,
)
from ibp_chain.remarks import (
    KINDS,
    Kind,
    Unknown,
    as_json,
    canonical_json,
    encode,
    parse,
    signing_digest,
)
from ibp_chain.types import AccountId, Hash

prefixes = st.sampled_from([0, 2, 42])
hashes = st.binary(min_size=32, max_size=32).map(Hash)
accounts = st.binary(min_size=32, max_size=32).map(AccountId)
signatures = st.binary(min_size=64, max_size=64)
slugs = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=64)
days = st.dates().map(str)
counts = st.integers(0, 2**53 - 1)
by_network = st.dictionaries(st.sampled_from(sorted(NETWORKS)), accounts, min_size=1)
several = st.lists(accounts, min_size=2, max_size=6, unique=True)


@st.composite
def programs(draw: st.DrawFn) -> Program:
    curators, oracles = draw(several), draw(several)
    return Program(
        name=draw(names),
        rules=draw(hashes),
        curators=tuple(curators),
        threshold=draw(st.integers(2, len(curators))),
        oracles=tuple(oracles),
        quorum=draw(st.integers(len(oracles) // 2 + 1, len(oracles))),
    )


bodies: st.SearchStrategy[Body] = st.one_of(
    programs(),
    st.builds(
        Member,
        action=st.just(MemberAction.REGISTER),
        member=slugs,
        name=names,
        region=slugs,
        accounts=by_network,
        payee=by_network,
        reason=st.none(),
    ),
    st.builds(
        Member,
        action=st.sampled_from(["suspend", "reinstate", "remove"]).map(MemberAction),
        member=slugs,
        name=st.none(),
        region=st.none(),
        accounts=st.none(),
        payee=st.none(),
        reason=names,
    ),
    st.builds(
        Milestone,
        action=st.sampled_from(MilestoneAction),
        member=slugs,
        milestone=st.integers(1, 8),
        evidence=hashes,
    ),
    st.builds(
        Decision,
        member=slugs,
        outcome=st.sampled_from(DecisionOutcome),
        subject=names,
        reason=names,
    ),
    st.builds(
        Payout,
        period=st.dates().map(lambda day: f"{day:%Y-%m}".rjust(7, "0")),
        statement=hashes,
        lines=st.lists(st.tuples(slugs, slugs), min_size=1, max_size=8, unique=True).map(tuple),
    ),
    st.builds(
        Observe,
        program=hashes,
        oracle=accounts,
        day=days,
        root=hashes,
        rows=counts,
        previous=hashes,
        sig=signatures,
    ),
    st.builds(
        Report,
        program=hashes,
        oracle=accounts,
        day=days,
        root=hashes,
        rows=counts,
        observes=st.sets(hashes, min_size=1, max_size=5).map(lambda roots: tuple(sorted(roots))),
        sig=signatures,
    ),
)

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=[]), max_size=8)
    | st.sampled_from(["", "0x", "amforc", "2026-03-09", "register", "0x" + "00" * 32]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=12,
)
FIELDS = [
    "action", "member", "name", "region", "accounts", "payee", "reason", "rules", "curators",
    "threshold", "oracles", "quorum", "milestone", "evidence", "outcome", "subject", "period",
    "statement", "lines", "network", "account", "sig", "program", "oracle", "day", "root", "rows",
    "previous", "observes",
]  # fmt: skip


def read(raw: bytes, prefix: int = 42) -> None:
    """Whoever writes to the chain chooses these bytes: anything else raised would stop a ledger."""
    try:
        taken = parse(raw, prefix)
    except RemarkError:
        return
    if not isinstance(taken, Unknown):
        assert encode(taken, prefix) == raw


def kind_and_json(body: Body) -> tuple[str, bytes]:
    """What a remark of any size would say."""
    return KINDS[type(body)].value, canonical_json(as_json(body, 42))


@given(bodies, prefixes)
def test_parsing_undoes_encoding(body: Body, prefix: int) -> None:
    try:
        raw = encode(body, prefix)
    except RemarkError as error:
        assert "2048" in str(error)  # noqa: PT017  # the only reason for a well-formed body
        return
    assert parse(raw, prefix) == body
    assert signing_digest(body, prefix) == signing_digest(body, prefix)


@given(st.binary(max_size=2100))
def test_arbitrary_bytes_raise_nothing_but_a_remark_error(raw: bytes) -> None:
    read(raw)
    read(b"IBP/" + raw)


@given(st.sampled_from(Kind), st.binary(max_size=200))
def test_arbitrary_bytes_behind_a_good_head_raise_nothing_else(kind: Kind, tail: bytes) -> None:
    read(f"IBP/1 {kind} ".encode() + tail)


@given(
    st.sampled_from(Kind),
    st.dictionaries(st.sampled_from(FIELDS), json_values, max_size=6) | json_values,
)
def test_arbitrary_json_raises_nothing_else(kind: Kind, value: Any) -> None:
    read(f"IBP/1 {kind} {json.dumps(value)}".encode())
    try:
        text = canonical_json(value)
    except RemarkError:
        return
    read(f"IBP/1 {kind} ".encode() + text)


@given(bodies, st.data())
def test_a_field_replaced_by_anything_raises_nothing_else(body: Body, data: st.DataObject) -> None:
    kind, text = kind_and_json(body)
    value = json.loads(text)
    value[data.draw(st.sampled_from(sorted(value)))] = data.draw(json_values)
    try:
        read(f"IBP/1 {kind} ".encode() + canonical_json(value))
    except RemarkError:
        return  # floats and the like have no canonical form


@given(bodies, st.integers(0, 2047), st.integers(1, 255))
def test_a_changed_byte_gives_another_body_or_none(body: Body, place: int, flip: int) -> None:
    kind, text = kind_and_json(body)
    raw = bytearray(f"IBP/1 {kind} ".encode() + text)
    raw[place % len(raw)] ^= flip
    try:
        assert parse(bytes(raw), 42) != body
    except RemarkError:
        return
