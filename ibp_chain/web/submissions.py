"""Signatures on their way: kept in memory, and watched until they are final.

Nothing is lost with them: what was sent is on the chain or in no block, and the command line tells.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

from ibp_chain.errors import DecodeError, IbpError, SourceError
from ibp_chain.web.errors import NotFound, TooOften
from ibp_chain.web.models import SubmissionShown, SubmissionState
from multisig.approve import Approval

MOST_WAITING = 8
"""Threads."""
MOST_KEPT = 256
_TRY_AGAIN_S = 30

Finish = Callable[[], Approval]
"""Waits until the extrinsic is final. Raises as `multisig.approve.Approver.finish`."""


@dataclass(frozen=True, slots=True)
class Told:
    """What became of an approval, in words."""

    state: SubmissionState
    message: str
    block: int | None = None


class Submissions:
    """The last `MOST_KEPT`. `clean` makes an error fit for strangers."""

    def __init__(self, clean: Callable[[str], str]) -> None:
        self._clean = clean
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, SubmissionShown] = OrderedDict()
        self._places = threading.BoundedSemaphore(MOST_WAITING)

    def reserve(self) -> None:
        """A place to wait in, before anything is sent. Raises `TooOften`."""
        if not self._places.acquire(blocking=False):
            raise TooOften(
                f"{MOST_WAITING} signatures wait until they are final: nothing was sent, try again "
                f"in {_TRY_AGAIN_S} s",
                retry_after_s=_TRY_AGAIN_S,
            )

    def release(self) -> None:
        """Of a place that nothing came to wait in."""
        self._places.release()

    def watch(self, sent: SubmissionShown, finish: Finish) -> None:
        """Keep `sent`, and have `finish` say in a thread of its own what becomes of it.

        The caller has reserved a place.
        """
        with self._lock:
            self._kept[sent.id] = sent
            self._forget()
        watcher = threading.Thread(target=self._finish, args=(sent, finish), daemon=True)
        watcher.start()

    def of(self, name: str) -> SubmissionShown:
        """Raises `NotFound`."""
        with self._lock:
            found = self._kept.get(name)
        if found is None:
            raise NotFound(
                "nothing is known here of that signature: the server was started again, or many "
                "came after it; `ibp multisig status` asks the chain"
            )
        return found

    # --- Parts ------------------------------------------------------------------------

    def _finish(self, sent: SubmissionShown, finish: Finish) -> None:
        try:
            told = told_of(finish())
        except IbpError as error:
            told = told_of_error(error)
            told = replace(told, message=self._clean(told.message))
        except BaseException as error:
            # a mistake of ours: whoever waits must not wait for ever
            self._settle(sent, Told(SubmissionState.UNKNOWN, f"lost sight: {type(error).__name__}"))
            raise
        else:
            told = replace(told, message=self._clean(told.message))
        finally:
            self._places.release()
        self._settle(sent, told)

    def _settle(self, sent: SubmissionShown, told: Told) -> None:
        with self._lock:
            if sent.id in self._kept:
                update = {"state": told.state, "message": told.message, "block": told.block}
                self._kept[sent.id] = sent.model_copy(update=update)

    def _forget(self) -> None:
        """Those that are settled first: at most `MOST_WAITING` are not."""
        while len(self._kept) > MOST_KEPT:
            oldest = next(
                name
                for name, each in self._kept.items()
                if each.state is not SubmissionState.WAITING
            )
            del self._kept[oldest]


def told_of(done: Approval) -> Told:
    """Of an approval that is final."""
    block = done.inclusion.block.number
    if not done.executed:
        return Told(SubmissionState.APPROVED, f"{done}.", block)
    state = SubmissionState.EXECUTED if done.error is None else SubmissionState.FAILED_INSIDE
    return Told(state, f"{done}.", block)


def told_of_error(error: IbpError) -> Told:
    """Of one that failed, or of which nothing is known."""
    lost = isinstance(error, (SourceError, DecodeError))
    return Told(SubmissionState.UNKNOWN if lost else SubmissionState.FAILED, f"{error}.")
