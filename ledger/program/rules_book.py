"""Which rules were in force when: a change of rules is a new version from a block on.

The ledger keeps the hash of every version with the block that brought it (`Programme.RulesSince`);
the files are kept by whoever replays. What was scored or billed under a version stays under it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from ibp_chain.errors import InputError
from ibp_chain.types import BlockNumber, Hash
from ledger.program.rules import Rules


class NoSuchRules(InputError):
    """The programme had no rules at the block, or nobody brought their file."""


@dataclass(frozen=True, slots=True)
class Version:
    """Rules, and the block in whose post-state they were first in force."""

    since: BlockNumber
    hash: Hash


class RulesBook:
    """Every version of a programme's rules, with the files that are at hand."""

    def __init__(self, since: Iterable[tuple[BlockNumber, Hash]], files: Iterable[Rules]) -> None:
        self.versions = tuple(Version(*each) for each in sorted(since))
        self._files = {rules.hash: rules for rules in files}

    def version_at(self, block: BlockNumber) -> Version:
        """What was in force behind `block`. Raises `NoSuchRules` before the founding."""
        found = [version for version in self.versions if version.since <= block]
        if not found:
            raise NoSuchRules(
                f"the programme had no rules at block {block}: it was not founded yet"
            )
        return found[-1]

    def at(self, block: BlockNumber) -> Rules:
        """The rules in force behind `block`. Raises `NoSuchRules`."""
        return self.by_hash(self.version_at(block).hash)

    def by_hash(self, wanted: Hash) -> Rules:
        """Raises `NoSuchRules` where no file has that hash."""
        if wanted not in self._files:
            raise NoSuchRules(
                f"no file of the rules 0x{wanted.hex()} is at hand: give it with --rules"
            )
        return self._files[wanted]
