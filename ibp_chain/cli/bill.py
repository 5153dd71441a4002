"""`ibp payout bill`: the programme's bill of a month, from its configuration as it stood."""

import re
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer

from ibp_chain.blocks import blake2_256
from ibp_chain.cli.bill_views import (
    bill_table,
    explanation,
    settlement_table,
    summary,
    tokens_table,
)
from ibp_chain.cli.opened import DEFAULT_DB, ArchiveOption, AtOption, DbOption, open_ledger
from ibp_chain.cli.output import JsonOption, console, hex_, print_json, say
from ibp_chain.cli.prices import EmaName, month_price
from ibp_chain.cli.served import service_records
from ibp_chain.errors import ConfigError
from ibp_chain.files import read_bounded, write_whole
from ibp_chain.networks import Network
from ledger.pallets.scores import day_date
from ledger.program import bill_document, derivation
from ledger.program.bill_document import Inputs, read_bill, read_corrections
from ledger.program.billing import Bill, BillingPolicy, bill_month, ensure_period
from ledger.program.importers.snapshot import read_configuration
from ledger.program.prices import Average
from ledger.program.settlement import Settlement, settle
from ledger.program.uptime import NOT_GIVEN, Unknown, Uptimes, read_uptimes, uptimes_of_polls

_USD = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,2})?")
_MAX_BYTES = 64 * 2**20

ConfigOption = Annotated[
    Path,
    typer.Option(help="Folder with the programme's files as they stood.", show_default=False),
]
MonthOption = Annotated[str, typer.Option(help="Such as 2026-01.", show_default=False)]
UptimeOption = Annotated[
    Path | None, typer.Option(help="File with uptimes; without any, all is billed in full.")
]
ScoresOption = Annotated[
    Path | None,
    typer.Option("--rows", help="Uptimes of the ledger's standing reports: folder with the rows."),
]
UnknownOption = Annotated[
    Unknown, typer.Option(help="What a service counts as that no given uptime is about.")
]
AvailableOption = Annotated[
    str | None, typer.Option(help="USD that the bounty holds.", show_default="enough")
]
CorrectionsOption = Annotated[
    Path | None, typer.Option(help="File with corrections of earlier months.")
]
PreviousOption = Annotated[
    Path | None, typer.Option(help="Last month's bill, whose IOUs are owed now.")
]
PricesOption = Annotated[
    Path | None,
    typer.Option(help="Recorded prices (ibp payout prices): also say what is paid in the token."),
]
EmaOption = Annotated[EmaName, typer.Option(help="Which average of them.", case_sensitive=False)]
OutOption = Annotated[Path | None, typer.Option(help="Where to write the bill as JSON.")]
InactiveOption = Annotated[
    bool, typer.Option("--bill-inactive", help="Also bill members that are not active.")
]
ExplainOption = Annotated[
    bool, typer.Option("--explain", help="Show the rule and arithmetic of every number.")
]


def bill(
    config: ConfigOption,
    month: MonthOption,
    uptime: UptimeOption = None,
    rows: ScoresOption = None,
    db: DbOption = DEFAULT_DB,
    archive: ArchiveOption = None,
    at: AtOption = None,
    unknown: UnknownOption = Unknown.REFUSE,
    available: AvailableOption = None,
    corrections: CorrectionsOption = None,
    previous: PreviousOption = None,
    prices: PricesOption = None,
    ema: EmaOption = EmaName.EMA30,
    out: OutOption = None,
    *,
    bill_inactive: InactiveOption = False,
    explain: ExplainOption = False,
    as_json: JsonOption = False,
) -> None:
    """Bill a month by the programme's configuration, and say what is paid of it."""
    ensure_period(month)
    held = None if available is None else _usd(available)
    uptimes = _uptimes(month, uptime, rows, db, archive, at)
    policy = BillingPolicy(unknown=unknown, inactive_members=bill_inactive)
    built = bill_month(month, read_configuration(config), uptimes, policy)
    price = None if prices is None else month_price(prices, ema, month)
    settled, inputs = _settled(built, held, corrections, previous, price)
    encoded = bill_document.encode_bill(built, settled, inputs)
    if out is not None:
        _write(out, encoded + b"\n")
    if as_json and explain:
        document = bill_document.as_json(built, settled, inputs)
        print_json({"bill": document, "explanation": explanation(built, settled)})
        return
    if as_json:
        typer.echo(encoded)
        return
    _show(built, settled, inputs, explain=explain)
    written = "" if out is None else f" Written to {out}."
    say(f"The bill's hash is {hex_(blake2_256(encoded))}.{written}")


# --- Internals ----------------------------------------------------------------------


def _uptimes(
    month: str,
    uptime: Path | None,
    rows: Path | None,
    db: str,
    archive: Path | None,
    at: int | None,
) -> Uptimes:
    if uptime is not None and rows is not None:
        raise ConfigError("--uptime and --rows are two sources of uptime: give one of them")
    if uptime is not None:
        return read_uptimes(_read(uptime), month, str(uptime))
    if rows is None:
        return NOT_GIVEN
    state = open_ledger(db, archive, at).state
    standing = {
        day_date(day): report.root
        for day, report in state.scores.standing.items()
        if f"{day_date(day):%Y-%m}" == month
    }
    if not standing:
        raise ConfigError(f"the ledger has no standing report of {month}")
    return uptimes_of_polls(service_records(state, rows, month), standing, month)


def _settled(
    built: Bill,
    held: Decimal | None,
    corrections: Path | None,
    previous: Path | None,
    price: tuple[Average, Network] | None,
) -> tuple[Settlement, Inputs]:
    corrected = None if corrections is None else _read(corrections)
    before = None if previous is None else read_bill(_read(previous), str(previous))
    settled = settle(
        built,
        available=held,
        corrections=() if corrected is None else read_corrections(corrected, str(corrections)),
        ious=() if before is None else before.brought_forward(built.period),
    )
    return settled, Inputs(
        corrections=None if corrected is None else blake2_256(corrected),
        previous=None if before is None else before.hash,
        price=price,
    )


def _show(built: Bill, settled: Settlement, inputs: Inputs, *, explain: bool) -> None:
    console.print(bill_table(built))
    console.print()
    console.print(settlement_table(settled))
    if inputs.price is not None:
        console.print()
        console.print(tokens_table(settled, *inputs.price))
    if explain:
        for member, steps in explanation(built, settled).items():
            say(f"\n{member}")
            for step in steps:
                say(f"  {step}")
        if inputs.price is not None:
            say("\nprice")
            for step in derivation.explain(inputs.price[0].steps):
                say(f"  {step}")
    say("")
    for sentence in summary(built, settled):
        say(sentence)


def _usd(text: str) -> Decimal:
    if not _USD.fullmatch(text):
        raise ConfigError(f"--available {text!r} is no amount such as 150000 or 150000.00")
    return Decimal(text)


def _read(path: Path) -> bytes:
    return read_bounded(path, _MAX_BYTES, ConfigError)


def _write(path: Path, data: bytes) -> None:
    try:
        write_whole(path, data)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from error
