"""Every error that this project raises on purpose.

* IbpError                 something a person can act on; the command line prints it on one line
  * InputError             bad input or usage: exit code 2
    * AddressError         malformed SS58, wrong prefix, wrong checksum
    * ConfigError          a setting or rules file is missing or malformed
    * DecodeError          bytes and metadata disagree; carries the offset
    * ArchiveError         an archive is missing, truncated or of an unknown format
    * SourceError          a node is absent, answers late or wrongly, or is on the wrong chain
    * RemarkError          a remark breaks the protocol of `ibp_chain.remarks`
  * CheckFailed            the input is well formed, and a check on it failed: exit code 1
    * ArchiveCorrupt       a block's bytes do not match its hashes; names block and field
    * MirrorDivergence     the mirror and the chain disagree; names block, key, both values
    * CallFailed           an extrinsic was included and failed, or was refused by the pool
  * PalletError            a mirrored call fails exactly as the pallet would; never reaches a person

Rooms above add their own under `InputError` or `CheckFailed`.
"""

from typing import ClassVar


class IbpError(Exception):
    """Base of every error raised on purpose. `str()` is one clear line for people."""

    exit_code: ClassVar[int] = 1


class InputError(IbpError):
    """Bad input or usage: nothing was changed."""

    exit_code: ClassVar[int] = 2


class AddressError(InputError):
    """Text that is no SS58 address of the expected network."""


class ConfigError(InputError):
    """A setting is missing or malformed."""


class DecodeError(InputError):
    """Bytes and metadata disagree.

    `offset` counts from the start of the buffer that was handed to the decoder.
    """

    def __init__(self, message: str, offset: int | None = None) -> None:
        self.offset = offset
        super().__init__(message if offset is None else f"{message} (at byte {offset})")


class ArchiveError(InputError):
    """An archive cannot be read as one."""


class SourceError(InputError):
    """A node did not answer, or not as a node of this chain would."""


class RemarkError(InputError):
    """A remark breaks the protocol; the message is the reason that the ledger records."""


class CheckFailed(IbpError):
    """Well-formed input that does not hold up."""


class ArchiveCorrupt(CheckFailed):
    """A block's bytes do not match its hashes."""

    def __init__(self, block: int, field: str, detail: str) -> None:
        self.block, self.field = block, field
        super().__init__(f"block {block}: {field}: {detail}")


class MirrorDivergence(CheckFailed):
    """The mirror and the chain disagree."""

    def __init__(self, block: int, what: str, expected: str, observed: str) -> None:
        self.block, self.what = block, what
        super().__init__(f"block {block}: {what}: mirror has {expected}, chain has {observed}")


class CallFailed(CheckFailed):
    """An extrinsic was refused, or was included and failed."""


class PalletError(IbpError):
    """A mirrored call failed as the pallet would have failed it."""

    index: ClassVar[int]
    """Position in the pallet's `Error` enum, as in `DispatchError::Module`."""
