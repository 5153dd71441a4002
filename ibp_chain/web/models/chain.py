"""Which block, which runtimes, what is open, what the budget has left."""

from pydantic import Field

from ibp_chain.web.models.base import Amount, Model, Moment


class Head(Model):
    """As of when the whole answer is."""

    network: str
    genesis_hash: str
    block: int
    block_hash: str
    clock: int = Field(description="The governance clock, in blocks.")
    time: str
    state_root: str
    spec_version: int
    schema_version: int
    programme: str | None
    rules: str = Field(description="Hash of the rules file that the server reads with.")
    rules_agree: bool | None = Field(description="Whether the programme names the same rules.")


class RuntimeShown(Model):
    spec_version: int
    since: Moment
    metadata: tuple[int, ...] = Field(description="Versions of the metadata that is kept.")


class Lag(Model):
    """How far the ledger is behind a node."""

    node_block: int | None
    behind: int | None
    asked: str | None = Field(description="When the node was asked last.")
    problem: str | None


class OperationShown(Model):
    """A multisig operation of the curators."""

    call_hash: str
    timepoint: str
    status: str
    threshold: int
    approvals: tuple[str, ...]
    depositor: str
    deposit: Amount
    call_known: bool
    bundle: bool = Field(description="Whether the server has a bundle of this call.")
    opened: Moment


class BudgetLineShown(Model):
    """One line of the treasury's budget, USD."""

    line: str
    title: str
    cap_usd: str
    used_usd: str
    left_usd: str
    used_ppm: int


class BudgetShown(Model):
    """What was used of each line, by the statements that the ledger has as paid."""

    lines: tuple[BudgetLineShown, ...]
    total_usd: str
    used_usd: str
    statements: int = Field(description="How many paid statements are counted.")
    missing: tuple[str, ...] = Field(description="Paid statements that no given bundle holds.")
    problem: str | None
