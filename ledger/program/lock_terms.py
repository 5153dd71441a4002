"""What a member has to keep locked, and whether it does (F7).

Source: seed 000, milestone 2. The amounts are the rules'; a member that the 1,000 Validators
Programme accepted on good intentions locks all that it had, up to the amount, which curators put on
record by a decision. Whether it is locked is what the mirrors say (`ledger.locks.promise`).
"""

from dataclasses import dataclass

from ibp_chain.networks import Network
from ibp_chain.types import BlockNumber, Planck
from ledger.locks import Promise
from ledger.program.decisions import Decisions
from ledger.program.derivation import Step
from ledger.program.rules import LockRules


@dataclass(frozen=True, slots=True)
class Terms:
    """What is required on one network."""

    required: Planck
    step: Step


@dataclass(frozen=True, slots=True)
class LockFact:
    """What a network's ledger says of a member's lock."""

    network: Network
    terms: Terms
    promise: Promise | None
    """None where the member has no account there."""
    block: BlockNumber

    @property
    def kept(self) -> bool:
        return self.covered >= self.terms.required

    @property
    def covered(self) -> Planck:
        return Planck(0) if self.promise is None else self.promise.covered

    @property
    def steps(self) -> tuple[Step, ...]:
        shown, required = self.network.format(self.covered), self.terms.required
        flag = ", by a delegation only" if self.promise and self.promise.by_delegation_only else ""
        text = f"{self.network.name}, block {self.block}: {shown} at Locked6x{flag}"
        over = f"{text}; {self.covered} - {required} planck"
        return self.terms.step, Step("F7", over, self.covered - required)


def terms(rules: LockRules, network: Network, decisions: Decisions) -> Terms:
    """What a member keeps locked on `network`; good intentions cap it where the rules let them.

    Raises `ConfigError` for a cap that is finer than one planck.
    """
    full = rules.required_planck(network)
    base = network.name.removesuffix("-asset-hub")
    held = f"{rules.conviction} holds for {rules.periods} * {rules.period_days} days"
    cap = decisions.lock_cap(base) if base in rules.capped_networks else None
    if cap is None:
        return Terms(full, Step("F7", f"required on {base}: {network.format(full)}, {held}", full))
    tokens, made = cap
    required = Planck(min(full, network.planck(tokens)))
    text = f"required on {base}: min({full}, {network.planck(tokens)} planck) by {made}, {held}"
    return Terms(required, Step("F7", text, required))
