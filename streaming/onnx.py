"""onnxruntime, kept from talking: on Linux it reports its use to its maker, unless it is told not to before it loads.

Seen in 1.31.1: it keeps an id of the device under the home folder and names a host that collects events. Nothing of a
conversation is in it, but what is said here is nobody else's business, nor that it is said.
"""

from __future__ import annotations

import os


def hush() -> None:
    """Call this before importing onnxruntime; a setting of one's own stays."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
