"""A bundle is believed in nothing: what is changed in it is found, and named."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from ibp_chain.accounts import multisig_account, ss58_encode
from ibp_chain.errors import IbpError
from ibp_chain.extrinsics import Weight
from ibp_chain.networks import network
from ibp_chain.runtime import Runtime
from ibp_chain.types import Hash
from ledger.program.rules import load_rules
from ledger.state import State
from multisig.batch import build_batches, encode_batch
from multisig.bundle import (
    Bundle,
    Latest,
    TimepointPart,
    check_bundle,
    compare_statements,
    make_bundles,
    read_bundle,
    verify_bundle,
)
from multisig.documents import write_file
from multisig.errors import BundleRefused, StatementError
from multisig.statement import Line, planck_owed
from tests.support import payouts, recording
from tests.support.payouts import FAILED, HALF_SIGNED, OPEN_AGAIN, PAID, PASEO, STATED, parts
from tests.unit.multisig.test_decode import FAULTS, Misreading

BUNDLE = payouts.bundle()
DOCUMENT = payouts.as_json(BUNDLE)
LINES = BUNDLE.statement.lines
REMARK, TRANSFERS = parts()


def check(
    bundle: Bundle, state: State | None = None, genesis: Hash | None = None
) -> tuple[Line, ...]:
    return check_bundle(
        bundle,
        payouts.state(STATED) if state is None else state,
        payouts.genesis_hash() if genesis is None else genesis,
        recording.runtime(),
        recording.peer(),
    )


def verify(bundle: Bundle, operations: payouts.Operations = STATED) -> tuple[Line, ...]:
    return verify_bundle(
        bundle,
        payouts.ledger(operations),
        load_rules(),
        payouts.service(),
        payouts.genesis_hash(),
        recording.runtime(),
        recording.peer(),
    )


def checked(bundle: Bundle, state: State | None = None) -> tuple[str, ...]:
    """What `check_bundle` finds wrong."""
    with pytest.raises(BundleRefused) as refused:
        check(bundle, state)
    return refused.value.differences


def verified(bundle: Bundle) -> tuple[str, ...]:
    """What `verify_bundle` finds wrong."""
    with pytest.raises(BundleRefused) as refused:
        verify(bundle)
    return refused.value.differences


def made(state: State, weights: tuple[Weight, ...] = ()) -> Bundle:
    runtime = recording.runtime()
    batches = build_batches(BUNDLE.statement, state, runtime)
    (bundle,) = make_bundles(
        BUNDLE.statement, batches, state, payouts.genesis_hash(), runtime, weights=weights
    )
    return bundle


# --- A bundle that holds ------------------------------------------------------------------


def test_the_recorded_bundle_is_made_again_byte_by_byte() -> None:
    assert made(payouts.state(STATED)).encoded == BUNDLE.encoded


def test_the_recorded_bundle_holds() -> None:
    assert verify(BUNDLE) == check(BUNDLE) == LINES


@pytest.mark.parametrize("operations", [HALF_SIGNED, FAILED, OPEN_AGAIN])
def test_a_bundle_holds_until_it_is_paid(operations: payouts.Operations) -> None:
    """Later curators check it while it is open, and again after it failed inside."""
    assert check(BUNDLE, payouts.state(operations)) == LINES


def test_a_bundle_names_the_curators_in_office() -> None:
    program = payouts.state(STATED).programme.program.value
    assert program is not None
    assert BUNDLE.multisig.account_ids(PASEO) == tuple(sorted(program.curators))
    account = multisig_account(program.curators, program.threshold)
    assert BUNDLE.multisig.account_id(PASEO) == account


def test_a_bundle_can_carry_hints_that_the_call_hash_does_not_cover() -> None:
    plain, hinted = made(payouts.state(STATED)), made(payouts.state(HALF_SIGNED), (Weight(7, 9),))
    assert plain.timepoint is None
    assert plain.weight is None
    (opened,) = [
        key
        for key, _ in payouts.state(HALF_SIGNED).mirrors.multisig.operations.items()
        if key[1] == BUNDLE.call_hash
    ]
    assert hinted.timepoint == TimepointPart(height=opened[2], index=opened[3])
    assert hinted.weight is not None
    assert (hinted.weight.ref_time, hinted.weight.proof_size) == (7, 9)
    assert hinted.call_hash == plain.call_hash
    assert check(hinted, payouts.state(HALF_SIGNED)) == LINES


def test_a_timepoint_of_another_operation_is_found() -> None:
    state = payouts.state(HALF_SIGNED)
    bundle = made(state)
    assert bundle.timepoint is not None
    other = bundle.timepoint.model_copy(update={"index": bundle.timepoint.index + 1})
    (difference,) = checked(bundle.model_copy(update={"timepoint": other}), state)
    assert difference.startswith("its timepoint is ")


# --- One byte changed ---------------------------------------------------------------------

NAMED: dict[payouts.Path, str] = {
    ("format",): "no bundle: format: ",
    ("version",): "no bundle: version: ",
    ("chain", "network"): "it is for pasep, the ledger is of paseo",
    ("chain", "genesis_hash"): "it is for a chain with genesis 0x",
    ("chain", "spec_version"): "its call is of spec version 1001003, the runtime is 1001002",
    ("multisig", "account"): "its multisig is ",
    ("multisig", "threshold"): "its signatories or threshold are not those",
    ("multisig", "signatories"): "its signatories or threshold are not those",
    ("statement", "format"): "no bundle: statement.format: ",
    ("statement", "version"): "no bundle: statement.version: ",
    ("statement_hash",): f"its statement hashes to 0x{BUNDLE.statement_hash.hex()}",
    ("call",): "its call hashes to 0x",
    ("call_hash",): f"its call hashes to 0x{BUNDLE.call_hash.hex()}",
    ("part",): "it says to be part 2 of 1, there are 1",
    ("parts",): "it says to be part 1 of 2, there are 1",
    ("statement", "period"): "the price is of 2026-02-01T00:00:00Z, when 2026-02 was not over",
    ("statement", "ledger", "block"): "the bundle's statement is of block 60101, the ledger is at",
    ("statement", "price", "usd"): "statement.lines.amforc/services.planck is '1500372093023'",
    ("statement", "price", "source"): "its statement hashes to 0x",
    ("statement", "price", "at"): "no bundle: statement.price.at: ",
}


def other_last(value: Any) -> Any:
    """`value` with one character changed to its neighbour, or the next number."""
    if isinstance(value, int):
        return value + 1
    if value.endswith(("f", "-31")):  # their neighbours are no hex digit and no day
        return value[:-1] + chr(ord(value[-1]) - 1)
    last = value[-1]
    return value[:-1] + (str((int(last) + 1) % 10) if last.isdigit() else chr(ord(last) + 1))


def name_of(path: payouts.Path) -> str:
    """How a difference at `path` begins."""
    if path[-1] == "reason":
        return f"no bundle: {'.'.join(map(str, path))}: "
    for named in (path, path[:2]):
        if named in NAMED:
            return NAMED[named]
    *above, last = path
    where, inner = [], DOCUMENT
    for step in above:
        inner = inner[step]  # type: ignore[index]  # an index where it is a list
        where.append(step if isinstance(step, str) else title(inner))
    if isinstance(last, int):
        return f"{'.'.join(where)}.{inner[last]} is missing"  # type: ignore[index]  # as above
    if last in {"member", "item", "day"}:  # what it is about: under another name it is another
        return f"{'.'.join(where)} is missing"
    return f"{'.'.join(where)}.{last} is '"


def title(part: Any) -> str:
    return part["day"] if "day" in part else f"{part['member']}/{part['item']}"


@pytest.mark.parametrize(
    ("path", "value"),
    [pytest.param(*leaf, id=".".join(map(str, leaf[0]))) for leaf in payouts.leaves(DOCUMENT)],
)
def test_a_change_in_any_field_is_named_first(path: payouts.Path, value: Any) -> None:
    with pytest.raises(IbpError) as refused:
        verify(payouts.bundle_of(payouts.with_value(DOCUMENT, path, other_last(value))))
    said = str(refused.value).removeprefix("the bundle is refused: ")
    assert said.startswith(name_of(path))


# --- For another chain, multisig or runtime -----------------------------------------------


def test_another_genesis_is_refused() -> None:
    with pytest.raises(BundleRefused, match="it is for a chain with genesis 0xcc2d98fc"):
        check(BUNDLE, genesis=Hash(bytes(32)))


def test_another_network_is_refused() -> None:
    state = State(network("polkadot")).load(payouts.state(STATED).entries())
    assert "it is for paseo, the ledger is of polkadot" in checked(BUNDLE, state)


def test_another_runtime_is_refused() -> None:
    runtime = upgraded()
    assert runtime.spec_version == 1_002_000
    with pytest.raises(BundleRefused, match="the runtime is 1002000: build it again"):
        check_bundle(
            BUNDLE, payouts.state(STATED), payouts.genesis_hash(), runtime, recording.peer()
        )


def upgraded() -> Runtime:
    raw = recording.source().metadata(recording.SPEC_VERSION)
    return Runtime.from_metadata(
        raw.replace((1_001_002).to_bytes(4, "little"), (1_002_000).to_bytes(4, "little"))
    )


def verify_after_upgrade(bundle: Bundle, state: State) -> tuple[Line, ...]:
    return verify_bundle(
        bundle,
        payouts.ledger(STATED),
        load_rules(),
        payouts.service(),
        payouts.genesis_hash(),
        recording.runtime(),
        recording.peer(),
        now=Latest(state, upgraded(), recording.peer()),
    )


def test_a_bundle_that_was_built_again_after_an_upgrade_is_verified_by_the_latest_ledger() -> None:
    state, runtime = payouts.state(STATED), upgraded()
    batches = build_batches(BUNDLE.statement, state, runtime)
    (again,) = make_bundles(BUNDLE.statement, batches, state, payouts.genesis_hash(), runtime)
    assert again.chain.spec_version == 1_002_000
    with pytest.raises(BundleRefused, match="the runtime is 1001002: build it again"):
        verify(again)
    assert verify_after_upgrade(again, state) == LINES
    with pytest.raises(BundleRefused, match="2026-01 was paid before"):
        verify_after_upgrade(again, payouts.state(PAID))
    forged = payouts.resealed(again, payouts.batch_all(REMARK, *TRANSFERS, TRANSFERS[0]))
    with pytest.raises(BundleRefused, match="its statement makes another call"):
        verify_after_upgrade(forged, state)
    other = again.statement.model_copy(update={"lines": again.statement.lines[1:]})
    with pytest.raises(BundleRefused, match=r"statement.lines.amforc/services is missing"):
        verify_after_upgrade(again.model_copy(update={"statement": other}), state)
    assert verify_after_upgrade(BUNDLE, payouts.state(PAID)) == LINES  # of its own block's runtime


@pytest.mark.parametrize(("threshold", "curators"), [(4, 5), (2, 5), (3, 4)])
def test_a_bundle_of_former_curators_is_refused(threshold: int, curators: int) -> None:
    state = payouts.state(STATED)
    program = state.programme.program.value
    assert program is not None
    now = program.curators[:curators]
    update = {"threshold": threshold, "curators": now}
    state.programme.program.put(program.model_copy(update=update))
    account = multisig_account(now, threshold)
    (difference,) = checked(BUNDLE, state)
    assert difference == (
        f"its multisig is {BUNDLE.multisig.account}, the curators' in office "
        f"{ss58_encode(account, 42)}"
    )


def test_signatories_in_another_order_are_refused() -> None:
    """Their order is part of the multisig's account, so there is one only."""
    backwards = BUNDLE.multisig.model_copy(
        update={"signatories": BUNDLE.multisig.signatories[::-1]}
    )
    (difference,) = checked(BUNDLE.model_copy(update={"multisig": backwards}))
    assert difference.startswith("its signatories or threshold")


def test_a_bundle_cannot_be_made_or_checked_without_a_programme() -> None:
    with pytest.raises(StatementError, match="no programme yet"):
        make_bundles(
            BUNDLE.statement, (), State(PASEO), payouts.genesis_hash(), recording.runtime()
        )
    with pytest.raises(StatementError, match="no programme yet"):
        check(BUNDLE, State(PASEO))


# --- Forgeries that are consistent: every hash fits ---------------------------------------


def line(place: int, **changes: str) -> Callable[[dict[str, Any]], object]:
    return lambda statement: statement["lines"][place].update(changes)


def swap_lines(statement: dict[str, Any]) -> None:
    statement["lines"][0], statement["lines"][1] = statement["lines"][1], statement["lines"][0]


def swap_payees(statement: dict[str, Any]) -> None:
    first, second, *_ = statement["lines"]
    first["payee"], second["payee"] = second["payee"], first["payee"]


def pay_more(statement: dict[str, Any]) -> None:
    """An amount that fits its dollars, which do not fit the days."""
    statement["lines"][0].update(usd="2500.00", planck="11627906976744")


def pay_withheld(statement: dict[str, Any]) -> None:
    """A member whose lock falls short, at its own registered payee."""
    held = statement["withheld"].pop(0)
    payee = payouts.state(STATED).membership.members.get(held["member"]).payee("paseo")
    assert payee is not None
    new = statement["lines"][0] | {
        "member": held["member"],
        "payee": ss58_encode(payee, PASEO.ss58_prefix),
    }
    statement["lines"].insert(1, new)


def drop_line(statement: dict[str, Any]) -> None:
    statement["lines"].pop()


def lower_price(statement: dict[str, Any]) -> None:
    """At half the price everybody gets twice as many tokens."""
    statement["price"]["usd"] = "1.075"
    for each in statement["lines"]:
        each["planck"] = str(planck_owed(Decimal(each["usd"]), Decimal("1.075"), PASEO))


def served_day(statement: dict[str, Any]) -> None:
    statement["lines"][1]["days"].insert(1, "2026-01-29")


def duplicate(statement: dict[str, Any]) -> None:
    statement["lines"].insert(0, statement["lines"][0])


def test_a_forgery_that_changes_nothing_is_the_bundle_itself() -> None:
    assert payouts.forged(lambda statement: statement).encoded == BUNDLE.encoded


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (line(0, planck="1500372093024"), "amforc/services: 1500372093024 planck are not 322.58"),
        (line(0, usd="322.59"), "amforc/services: 1500372093023 planck are not 322.59 USD"),
        (line(0, payee=LINES[1].payee), "amforc/services: .* is not the registered payee"),
        (swap_payees, "gatotech/services: .* is not the registered payee"),
        (line(0, member="dwellir"), "dwellir/services: .* is not the registered payee"),
        (line(0, member="radiumblock"), "radiumblock/services: the member is suspended"),
        (line(0, member="nobody"), "nobody/services: there is no such member"),
    ],
)
def test_a_forgery_is_found_by_the_ledger_alone(
    change: Callable[[dict[str, Any]], object], said: str
) -> None:
    forgery = payouts.forged(change)
    assert forgery.statement_hash == forgery.statement.hash
    assert any(re.search(said, each) for each in checked(forgery))
    verified(forgery)


@pytest.mark.parametrize(
    ("change", "first"),
    [
        (pay_more, "statement.lines.amforc/services.usd is '2500.00', mine is '322.58'"),
        (pay_withheld, "statement.lines.dwellir/services is not in mine"),
        (drop_line, "statement.lines.turboflakes/services is missing"),
        (swap_lines, "statement.lines is in another order"),
        (served_day, "statement.lines.gatotech/services.days.2026-01-29 is not in mine"),
        (line(0, item="bonus"), "statement.lines.amforc/services is missing"),
    ],
)
def test_a_forgery_of_what_is_owed_is_found_by_rebuilding_the_statement(
    change: Callable[[dict[str, Any]], object], first: str
) -> None:
    forgery = payouts.forged(change)
    assert check(forgery)  # it pays what its statement says, to whom the ledger says
    assert verified(forgery)[0].startswith(first)


def test_a_line_paid_twice_is_named() -> None:
    """No remark can list a line twice, so the forger's call is another one."""
    value = payouts.as_json(BUNDLE)
    duplicate(value["statement"])
    forgery = payouts.bundle_of(value)
    sealed = payouts.resealed(forgery, BUNDLE.call)
    assert checked(sealed) == ("amforc/services: listed twice",)
    assert verified(sealed)[0].startswith("statement.lines.amforc/services again is not in mine")


def test_the_price_is_the_bundles_word() -> None:
    """The one input that no ledger has: its source and time are there to be looked up."""
    forgery = payouts.forged(lower_price)
    assert verify(forgery)
    assert forgery.statement.total == 2 * BUNDLE.statement.total


def test_a_bundle_is_verified_at_the_block_of_its_statement() -> None:
    with pytest.raises(StatementError, match="block 60100, the ledger is at 60107: replay it"):
        verify(BUNDLE, PAID)


def test_a_bundle_replayed_after_it_was_paid_is_refused() -> None:
    assert checked(BUNDLE, payouts.state(PAID)) == tuple(
        f"{each.member}/services: 2026-01 was paid before" for each in LINES
    )


def test_statements_that_are_equal_are_the_same() -> None:
    compare_statements(BUNDLE.statement, BUNDLE.statement)


# --- Another call than the statement's ----------------------------------------------------


def test_any_other_call_with_a_fitting_hash_is_refused() -> None:
    keep, *others = TRANSFERS
    allow_death = payouts.call("Balances", "transfer_allow_death", **keep.args)
    more = payouts.call("Balances", "transfer_keep_alive", **{**keep.args, "value": 2**64})
    calls = {
        "extra call": (REMARK, *TRANSFERS, keep),
        "another amount": (REMARK, more, *others),
        "allow death": (REMARK, allow_death, *others),
        "other order": (REMARK, *others, keep),
        "no remark": TRANSFERS,
        "fewer": (REMARK, keep),
    }
    for call in [*(payouts.batch_all(*each) for each in calls.values()), keep.data, b"", b"\xff"]:
        (difference,) = checked(payouts.resealed(BUNDLE, call))
        assert difference == (
            f"its statement makes another call, with hash 0x{BUNDLE.call_hash.hex()}"
        )


def test_trailing_bytes_are_another_call() -> None:
    (difference,) = checked(payouts.resealed(BUNDLE, BUNDLE.call + b"\0"))
    assert difference.startswith("its statement makes another call")


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_call_that_a_second_decoder_reads_otherwise_is_refused(
    fault: Callable[[Any], object],
) -> None:
    with pytest.raises(BundleRefused, match="the two decoders differ"):
        check_bundle(
            BUNDLE,
            payouts.state(STATED),
            payouts.genesis_hash(),
            recording.runtime(),
            Misreading(fault),
        )


# --- Files --------------------------------------------------------------------------------


def test_a_bundle_is_read_from_its_file(tmp_path: Any) -> None:
    write_file(tmp_path / "bundle.json", BUNDLE.encoded)
    assert read_bundle(tmp_path / "bundle.json") == BUNDLE


def test_a_bundle_of_one_part_is_no_part_of_another_statement() -> None:
    """A part rebuilt from some of the lines is another call."""
    some = encode_batch(BUNDLE.statement, LINES[:2], recording.runtime())
    (difference,) = checked(payouts.resealed(BUNDLE, some.call))
    assert difference.startswith("its statement makes another call")
