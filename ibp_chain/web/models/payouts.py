"""Batches, bundles, and what became of them."""

from pydantic import Field

from ibp_chain.web.models.base import Amount, Model, Moment


class ViolationShown(Model):
    line: int
    code: str
    payee: str | None
    amount: Amount


class BatchShown(Model):
    """A payout batch that the curators' multisig dispatched."""

    batch: str = Field(description="Block and place: the name of its page.")
    at: Moment
    extrinsic: int | None
    status: str
    period: str
    lines: int
    total: Amount
    statement: str
    call_hash: str
    error: str | None
    bundle: bool


class BatchDetail(BatchShown):
    """One batch; what it paid is in the paid register."""

    violations: tuple[ViolationShown, ...]
    explorers: tuple[str, ...]


class BundleShown(Model):
    """A payout bundle that the server was given."""

    call_hash: str
    file: str
    period: str
    part: int
    parts: int
    kind: str
    lines: int
    total: Amount
    statement: str
    outcome: str
    lacking: int


class RefusedFile(Model):
    file: str
    reason: str


class StatementLine(Model):
    member: str
    item: str
    payee: str
    days: int
    days_served: tuple[str, ...]
    usd: str
    amount: Amount
    derivation: tuple[str, ...]
    state: str


class WithheldShown(Model):
    member: str
    item: str
    reason: str
    detail: str


class DecodedLine(Model):
    """One line of the call, as both decoders read it."""

    member: str
    item: str
    payee: str | None
    amount: Amount | None
    child: str | None


class FeeShown(Model):
    """What one extrinsic of an operation cost."""

    extrinsic: str = Field(description="Block and index.")
    payer: str
    fee: Amount
    tip: Amount = Field(description="Part of the fee.")


class ReceivedShown(Model):
    """What the executed call moved to a payee, in planck, with its sign."""

    payee: str
    member: str
    planck: str
    display: str


class BlocksShown(Model):
    """What the archive's blocks show of an operation; the ledger's state does not keep it."""

    fees: tuple[FeeShown, ...]
    fees_total: Amount
    outer: str | None = Field(description="Error of the extrinsic that closed it.")
    deposit_returned: Amount
    received: tuple[ReceivedShown, ...] = Field(description="Of every payee, once it is executed.")


class AttemptShown(Model):
    outcome: str
    opened: Moment
    extrinsic: int
    signed: tuple[str, ...]
    approved: tuple[str, ...] = Field(description="Block and extrinsic of each approval.")
    closed: Moment | None
    error: str | None
    deposit_held: Amount
    blocks: BlocksShown | None = Field(description="Null where no archive has all its blocks.")


class LinkShown(Model):
    name: str
    url: str


class SimulatedChange(Model):
    """Of one account's whole balance, in planck, with its sign."""

    account: str
    name: str
    expected: str
    simulated: str
    agrees: bool


class SimulationShown(Model):
    """The call, simulated in one way."""

    way: str
    agrees: bool
    at: Moment
    behind: int | None = Field(description="Blocks before the ledger's last; null where after it.")
    other_fork: bool = Field(description="The ledger has another block at that height.")
    spec_version: int
    error: str | None
    differences: tuple[str, ...]
    changes: tuple[SimulatedChange, ...]
    signed_by: tuple[str, ...]
    fees: Amount


class SimulationsShown(Model):
    """A stored result of `ibp multisig simulate --json`: the word of whoever put it there."""

    agrees: bool
    misread: tuple[str, ...] = Field(description="Where the call says otherwise than the lines.")
    simulations: tuple[SimulationShown, ...]
    not_run: dict[str, str]


class BundleDetail(BundleShown):
    """A bundle, what its call does, and what became of it by the ledger."""

    network: str
    genesis_hash: str
    spec_version: int
    multisig: str
    threshold: int
    signatories: tuple[str, ...]
    statement_block: int
    statement_root: str
    price_usd: str
    price_source: str
    price_at: str
    rules: str
    payees: tuple[StatementLine, ...]
    withheld: tuple[WithheldShown, ...]
    call: str
    remark: str | None
    decoded: tuple[DecodedLine, ...]
    refusal: str | None = Field(description="Why the two decoders do not take the call.")
    attempts: tuple[AttemptShown, ...]
    missing: tuple[str, ...]
    settled: bool
    violations: tuple[ViolationShown, ...]
    contradictions: tuple[str, ...] = Field(
        description="Where the archive's blocks say otherwise than the ledger or the lines do."
    )
    blocks_problem: str | None = Field(description="Why the archive's blocks were not read.")
    simulation: SimulationsShown | None
    simulation_refused: str | None = Field(description="Why a stored result is not shown.")
    links: tuple[LinkShown, ...]
    verify: tuple[str, ...] = Field(description="Commands that check all this without the server.")


class PayoutsShown(Model):
    batches: tuple[BatchShown, ...]
    bundles: tuple[BundleShown, ...]
    refused: tuple[RefusedFile, ...]
    bundles_given: bool
