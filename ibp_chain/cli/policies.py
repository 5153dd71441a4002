"""One group of options for what a payout is held against, the same in every command that checks.

A check that one command knows and another does not would refuse what was built by the very rules
that built it, or let through what `verify` refuses.
"""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import Any

from ibp_chain.cli.checking import (
    USUAL_CHANGE_PERCENT,
    CapLineOption,
    CapMonthOption,
    ChangeOption,
    DenyOption,
    HistoryOption,
    policy_of,
    with_history,
)
from ibp_chain.cli.opened import Opened
from ibp_chain.types import Hash
from ledger.program.rules import load_rules
from multisig.checks import Check, Policy

_TYPES = {
    "deny": DenyOption,
    "cap_line": CapLineOption,
    "cap_month": CapMonthOption,
    "change": ChangeOption,
    "history": HistoryOption,
}


@dataclass(frozen=True, slots=True)
class PolicyOptions:
    """What was given of the group."""

    deny: Path | None = None
    cap_line: str | None = None
    cap_month: str | None = None
    change: int = USUAL_CHANGE_PERCENT
    history: Path | None = None

    def policy(self, rules: Path | None, stated: Hash) -> Policy:
        """Without the history, which needs a ledger. Raises as `policy_of`."""
        given = self.deny, self.cap_line, self.cap_month, self.change
        return policy_of(load_rules(rules), stated, *given)

    def with_history(self, policy: Policy, opened: Opened) -> Policy:
        """As `checking.with_history`."""
        return with_history(policy, self.history, opened)

    def not_run(self) -> str | None:
        """Which named checks see nothing, or less, for want of a file or a number; a sentence."""
        missing = [*self._missing()]
        return f"Not checked: {', '.join(missing)}." if missing else None

    def _missing(self) -> Iterator[str]:
        if self.deny is None:
            yield f"{Check.DENY_LIST} (no --deny)"
        if self.cap_month is None:
            yield f"{Check.MONTH_CAP} (no --cap-month)"
        if self.history is None:
            yield f"{Check.BUDGET_CAP} and {Check.LARGE_CHANGE} over earlier months (no --history)"

    def given(self) -> tuple[tuple[str, object | None], ...]:
        """As options of a command line; None for what is the default."""
        return tuple(
            (f"--{each.name.replace('_', '-')}", None if value == each.default else value)
            for each in fields(self)
            for value in (getattr(self, each.name),)
        )


def with_policy(command: Callable[..., None]) -> Callable[..., None]:
    """`command` with the group's options in place of its parameter `policy`."""

    @wraps(command)
    def wrapped(**given: Any) -> None:
        policy = PolicyOptions(**{name: given.pop(name) for name in _TYPES})
        command(**given, policy=policy)

    own = inspect.signature(command)
    kept = [each for name, each in own.parameters.items() if name != "policy"]
    defaults = PolicyOptions()
    group = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=getattr(defaults, name),
            annotation=annotation,
        )
        for name, annotation in _TYPES.items()
    ]
    wrapped.__signature__ = own.replace(parameters=[*kept, *group])  # type: ignore[attr-defined]  # typer reads it
    wrapped.__annotations__ = {each.name: each.annotation for each in (*kept, *group)} | {
        "return": None
    }
    return wrapped
