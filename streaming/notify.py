"""Telling whoever started this process how far it is: systemd's protocol, which `silvertalk up` speaks too.

https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html
"""

from __future__ import annotations

import os
import socket


def ready() -> None:
    """Send READY=1 to `NOTIFY_SOCKET`; nothing happens where nobody asked."""
    _send(b"READY=1")


def status(text: str) -> None:
    """Send STATUS=…: one line about what is being done, for people. `systemctl status` shows it."""
    _send(b"STATUS=" + text.encode())


def stopping() -> None:
    """Send STOPPING=1: a drain has begun."""
    _send(b"STOPPING=1")


def _send(message: bytes) -> None:
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        try:
            sender.sendto(message, address)
        except OSError:
            pass  # nobody listens any more, and being ready does not depend on it
