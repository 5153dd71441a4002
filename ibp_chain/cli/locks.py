"""`ibp ledger locks`: what an account has locked, and whether it has kept the members' promise."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from ibp_chain.accounts import ss58_decode, ss58_encode
from ibp_chain.archive import ArchiveSource
from ibp_chain.cli import views
from ibp_chain.cli.opened import (
    DEFAULT_DB,
    AtOption,
    DbOption,
    Heard,
    Opened,
    RulesOption,
    locks_and_promise,
    open_ledger,
)
from ibp_chain.cli.output import JsonOption, console, print_json, say
from ibp_chain.errors import AddressError, CheckFailed, InputError
from ibp_chain.networks import Network, network_of_spec
from ibp_chain.runtimes import network_of, runtimes
from ibp_chain.source import NodeSource
from ibp_chain.types import AccountId
from ledger.life import Chapter, Stretch, changed_on_the_way, inherit, life
from ledger.life import gaps as gaps_in
from ledger.locks import AccountLocks, Promise
from ledger.mirrors import Constants
from ledger.program.rules import LockRules, load_rules
from ledger.promise_history import PromiseHistory
from ledger.replay import BlockReport
from ledger.snapshot import account_snapshot
from ledger.state import State


def locks(
    account: Annotated[
        list[str],
        typer.Argument(help="SS58 address; several where chains differ in it.", show_default=False),
    ],
    db: DbOption = DEFAULT_DB,
    archive: Annotated[
        list[Path] | None,
        typer.Option(
            help="Read an archive instead of the database; once for each chain: Polkadot and "
            "Kusama, the relay chain and its Asset Hub."
        ),
    ] = None,
    at: AtOption = None,
    rules: RulesOption = None,
    since: Annotated[
        datetime | None,
        typer.Option(help="Also list every gap in the promise since then (UTC); needs --archive."),
    ] = None,
    node: Annotated[
        str | None,
        typer.Option("--node", help="Read a node's storage instead, proven against its header."),
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Everything that one account has locked in votes, class by class; exit 1 for a gap."""
    law, archives = load_rules(rules).lock, archive or []
    if node is not None:
        if archives or at is not None or since is not None:
            raise InputError("--node reads one moment: without --archive, --at and --since")
        _locks_at_node(node, account, law, as_json=as_json)
        return
    if since is not None and not archives:
        raise InputError("--since needs --archive: a database knows its last block only")
    if at is not None and len(archives) > 1:
        raise InputError("--at is a block of one chain: give one --archive with it")
    if not archives:
        found = [_found(open_ledger(db, None, at), account, law, None)]
    else:
        # all of them before the first replay, which may take hours: what is amiss is said at once
        chapters = relays_first([(_chapter(folder, account, law), folder) for folder in archives])
        found = [
            _found(
                open_ledger(db, folder, at, _following(chapter, chapters)), account, law, chapter
            )
            for chapter, folder in chapters
        ]
    _tell(found, since, as_json=as_json)


@dataclass(frozen=True, slots=True)
class _Found:
    """One chain's answer."""

    opened: Opened
    held: AccountLocks
    kept: Promise
    chapter: Chapter | None
    """Set where there were blocks to follow."""

    @property
    def network(self) -> Network:
        return self.opened.network


def _chapter(archive: Path, addresses: Sequence[str], rules: LockRules) -> Chapter:
    source = ArchiveSource(archive)
    network = network_of(source, runtimes(source))
    who = _account_on(network, addresses)
    return Chapter(network, PromiseHistory(who, rules.required_planck(network)))


def relays_first(chapters: Sequence[tuple[Chapter, Path]]) -> list[tuple[Chapter, Path]]:
    """In the given order, but relay chains before Asset Hubs: they tell what storage does not."""
    return sorted(chapters, key=lambda pair: pair[0].network.name.endswith(_ASSET_HUB))


def _following(chapter: Chapter, others: Sequence[tuple[Chapter, Path]]) -> Heard:
    """Listens to the blocks of `chapter`, begun with what its relay chain's blocks told."""
    relay = next(
        (other for other, _ in others if chapter.network.name == other.network.name + _ASSET_HUB),
        None,
    )

    def heard(state: State, constants: Constants, report: BlockReport) -> None:
        if relay is not None and chapter.history.heard is None:
            inherit(relay.history, chapter.network, state)
        chapter.history.observe(state, constants, report)

    return heard


def _found(
    opened: Opened, addresses: Sequence[str], rules: LockRules, chapter: Chapter | None
) -> _Found:
    held, kept = member_locks(opened, _account_on(opened.network, addresses), rules)
    return _Found(opened, held, kept, chapter)


def _account_on(network: Network, addresses: Sequence[str]) -> AccountId:
    """The address of `network` among them; a single one stands for its key on every chain.

    Raises `AddressError`.
    """
    accounts = [ss58_decode(address) for address in addresses]
    own = [
        account
        for account, address in zip(accounts, addresses, strict=True)
        if ss58_encode(account, network.ss58_prefix) == address
    ]
    match own, accounts:
        case [account], _:
            return account
        case [], [account] if network.name in _SHARED_KEYS:
            return account
        case [], [_]:
            return ss58_decode(addresses[0], network.ss58_prefix)  # which says what is wrong
    raise AddressError(
        f"expected one address with SS58 prefix {network.ss58_prefix} for {network.name}, "
        f"found {len(own)} among {', '.join(map(repr, addresses))}"
    )


_ASSET_HUB = "-asset-hub"
_SHARED_KEYS = frozenset({"polkadot", "polkadot-asset-hub", "kusama", "kusama-asset-hub"})
"""Chains on which people use one key: they differ in the address of it only."""


def member_locks(
    opened: Opened, account: AccountId | None, rules: LockRules
) -> tuple[AccountLocks, Promise]:
    """What a member's account has locked at the ledger's head, and whether that is enough."""
    head, who = opened.state.head.value, account or AccountId(bytes(32))
    assert head is not None, "an opened ledger has a block"
    required = rules.required_planck(opened.network)
    return locks_and_promise(opened.state.mirrors, opened.constants, head, who, required)


# --- Telling --------------------------------------------------------------------------


def _tell(found: Sequence[_Found], since: datetime | None, *, as_json: bool) -> None:
    chapters = [each.chapter for each in found if each.chapter is not None]
    stretches = life(chapters) if since is not None or len(found) > 1 else ()
    gaps = () if since is None else gaps_in(stretches, since.replace(tzinfo=UTC))
    if as_json:
        print_json(_json(found) | _life_json(stretches, gaps))
    else:
        for each in found:
            opened = each.opened
            console.print(views.class_locks_table(each.held, opened.network, opened.timestamp_ms))
            console.print(views.promise_line(each.kept, opened.network))
        if stretches:
            console.print(views.life_table(stretches, several=len(found) > 1))
    changed = [f"{a.network.name} to {b.network.name}" for a, b in changed_on_the_way(chapters)]
    if changed:
        raise CheckFailed(f"votes or locks arrived changed from {', '.join(changed)}")
    if gaps:
        raise CheckFailed(views.gaps_line(gaps))


def _json(found: Sequence[_Found]) -> dict[str, Any]:
    if len(found) == 1:
        return locks_json(found[0].held, found[0].kept)
    return {
        "chains": [
            {
                "chain": each.network.name,
                "account": ss58_encode(each.held.account, each.network.ss58_prefix),
                "governance_block": each.held.now,
                **locks_json(each.held, each.kept),
            }
            for each in found
        ]
    }


def _life_json(stretches: Sequence[Stretch], gaps: Sequence[Stretch]) -> dict[str, Any]:
    if not stretches:
        return {}
    return {
        "history": [_stretch_json(stretch) for stretch in stretches],
        "gaps": [_stretch_json(gap) for gap in gaps],
    }


def _stretch_json(stretch: Stretch) -> dict[str, Any]:
    span = stretch.span
    return {
        "token": stretch.symbol,
        "chain": None if stretch.chain is None else stretch.chain.name,
        "standing": stretch.standing.value,
        "kept": not stretch.is_gap,
        "first_time": stretch.since.isoformat(),
        "last_time": stretch.until.isoformat(),
        "first_block": None if span is None else span.first.block,
        "last_block": None if span is None else span.last.block,
        "covered": None if span is None else str(span.promise.covered),
    }


def locks_json(held: AccountLocks, kept: Promise) -> dict[str, Any]:
    """Locks and promise, amounts in planck."""
    return {
        "locked": str(held.actual),
        "after_unlock": str(held.after_unlock),
        "required_now": str(held.required_now),
        "promise": {
            "required": str(kept.required),
            "covered": str(kept.covered),
            "kept": kept.kept,
            "by_delegation_only": kept.by_delegation_only,
            "covers": [
                {"kind": cover.kind.value, "amount": str(cover.amount), "until": cover.until}
                for cover in kept.covers
            ],
        },
    }


# --- From a node alone --------------------------------------------------------------


def _locks_at_node(url: str, addresses: Sequence[str], rules: LockRules, *, as_json: bool) -> None:
    with NodeSource(url) as node:
        header = node.header(node.head().hash)
        runtime = runtimes(node)(node.version_after(header.hash))
        network = network_of_spec(runtime.spec_name)
        who = _account_on(network, addresses)
        found = account_snapshot(node, runtime, network, who, header)
    required = rules.required_planck(network)
    held, kept = locks_and_promise(found.mirrors, found.constants, found.head, who, required)
    if as_json:
        print_json(
            {"block": header.number, "state_root": header.state_root} | locks_json(held, kept)
        )
        return
    console.print(views.class_locks_table(held, network, found.timestamp_ms))
    console.print(views.promise_line(kept, network))
    say(
        f"Proven against the state root of block {header.number:,}; that the block is final is the "
        "node's word. Whether a prior lock stems from Locked6x is known to a replay only."
    )
