"""Ask a runtime what a bundle's call would do if the multisig dispatched it now.

`DryRunApi` of pallet_xcm's runtime API: the call alone, without signatures, fees or deposit, at one
block. Its arguments are taken from the metadata: they have changed once. A runtime without it, or
with another form of it, is told apart before anything is asked.
"""

from typing import Any

from ibp_chain.blocks import BlockRef
from ibp_chain.errors import DecodeError, InputError
from ibp_chain.node import Node
from ibp_chain.runtime import Runtime
from multisig.bundle import Bundle
from multisig.effects import Event
from multisig.runs import DryRun

_API, _METHOD = "DryRunApi", "dry_run_call"
_XCM_VERSION = 4
"""In which the messages that a call sends are answered: every runtime that asks knows it. We count
them only."""
_KNOWN = frozenset({"origin", "call", "result_xcms_version"})


def missing_dry_run(runtime: Runtime) -> str | None:
    """Why `runtime` cannot be asked; None where it can."""
    if not runtime.has_api(_API, _METHOD):
        return f"spec version {runtime.spec_version} has no {_API} in its metadata"
    if unknown := set(runtime.api_inputs(_API, _METHOD)) - _KNOWN:
        return f"{_API} of spec version {runtime.spec_version} wants {', '.join(sorted(unknown))}"
    return None


def dry_run(bundle: Bundle, node: Node, runtime: Runtime, at: BlockRef) -> DryRun:
    """What the runtime at `at` answers. Raises `InputError` where it cannot be asked, `SourceError`
    where the node does not answer, `DecodeError` for an answer of another form.
    """
    problem = missing_dry_run(runtime)
    if problem is not None:
        raise InputError(problem)
    account = bundle.multisig.account_id(bundle.network)
    given = {
        "origin": ("system", ("Signed", account)),
        "call": runtime.decode_call(bundle.call),
        "result_xcms_version": _XCM_VERSION,
    }
    names = runtime.api_inputs(_API, _METHOD)
    data = runtime.encode_api_call(_API, _METHOD, {name: given[name] for name in names})
    raw = node.call(f"{_API}_{_METHOD}", data, at.hash)
    return read_dry_run(runtime.decode_api_result(_API, _METHOD, raw), runtime, at)


def read_dry_run(answer: Any, runtime: Runtime, at: BlockRef) -> DryRun:
    """Of a decoded `Result<CallDryRunEffects, XcmDryRunApiError>`. Raises `DecodeError`."""
    match answer:
        case ("Err", error):
            return DryRun(at, runtime.spec_version, f"{_API} answers {error}")
        case (
            "Ok",
            {
                "execution_result": ("Ok" | "Err" as outcome, result),
                "emitted_events": list(emitted),
                "local_xcm": local,
                "forwarded_xcms": list(forwarded),
            },
        ):
            error = None if outcome == "Ok" else runtime.error_name(_error(result))
            messages = sum(len(sent) for _, sent in forwarded) + (local is not None)
            return DryRun(at, runtime.spec_version, error, tuple(map(_event, emitted)), messages)
    raise DecodeError(f"{_API} answers in an unknown form: {answer!r:.200}")


def _error(result: Any) -> Any:
    match result:
        case {"error": error}:
            return error
    raise DecodeError(f"{_API} names no error: {result!r:.200}")


def _event(value: Any) -> Event:
    match value:
        case (str(pallet), str(name)):  # a pallet whose events all are without fields
            return Event(pallet, name, ())
        case (str(pallet), (str(name), args)):
            return Event(pallet, name, args)
    raise DecodeError(f"{_API} answers {value!r:.200} for an event")
