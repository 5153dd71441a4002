"""Where curators are asked, and what they bring is taken: the one part that speaks to the node for
a request.

It has no key and believes nothing that comes back. What it checks is what `ibp multisig payload`
and `submit` check, by the same functions; what it says is no more a witness than any page.
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ibp_chain.accounts import ss58_decode, ss58_encode
from ibp_chain.blocks import blake2_256
from ibp_chain.errors import CheckFailed, DecodeError, IbpError, InputError, SourceError
from ibp_chain.runtime import Runtime
from ibp_chain.signatures import read_hex
from ibp_chain.types import AccountId
from ibp_chain.web.bundle_files import BundleFile
from ibp_chain.web.errors import BadForm, NodeTrouble, Refused, RequestError, TooOften
from ibp_chain.web.models import (
    AskedShown,
    ComparedLine,
    SignedAsked,
    SubmissionShown,
    SubmissionState,
    VaultShown,
)
from ibp_chain.web.shown import hex_
from ibp_chain.web.snapshot import Snapshot
from ibp_chain.web.submissions import Submissions
from multisig import eras
from multisig import payload as asking
from multisig.approve import Approver
from multisig.bundle import Bundle
from multisig.errors import ApprovalRefused
from multisig.onchain import Witness
from multisig.qr import code, moving_svg
from multisig.signer_payload import SignerPayload, parse_payload
from multisig.uos import static_frames, uos_payload

_PATIENCE_S = 20.0
"""How long a request waits for the one before it: decoding is for one thread at a time."""
_DEVICE = "the account that signs"


class Checked(NamedTuple):
    """A bundle that was held against the ledger, as it is now by the node's blocks."""

    notes: tuple[str, ...]
    """What could not be established, in words."""
    seen: Witness | None
    """What the ledger knows of the call."""


Check = Callable[[Snapshot, Bundle, Approver], Checked]
"""As the commands do it. Raises `IbpError`."""


@dataclass(frozen=True)
class Desk:
    """For the node at `url`. `token` makes names of submissions that nobody guesses."""

    url: str
    approver: Callable[[Bundle], AbstractContextManager[Approver]]
    check: Check
    token: Callable[[], str]
    submissions: Submissions = field(init=False)
    _turn: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "submissions", Submissions(self.without_url))

    def without_url(self, text: str) -> str:
        """`text` for strangers: an address may hold a key."""
        return text.replace(self.url, "the node")

    def ask(
        self,
        snapshot: Snapshot,
        found: BundleFile,
        who: str,
        *,
        vault: bool = False,
        with_metadata_hash: bool = True,
    ) -> AskedShown:
        """What the curator of address `who` is to sign now; with `vault` as QR codes too.

        Raises `RequestError` with the sentence that the command line would say.
        """
        theirs = found.bundle
        with self._words(found), self._one_at_a_time():
            curator = _address(who, theirs)
            with self.approver(theirs) as approver:
                checked = self._checked(snapshot, theirs, approver)
                approver.submitter.period = eras.longest_period(approver.submitter.runtime())
                asked = asking.ask(
                    approver, curator, with_metadata_hash=with_metadata_hash, seen=checked.seen
                )
                operation = approver.status()
            return AskedShown(
                payload=json.loads(asked.payload.encoded),
                compare=tuple(compared(asked)),
                approved=tuple(
                    ss58_encode(each, theirs.network.ss58_prefix)
                    for each in (operation.approvals if operation is not None else ())
                ),
                threshold=theirs.multisig.threshold,
                notes=checked.notes,
                vault=vault_shown(asked) if vault else None,
            )

    def submit(self, snapshot: Snapshot, found: BundleFile, signed: SignedAsked) -> SubmissionShown:
        """Check what came back as `ibp multisig submit` does, and hand it to the node's pool.

        Raises as `ask`, and `TooOften`; nothing was sent then, unless it says so.
        """
        theirs = found.bundle
        with self._words(found), self._one_at_a_time():
            payload = _payload(signed.payload)
            with ExitStack() as opened:
                approver = opened.enter_context(self.approver(theirs))
                checked = self._checked(snapshot, theirs, approver)
                submitter = approver.submitter
                runtime = submitter.runtime()
                asked = asking.check_asked(payload, theirs, runtime, submitter.codec())
                asking.check_now(asked, approver, seen=checked.seen)
                raw = _accepted(asked, signed, runtime)
                self.submissions.reserve()
                try:
                    sent = submitter.send(raw, "Multisig.as_multi", asked.context.death)
                except BaseException:
                    self.submissions.release()
                    raise
                still_open = opened.pop_all()  # it is closed by whoever waits
        shown = SubmissionShown(
            id=self.token(),
            bundle=hex_(theirs.call_hash),
            address=payload.address,
            extrinsic=hex_(sent.hash),
            state=SubmissionState.WAITING,
            message="The node has it: waiting until it is final.",
            block=None,
        )

        def finish() -> Any:
            with still_open:
                return approver.finish(sent, asked.curator, asked.timepoint, asked.max_weight)

        self.submissions.watch(shown, finish)
        return shown

    # --- Parts ------------------------------------------------------------------------

    def _checked(self, snapshot: Snapshot, theirs: Bundle, approver: Approver) -> Checked:
        """Raises `Refused` for whatever is wrong with the bundle: the asker cannot help it."""
        try:
            return self.check(snapshot, theirs, approver)
        except (ApprovalRefused, SourceError, DecodeError):
            raise  # of the node, and of what to do next
        except IbpError as error:
            raise Refused(str(error)) from error

    @contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        if not self._turn.acquire(timeout=_PATIENCE_S):
            raise TooOften("others are being asked: try again in 10 s", retry_after_s=10)
        try:
            yield
        finally:
            self._turn.release()

    @contextmanager
    def _words(self, found: BundleFile) -> Iterator[None]:
        """Every error as an answer: what the asker brought, what the chain refuses, the node."""
        try:
            yield
        except RequestError as error:
            error.args = (self.without_url(str(error)),)
            raise
        except ApprovalRefused as error:
            following = error.following
            rest = "" if following is None else f". Next: ibp multisig {following} {found.file}"
            raise Refused(self.without_url(f"{error}{rest}")) from error
        except CheckFailed as error:
            raise Refused(self.without_url(str(error))) from error
        except (SourceError, DecodeError) as error:
            raise NodeTrouble(self.without_url(str(error))) from error
        except InputError as error:
            raise BadForm(self.without_url(str(error))) from error


# --- What is shown --------------------------------------------------------------------


def compared(asked: asking.Asked) -> Iterator[ComparedLine]:
    """What the device decodes by itself: `docs/signing.md`, What to compare."""
    bundle, context, point = asked.bundle, asked.context, asked.timepoint
    yield _line("Signer", asked.payload.address, _DEVICE)
    if point is None:
        opens, shows = "opens the operation", "maybe_timepoint: none"
    else:
        opens = f"approves the operation of block {point['height']}, extrinsic {point['index']}"
        shows = f"maybe_timepoint: height {point['height']}, index {point['index']}"
    yield _line("Operation", opens, shows)
    yield _line(
        "Threshold",
        f"{bundle.multisig.threshold} of {len(bundle.multisig.signatories)}",
        f"threshold {bundle.multisig.threshold}, and the other signatories in ascending order",
    )
    yield _line(
        "Payout call hash",
        hex_(bundle.call_hash),
        "not there: no device hashes the inner call; compare its transfers, line by line",
    )
    yield _line("Signed call hash", hex_(blake2_256(asked.call)), "of Multisig.as_multi around it")
    yield _line("Nonce", str(context.nonce), "the same")
    yield _line("Tip", bundle.network.format(context.tip), "the same")
    yield _line("Spec version", str(context.spec_version), "the same")
    yield _line(
        "Valid up to block",
        f"{context.death - 1}",
        f"era of {context.period} blocks from block {context.birth.number}, "
        f"{hex_(context.birth.hash)}",
    )
    if context.metadata_hash is None:
        yield _line("Metadata hash", "none (mode 0)", "CheckMetadataHash: disabled")
    else:
        said = f"{hex_(context.metadata_hash)} (mode 1)"
        yield _line("Metadata hash", said, "CheckMetadataHash: enabled")


def vault_shown(asked: asking.Asked) -> VaultShown:
    codes = [code(frame) for frame in static_frames(uos_payload(asked))]
    return VaultShown(
        moving=moving_svg(codes).decode(), frames=tuple(one.svg().decode() for one in codes)
    )


# --- What came in ---------------------------------------------------------------------


def _line(name: str, said: str, device: str) -> ComparedLine:
    return ComparedLine(field=name, said=said, device=device)


def _address(text: str, theirs: Bundle) -> AccountId:
    return ss58_decode(text, theirs.network.ss58_prefix)


def _payload(given: Mapping[str, Any]) -> SignerPayload:
    return parse_payload(json.dumps(given).encode())


def _accepted(asked: asking.Asked, signed: SignedAsked, runtime: Runtime) -> bytes:
    """The extrinsic: of a whole transaction where the wallet made one, else of its signature."""
    if signed.signed_transaction is not None:
        raw = read_hex(signed.signed_transaction, "signedTransaction")
        return asking.accept_signed(asked, raw, runtime)
    if signed.signature is None:
        raise InputError("neither a signature nor a signedTransaction came")
    return asking.accept_signature(asked, read_hex(signed.signature, "signature"))
