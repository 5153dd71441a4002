"""Oracles: what each said of every day, how they agree, who contradicted itself."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from itertools import combinations

from ibp_chain.types import AccountId, Hash
from ibp_chain.web.models import (
    EquivocationShown,
    OracleDay,
    OracleShown,
    OraclesShown,
    PairShown,
)
from ibp_chain.web.shown import address, hex_, moment
from ibp_chain.web.snapshot import Snapshot
from ledger.pallets.scores import Day, DigestKind, day_date


def oracles(snapshot: Snapshot) -> OraclesShown:
    return snapshot.once("oracles", _oracles)


def oracle_accounts(snapshot: Snapshot) -> tuple[AccountId, ...]:
    """Those in office, in the remark's order, then others that ever said anything."""
    scores, program = snapshot.state.scores, snapshot.state.programme.program.value
    office = () if program is None else program.oracles
    spoke = {oracle for oracle, _ in (key for key, _ in scores.observations.items())}
    spoke |= {oracle for oracle, _ in (key for key, _ in scores.reports.items())}
    spoke |= {key[0] for key, _ in scores.equivocations.items()}
    return (*map(AccountId, office), *sorted(spoke - set(office)))


def days(snapshot: Snapshot) -> tuple[OracleDay, ...]:
    """Every day that anything was said of, the latest first."""
    return snapshot.once("oracle days", _days)


# --- Parts ----------------------------------------------------------------------------


def _oracles(snapshot: Snapshot) -> OraclesShown:
    scores, network = snapshot.state.scores, snapshot.network
    program = snapshot.state.programme.program.value
    observed = Counter(oracle for (oracle, _), _ in scores.observations.items())
    roots: defaultdict[AccountId, dict[Day, Hash]] = defaultdict(dict)
    agreed: defaultdict[AccountId, int] = defaultdict(int)
    for (oracle, day), record in scores.reports.items():
        roots[oracle][day] = record.root
        standing = scores.standing.find(day)
        agreed[oracle] += standing is not None and standing.root == record.root
    convicted = Counter(oracle for (oracle, _, _), _ in scores.equivocations.items())
    accounts = oracle_accounts(snapshot)
    return OraclesShown(
        quorum=None if program is None else program.quorum,
        oracles=tuple(
            OracleShown(
                oracle=address(who, network),
                in_office=program is not None and who in program.oracles,
                observed=observed[who],
                reported=len(roots[who]),
                agreed=agreed[who],
                equivocations=convicted[who],
            )
            for who in accounts
        ),
        pairs=tuple(_pair(snapshot, one, other, roots) for one, other in combinations(accounts, 2)),
        equivocations=tuple(
            EquivocationShown(
                oracle=address(oracle, network),
                day=day_date(day).isoformat(),
                kind=kind.name.lower(),
                roots=(hex_(found.first_root), hex_(found.second_root)),
                digests=(hex_(found.first_digest), hex_(found.second_digest)),
                at=moment(snapshot, found.at),
            )
            for (oracle, day, kind), found in sorted(scores.equivocations.items())
        ),
        closed=len(scores.closings),
        standing=len(scores.standing),
    )


def _pair(
    snapshot: Snapshot,
    one: AccountId,
    other: AccountId,
    roots: Mapping[AccountId, Mapping[Day, Hash]],
) -> PairShown:
    both = roots[one].keys() & roots[other].keys()
    return PairShown(
        one=address(one, snapshot.network),
        other=address(other, snapshot.network),
        both=len(both),
        same=sum(roots[one][day] == roots[other][day] for day in both),
    )


def _days(snapshot: Snapshot) -> tuple[OracleDay, ...]:
    scores = snapshot.state.scores
    spoken = {day for (_, day), _ in scores.observations.items()}
    spoken |= {day for (_, day), _ in scores.reports.items()}
    spoken |= {day for (_, day, _), _ in scores.equivocations.items()}
    spoken |= {day for day, _ in scores.closings.items()}
    accounts = oracle_accounts(snapshot)
    return tuple(_day(snapshot, day, accounts) for day in sorted(spoken, reverse=True))


def _day(snapshot: Snapshot, day: Day, accounts: tuple[AccountId, ...]) -> OracleDay:
    scores, network = snapshot.state.scores, snapshot.network
    closing, standing = scores.closings.find(day), scores.standing.find(day)
    committed = () if closing is None else closing.commitments
    return OracleDay(
        day=day_date(day).isoformat(),
        closed=None if closing is None else moment(snapshot, closing.at),
        quorum=None if closing is None else closing.quorum,
        members=None if closing is None else len(closing.members),
        committed=tuple(address(each.oracle, network) for each in committed),
        root=None if standing is None else hex_(standing.root),
        rows=None if standing is None else standing.rows,
        reporters=()
        if standing is None
        else tuple(address(each, network) for each in standing.reporters),
        stands_since=None if standing is None else moment(snapshot, standing.since),
        words=tuple(_word(snapshot, who, day) for who in accounts),
    )


def _word(snapshot: Snapshot, who: AccountId, day: Day) -> str:
    """What `who` said of `day`, the worst first."""
    scores = snapshot.state.scores
    if any((who, day, kind) in scores.equivocations for kind in DigestKind):
        return "twice"
    report, standing = scores.reports.find((who, day)), scores.standing.find(day)
    if report is not None:
        return "agreed" if standing is not None and standing.root == report.root else "other"
    return "observed" if (who, day) in scores.observations else "none"
