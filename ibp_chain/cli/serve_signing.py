"""What `ibp serve --sign` holds a bundle against: the very checks of `ibp multisig submit`."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from ibp_chain.cli.bundles import DEFAULT_OPTIONS, approver_of, held_against, rebuilt
from ibp_chain.cli.opened import Opened
from ibp_chain.cli.own_runtimes import own_runtimes
from ibp_chain.types import SpecVersion
from ibp_chain.web.loading import Places
from ibp_chain.web.signing import Checked, Desk
from ibp_chain.web.snapshot import Snapshot
from ledger.state import State
from ledger.unfinalised import copied
from multisig.approve import Approver
from multisig.bundle import Bundle
from multisig.catch_up import catch_up, ensure_not_executed_since, ensure_right, executed_in
from multisig.checks import Policy
from multisig.onchain import witness

_TOKEN_BYTES = 16
_SHORT_ERA = 64
BILLS = "bills"
"""In the folder of the bundles: each bill under its hash."""


def desk_at(node: str, places: Places) -> Desk:
    """Takes signatures for the node of URL `node`; what is signed is read by the ledger's runtimes.

    A bundle is held against the ledger that the page is of, brought up to the node's blocks in a
    copy, and against what was published beside it.
    """
    own = own_runtimes(places.db, None)

    @contextmanager
    def approver(theirs: Bundle) -> Iterator[Approver]:
        with approver_of(theirs, node, _SHORT_ERA, own) as found:
            yield found

    def check(snapshot: Snapshot, theirs: Bundle, approver: Approver) -> Checked:
        approver.ensure_runtime()
        chain, rules = snapshot.chain, places.rules
        then = Opened(
            chain.state,
            own.runtime(chain.spec_version),
            own.metadata_v14(chain.spec_version),
            chain.genesis_hash,
            chain.timestamp_ms,
        )
        policy = DEFAULT_OPTIONS.policy(rules, theirs.statement.rules)
        notes = statement_notes(theirs, then, places, policy)
        account, submitter = approver.account, approver.submitter
        before = executed_in(chain.state, account, theirs.call_hash)
        caught_up = catch_up(copied(chain.state), submitter.node, own.runtime, submitter.best())
        ensure_not_executed_since(before, caught_up, account, theirs.call_hash)
        version = SpecVersion(theirs.chain.spec_version)
        now = replace(then, runtime=own.runtime(version), metadata_v14=own.metadata_v14(version))
        overrides: list[tuple[str, ...]] = []

        def hold(state: State) -> None:
            _, found = held_against(theirs, replace(now, state=state), policy)
            overrides.append(found)

        ensure_right(caught_up, hold)
        seen = witness(caught_up.final, account, theirs.call_hash)
        return Checked((*notes, *overrides[0]), seen)

    return Desk(node, approver, check, lambda: secrets.token_urlsafe(_TOKEN_BYTES))


def statement_notes(
    theirs: Bundle, then: Opened, places: Places, policy: Policy
) -> tuple[str, ...]:
    """As `rebuilt`, with the bill that lies beside the bundles as `bills/HASH.json`.

    Nobody at the page could give it: without it the statement is taken as given.
    """
    wanted = theirs.statement.bill
    if wanted is None:
        return rebuilt(theirs, then, places.rows, places.rules, policy)
    assert places.bundles is not None, "a bundle comes from there"
    # a name of hexadecimal digits leads nowhere else
    bill = places.bundles / BILLS / f"0x{wanted.hex()}.json"
    if bill.is_file():
        return rebuilt(theirs, then, places.rows, places.rules, policy, bill)
    return (f"The statement is taken as given: there is no {BILLS}/{bill.name}, which it follows.",)
