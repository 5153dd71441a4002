"""What oracles said of one day, with the places of their remarks."""

from datetime import date

from ibp_chain.blocks import BlockRef
from ibp_chain.explorers import links
from ibp_chain.remarks import Kind
from ibp_chain.types import AccountId
from ibp_chain.web.errors import NotFound
from ibp_chain.web.models import DayWords, OracleWord
from ibp_chain.web.shown import address, hex_, moment
from ibp_chain.web.snapshot import Snapshot
from ledger.pallets.scores import Observation, ReportRecord, day_number
from ledger.remark_places import Places, Word


def day_words(snapshot: Snapshot, day: date, places: Places) -> DayWords:
    """`places` of that day's remarks. Raises `NotFound` for a day of which nothing was said."""
    scores = snapshot.state.scores
    number = day_number(day)
    observations = [
        (oracle, said) for (oracle, of), said in scores.observations.items() if of == number
    ]
    reports = [(oracle, said) for (oracle, of), said in scores.reports.items() if of == number]
    closing, standing = scores.closings.find(number), scores.standing.find(number)
    if not observations and not reports and closing is None:
        raise NotFound(f"nothing was said of {day} in this ledger")
    return DayWords(
        day=day.isoformat(),
        quorum=None if closing is None else closing.quorum,
        root=None if standing is None else hex_(standing.root),
        rows=None if standing is None else standing.rows,
        observations=tuple(
            _word(snapshot, Kind.OBSERVE, day, oracle, said, places)
            for oracle, said in sorted(observations)
        ),
        reports=tuple(
            _word(snapshot, Kind.REPORT, day, oracle, said, places)
            for oracle, said in sorted(reports)
        ),
    )


def _word(
    snapshot: Snapshot,
    kind: Kind,
    day: date,
    oracle: AccountId,
    said: Observation | ReportRecord,
    places: Places,
) -> OracleWord:
    place = places.get(Word(kind, oracle, day.isoformat(), said.at))
    block: BlockRef | None = None if place is None else place.block
    return OracleWord(
        oracle=address(oracle, snapshot.network),
        account=hex_(oracle),
        root=hex_(said.root),
        rows=said.rows,
        at=moment(snapshot, said.at),
        block_hash=None if block is None else hex_(block.hash),
        extrinsic=None if place is None else place.extrinsic,
        explorers=()
        if place is None
        else links(snapshot.chain.genesis_hash, place.block, place.extrinsic),
    )
