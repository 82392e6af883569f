"""Ports for servers that are told theirs before they listen. Who can listen on port 0 needs none of this."""

from __future__ import annotations

import os
import random
import socket

FIRST = 20_000
"""Below the ports that the system gives to outgoing connections (Linux: from 32768), so that none of these takes it."""
EACH = 1_000
"""To a worker of pytest-xdist: what one of them has chosen, another does not choose."""


def free_port() -> int:
    """A port of the loopback on which nobody listens."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = FIRST + worker * EACH
    for port in random.sample(range(first, first + EACH), EACH):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError(f"no free port from {first} on")
