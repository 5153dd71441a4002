"""The network's chain: a real runtime whose blocks are stamped with the programme's time."""

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ibp_chain.accounts import multisig_account
from ibp_chain.blocks import blake2_256
from ibp_chain.keys import Signer, signer_from_uri
from ibp_chain.remark_bodies import Program
from ibp_chain.remarks import encode
from ibp_chain.source import NodeSource
from ibp_chain.types import Hash, Planck
from ledger.program.rules import load_rules
from oracles.daemon.clocks import Clock
from scripts.devnet_process import Devnet, start_devnet
from scripts.network.timetable import FIRST_DAY
from scripts.scenario import founding
from scripts.scenario.cast import THRESHOLD, Cast, CastMember, genesis_storage
from scripts.scenario.play import NETWORK, set_stage
from scripts.scenario.stage import BLOCK_TIME_MS

log = logging.getLogger(__name__)
SPEC = "paseo-2024"
QUORUM = 3
BLOCK_SECONDS = 1.4
"""The machine's, between blocks."""
_ISSUANCE = Planck(1_150_000_010_000_000_000)
_FOUNDED = datetime(FIRST_DAY.year, FIRST_DAY.month, FIRST_DAY.day, 21, tzinfo=UTC)
"""The chain's time at its first block: an hour and more before oracles begin."""


def cast_of(members: Sequence[str], oracles: int) -> Cast:
    """Curators, `oracles` oracles and `members`, with development keys."""
    return Cast(
        curators=tuple(signer_from_uri(f"//IBP//Curator//{i}") for i in range(5)),
        oracles=tuple(signer_from_uri(oracle_uri(i)) for i in range(oracles)),
        members=tuple(
            CastMember(
                id=member,
                name=member.title(),
                region="europe",
                level=3,
                active=True,
                services=frozenset(),
                signer=signer_from_uri(f"//IBP//Member//{member}"),
                validator=signer_from_uri(f"//IBP//Validator//{member}"),
            )
            for member in members
        ),
        whale=signer_from_uri("//IBP//Whale"),
        proxy=signer_from_uri("//IBP//Proxy"),
        stranger=signer_from_uri("//IBP//Stranger"),
    )


def oracle_uri(number: int) -> str:
    """The secret of an oracle, as `ibp oracle run` takes it from its environment."""
    return f"//IBP//Oracle//{number}"


@contextmanager
def started_chain(cast: Cast) -> Iterator[Devnet]:
    """The test chain with everybody funded."""
    signers: list[Signer] = [*cast.curators, *cast.oracles]
    balances = {signer.account: NETWORK.planck(1_000) for signer in signers}
    balances[multisig_account([curator.account for curator in cast.curators], THRESHOLD)] = (
        NETWORK.planck(100)
    )
    options: dict[str, Any] = {
        "spec": SPEC,
        "genesis_storage": genesis_storage(balances, _ISSUANCE),
        "timestamp_ms": int(_FOUNDED.timestamp()) * 1_000,
    }
    with start_devnet(**options) as devnet:
        yield devnet


def found(devnet: Devnet, cast: Cast) -> Hash:
    """Founds the programme and registers the members; the founding remark's hash."""
    rules = load_rules()
    body = Program(
        name="Test network",
        rules=rules.hash,
        curators=tuple(curator.account for curator in cast.curators),
        threshold=THRESHOLD,
        oracles=tuple(oracle.account for oracle in cast.oracles),
        quorum=QUORUM,
    )
    raw = encode(body, NETWORK.ss58_prefix)
    with NodeSource(devnet.url) as node:
        stage = set_stage(devnet, cast, node)
        stage.by_multisig(stage.remark(raw), cast.curators[:THRESHOLD])
        founding.register(stage, cast)
        stage.block()
    return blake2_256(raw)


@dataclass
class BlockMaker:
    """Makes blocks by `clock` in a thread of its own."""

    devnet: Devnet
    clock: Clock
    made: int = 0
    last_ms: int = 0
    """The stamp of the last block."""
    error: BaseException | None = None
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Makes blocks until the context ends. Raises what ended it before."""
        thread = threading.Thread(target=self._run, name="blocks")
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()
        if self.error is not None:
            raise self.error

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                begun, now_ms = time.monotonic(), int(self.clock.now() * 1_000)
                if now_ms >= self.last_ms + BLOCK_TIME_MS:
                    # a block is stamped one slot after the time that is travelled to
                    self.devnet.time_travel(now_ms - BLOCK_TIME_MS)
                    self.devnet.new_block()
                    self.last_ms = now_ms
                    self.made += 1
                self._stop.wait(max(0.05, BLOCK_SECONDS - (time.monotonic() - begun)))
        except BaseException as error:  # noqa: BLE001 - handed to whoever stops the thread
            self.error = error
