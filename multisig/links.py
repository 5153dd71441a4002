"""Deep links to what a curator signs, and to what became of it. Pure.

Whoever opens one trusts that page and its node: the links are for looking, the bundle and its call
hash are what is signed.
"""

from typing import NamedTuple

from ibp_chain.explorers import account_link, decode_link, links, multisig_link, papi_link
from ibp_chain.types import Hash
from multisig.bundle import Bundle
from multisig.steps import Point, Step


class DeepLink(NamedTuple):
    """A page, and what it shows."""

    name: str
    url: str


def bundle_links(bundle: Bundle, node: str | None, point: Point | None) -> tuple[DeepLink, ...]:
    """The bundle's call decoded, its multisig, and its operation where it is open since `point`.

    `node` is the user's own, for chains without a public one: it is shown, so without secrets.
    """
    genesis, call = bundle.chain.genesis_hash, bundle.call
    operation = None
    if point is not None:
        operation = multisig_link(genesis, point.height, point.extrinsic, bundle.call_hash)
    found = (
        ("the call, in polkadot.js apps", decode_link(genesis, call, node)),
        ("the call, in the papi console", papi_link(genesis, call)),
        ("the operation, in Subscan", operation),
        ("the multisig, in Subscan", account_link(genesis, bundle.multisig.account)),
    )
    return tuple(DeepLink(name, url) for name, url in found if url is not None)


def version_note(made_for: int, running: int) -> str:
    """What has to be said beside the links: the pages decode with the runtime of now."""
    if made_for == running:
        return (
            f"The call is of spec version {made_for}, which the node runs: the pages read it as "
            "the chain would execute it."
        )
    return (
        f"The call is of spec version {made_for}, the node runs {running}: the pages read it with "
        "the new runtime, and may show another call or none. `ibp multisig recheck` compares."
    )


def step_links(genesis_hash: Hash, step: Step) -> tuple[str, ...]:
    """Where a step can be looked at; none on a chain that is in no explorer."""
    at = links(genesis_hash, step.block, step.extrinsic)
    operation = multisig_link(genesis_hash, step.point.height, step.point.extrinsic, step.call_hash)
    return at if operation is None else (*at, operation)
