"""Words into blocks: signed once, sent until the ledger has them or they can no longer come.

Nothing here waits for a block. What became of an extrinsic is seen in the ledger, by whoever looks
at every block anyway.
"""

import logging
from datetime import date

from ibp_chain.blocks import blake2_256
from ibp_chain.errors import CallFailed
from ibp_chain.extrinsics import Submitter
from ibp_chain.keys import Signer
from ibp_chain.remarks import Kind, encode
from ibp_chain.types import BlockNumber, Hash
from ledger.pallets.programme import Rejection
from ledger.pallets.rejections import RejectionCode
from oracles import digest
from oracles.daemon.journal import Journal, Word
from oracles.metrics import Metrics, Posted

log = logging.getLogger(__name__)
_ROOT = 32


class Poster:
    """Posts the words of one oracle on one programme's chain.

    `since` is when the journal was begun: whatever an earlier journal's oracle signed is dead two
    eras later, and until then nothing is signed.
    """

    def __init__(
        self,
        journal: Journal,
        signer: Signer,
        *,
        program: Hash,
        ss58_prefix: int,
        since: BlockNumber,
        era: int,
        metrics: Metrics,
    ) -> None:
        self._journal, self._signer, self._metrics = journal, signer, metrics
        self._program, self._prefix = program, ss58_prefix
        self._quiet_until = since + 2 * era  # the other process's node may have been ahead

    def post(self, word: Word, head: BlockNumber, submitter: Submitter) -> str | None:
        """Send `word`, unless it is under way or was refused for good; what stands in the way.

        `head` is the last block that the ledger has. Raises `SourceError`.
        """
        if word.refused:
            return f"{word.kind} of {word.day} was refused: {word.refused}"
        if head < self._quiet_until:
            return (
                f"this journal is new: nothing is signed before block {self._quiet_until}, "
                "when all that was signed without it is dead"
            )
        if head + 1 < self._journal.alive_until(word):
            return None
        call = submitter.runtime().encode_call(
            "System", "remark_with_event", {"remark": self._remark(word)}
        )
        try:
            submitted = submitter.submit(call, self._signer)
        except CallFailed as error:
            self._metrics.posting(Posted.REFUSED)
            return f"{word.kind} of {word.day}: {error}"
        self._metrics.posting(Posted.SENT)
        self._journal.posted(word, submitted.hash, submitted.death)
        log.info("%s of %s sent: root 0x%s", word.kind, word.day, word.root.hex())
        return None

    def rejected(self, rejection: Rejection, reason: str) -> None:
        """Note that the ledger refused a remark of this oracle: it is not sent again."""
        if rejection.code is RejectionCode.REPEATED:
            return  # it was sent again after an answer that was lost
        self._metrics.posting(Posted.REJECTED)
        for word in self._journal.words():
            if word.remark and blake2_256(word.remark) == rejection.remark:
                self._journal.refused(word, reason)

    def _remark(self, word: Word) -> bytes:
        """Signed at most once, and only what was written down before."""
        known = self._journal.intend(word)
        if known.remark:
            return known.remark
        day, kind = date.fromisoformat(known.day), Kind(known.kind)
        body: digest.Digest
        if kind is Kind.OBSERVE:
            body = digest.observe(
                program=self._program,
                oracle=self._signer.account,
                day=day,
                root=Hash(known.root),
                rows=known.rows,
                previous=Hash(known.previous),
                ss58_prefix=self._prefix,
                sign=self._signer.sign,
            )
        else:
            body = digest.report(
                program=self._program,
                oracle=self._signer.account,
                day=day,
                root=Hash(known.root),
                rows=known.rows,
                turn=known.turn,
                observes=_roots(known.observes),
                ss58_prefix=self._prefix,
                sign=self._signer.sign,
            )
        remark = encode(body, self._prefix)
        self._journal.signed(known, remark)
        return remark


def _roots(joined: bytes) -> list[Hash]:
    return [Hash(joined[at : at + _ROOT]) for at in range(0, len(joined), _ROOT)]
