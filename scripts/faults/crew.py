"""Two worker processes that backfills share, begun when the first one needs them."""

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from ledger.backfill_dask import local_cluster


class Crew:
    """A Dask cluster on loopback; a worker that is killed is started again."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._stack = folder, ExitStack()
        self._client: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def options(self) -> tuple[object, ...]:
        """How `ibp ledger backfill` reaches it."""
        client = self._running()
        made = client.security.get_tls_config_for_role("client")
        given: list[object] = ["--scheduler", client.cluster.scheduler.address]
        for option, name in (("ca", "ca_file"), ("cert", "cert"), ("key", "key")):
            path = self._folder / f"{option}.pem"
            path.write_text(made[name])
            given += [f"--tls-{option}", path]
        return tuple(given)

    def pids(self) -> list[int]:
        """Of the workers. Waits until both are there."""
        client = self._running()
        client.wait_for_workers(2, timeout=60)
        return list(client.run(os.getpid).values())

    def _running(self) -> Any:
        if self._client is None:
            self._client = self._stack.enter_context(local_cluster(2))
        return self._client
