"""One model per kind of remark: exactly the fields that version 1 allows, checked on the way in.

Inside, accounts are 32 raw bytes and hashes are bytes; the text forms exist only in the JSON.
Which origin may say what is the ledger's business, not the body's.
"""

import re
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    SerializationInfo,
    ValidationInfo,
    model_validator,
)

from ibp_chain.accounts import ss58_decode, ss58_encode
from ibp_chain.errors import AddressError, ConfigError
from ibp_chain.networks import network
from ibp_chain.types import AccountId, Hash
from ibp_chain.validation import Strict

MAX_INTEGER = 2**53 - 1
MAX_TURN = 2**16 - 1


def _account_from_text(value: Any, info: ValidationInfo) -> Any:
    if isinstance(value, bytes):  # built in Python rather than parsed
        return value
    if not info.context:
        raise ValueError("an SS58 address is expected")
    return _account_of(value, info.context["ss58_prefix"])


def _account_of(address: Any, prefix: int) -> AccountId:
    """The account behind the one spelling of its address that a remark may carry."""
    if not isinstance(address, str):
        raise ValueError("an SS58 address is expected")  # noqa: TRY004  # pydantic lets others pass
    try:
        account = ss58_decode(address, prefix)
    except AddressError as error:
        raise ValueError(str(error)) from error
    if ss58_encode(account, prefix) != address:  # base58 itself overlooks white space behind
        raise ValueError(f"{address!r} is not how SS58 writes this account")
    return account


def _account_to_text(value: bytes, info: SerializationInfo) -> str:
    assert info.context
    return ss58_encode(AccountId(value), info.context["ss58_prefix"])


def _hex_bytes(size: int) -> tuple[Any, Any]:
    pattern = re.compile(f"0x[0-9a-f]{{{2 * size}}}")

    def read(value: Any) -> Any:
        if isinstance(value, bytes) and len(value) == size:
            return value
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise ValueError(f"0x and {2 * size} lower-case hex digits are expected")
        return bytes.fromhex(value[2:])

    return BeforeValidator(read), PlainSerializer(lambda value: "0x" + value.hex())


def _accounts_by_network(value: Any) -> Any:
    """`{network name: address in that network's own prefix}` to account ids."""
    if not isinstance(value, dict) or not value:
        raise ValueError("an object of network name to address is expected")
    accounts = {}
    for name, text in value.items():
        try:
            prefix = network(name).ss58_prefix
        except ConfigError as error:
            raise ValueError(str(error)) from error
        accounts[name] = text if isinstance(text, bytes) else _account_of(text, prefix)
    return accounts


def _accounts_to_text(value: dict[str, bytes]) -> dict[str, str]:
    return {
        name: ss58_encode(AccountId(account), network(name).ss58_prefix)
        for name, account in value.items()
    }


def _real_day(value: str) -> str:
    date.fromisoformat(value)  # a ValueError for the 30th of February
    return value


_HEX_32, _HEX_64 = _hex_bytes(32), _hex_bytes(64)
AccountText = Annotated[
    AccountId, BeforeValidator(_account_from_text), PlainSerializer(_account_to_text)
]
HashText = Annotated[Hash, *_HEX_32]
SignatureText = Annotated[bytes, *_HEX_64]
AccountsByNetwork = Annotated[
    dict[str, AccountId], BeforeValidator(_accounts_by_network), PlainSerializer(_accounts_to_text)
]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$")]
Name = Annotated[str, Field(min_length=1, max_length=64)]
# [0-9], because \d also takes the digits of every other script
Day = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"), AfterValidator(_real_day)]
Period = Annotated[str, Field(pattern=r"^[0-9]{4}-(?:0[1-9]|1[0-2])$")]
Count = Annotated[int, Field(ge=0, le=MAX_INTEGER)]


class Body(Strict):
    """What every kind shares: no unknown field, no conversion of types, no change."""


def _distinct(accounts: tuple[AccountId, ...], what: str) -> None:
    if len(set(accounts)) != len(accounts):
        raise ValueError(f"{what} are listed twice")


Accounts = Annotated[tuple[AccountText, ...], Field(strict=False, min_length=1, max_length=20)]


class Program(Body):
    """The programme itself; the first one is the genesis of a ledger."""

    name: Name
    rules: HashText
    """blake2b-256 of the rules file."""
    curators: Accounts
    threshold: Annotated[int, Field(ge=2)]
    oracles: Accounts
    quorum: Annotated[int, Field(ge=1)]

    @model_validator(mode="after")
    def _is_decidable(self) -> Self:
        _distinct(self.curators, "curators")
        _distinct(self.oracles, "oracles")
        if self.threshold > len(self.curators):
            raise ValueError("the threshold is above the number of curators")
        if not len(self.oracles) < 2 * self.quorum <= 2 * len(self.oracles):
            # with half or fewer, two different roots could both stand for one day
            raise ValueError("the quorum is no majority of the oracles")
        return self


class MemberAction(StrEnum):
    REGISTER = "register"
    UPDATE = "update"
    SUSPEND = "suspend"
    REINSTATE = "reinstate"
    REMOVE = "remove"


class Member(Body):
    """Registers, updates, suspends, reinstates or removes a member."""

    action: Annotated[MemberAction, Field(strict=False)]
    member: Slug
    name: Name | None = None
    region: Slug | None = None
    accounts: AccountsByNetwork | None = None
    payee: AccountsByNetwork | None = None
    reason: Name | None = None

    @model_validator(mode="after")
    def _fields_fit_the_action(self) -> Self:
        details = (self.name, self.region, self.accounts, self.payee)
        match self.action:
            case MemberAction.REGISTER if None in details:
                raise ValueError("register needs name, region, accounts and payee")
            case MemberAction.UPDATE if not any(detail is not None for detail in details):
                raise ValueError("update changes nothing")
            case MemberAction.SUSPEND | MemberAction.REINSTATE | MemberAction.REMOVE:
                if any(detail is not None for detail in details):
                    raise ValueError(f"{self.action} takes no details")
                if self.reason is None:
                    raise ValueError(f"{self.action} needs a reason")
            case _:
                pass
        if self.action in {MemberAction.REGISTER, MemberAction.UPDATE} and self.reason is not None:
            raise ValueError(f"{self.action} takes no reason: it would not be kept")
        return self


class MilestoneAction(StrEnum):
    GRANT = "grant"
    REVOKE = "revoke"


class Milestone(Body):
    """Grants or revokes a member milestone, with its evidence's hash."""

    action: Annotated[MilestoneAction, Field(strict=False)]
    member: Slug
    milestone: Annotated[int, Field(ge=1, le=8)]
    evidence: HashText


class DecisionOutcome(StrEnum):
    WAIVE = "waive"
    OVERRIDE = "override"
    UPHOLD = "uphold"
    OVERTURN = "overturn"


class Decision(Body):
    """A waiver, an override or an appeal's outcome, with its reason."""

    member: Slug
    outcome: Annotated[DecisionOutcome, Field(strict=False)]
    subject: Name
    """What is decided upon: a rule id, a milestone, a remark's position."""
    reason: Annotated[str, Field(min_length=1, max_length=512)]


PayoutLine = Annotated[tuple[Slug, Slug], Field(strict=False)]


class Payout(Body):
    """The first call of a payout batch: line k is paid by the k-th call behind it."""

    period: Period
    statement: HashText
    """blake2b-256 of the statement's canonical JSON."""
    lines: Annotated[tuple[PayoutLine, ...], Field(strict=False, min_length=1)]
    """(member, item), in the order of the calls that follow; none twice."""

    @model_validator(mode="after")
    def _pays_each_line_once(self) -> Self:
        if len(set(self.lines)) != len(self.lines):
            raise ValueError("a (member, item) is listed twice")
        return self


class Link(Body):
    """'Sign & Verify': `account` speaks for the member; said by one of the member's accounts."""

    member: Slug
    network: str
    account: str
    """SS58 in the prefix of `network`, which need not be the chain that carries the remark."""
    sig: SignatureText
    """sr25519 by `account` over `ibp_chain.remarks.link_message`."""

    @model_validator(mode="after")
    def _names_a_known_account(self) -> Self:
        _accounts_by_network({self.network: self.account})
        return self

    @property
    def account_id(self) -> AccountId:
        return ss58_decode(self.account, network(self.network).ss58_prefix)


class Observe(Body):
    """An oracle's commitment to its own samples of one UTC day."""

    program: HashText
    """blake2b-256 of the ledger's genesis remark: a signature counts for one ledger only."""
    oracle: AccountText
    day: Day
    root: HashText
    rows: Count
    previous: HashText
    """`signing_digest` of this oracle's observation before; zeros for the first."""
    sig: SignatureText


class Report(Body):
    """One oracle's word on the consensus of one UTC day."""

    program: HashText
    oracle: AccountText
    day: Day
    turn: Annotated[int, Field(ge=0, le=MAX_TURN)]
    """0 for the first word on a day; a later turn takes the place of an earlier one."""
    root: HashText
    rows: Count
    observes: Annotated[tuple[HashText, ...], Field(strict=False, min_length=1)]
    """Roots of the observations that it was computed from, ascending."""
    sig: SignatureText

    @model_validator(mode="after")
    def _lists_each_observation_once(self) -> Self:
        if list(self.observes) != sorted(set(self.observes)):
            raise ValueError("observes: roots are not ascending")
        return self
