"""All acts in order, on a fresh test chain; the last one, payday, can be left to somebody else."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ibp_chain.extrinsics import Submitter
from ibp_chain.networks import NETWORKS
from ibp_chain.runtimes import runtimes
from ibp_chain.source import NodeSource
from ibp_chain.types import Hash, Planck
from ledger.program.rules import Rules, load_rules
from scripts.devnet_process import Devnet
from scripts.public_data import members_professional
from scripts.scenario import founding, governance, payday
from scripts.scenario.cast import Cast, assemble, genesis_balances, genesis_storage
from scripts.scenario.scoring import DAYS, Scorekeepers
from scripts.scenario.stage import Stage

NETWORK = NETWORKS["paseo"]
SPEC = "paseo-2024"
CURTAIN_UP = datetime(2026, 1, 27, 22, tzinfo=UTC)
_ISSUANCE = Planck(1_150_000_010_000_000_000)
"""What the chain specification's own accounts own; the runtime counts total issuance."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What whoever looks at the chain afterwards needs to know about the play."""

    program: Hash
    """blake2b-256 of the founding remark."""
    statement: Path
    bundle: Path
    """Of the payout that was executed."""


def load_cast() -> Cast:
    """The cast from the programme's real member file. Raises `ConfigError`, `SourceError`."""
    members: Mapping[str, Any] = json.loads(members_professional().read_text())
    return assemble(members)


def devnet_options(cast: Cast) -> dict[str, Any]:
    """What `start_devnet` takes for this play."""
    return {
        "spec": SPEC,
        "genesis_storage": genesis_storage(genesis_balances(cast, NETWORK), _ISSUANCE),
        "timestamp_ms": int(CURTAIN_UP.timestamp()) * 1_000,
    }


def play(
    devnet: Devnet, cast: Cast, folder: Path, tell: Callable[[str], object] = lambda _: None
) -> Outcome:
    """Play everything; rows, statement and bundle are written into `folder`.

    `tell` hears of every act. Raises `CallFailed` where the chain does not do as expected.
    """
    with NodeSource(devnet.url) as node:
        stage = set_stage(devnet, cast, node)
        program = play_until_payday(stage, cast, folder, tell)
        tell("the curators pay")
        statement, bundle = payday.pay(stage, cast, load_rules(), folder)
        stage.block()
        return Outcome(program, statement, bundle)


def play_until_payday(
    stage: Stage, cast: Cast, folder: Path, tell: Callable[[str], object] = lambda _: None
) -> Hash:
    """All acts before the payout; the founding remark's hash. Rows are written into `folder`."""
    rules = load_rules()
    tell("the curators found the programme")
    program = founding.found(stage, cast, rules)
    founding.register(stage, cast)
    founding.link(stage, cast)
    founding.forge(stage, cast)
    tell("members vote")
    governance.submit_referenda(stage, cast)
    governance.vote(stage, cast)
    governance.pass_the_first(stage)
    governance.after_the_first(stage, cast)
    _keep_scores(stage, cast, rules, program, folder, tell)
    payday.dawn(stage)
    return program


def set_stage(devnet: Devnet, cast: Cast, node: NodeSource) -> Stage:
    """A stage on `devnet`, which `node` reads."""
    known = runtimes(node)
    submitter = Submitter(node, known, poll_seconds=0.05, advance=devnet.new_block)
    return Stage(devnet, node, submitter, submitter.runtime(), NETWORK, cast.curators)


def _keep_scores(
    stage: Stage,
    cast: Cast,
    rules: Rules,
    program: Hash,
    folder: Path,
    tell: Callable[[str], object],
) -> None:
    keepers = Scorekeepers(stage, cast, rules, program, folder / "rows")
    for day in DAYS:
        tell(f"oracles observe and report {day}")
        keepers.day(day)
