"""Runtime APIs as metadata describes them, of real runtimes and of broken bytes."""

import gzip
from pathlib import Path

import pytest

from ibp_chain.errors import DecodeError, InputError
from ibp_chain.runtime import Runtime
from ibp_chain.runtime_apis import read_runtime_apis
from ibp_chain.types import AccountId
from tests.support import recording

METADATA = Path(__file__).parents[2] / "data" / "metadata"
WHO = AccountId(bytes(range(32)))


def asset_hub() -> bytes:
    return gzip.decompress((METADATA / "asset-hub-polkadot-2000000-v15.scale.gz").read_bytes())


def test_version_15_describes_every_api_and_version_14_none() -> None:
    apis = read_runtime_apis(recording.source().metadata(recording.SPEC_VERSION))
    assert len(apis) == 19
    assert apis["Core"].keys() == {"version", "execute_block", "initialize_block"}
    info = apis["TransactionPaymentCallApi"]["query_call_info"]
    assert [name for name, _ in info.inputs] == ["call", "len"]
    assert read_runtime_apis(recording.source().metadata_v14(recording.SPEC_VERSION)) == {}


def test_arguments_are_encoded_one_after_the_other_and_answers_decoded_whole() -> None:
    runtime = Runtime.from_metadata(asset_hub())
    names = runtime.api_inputs("DryRunApi", "dry_run_call")
    assert names == ("origin", "call", "result_xcms_version")
    remark = runtime.call("System", "remark", {"remark": b"abc"})
    given = {"call": remark, "result_xcms_version": 4, "origin": ("system", ("Signed", WHO))}
    data = runtime.encode_api_call("DryRunApi", "dry_run_call", given)
    assert data == b"\0\1" + WHO + remark.data + b"\4\0\0\0"
    assert runtime.decode_api_result("AccountNonceApi", "account_nonce", b"\1\2\0\0") == 513
    with pytest.raises(DecodeError):
        runtime.decode_api_result("AccountNonceApi", "account_nonce", b"\1\2\0\0\0")


def test_an_api_that_is_not_there_and_arguments_that_are_not_its_own_are_input_errors() -> None:
    runtime = recording.runtime()
    assert not runtime.has_api("DryRunApi", "dry_run_call")
    assert runtime.has_api("Core", "version")
    assert not runtime.has_api("Core", "dry_run_call")
    with pytest.raises(InputError, match="paseo 1001002 has no runtime API DryRunApi_dry_run_call"):
        runtime.api_inputs("DryRunApi", "dry_run_call")
    with pytest.raises(InputError, match=r"query_call_info takes \['call', 'len'\]"):
        runtime.encode_api_call("TransactionPaymentCallApi", "query_call_info", {"call": 1})


def test_metadata_that_ends_before_or_within_its_apis_is_refused() -> None:
    raw = recording.source().metadata(recording.SPEC_VERSION)
    for at in range(len(raw) - 60_000, len(raw), 7_001):
        try:
            found = read_runtime_apis(raw[:at])
        except DecodeError:
            continue
        assert found == read_runtime_apis(raw)  # cut behind them


def test_the_relay_chain_of_2026_and_its_asset_hub_can_dry_run_a_call() -> None:
    """As `docs/simulation.md` says."""
    relay = gzip.decompress((METADATA / "polkadot-2000000-v15.scale.gz").read_bytes())
    for raw in (relay, asset_hub()):
        method = read_runtime_apis(raw)["DryRunApi"]["dry_run_call"]
        assert [name for name, _ in method.inputs] == ["origin", "call", "result_xcms_version"]
