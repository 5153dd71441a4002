"""Many polls at once: bounded, in time, cancellable, without a socket left behind."""

import asyncio
import gc
import os
import resource
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from oracles.probes.outcomes import Doubt, Failed, Ok, Reason, Result, Slow, Unknown
from oracles.probes.pool import Pace, _together, probe_all
from oracles.probes.slots import Freshness, settle
from oracles.probes.targets import Kind, Scheme, Target
from oracles.probes.wire import Limits
from tests.support.ports import reserved_port
from tests.support.probed import (
    NEVER_LATE,
    Node,
    http_node,
    poll,
    target,
    tcp,
    tools,
    ws_node,
)

SILENT = Limits(seconds=300.0)


def open_files() -> set[str]:
    """By what they are: another's that is closed meanwhile makes room for none of ours."""
    found = set()
    for handle in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            found.add(str(handle.readlink()))
    return found


async def until_closed(before: set[str]) -> None:
    """Waits until no file is open that was not `before`."""
    ends = time.monotonic() + 60
    while left := open_files() - before:
        assert time.monotonic() < ends, left
        await asyncio.sleep(0.01)


async def no_answer(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    while await reader.read(1 << 16):
        pass


def test_results_come_in_the_order_of_the_targets() -> None:
    async def run() -> tuple[Result, ...]:
        async with ws_node(Node()) as ws, http_node(Node()) as http, tools() as given:
            targets = [
                target(ws, Scheme.WS, member=f"member-{i}")
                if i % 2
                else target(http, Scheme.HTTP, member=f"member-{i}")
                for i in range(20)
            ]
            told: list[int] = []
            results = await probe_all(targets, given, Pace(per_host=20), done=told.append)
            assert told == list(range(1, 21))
            assert [result.target for result in results] == targets
            return results

    assert all(isinstance(result.outcome, Ok | Slow | Unknown) for result in asyncio.run(run()))


def test_no_more_than_allowed_run_at_once_in_all_and_to_one_host() -> None:
    running = {"127.0.0.1": 0, "127.0.0.2": 0}
    most = {"all": 0, "host": 0}
    all_there = asyncio.Event()

    class Counting(Node):
        def __init__(self, address: str) -> None:
            super().__init__()
            self.address = address

        async def reply(self, raw: bytes | str) -> str:
            running[self.address] += 1
            most["all"] = max(most["all"], sum(running.values()))
            most["host"] = max(most["host"], *running.values())
            if most == {"all": 5, "host": 3}:
                all_there.set()
            await asyncio.wait_for(all_there.wait(), 60)
            await asyncio.sleep(0.01)
            running[self.address] -= 1
            return await super().reply(raw)

    async def run() -> None:
        first, second = Counting("127.0.0.1"), Counting("127.0.0.2")
        async with (
            ws_node(first, address=first.address) as one,
            ws_node(second, address=second.address) as other,
            tools() as given,
        ):
            targets = [target(one, address=first.address) for _ in range(10)]
            targets += [target(other, address=second.address) for _ in range(10)]
            await probe_all(targets, given, Pace(at_once=5, per_host=3))

    asyncio.run(run())
    assert most == {"all": 5, "host": 3}


def test_the_starts_are_spread() -> None:
    """None is early; that one is late may be this machine's doing, so of some rounds one counts."""

    class Noting(Node):
        async def reply(self, raw: bytes | str) -> str:
            if "chain_getBlockHash" in str(raw):
                starts.append(asyncio.get_running_loop().time())
            return await super().reply(raw)

    async def run() -> None:
        loop, pace = asyncio.get_running_loop(), Pace(per_host=5, spread_seconds=0.5)
        async with ws_node(Noting()) as port, tools() as given:
            ends = loop.time() + 60
            while True:
                starts.clear()
                begun = loop.time()
                await probe_all([target(port) for _ in range(5)], given, pace)
                after = [start - begun for start in starts]
                assert len(after) == 5
                assert all(at >= 0.0999 * turn for turn, at in enumerate(after)), after
                if after[0] <= 0.1 and after[-1] <= 0.6:
                    return
                assert loop.time() < ends, after

    starts: list[float] = []
    asyncio.run(run())


def test_the_members_of_a_service_start_together() -> None:
    """Whatever order they are listed in: their heads are compared."""
    targets = [target(1, member=m, service=s) for m in "abc" for s in ("x", "y", "z")]
    started = [targets[position] for position in _together(targets)]
    assert [one.service for one in started] == ["x"] * 3 + ["y"] * 3 + ["z"] * 3
    assert [one.member for one in started[:3]] == ["a", "b", "c"]


def test_what_the_slot_has_no_time_for_is_unknown() -> None:
    async def run() -> tuple[Result, ...]:
        async with tcp(no_answer) as port, tools(limits=SILENT) as given:
            targets = [target(port) for _ in range(3)]
            start = time.perf_counter()
            results = await probe_all(targets, given, Pace(per_host=2, deadline_seconds=0.3))
            assert time.perf_counter() - start < 60  # of the five minutes that each of them has
            return results

    doubts = [
        result.outcome.doubt for result in asyncio.run(run()) if isinstance(result.outcome, Unknown)
    ]
    assert doubts == [Doubt.CUT_SHORT, Doubt.CUT_SHORT, Doubt.NOT_POLLED]


@pytest.mark.parametrize("scheme", [Scheme.WS, Scheme.WSS, Scheme.HTTP, Scheme.HTTPS, Scheme.TCP])
def test_a_cancelled_poll_leaves_no_socket(scheme: Scheme) -> None:
    heard, left = asyncio.Event(), asyncio.Event()

    async def watched(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        heard.set()
        await no_answer(reader, writer)
        left.set()

    async def run() -> None:
        kind = Kind.BOOT if scheme is Scheme.TCP else Kind.RPC
        async with tcp(watched) as port, tools(limits=SILENT) as given:
            before = open_files()
            polling = asyncio.create_task(probe_all([target(port, scheme, kind)], given, Pace()))
            await asyncio.wait_for(heard.wait(), 60)
            assert open_files() - before
            polling.cancel()
            with pytest.raises(asyncio.CancelledError):
                await polling
            await asyncio.wait_for(left.wait(), 60)
            await until_closed(before)

    asyncio.run(run())


@pytest.mark.parametrize("scheme", [Scheme.WS, Scheme.HTTP])
def test_polls_leave_no_socket(scheme: Scheme) -> None:
    async def run() -> None:
        serving = ws_node(Node()) if scheme.web_socket else http_node(Node())
        async with serving as port, tools() as given:
            before = open_files()
            await probe_all([target(port, scheme) for _ in range(10)], given, Pace())
            await until_closed(before)

    asyncio.run(run())


@contextmanager
def no_more_files() -> Iterator[None]:
    """Every further socket fails with EMFILE."""
    gc.collect()  # what is closed later than this would make room
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken: list[int] = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(open_files()) + 16, hard))
    try:
        try:
            while True:
                taken.append(os.dup(0))
        except OSError:
            pass  # that was the last
        yield
    finally:
        for one in taken:
            os.close(one)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("scheme", [Scheme.WS, Scheme.HTTP])
def test_our_own_lack_of_sockets_is_unknown(scheme: Scheme) -> None:
    async def run() -> Result:
        async with tools() as given:
            with no_more_files():
                return (await probe_all([target(9, scheme)], given, Pace()))[0]

    outcome = asyncio.run(run()).outcome
    assert isinstance(outcome, Unknown)
    assert outcome.doubt is Doubt.LOCAL


@pytest.mark.parametrize("scheme", [Scheme.WS, Scheme.HTTPS])
def test_no_route_is_unknown(scheme: Scheme) -> None:
    """Linux answers ENETUNREACH to a TCP connection to a multicast address."""
    outcome = asyncio.run(poll(target(80, scheme, address="224.0.0.1"))).outcome
    assert isinstance(outcome, Unknown)
    assert outcome.doubt is Doubt.NO_ROUTE


def test_silence_counts_only_where_the_network_reaches_somebody() -> None:
    async def results_of(targets: Sequence[Target]) -> tuple[Result, ...]:
        async with tools(watched=NEVER_LATE) as given:
            results = await probe_all(targets, given, Pace())
        return settle(results, Freshness(least_members=1))

    async def run(closed: int, also_closed: int) -> None:
        dead = [target(closed, member="dead"), target(1, address="::1", member="dead")]
        # nothing answers over either family
        for result in await results_of([*dead, target(also_closed)]):
            assert isinstance(result.outcome, Unknown)
            assert result.outcome.doubt is Doubt.OWN_NETWORK
        async with ws_node(Node()) as port:
            one, six, other = await results_of([*dead, target(port)])
        assert isinstance(one.outcome, Failed)
        assert one.outcome.reason is Reason.REFUSED
        assert isinstance(six.outcome, Unknown)
        assert isinstance(other.outcome, Ok | Slow), other

    with reserved_port() as first, reserved_port() as second:
        asyncio.run(run(first, second))


def test_a_process_that_is_busy_itself_blames_nobody() -> None:
    """The loop is blocked just when the answer is there: the time is not the member's."""

    class Blocking(Node):
        async def reply(self, raw: bytes | str) -> str:
            told = await super().reply(raw)
            if "chain_getHeader" in str(raw):
                # sent at once, and read when this is over
                asyncio.get_running_loop().call_soon(time.sleep, 0.3)
            return told

    async def run() -> None:
        async with ws_node(Blocking()) as port, tools() as given:
            result = (await probe_all([target(port)], given, Pace()))[0]
        assert isinstance(result.outcome, Unknown), result
        assert result.outcome.doubt is Doubt.OWN_LOOP
        assert result.facts.own_lag_us is not None
        assert result.facts.own_lag_us > 100_000

    asyncio.run(run())


def test_a_late_answer_in_a_process_that_stood_still_is_unknown() -> None:
    heard = asyncio.Event()

    async def hears(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        heard.set()
        await no_answer(reader, writer)

    async def run() -> Result:
        async with tcp(hears) as port, tools(limits=Limits(seconds=2.0)) as given:
            polling = asyncio.create_task(probe_all([target(port)], given, Pace()))
            await asyncio.wait_for(heard.wait(), 60)
            time.sleep(2.1)  # noqa: ASYNC251 - what is tested
            return (await polling)[0]

    outcome = asyncio.run(run()).outcome
    assert isinstance(outcome, Unknown)
    assert outcome.doubt is Doubt.OWN_LOOP
