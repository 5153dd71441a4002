"""Our metadata hash against `@polkadot-api/merkleize-metadata`."""

from pathlib import Path

import pytest

from ibp_chain.metadata_hash import ExtraInfo, metadata_hash, runtime_metadata_hash
from ibp_chain.networks import network
from ibp_chain.runtime import Runtime
from tests.support import polkadot, recording
from tests.support.peers import PeerRefusal, octets, peers


def test_the_recorded_runtime_hashes_as_the_peer_says(tmp_path: Path) -> None:
    raw, paseo = recording.source().metadata(recording.SPEC_VERSION), network("paseo")
    runtime = Runtime.from_metadata(raw)
    assert runtime_metadata_hash(runtime, paseo) == _theirs(tmp_path, raw, "PAS")


@pytest.mark.real_data
def test_every_real_polkadot_runtime_hashes_as_the_peer_says(tmp_path: Path) -> None:
    for spec_version in sorted({block.spec_version for block in polkadot.blocks()}):
        ours = set()
        for version in polkadot.versions(spec_version):
            runtime = polkadot.runtime(spec_version, version)
            ours.add(runtime_metadata_hash(runtime, network("polkadot")))
            raw = polkadot.metadata(spec_version, version)
            if version == 14:
                with pytest.raises(PeerRefusal, match="version"):
                    _theirs(tmp_path, raw, "DOT")
            else:
                assert ours == {_theirs(tmp_path, raw, "DOT")}
        assert len(ours) == 1


def test_every_part_of_the_extra_info_counts(tmp_path: Path) -> None:
    raw, runtime = recording.source().metadata(recording.SPEC_VERSION), recording.runtime()
    prefix = runtime.constant("System", "SS58Prefix")
    for decimals, symbol in ((10, "PAS"), (12, "PAS"), (10, "DOT")):
        info = ExtraInfo(runtime.spec_version, runtime.spec_name, prefix, decimals, symbol)
        theirs = _theirs(tmp_path, raw, symbol, decimals)
        assert metadata_hash(runtime.metadata, info) == theirs


def _theirs(folder: Path, raw: bytes, symbol: str, decimals: int = 10) -> bytes:
    path = folder / "metadata.scale"
    path.write_bytes(raw)
    return octets(peers().ask("metadata_hash", metadata=path, decimals=decimals, symbol=symbol))
