"""Who takes part: five curators, three oracles, the real members, voters and a stranger.

Names, regions and activity come from the programme's `members_professional.json`. The keys are
development keys, derived from public URIs: nobody's money is behind them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ibp_chain.accounts import multisig_account
from ibp_chain.errors import ConfigError
from ibp_chain.keys import Signer, signer_from_uri
from ibp_chain.networks import Network
from ibp_chain.scale import schema
from ibp_chain.types import AccountId, Planck
from ledger.program.uptime import slug
from ledger.storage import Hasher, KeyPart, StorageMap, StorageValue

THRESHOLD = 3
QUORUM = 2


@dataclass(frozen=True, slots=True)
class CastMember:
    """A member as the programme's file describes it, with keys to play it."""

    id: str
    name: str
    region: str
    level: int
    active: bool
    services: frozenset[str]
    """Ids of the endpoints that it is assigned to run."""
    signer: Signer
    validator: Signer
    """Its 1,000 Validators account, which `link` ties to the member."""


@dataclass(frozen=True, slots=True)
class Cast:
    """Everybody on stage."""

    curators: tuple[Signer, ...]
    oracles: tuple[Signer, ...]
    members: tuple[CastMember, ...]
    whale: Signer
    """Carries a referendum, so that winning votes are locked."""
    proxy: Signer
    """Votes on behalf of a member."""
    stranger: Signer

    @property
    def multisig(self) -> AccountId:
        return multisig_account([curator.account for curator in self.curators], THRESHOLD)

    def member(self, member_id: str) -> CastMember:
        return next(member for member in self.members if member.id == member_id)


def assemble(members_file: Mapping[str, Any]) -> Cast:
    """The cast for a `members_professional.json`. Raises `ConfigError` naming the bad entry."""
    members = []
    for name, entry in members_file.items():
        try:
            members.append(
                CastMember(
                    id=slug(name),
                    name=name,
                    region=slug(entry["Location"]["Region"]),
                    level=int(entry["Membership"]["MemberLevel"]),
                    active=entry["Service"]["Active"] == 1,
                    services=frozenset(
                        slug(service)
                        for assigned in entry["ServiceAssignments"].values()
                        for service in assigned
                    ),
                    signer=signer_from_uri(f"//IBP//Member//{slug(name)}"),
                    validator=signer_from_uri(f"//IBP//Validator//{slug(name)}"),
                )
            )
        except (KeyError, TypeError) as error:
            raise ConfigError(f"members file: {name!r} lacks {error}") from error
    return Cast(
        curators=tuple(signer_from_uri(f"//IBP//Curator//{i}") for i in range(5)),
        oracles=tuple(signer_from_uri(f"//IBP//Oracle//{i}") for i in range(3)),
        members=tuple(members),
        whale=signer_from_uri("//IBP//Whale"),
        proxy=signer_from_uri("//IBP//Proxy"),
        stranger=signer_from_uri("//IBP//Stranger"),
    )


@dataclass(frozen=True, slots=True)
class _AccountInfo:
    """`frame_system::AccountInfo` with `pallet_balances::AccountData`."""

    nonce: int
    consumers: int
    providers: int
    sufficients: int
    free: int
    reserved: int
    frozen: int
    flags: int


_ACCOUNT_INFO = schema.struct(
    _AccountInfo,
    nonce=schema.u32, consumers=schema.u32, providers=schema.u32, sufficients=schema.u32,
    free=schema.u128, reserved=schema.u128, frozen=schema.u128, flags=schema.u128,
)  # fmt: skip
_IS_NEW_LOGIC = 1 << 127
"""`pallet_balances::ExtraFlags`: the account needs no upgrade by the pallet."""


def genesis_balances(cast: Cast, network: Network) -> Mapping[AccountId, Planck]:
    """What everybody owns in block 0. The multisig is poor on purpose: its first payout fails."""
    balances = {
        cast.multisig: network.planck(100),
        cast.whale.account: network.planck(5_000_000_000),
        cast.proxy.account: network.planck(100),
        cast.stranger.account: network.planck(100),
    }
    for signer in (*cast.curators, *cast.oracles):
        balances[signer.account] = network.planck(1_000)
    for member in cast.members:
        balances[member.signer.account] = network.planck(10_000)
        balances[member.validator.account] = network.planck(100)
    return balances


def genesis_storage(balances: Mapping[AccountId, Planck], issuance: Planck) -> dict[str, str]:
    """Raw genesis entries that give `balances`; `issuance` is what exists beside them."""
    accounts: StorageMap[AccountId, _AccountInfo] = StorageMap(
        "System", "Account", (KeyPart(Hasher.BLAKE2_128_CONCAT, schema.account),), _ACCOUNT_INFO
    )
    for account, free in balances.items():
        accounts.insert(account, _AccountInfo(0, 0, 1, 0, free, 0, 0, _IS_NEW_LOGIC))
    total: StorageValue[int] = StorageValue("Balances", "TotalIssuance", schema.u128)
    total.put(issuance + sum(balances.values()))
    raw_items = (*accounts.raw_items(), *total.raw_items())
    return {"0x" + key.hex(): "0x" + value.hex() for key, value in raw_items}
