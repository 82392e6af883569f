"""The port that a gateway listens on: taken before anything else is begun, and refused in one sentence."""

from __future__ import annotations

import errno
import os
import socket
from typing import NamedTuple

from silvertalk.errors import ConfigurationError


class Trouble(NamedTuple):
    """What is wrong with a port, and the mend."""

    said: str
    mend: str


def bind(host: str, port: int) -> list[socket.socket]:
    """Sockets bound to every address that HOST means, as asyncio's own server would; they do not listen yet. Raises
    OSError."""
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    bound: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in dict.fromkeys(found):
            try:
                bound.append(one := socket.socket(family, kind, protocol))
            except OSError:  # an address of a family that this machine does not speak
                continue
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            one.bind(address)
    except OSError:
        for one in bound:
            one.close()
        raise
    if not bound:
        raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
    return bound


def trouble_of(error: OSError, host: str, port: int) -> Trouble:
    """Why nobody can listen there."""
    where = f"{host}:{port}"
    match error.errno:
        case errno.EADDRINUSE:
            return Trouble(f"{where} is in use by another program.", "Stop it, or choose another: PORT=8001.")
        case errno.EACCES:
            return Trouble(f"This user may not listen on {where}.", "Choose a PORT from 1024 on.")
    return Trouble(f"This machine cannot listen on {host}: {error.strerror or error}.", "Set HOST=127.0.0.1.")


def refusal(error: OSError, host: str, port: int) -> ConfigurationError:
    """The same, for a process that cannot start."""
    said, mend = trouble_of(error, host, port)
    return ConfigurationError(f"포트를 열 수 없어요: {said} {mend}")


def bound(host: str, port: int) -> list[socket.socket]:
    """`bind`; raises ConfigurationError."""
    try:
        return bind(host, port)
    except OSError as error:
        raise refusal(error, host, port) from None
