"""A programme with as many members as one likes: each serves and locks as one of the real ones."""

from collections.abc import Iterable
from typing import NamedTuple

from ibp_chain.blocks import blake2_256
from ibp_chain.types import AccountId
from ledger.state import State
from multisig.service import ServiceRecord


class Programme(NamedTuple):
    state: State
    service: tuple[ServiceRecord, ...]


def with_members(
    state: State, service: Iterable[ServiceRecord], model: str, owed: Iterable[str], count: int
) -> Programme:
    """`state` with more members like `model`, so that `count` are owed something.

    `owed` are those who are already. Accounts and payees are new ones, with the model's votes and
    locks. `state` is changed.
    """
    records = tuple(service)
    names = tuple(f"member-{n:03}" for n in range(count - len(tuple(owed))))
    record = state.membership.members.get(model)
    network = state.network.name
    account = record.account(network)
    assert account is not None
    voting = state.mirrors.conviction_voting
    votes = [(key[1], value) for key, value in voting.voting_for.items() if key[0] == account]
    locks = voting.class_locks_for.get(account)
    for name in names:
        own, payee = _account(f"stash of {name}"), _account(f"payee of {name}")
        described = record._replace(
            name=name, accounts=((network, own),), payees=((network, payee),)
        )
        state.membership.members.insert(name, described)
        for track, value in votes:
            voting.voting_for.insert((own, track), value)
        voting.class_locks_for.insert(own, locks)
    for day, closing in list(state.scores.closings.items()):
        members = tuple(sorted((*closing.members, *names)))
        state.scores.closings.insert(day, closing._replace(members=members))
    more = [
        ServiceRecord(each.day, name, each.service, each.known, each.failed)
        for each in records
        if each.member == model
        for name in names
    ]
    return Programme(state, (*records, *more))


def _account(text: str) -> AccountId:
    return AccountId(blake2_256(text.encode()))
