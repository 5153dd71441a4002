"""Ranges on the workers of a Dask cluster: a bounded number at once, merged in their order.

A worker that dies costs its ranges' time: Dask gives them to another one, `ALLOWED_FAILURES` times.
One that lives and does not get on is found by the time that its peers take: its range is given to
a second worker as well, and the first result counts. What a range is refused for is a value and
not an exception, so that Dask repeats nothing that would come out the same.

Contract: at most `ahead` ranges are submitted and not merged yet. Their facts wait on the workers,
packed; the client has those of one range at a time.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, Queue
from typing import Any, TypeAlias
from uuid import uuid4

import dask
from distributed import Client, Future, KilledWorker, LocalCluster
from distributed.security import Security

from ibp_chain.errors import CheckFailed, InputError
from ledger.backfill import refused
from ledger.backfill_order import InOrder, Patience, Watch
from ledger.backfill_ranges import Gathered, Range, Refusal, Versions, gather_range, versions

Done: TypeAlias = "Future[Gathered | Refusal]"
ALLOWED_FAILURES = 3
"""Workers that may die over one range before it is held to be the cause."""
ATTEMPTS_AT_A_NODE = 3
_HEAR_SECONDS = 0.25
_UNDER_WAY = frozenset({"pending", "lost"})
"""How futures stand that are not done, or not any more."""
_BEGIN_SECONDS = 60.0
"""For the first worker to be there, and for every one to say its version."""
ALONE_SECONDS = 120.0
"""Without any worker before the run is given up."""


class ClusterError(InputError):
    """A cluster is not there, not of this version, or was lost; the ledger is whole."""


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM files by which client, scheduler and workers know each other."""

    ca: Path
    cert: Path
    key: Path

    def security(self) -> Security:
        """Encryption and certificates on both sides are required."""
        return Security(
            tls_ca_file=str(self.ca),
            tls_client_cert=str(self.cert),
            tls_client_key=str(self.key),
            require_encryption=True,
        )


@contextmanager
def local_cluster(workers: int) -> Iterator[Client]:
    """A cluster of `workers` processes of one thread on this machine, for as long as the block.

    It listens on loopback, with certificates made for it alone: whoever may talk to a worker may
    run anything as its user, and a machine has other users.
    """
    settings = {
        "distributed.scheduler.allowed-failures": ALLOWED_FAILURES,
        # a worker in a dead one's place has everything imported already
        "distributed.worker.multiprocessing-method": "forkserver",
        # it asks for all threads' frames, over which CPython 3.11 can freeze: python/cpython#106883
        "distributed.worker.profile.enabled": False,
        "distributed.scheduler.worker-ttl": _FROZEN,
    }
    _silence()
    with (
        dask.config.set(settings),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            protocol="tls://",
            security=Security.temporary(),
            dashboard_address="127.0.0.1:0",  # None would be port 8787, which one may have
            worker_dashboard_address=None,
            silence_logs=_SILENT,
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


_FROZEN = "60s"
"""Without a heartbeat a worker is started anew after this."""
_SILENT = 60
"""Above every level of logging."""


def _silence() -> None:
    """What happens to workers is told in our words; asyncio's are about tasks that Dask forgot."""
    for name in ("distributed", "asyncio"):
        logging.getLogger(name).setLevel(_SILENT)


@contextmanager
def running_cluster(address: str, tls: Tls | None = None) -> Iterator[Client]:
    """A client of the scheduler at `address`. Raises `ClusterError` where there is none."""
    _silence()
    security = None if tls is None else tls.security()
    try:
        client = Client(
            address, security=security, timeout=_BEGIN_SECONDS / 6, set_as_default=False
        )
    except (OSError, TypeError, ValueError) as error:  # TypeError: tls:// without certificates
        raise ClusterError(f"no Dask scheduler answers at {address}: {_first(error)}") from error
    with client:
        yield client


@dataclass
class DaskCrew:
    """`ledger.backfill.Crew`: does ranges on a cluster's workers.

    Raises `ClusterError` where a worker has another version, or none is left, `CheckFailed` for a
    range that workers die of, and what `ledger.backfill.refused` makes of a refusal.
    """

    client: Any
    network_name: str
    patience: Patience = field(default_factory=Patience)
    ahead: int = 0
    """Ranges that are submitted and not merged; 0 for two a thread, and two more."""
    clock: Callable[[], float] = time.monotonic
    again: int = 0
    """Ranges that were submitted more than once, so far."""

    def __call__(self, parts: Iterable[Range]) -> Iterator[Gathered]:
        mine = versions()
        ensure_alike(self.client, mine)
        threads = sum(w["nthreads"] for w in _workers(self.client).values())
        run = _Run(self, iter(parts), mine, self.ahead or 2 * threads + 2)
        try:
            yield from run.results()
        finally:
            run.forget()


class _Run:
    """One backfill: what is under way, and where it stands."""

    def __init__(self, crew: DaskCrew, parts: Iterator[Range], mine: Versions, ahead: int) -> None:
        self._crew, self._parts, self._mine, self._ahead = crew, parts, mine, ahead
        self._client, self._clock = crew.client, crew.clock
        # a result that is still there under a key of before would be taken for this run's
        self._name = f"facts-{uuid4().hex}"
        self._order, self._watch = InOrder[Done](), Watch(crew.patience)
        self._heard: Queue[tuple[int, Done]] = Queue()
        self._lost: list[tuple[int, Done]] = []
        """Done once, and made again by Dask: their workers died with them."""
        self._open: dict[int, Range] = {}
        """Ranges that are submitted and not merged, by place."""
        self._futures: dict[str, tuple[int, Done]] = {}
        """Every one that is not done, by key: one that is let go would be given up by Dask."""
        self._stuck: dict[str, str] = {}
        """Worker by the key of what it holds and does not get on with."""
        self._submitted = 0
        self._more = True
        self._tries: dict[int, int] = {}
        """Of ranges that a node did not answer for."""
        self._alone_since: float | None = None

    def results(self) -> Iterator[Gathered]:
        while self._fill():
            self._hear()
            while (future := self._order.peek()) is not None:
                result = self._fetched(future)
                if result is None:
                    break
                self._order.take()
                self._open.pop(self._order.next - 1)
                self._fill()
                yield result
            self._hurry()

    def forget(self) -> None:
        self._client.cancel([future for _, future in self._futures.values()])

    # --- Submit ---------------------------------------------------------------------------

    def _fill(self) -> bool:
        """Submit up to the bound; whether anything is still to be merged."""
        while self._more and len(self._open) < self._ahead:
            part = next(self._parts, None)
            if part is None:
                self._more = False
                break
            self._open[self._submitted] = part
            self._submit(self._submitted)
            self._submitted += 1
        return bool(self._open)

    def _submit(self, place: int) -> None:
        attempt = self._watch.submitted(place, self._clock())
        self._crew.again += attempt > 1
        future = self._client.submit(
            gather_range,
            self._open[place],
            self._crew.network_name,
            self._mine,
            key=f"{self._name}-{place}-{attempt}",
            workers=self._fit_workers(),
            pure=False,
        )
        self._futures[str(future.key)] = place, future
        future.add_done_callback(lambda done: self._heard.put((place, done)))

    def _fit_workers(self) -> list[str] | None:
        """Those that hold nothing that is late; None for any."""
        if not self._stuck:
            return None
        stuck = set(self._stuck.values())
        return [address for address in _workers(self._client) if address not in stuck] or None

    # --- Hear -----------------------------------------------------------------------------

    def _hear(self) -> None:
        """Take note of what is done, waiting a moment for the first."""
        for each in [each for each in self._lost if each[1].status not in _UNDER_WAY]:
            self._lost.remove(each)
            self._heard.put(each)
        wait = 0.0 if self._order.peek() is not None else _HEAR_SECONDS
        while True:
            try:
                place, future = self._heard.get(timeout=wait) if wait else self._heard.get_nowait()
            except Empty:
                return
            wait = 0.0
            if future.status in _UNDER_WAY:
                self._lost.append((place, future))
                continue
            self._futures.pop(str(future.key), None)
            self._stuck.pop(str(future.key), None)
            if not self._order.has(place):
                self._done(place, future)

    def _done(self, place: int, future: Done) -> None:
        """An error too waits for its turn, so that what is before it is merged."""
        if future.status not in {"finished", "error"}:
            raise ClusterError("the Dask scheduler was lost or restarted: run it again to go on")
        self._order.put(place, future)
        self._watch.finished(place, self._clock())

    def _fetched(self, future: Done) -> Gathered | None:
        """The result whose turn it is; None where it is to be had from another attempt only."""
        place = self._order.next
        if future.status in _UNDER_WAY:
            self._order.drop(place)
            self._watch.submitted(place, self._clock())
            self._futures[str(future.key)] = place, future
            self._lost.append((place, future))
            return None
        if future.status == "error":
            raise _failure(self._open[place], future.exception())
        try:
            result = future.result(timeout=self._crew.patience.floor_seconds)
        except TimeoutError:
            for holder in self._client.who_has([future]).get(future.key, ()):
                self._stuck[str(future.key)] = holder
            if self._watch.attempts(place) >= self._crew.patience.attempts:
                raise ClusterError(
                    f"{self._open[place]}: done {self._watch.attempts(place)} times, and no worker "
                    "hands the result out: look at the cluster, and run it again to go on"
                ) from None
            self._once_more(place)
            return None
        except KilledWorker as error:
            raise _failure(self._open[place], error) from error
        except (CancelledError, OSError) as error:
            raise ClusterError(
                f"the cluster was lost ({_first(error)}): run it again to go on"
            ) from error
        if not isinstance(result, Refusal):
            assert isinstance(result, Gathered)
            return result
        self._tries[place] = self._tries.get(place, 1) + 1
        if result.again and self._tries[place] <= ATTEMPTS_AT_A_NODE:
            self._once_more(place)
            return None
        raise refused(result)

    def _once_more(self, place: int) -> None:
        self._order.drop(place)
        self._submit(place)

    # --- Hurry ----------------------------------------------------------------------------

    def _hurry(self) -> None:
        """Give what is late to a second worker; end where there is none at all."""
        now = self._clock()
        late = self._watch.late(now)
        if late:
            # who holds a late range gets no other until it has done it
            holding = {
                key: address
                for address, keys in self._client.processing().items()
                for key in map(str, keys)
            }
            for key, (place, _) in self._futures.items():
                if place in late and key in holding:
                    self._stuck[key] = holding[key]
        for place in late:
            self._submit(place)
        for place in self._watch.given_up(now):
            raise ClusterError(
                f"{self._open[place]}: {self._watch.attempts(place)} workers were given it, and "
                "none has done it: look at the cluster, and run it again to go on"
            )
        self._ensure_workers(now)

    def _ensure_workers(self, now: float) -> None:
        if not self._open or _workers(self._client):
            self._alone_since = None
        elif self._alone_since is None:
            self._alone_since = now
        elif now - self._alone_since > ALONE_SECONDS:
            raise ClusterError(
                f"the cluster has had no worker for {ALONE_SECONDS:.0f} seconds: start one, and "
                "run it again to go on"
            )


def ensure_alike(client: Any, mine: Versions) -> None:
    """Raises `ClusterError` where there is no worker, or one that is not of this version.

    A worker that does not answer is left to `Patience`, one that has died to Dask; one that comes
    later says it with its first range.
    """
    try:
        client.wait_for_workers(1, timeout=_BEGIN_SECONDS)
    except TimeoutError as error:
        raise ClusterError("the cluster has no workers: start some and try again") from error
    asked = {
        address: client.submit(versions, workers=[address], pure=False)
        for address in _workers(client)
    }
    deadline = time.monotonic() + _BEGIN_SECONDS
    for address, future in asked.items():
        try:
            theirs = _told(client, address, future, deadline)
        except Exception as error:  # whatever a worker without this package answers
            raise ClusterError(
                f"worker {address} cannot run this: {_first(error)}: install {mine} there"
            ) from error
        if theirs is not None and theirs != mine:
            raise ClusterError(
                f"worker {address} has {theirs}, this is {mine}: install the same version on "
                "every machine"
            )


def _told(client: Any, address: str, future: Any, deadline: float) -> Versions | None:
    """What a worker says; None where it does not until `deadline`, or is not there any more."""
    while time.monotonic() < deadline:
        try:
            told: Versions = future.result(timeout=_HEAR_SECONDS)
        except TimeoutError:
            if address not in _workers(client):
                return None
        else:
            return told
    return None


def _workers(client: Any) -> dict[str, Any]:
    workers: dict[str, Any] = client.scheduler_info(n_workers=-1)["workers"]
    return workers


def _failure(part: Range, error: BaseException | None) -> Exception:
    if isinstance(error, KilledWorker):
        return CheckFailed(
            f"{part}: {ALLOWED_FAILURES + 1} workers died over it: have they too little memory?"
        )
    return CheckFailed(f"{part}: a worker failed: {_first(error)}")


def _first(error: BaseException | None) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0]}" if text else type(error).__name__
