"""How many endpoints one process probes in how many seconds, against local servers with TLS.

    python -m scripts.bench_probes [--endpoints 2000] [--seconds-apart 0] [--at-once 24]

The servers are a process of their own, on the same machine: with two cores one is theirs. Half of
the endpoints are WSS, half HTTPS; 40 belong to each member, at an address in 127.0.0.0/8. It
asserts no time; what was not ok is told.
"""

import argparse
import asyncio
import multiprocessing
import resource
import ssl
import time
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory

from oracles.layout import SLOT_SECONDS
from oracles.probes.outcomes import Failed, Ok, Result, Slow, Unknown
from oracles.probes.pool import Pace, probe_all
from oracles.probes.slots import Freshness, settle
from oracles.probes.targets import Scheme, Target
from oracles.probes.timing import LoopWatch
from oracles.probes.wire import Limits, Tools
from tests.support.probed import NOW, SLOW_AT, Authority, Node, http_node, target, ws_node

_OF_A_MEMBER = 40
_SERVER_SECONDS = 0.02
"""A server that answered at once would flatter the rate: nothing would ever wait."""


def serve(pipe: Connection, ca: Path) -> None:
    """Both servers, until the other end of `pipe` says something."""
    authority = Authority()
    authority.ca.cert_pem.write_to_path(ca)

    async def run() -> None:
        tls = authority.server()
        node = Node(delay=_SERVER_SECONDS, delayed=frozenset({"chain_getHeader"}))
        async with (
            ws_node(node, address="0.0.0.0", tls=tls) as ws,  # noqa: S104 - all of 127.0.0.0/8
            http_node(node, address="0.0.0.0", tls=tls) as http,  # noqa: S104 - as above
        ):
            pipe.send((ws, http))
            await asyncio.to_thread(pipe.recv)

    asyncio.run(run())


def targets_of(count: int, ws: int, http: int) -> list[Target]:
    """`count` endpoints of many members; the services of two members are the same ones."""
    found = []
    for position in range(count):
        member, service = divmod(position, _OF_A_MEMBER)
        scheme = Scheme.HTTPS if service % 2 else Scheme.WSS
        found.append(
            target(
                http if service % 2 else ws,
                scheme,
                member=f"member-{member}",
                service=f"service-{service}",
                address=f"127.{1 + member // 250}.0.{1 + member % 250}",
            )
        )
    return found


async def poll(targets: list[Target], tls: ssl.SSLContext, pace: Pace) -> tuple[Result, ...]:
    async with LoopWatch(time.perf_counter_ns) as watch:
        tools = Tools(time.perf_counter_ns, watch, tls, SLOW_AT, NOW, Limits())
        return await probe_all(targets, tools, pace)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--endpoints", type=int, default=2_000)
    parser.add_argument("--at-once", type=int, default=24)
    parser.add_argument("--seconds-apart", type=float, default=0.0, help="spread of the starts")
    chosen = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    with TemporaryDirectory() as folder:
        ca = Path(folder) / "ca.pem"
        server = context.Process(target=serve, args=(theirs, ca), daemon=True)
        server.start()
        try:
            ws, http = ours.recv()
            tls = ssl.create_default_context(cafile=ca)
            targets = targets_of(chosen.endpoints, ws, http)
            pace = Pace(chosen.at_once, 4, chosen.seconds_apart, float(SLOT_SECONDS))
            start, cpu = time.perf_counter(), time.process_time()
            results = asyncio.run(poll(targets, tls, pace))
            took, cpu = time.perf_counter() - start, time.process_time() - cpu
        finally:
            ours.send("done")
            server.join(10)
    tell(results, took, cpu)


def tell(results: tuple[Result, ...], took: float, cpu: float) -> None:
    count = len(results)
    settled = settle(results, Freshness())
    statuses = Counter(result.outcome.status.name.lower() for result in settled)
    others = Counter(
        result.outcome.reason if isinstance(result.outcome, Failed) else result.outcome.doubt
        for result in settled
        if isinstance(result.outcome, Failed | Unknown)
    )
    print(f"{count} endpoints in {took:.1f} s: {count / took:.1f} a second, all in one process")
    print(f"  of a slot of {SLOT_SECONDS} s: {100 * took / SLOT_SECONDS:.1f} %")
    print(f"  CPU of the prober: {cpu:.1f} s, {1e3 * cpu / count:.1f} ms an endpoint")
    print(f"  memory at most: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")
    print(f"  outcomes: {dict(statuses)} {dict(others)}")
    times = [r.outcome.response_time for r in results if isinstance(r.outcome, Ok | Slow)]
    if len(times) > 1:
        p95 = quantiles(times, n=20)[-1]
        print(
            f"  response time, of {1e3 * _SERVER_SECONDS:g} ms that the servers wait: "
            f"median {median(times) / 1e3:.1f} ms, p95 {p95 / 1e3:.1f} ms"
        )


if __name__ == "__main__":
    main()
