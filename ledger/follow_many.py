"""Several chains in one process: a thread for each, which share nothing but the order to stop."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Event, Lock, Thread

from ibp_chain.errors import CheckFailed, IbpError, InputError
from ledger.following import Ears, Followed, follow_chain

_ATTENTION_SECONDS = 0.5


@contextmanager
def staying(leaving: Event, tell: Callable[[CheckFailed], object] | None) -> Iterator[None]:
    """With `tell`, a check that failed is told, and waited with until `leaving` is set.

    Whoever asks `/healthz` and `/metrics` meanwhile hears of it, which nobody would of a process
    that ends in the same moment.
    """
    try:
        yield
    except CheckFailed as error:
        if tell is not None and not leaving.is_set():
            tell(error)
            leaving.wait()
        raise


def follow_all(
    plans: Mapping[str, Followed],
    leaving: Event,
    ears: Mapping[str, Ears],
    tell: Callable[[CheckFailed], object] | None = None,
) -> None:
    """`follow_chain` for each of `plans`, until `leaving` is set or one of them cannot go on.

    With `tell`, a check that failed ends its own chain only: it is told, the others go on, and
    this returns when `leaving` is set.

    All have ended when this returns. Raises the error that ended them, else the first that was
    told; it says the chain's name, `CheckFailed` or `InputError` as it was.
    """
    failed: list[tuple[str, BaseException]] = []
    lock = Lock()

    def run(name: str) -> None:
        told = None if tell is None else lambda error: tell(CheckFailed(f"{name}: {error}"))
        try:
            with staying(leaving, told):
                follow_chain(plans[name], leaving, ears[name])
        except BaseException as error:  # noqa: BLE001 - raised in the thread that waits
            with lock:
                failed.append((name, error))
            leaving.set()

    threads = [Thread(target=run, args=(name,), name=f"follow {name}") for name in plans]
    for thread in threads:
        thread.start()
    try:
        while any(thread.is_alive() for thread in threads) and not leaving.wait(_ATTENTION_SECONDS):
            pass
    finally:
        leaving.set()
        for thread in threads:
            thread.join()
    if failed:
        name, error = failed[0]
        raise _named(name, error) from error


def _named(name: str, error: BaseException) -> BaseException:
    if not isinstance(error, IbpError):
        return error
    kind = CheckFailed if isinstance(error, CheckFailed) else InputError
    return kind(f"{name}: {error}")
