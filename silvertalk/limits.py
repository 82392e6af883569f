"""How often one address may ask: a token bucket for each, in this process.

It is what stays of the limit on logins while Redis, where all gateways count together, is away.
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable

from silvertalk.errors import RateLimited

MAX_ADDRESSES = 10_000


class AddressLimit:
    """`per_minute` requests a minute from one address, as many at once; `clock` counts seconds."""

    def __init__(self, per_minute: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = float(per_minute)
        self._per_second = per_minute / 60
        self._clock = clock
        # At the bound the address that has been quiet longest is forgotten, which fills its bucket: whoever commands
        # ten thousand addresses is not held back by a limit on each.
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, address: str) -> None:
        """Count one request; raises RateLimited with the seconds until the next may come."""
        name, now = network_of(address), self._clock()
        left, since = self._buckets.pop(name, (self._size, now))
        left = min(self._size, left + (now - since) * self._per_second)
        allowed = left >= 1
        self._buckets[name] = (left - 1 if allowed else left, now)
        if len(self._buckets) > MAX_ADDRESSES:
            self._buckets.popitem(last=False)
        if not allowed:
            raise RateLimited(retry_after_seconds=math.ceil((1 - left) / self._per_second))


def network_of(address: str) -> str:
    """The part of an address that one household holds: all of IPv4, the first 64 bits of IPv6."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return str(ip.ipv4_mapped)
        return str(ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)
