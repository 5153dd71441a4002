"""The words on chain that a day's roots stand on: what a proof is compared with."""

from pydantic import Field

from ibp_chain.web.models.base import Model, Moment


class OracleWord(Model):
    """A remark of an oracle about a day that counts."""

    oracle: str
    account: str = Field(description="The oracle's key, as rows have it: 0x and hex.")
    root: str
    rows: int
    at: Moment
    block_hash: str | None
    extrinsic: int | None = Field(description="Null where a hook dispatched it.")
    explorers: tuple[str, ...] = Field(description="Pages of others that show it.")


class DayWords(Model):
    """What oracles said of one day, and the root that stands."""

    day: str
    quorum: int | None
    root: str | None
    rows: int | None
    observations: tuple[OracleWord, ...]
    reports: tuple[OracleWord, ...]
