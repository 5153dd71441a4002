"""A member's receipt, made of the snapshot and the files that the server was given."""

from ibp_chain.blocks import BlockRef
from ibp_chain.errors import IbpError
from ibp_chain.receipt_making import made_receipt, proofs_of
from ibp_chain.types import Hash
from ibp_chain.web.errors import NotFound
from ibp_chain.web.queries import payouts
from ibp_chain.web.site import Site
from ibp_chain.web.snapshot import Snapshot
from multisig.plan import Kind
from multisig.receipts import Chain, Receipt, paying_batch
from multisig.reconcile import reconcile


def receiptable(snapshot: Snapshot) -> frozenset[str]:
    """The call hashes (0x and hex) of the bundles that pay and are settled."""
    return snapshot.once("receiptable", _receiptable)


def receipt(site: Site, snapshot: Snapshot, member: str, call_hash: Hash) -> Receipt:
    """What `ibp payout receipts` writes. Reads the rows of every day of the month.

    Raises `NotGiven` without rows, `NotFound` for a bundle that is not here or has no receipts, and
    as making one does.
    """
    rows = site.rows_folder()
    bundle = payouts.bundle_file(snapshot, call_hash).bundle
    if f"0x{call_hash.hex()}" not in receiptable(snapshot):
        raise NotFound(f"the call 0x{call_hash.hex()} has no receipts: it did not pay, or waits")
    key, _ = paying_batch(bundle.statement, call_hash, member, snapshot.state)
    block = key[0]
    ref = BlockRef(block, snapshot.blocks[block].hash)
    chain = Chain(snapshot.state, snapshot.chain.genesis_hash, {block: ref})
    proofs = proofs_of(snapshot.state, bundle.statement, rows, [member]).get(member, {})
    return made_receipt(bundle.statement, call_hash, member, chain, snapshot.rules, proofs)


def file_name(made: Receipt, part: int, parts: int) -> str:
    """As `ibp payout receipts` calls it, without its ending."""
    return f"{made.period}-{made.member}" + (f"-{part}" if parts > 1 else "")


def _receiptable(snapshot: Snapshot) -> frozenset[str]:
    found = set()
    for call_hash, each in snapshot.bundles.files.items():
        ours = each.bundle.chain.genesis_hash == snapshot.chain.genesis_hash
        if not ours or each.reading is None or each.bundle.paid_by.kind is Kind.CHILD_CLAIMS:
            continue
        try:
            settled = reconcile(each.bundle, each.reading, snapshot.state).settled
        except IbpError:
            continue  # its page says why
        if settled:
            found.add(f"0x{call_hash.hex()}")
    return frozenset(found)
