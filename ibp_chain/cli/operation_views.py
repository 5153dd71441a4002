"""Open operations as tables, sentences and JSON, with the command that comes next."""

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rich.table import Table

from ibp_chain.accounts import ss58_encode
from ibp_chain.cli.output import hex_, row, table
from ibp_chain.cli.views import short
from ibp_chain.errors import CheckFailed
from ibp_chain.networks import Network
from ibp_chain.types import AccountId
from multisig.errors import ApprovalRefused, NextStep
from multisig.links import DeepLink
from multisig.operations import Age, Party, Pending, warnings

_LONGEST_LINK = 2_000
"""That `status` prints; `links` prints every one."""

_LEDGER = ("--archive", "--db")
_TAKEN = {
    NextStep.APPROVE: (
        "--rows", *_LEDGER, "--rules", "--bill", "--deny", "--cap-line", "--cap-month", "--change",
        "--history", "--keystore",
    ),
    NextStep.CANCEL: (*_LEDGER, "--keystore"),
    NextStep.STATUS: _LEDGER,
    NextStep.RECHECK: _LEDGER,
    NextStep.RECONCILE: _LEDGER,
}  # fmt: skip
"""What each command takes of what was given to another."""


class Commands:
    """Full command lines for one bundle, with what the user has given so far."""

    def __init__(self, bundle: Path, node: str, *given: tuple[str, object | None]) -> None:
        self._bundle, self._node = str(bundle), public_url(node)
        self._given = {name: str(value) for name, value in given if value is not None}

    def line(self, step: NextStep) -> str:
        """`ibp multisig …`; what it needs and was not given stands in capitals."""
        words = ["ibp", "multisig", step.value, self._bundle]
        if step is not NextStep.RECONCILE:
            words += ["--node", self._node]
        if step is NextStep.APPROVE and "--rows" not in self._given:
            words += ["--rows", "ROWS"]
        for name in _TAKEN[step]:
            if name in self._given:
                words += [name, self._given[name]]
        return shlex.join(words)

    @contextmanager
    def pointing(self) -> Iterator[None]:
        """Whatever is refused inside says which command comes next."""
        try:
            yield
        except ApprovalRefused as refused:
            if refused.following is None:
                raise
            raise CheckFailed(f"{refused}. Next: {self.line(refused.following)}") from refused


def public_url(url: str) -> str:
    """`url` without what may be a secret: user, password, query."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"


# --- One operation ----------------------------------------------------------------------


def signatory(party: Party, account: AccountId, network: Network) -> str:
    """By their place in the multisig, with the address."""
    if account not in party.signatories:
        return short(account, network)
    return f"curator {party.signatories.index(account) + 1} ({short(account, network)})"


def approvals_table(pending: Pending, network: Network) -> Table:
    """Who has approved, of all who may."""
    view = table(f"Call {hex_(pending.call_hash)}", "curator", "approved")
    approved = pending.operation.approvals
    for account in pending.party.signatories or approved:
        name = signatory(pending.party, account, network)
        row(view, name, "yes" if account in approved else "-")
    return view


def sentences(pending: Pending, network: Network) -> Iterator[str]:
    """What there is to know of an open operation, warnings first."""
    operation, party = pending.operation, pending.party
    for warning in warnings(pending):
        yield f"WARNING: {warning}."
    if pending.call is not None:
        where = pending.call.source if pending.call.file is None else pending.call.file
        yield f"The call, from {where}:"
        yield from (f"  {word}" for word in pending.call.words)
    yield (
        f"Opened in {operation.point} by {signatory(party, operation.depositor, network)}, who has "
        f"{network.format(operation.deposit)} deposited; open for {age_text(pending.age)}."
    )
    if party.in_office:
        yield "Its multisig is that of the curators in office."
    needed = "an unknown number" if party.threshold is None else party.threshold
    lacking = pending.lacking
    missing = ", ".join(signatory(party, who, network) for who in pending.missing)
    yield (
        f"{len(operation.approvals)} of {needed} needed"
        + (f"; {lacking} more of: {missing}." if lacking else ".")
    )


def age_text(age: Age) -> str:
    """Blocks, and as much time as a person would say."""
    minutes = age.milliseconds // 60_000
    days, hours = minutes // 1_440, minutes % 1_440 // 60
    spoken = f"{days} d {hours} h" if days else f"{hours} h {minutes % 60} min"
    return f"{age.blocks:,} blocks, {'' if age.exact else 'about '}{spoken}"


def pending_json(pending: Pending, network: Network) -> dict[str, Any]:
    def addresses(accounts: Sequence[AccountId]) -> list[str]:
        return [ss58_encode(account, network.ss58_prefix) for account in accounts]

    operation, party, call = pending.operation, pending.party, pending.call
    (multisig, depositor) = addresses((party.account, operation.depositor))
    return {
        "call_hash": pending.call_hash,
        "multisig": multisig,
        "in_office": party.in_office,
        "timepoint": operation.timepoint,
        "depositor": depositor,
        "deposit": str(operation.deposit),
        "approvals": addresses(operation.approvals),
        "missing": addresses(pending.missing),
        "threshold": party.threshold,
        "lacking": pending.lacking,
        "age": {
            "blocks": pending.age.blocks,
            "milliseconds": pending.age.milliseconds,
            "exact": pending.age.exact,
        },
        "call": None
        if call is None
        else {
            "from": call.source,
            "bundle": call.file,
            "bytes": call.data,
            "words": list(call.words),
            "pays": [list(key) for key in sorted(call.pays)],
        },
        "paid_before": [list(key) for key in pending.paid],
        "also_paid_by": [[*key, other] for key, other in pending.also],
        "warnings": list(warnings(pending)),
    }


# --- Links ------------------------------------------------------------------------------


def link_lines(found: Sequence[DeepLink], *, whole: bool) -> Iterator[str]:
    """One line for each; a very long one is only named unless `whole`."""
    for link in found:
        if whole or len(link.url) <= _LONGEST_LINK:
            yield f"{link.name}: {link.url}"
        else:
            length = f"{len(link.url):,} characters"
            yield f"{link.name}: {length}, `ibp multisig links` prints it"
