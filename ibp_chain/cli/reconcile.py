"""`ibp multisig reconcile`: what became of a bundle, by the ledger and, if at hand, the blocks."""

from pathlib import Path

from ibp_chain.archive import ArchiveSource
from ibp_chain.cli import payout_views, reconcile_views
from ibp_chain.cli.block_reads import block_refs
from ibp_chain.cli.bundles import BundleArgument, codec_of
from ibp_chain.cli.opened import DEFAULT_DB, ArchiveOption, AtOption, DbOption, open_ledger
from ibp_chain.cli.output import JsonOption, console, print_json, say
from ibp_chain.errors import CheckFailed
from multisig.bundle import read_bundle
from multisig.bundle_trace import trace_bundle
from multisig.decode import decode_payout
from multisig.reconcile import Reconciliation
from multisig.reconcile import reconcile as reconcile_bundle


def reconcile(
    bundle: BundleArgument,
    db: DbOption = DEFAULT_DB,
    archive: ArchiveOption = None,
    at: AtOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """What became of a bundle, by the ledger alone; exit 1 unless every line was paid as stated.

    With --archive also the fees, and whether the payees' balances changed by what the lines say.
    """
    theirs, opened = read_bundle(bundle), open_ledger(db, archive, at)
    reading = decode_payout(opened.runtime, codec_of(opened), theirs.call, theirs.network)
    result = reconcile_bundle(theirs, reading, opened.state)
    closed = [attempt.closed for attempt in result.attempts if attempt.closed is not None]
    refs = block_refs(db, archive, closed)
    traced = None
    if archive is not None:
        traced = trace_bundle(theirs, reading, result, ArchiveSource(archive))
    traces = None if traced is None else traced.attempts
    if as_json:
        whole = reconcile_views.whole_json(theirs, result, refs, traces, opened.genesis_hash)
        print_json(whole)
    else:
        console.print(payout_views.attempts_table(theirs, result.attempts))
        console.print(reconcile_views.closings_table(theirs, result.attempts, refs, traces))
        if traces is None:
            say("The ledger keeps no fees and no balance changes: --archive reads the blocks.")
        else:
            console.print(reconcile_views.fees_table(theirs, traces))
        console.print(payout_views.lines_table(theirs, result))
        for page in reconcile_views.pages(result, refs, opened.genesis_hash):
            console.print(page, markup=False)
    if traced is not None and traced.contradictions:
        raise CheckFailed("the blocks and the ledger differ: " + "; ".join(traced.contradictions))
    ensure_settled(result, bundle)
    if not as_json:
        say("Settled: every line was paid as stated, once.")


def ensure_settled(result: Reconciliation, file: Path = Path("BUNDLE")) -> None:
    """Raises `CheckFailed` unless this call paid every line as stated, once, and it is claimed.

    `file` has the bundle: for the command that ends an operation of a call that was paid already.
    """
    if result.settled:
        return
    lacking = f": {result.lacking} more signatures are needed" if result.lacking else ""
    claims = ", ".join(f"{parent}/{child}" for parent, child in result.open_claims)
    waiting = f"; child bounties wait to be claimed: {claims}" if claims else ""
    others = [str(each) for each in (*result.astray, *result.paid_again)]
    if (again := result.open_again) is not None:
        others.append(
            f"the same call is open again since {again.opened[0]}-{again.opened[1]}, and would pay "
            f"a second time: whoever opened it runs ibp multisig cancel {file} --node ..."
        )
    wrong = "".join(f"; {each}" for each in others)
    raise CheckFailed(f"the payout is not settled: {result.outcome}{lacking}{waiting}{wrong}")
