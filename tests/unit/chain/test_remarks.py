"""The envelope and the bodies of the remark protocol, against well-formed and hostile bytes."""

import json
from typing import Any

import pytest

from ibp_chain.accounts import ss58_encode
from ibp_chain.blocks import blake2_256
from ibp_chain.errors import RemarkError
from ibp_chain.networks import network
from ibp_chain.remark_bodies import (
    Body,
    Decision,
    DecisionOutcome,
    Link,
    MemberAction,
    Milestone,
    MilestoneAction,
    Observe,
    Report,
)
from ibp_chain.remarks import (
    BODIES,
    MAX_SIZE,
    Unknown,
    canonical_json,
    encode,
    is_programme_remark,
    link_message,
    parse,
    signing_digest,
)
from ibp_chain.types import Hash
from tests.support.programme import (
    PASEO,
    PROGRAM,
    UNSIGNED,
    account,
    json_of,
    key,
    kind_of,
    link_body,
    member_body,
    payout,
    registration,
    signed,
)

PREFIX = PASEO.ss58_prefix
H = Hash(b"\x11" * 32)
OBSERVE = Observe(
    program=H, oracle=account("Oracle0"), day="2026-03-09", root=H, rows=3, previous=H, sig=UNSIGNED
)
REPORT = Report(
    program=H,
    oracle=account("Oracle0"),
    day="2026-03-09",
    turn=0,
    root=H,
    rows=3,
    observes=(H, Hash(b"\x12" * 32)),
    sig=UNSIGNED,
)
DECISION = Decision(
    member="amforc", outcome=DecisionOutcome.WAIVE, subject="M3", reason="a cut cable, not theirs"
)
EVERY_KIND: list[Body] = [
    PROGRAM,
    registration(),
    member_body(MemberAction.UPDATE, name="Stake Plus"),
    member_body(MemberAction.SUSPEND, reason="silent"),
    Milestone(action=MilestoneAction.GRANT, member="amforc", milestone=3, evidence=H),
    DECISION,
    payout(("amforc", "services"), ("amforc", "bonus")),
    link_body(on=network("kusama")),
    OBSERVE,
    REPORT,
]


def says(kind: str, value: Any) -> bytes:
    """A remark with `value` as it is, whether or not it is a good one."""
    return f"IBP/1 {kind} ".encode() + canonical_json(value)


def changed(body: Body, **fields: Any) -> bytes:
    """`body` as a canonical remark with other JSON values."""
    return says(kind_of(body), json_of(body) | fields)


def reason(raw: bytes) -> str:
    with pytest.raises(RemarkError) as caught:
        parse(raw, PREFIX)
    return str(caught.value)


# --- Round trips ----------------------------------------------------------------------


@pytest.mark.parametrize("body", EVERY_KIND, ids=lambda body: type(body).__name__)
def test_what_is_encoded_is_what_is_parsed(body: Body) -> None:
    raw = encode(body, PREFIX)
    assert is_programme_remark(raw)
    assert parse(raw, PREFIX) == body
    assert encode(parse(raw, PREFIX), PREFIX) == raw  # type: ignore[arg-type]  # no Unknown: equal


def test_every_kind_of_the_protocol_is_tried_above() -> None:
    assert {type(body) for body in EVERY_KIND} == set(BODIES.values())


def test_a_remark_is_readable_text() -> None:
    assert encode(member_body(MemberAction.SUSPEND, reason="silent"), PREFIX) == (
        b'IBP/1 member {"action":"suspend","member":"amforc","reason":"silent"}'
    )


def test_addresses_are_those_of_the_carrying_chain() -> None:
    raw = encode(OBSERVE, PREFIX)
    assert ss58_encode(account("Oracle0"), PREFIX).encode() in raw
    assert parse(encode(OBSERVE, 0), 0) == OBSERVE


# --- Envelope -------------------------------------------------------------------------


def test_other_remarks_are_none_of_our_business() -> None:
    assert not is_programme_remark(b"ibp/1 member {}")
    assert not is_programme_remark(b" IBP/1 member {}")
    assert "IBP/" in reason(b'1 member {"action":"suspend","member":"a","reason":"b"}')


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"IBP/2 member {}", Unknown("2", "member")),
        (b"IBP/01 member {}", Unknown("01", "member")),
        ("IBP/\u0661 member {}".encode(), Unknown("\u0661", "member")),
        (b"IBP/1 bribe {}", Unknown("1", "bribe")),
        (b"IBP/1 Member {}", Unknown("1", "Member")),
        (b"IBP/1  member {}", Unknown("1", "")),
        (b"IBP/3 x not json at all", Unknown("3", "x")),
    ],
)
def test_other_versions_and_kinds_are_recognised_whatever_they_hold(
    raw: bytes, expected: Unknown
) -> None:
    assert parse(raw, PREFIX) == expected


@pytest.mark.parametrize("raw", [b"IBP/", b"IBP/1", b"IBP/1 member", b"IBP/1\tmember\t{}"])
def test_a_remark_without_its_three_parts_is_refused(raw: bytes) -> None:
    assert "not of the form" in reason(raw)


@pytest.mark.parametrize("tail", [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf0\x9f\x98"])
def test_bytes_that_are_no_utf8_are_refused(tail: bytes) -> None:
    assert reason(b'IBP/1 member {"name":"' + tail + b'"}') == "not UTF-8"


def _decision_of(size: int) -> bytes:
    """A decision of `size` bytes, its reason made of four-byte characters and filled with one."""
    empty = len(changed(DECISION, reason=""))
    wide, narrow = divmod(size - empty, 4)
    return changed(DECISION, reason="\N{GRINNING FACE}" * wide + "x" * narrow)


def test_the_largest_remark_is_taken_and_a_byte_more_is_not() -> None:
    assert isinstance(parse(_decision_of(MAX_SIZE), PREFIX), Decision)
    assert "2049 bytes" in reason(_decision_of(MAX_SIZE + 1))


def test_an_oversized_body_is_not_encoded() -> None:
    lines = tuple((f"member-{i:03}", "services") for i in range(100))
    with pytest.raises(RemarkError, match="at most 2048"):
        encode(payout(*lines), PREFIX)


# --- JSON -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        '{"action": "suspend","member":"a","reason":"b"}',
        '{"member":"a","action":"suspend","reason":"b"}',
        '{"action":"suspend","member":"a","reason":"\\u0062"}',
        '{"action":"suspend","member":"a","reason":"b"} ',
        '{"action":"suspend","member":"a","reason":"b"}\n',
        '{"action":"remove","action":"suspend","member":"a","reason":"b"}',
        '{"action":"suspend","action":"suspend","member":"a","reason":"b"}',
    ],
    ids=["space", "order", "escape", "tail", "newline", "duplicate key", "duplicate equal key"],
)
def test_only_the_canonical_form_is_taken(text: str) -> None:
    assert json.loads(text) == {"action": "suspend", "member": "a", "reason": "b"}
    assert "canonical" in reason(f"IBP/1 member {text}".encode())


@pytest.mark.parametrize("text", ["[]", '"member"', "1", "true", "null"])
def test_the_json_is_an_object(text: str) -> None:
    assert reason(f"IBP/1 member {text}".encode()) == "the JSON is no object"


@pytest.mark.parametrize("text", ["", "{", "{}{}", "{'a':1}", "\N{BYTE ORDER MARK}{}"])
def test_what_is_no_json_is_refused(text: str) -> None:
    assert reason(f"IBP/1 member {text}".encode()).startswith("not JSON")


@pytest.mark.parametrize("value", ["1.0", "1e2", "-0.0", "1e400", "NaN", "Infinity", "null"])
def test_floats_and_null_are_refused_wherever_they_stand(value: str) -> None:
    for text in (f'{{"a":{value}}}', f'{{"a":[{{"b":{value}}}]}}'):
        assert "values are not allowed" in reason(f"IBP/1 member {text}".encode())


@pytest.mark.parametrize("rows", [2**53, 10**30, -(2**53), 10**1800])
def test_integers_beyond_what_every_json_reader_holds_are_refused(rows: int) -> None:
    raw = f'IBP/1 observe {{"rows":{rows}}}'.encode()
    assert "no canonical JSON" in reason(raw)


def test_the_largest_integer_is_taken() -> None:
    largest = 2**53 - 1
    assert parse(changed(OBSERVE, rows=largest), PREFIX) == OBSERVE.model_copy(
        update={"rows": largest}
    )


@pytest.mark.parametrize("depth", [60, 400, 950, 2000])
def test_nesting_is_refused_at_any_depth(depth: int) -> None:
    assert reason(b"IBP/1 member " + b"[" * depth)
    body = b'{"a":' + b"[" * depth + b"]" * depth + b"}"
    assert reason(b"IBP/1 member " + body)


@pytest.mark.parametrize("text", ['{"name":"\\ud800"}', '{"\\ud800":"a","b":1}'])
def test_half_a_surrogate_pair_is_refused_as_key_and_as_value(text: str) -> None:
    assert "no canonical JSON" in reason(f"IBP/1 member {text}".encode())


# --- Bodies ---------------------------------------------------------------------------


@pytest.mark.parametrize("body", EVERY_KIND, ids=lambda body: type(body).__name__)
def test_every_field_is_needed_or_absent_and_none_is_added(body: Body) -> None:
    assert "Extra inputs" in reason(changed(body, tip=1))
    required = {name for name, info in type(body).model_fields.items() if info.is_required()}
    for name in required:
        value = json_of(body)
        del value[name]
        assert name in reason(says(kind_of(body), value))


@pytest.mark.parametrize("body", EVERY_KIND, ids=lambda body: type(body).__name__)
@pytest.mark.parametrize("value", [5, True, [], {}, "", "0x", [[]], {"polkadot": 5}, ["\x00"]])
def test_a_field_of_another_type_is_refused_and_never_raises_anything_else(
    body: Body, value: Any
) -> None:
    for name in json_of(body):
        raw = changed(body, **{name: value})
        try:
            taken = parse(raw, PREFIX)
        except RemarkError:
            continue
        assert encode(taken, PREFIX) == raw  # type: ignore[arg-type]  # the kind is known


def test_an_address_of_another_network_is_refused() -> None:
    polkadots = ss58_encode(account("Oracle0"), 0)
    assert "SS58 prefix 0, expected 42" in reason(changed(OBSERVE, oracle=polkadots))
    accounts = {"kusama": ss58_encode(account("amforc"), 42)}
    assert "SS58 prefix 42, expected 2" in reason(changed(registration(), accounts=accounts))


def test_a_remark_of_another_chain_is_not_read_with_our_prefix() -> None:
    assert "SS58 prefix 0, expected 42" in reason(encode(OBSERVE, 0))


@pytest.mark.parametrize("tail", [" ", "\n", "\u00a0"])
def test_an_address_has_one_spelling(tail: str) -> None:
    address = ss58_encode(account("Oracle0"), PREFIX) + tail
    assert reason(changed(OBSERVE, oracle=address))
    assert reason(changed(registration(), accounts={"paseo": address}))
    assert reason(changed(link_body(), account=address))


def test_networks_that_we_do_not_know_are_refused() -> None:
    address = ss58_encode(account("amforc"), PREFIX)
    assert "westend" in reason(changed(registration(), payee={"westend": address}))
    assert "westend" in reason(changed(link_body(), network="westend"))


@pytest.mark.parametrize(
    "day", ["2026-02-30", "2026-13-01", "20260309", "2026-W11-1", "٢٠٢٦-٠٣-٠٩", "2026-03-09\n"]
)
def test_a_day_is_a_real_date_in_ascii(day: str) -> None:
    assert "day" in reason(changed(OBSERVE, day=day))


@pytest.mark.parametrize("period", ["2026-00", "2026-13", "2026-1", "٢٠٢٦-01", "2026-01\n"])
def test_a_period_is_a_real_month_in_ascii(period: str) -> None:
    assert "period" in reason(changed(payout(("a", "b")), period=period))


@pytest.mark.parametrize("text", ["0x" + "AA" * 32, "aa" * 32, "0x" + "aa" * 31, "0x" + "aa" * 33])
def test_a_hash_is_thirty_two_bytes_of_lower_case_hex(text: str) -> None:
    assert "hex digits" in reason(changed(OBSERVE, root=text))


@pytest.mark.parametrize("slug", ["", "-a", "a-", "A", "a b", "ä", "a" * 33, "a\n", "a/b"])
def test_a_member_id_is_a_slug(slug: str) -> None:
    assert "member" in reason(changed(DECISION, member=slug))


def test_the_longest_slug_is_taken() -> None:
    assert isinstance(parse(changed(DECISION, member="a" * 32), PREFIX), Decision)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"threshold": 1}, "threshold"),
        ({"threshold": 6}, "above the number of curators"),
        ({"quorum": 1}, "no majority"),
        ({"quorum": 4}, "no majority"),
        ({"quorum": 0}, "quorum"),
        ({"oracles": []}, "oracles"),
        ({"curators": [ss58_encode(account("a"), PREFIX)] * 3}, "listed twice"),
        ({"oracles": [ss58_encode(account("a"), PREFIX)] * 3}, "listed twice"),
    ],
)
def test_a_programme_can_be_decided_and_measured(fields: dict[str, Any], why: str) -> None:
    assert why in reason(changed(PROGRAM, **fields))


def test_half_of_the_oracles_are_no_quorum() -> None:
    four = [ss58_encode(account(f"Oracle{i}"), PREFIX) for i in range(4)]
    assert "no majority" in reason(changed(PROGRAM, oracles=four, quorum=2))
    assert parse(changed(PROGRAM, oracles=four, quorum=3), PREFIX)


@pytest.mark.parametrize(
    "value",
    [
        {"action": "register", "member": "a", "name": "A", "region": "asia"},
        {"action": "update", "member": "a"},
        {"action": "update", "member": "a", "name": "A", "reason": "b"},
        {"action": "suspend", "member": "a"},
        {"action": "suspend", "member": "a", "name": "A", "reason": "b"},
        {"action": "reinstate", "member": "a"},
        {"action": "remove", "member": "a", "region": "asia", "reason": "b"},
        {"action": "promote", "member": "a", "reason": "b"},
    ],
)
def test_the_details_of_a_member_remark_fit_its_action(value: dict[str, str]) -> None:
    assert reason(says("member", value)).startswith("member: ")


def test_a_registration_takes_no_reason() -> None:
    assert "takes no reason" in reason(changed(registration(), reason="welcome"))


@pytest.mark.parametrize("milestone", [0, 9, -1, True, "3"])
def test_there_are_eight_milestones(milestone: Any) -> None:
    body = Milestone(action=MilestoneAction.GRANT, member="a", milestone=3, evidence=H)
    assert "milestone" in reason(changed(body, milestone=milestone))


def test_a_payout_line_is_listed_once_and_has_two_parts() -> None:
    body = payout(("a", "b"))
    assert "listed twice" in reason(changed(body, lines=[["a", "b"], ["a", "b"]]))
    for lines in ([], [["a"]], [["a", "b", "c"]], ["ab"]):
        assert "lines" in reason(changed(body, lines=lines))


def test_observation_roots_ascend() -> None:
    low, high = "0x" + "11" * 32, "0x" + "12" * 32
    assert "ascending" in reason(changed(REPORT, observes=[high, low]))
    assert "ascending" in reason(changed(REPORT, observes=[low, low]))


def test_a_body_does_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        OBSERVE.rows = 4


# --- Signatures -------------------------------------------------------------------------


def test_the_signing_digest_covers_everything_but_the_signature() -> None:
    value = json_of(OBSERVE)
    del value["sig"]
    assert signing_digest(OBSERVE, PREFIX) == blake2_256(canonical_json(value))
    digest = signing_digest(OBSERVE, PREFIX)
    assert signing_digest(signed(OBSERVE, "Oracle0"), PREFIX) == digest
    changes: list[dict[str, Any]] = [
        {"program": PROGRAM.rules},
        {"oracle": account("Oracle1")},
        {"day": "2026-03-08"},
        {"root": PROGRAM.rules},
        {"rows": 4},
        {"previous": PROGRAM.rules},
    ]
    others = {signing_digest(OBSERVE.model_copy(update=change), PREFIX) for change in changes}
    assert len(others - {digest}) == len(changes)


def test_an_observation_never_passes_for_a_report() -> None:
    sig = signed(OBSERVE, "Oracle0").sig
    assert sig != UNSIGNED
    assert isinstance(OBSERVE, Observe)
    assert "observe:" in reason(says("observe", json_of(REPORT)))
    assert "report:" in reason(says("report", json_of(OBSERVE)))


def test_a_link_message_is_wrapped_as_wallets_do() -> None:
    message = link_message("amforc", "5Grw")
    assert message == b"<Bytes>IBP/1 link amforc 5Grw</Bytes>"


def test_a_links_account_is_read_with_its_own_networks_prefix() -> None:
    body = link_body(linked="Cold", on=network("kusama"))
    assert isinstance(body, Link)
    assert body.account_id == key("Cold").account
