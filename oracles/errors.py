"""What goes wrong in this room.

* InputError
  * SampleError            samples of another oracle or day, polled twice, or impossible
  * RowsError              no canonical set of rows: missing, undecodable, out of order, twice
  * ProofError             a proof or evidence document that is not of a known form
* CheckFailed
  * RowsAltered            published rows are not those of their root
  * ObservationRefused     an oracle's rows are not what it committed to, or no admissible ones
  * DigestRefused          a digest is not signed by its oracle, or of another programme
  * ProofRefused           a proof does not hold against the root that the ledger knows
  * EvidenceRefused        the two statements do not convict their oracle
"""

from ibp_chain.errors import CheckFailed, InputError


class SampleError(InputError):
    """A sample that no oracle can have taken."""


class RowsError(InputError):
    """Rows that are no canonical set of one layout."""


class ProofError(InputError):
    """A document that is no proof or evidence of a known form."""


class RowsAltered(CheckFailed):
    """Published rows that are not those of their root."""


class ObservationRefused(CheckFailed):
    """An oracle's rows that do not count."""


class DigestRefused(CheckFailed):
    """A digest that its oracle did not sign."""


class ProofRefused(CheckFailed):
    """A proof that does not hold."""


class EvidenceRefused(CheckFailed):
    """Statements that convict nobody."""
