"""The product as `make demo` starts it, for as long as the story lasts: `silvertalk up` in a folder of its own."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.processes import started

UP_SECONDS = 180.0
"""The models warm up, on a machine that may have other things to do."""
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+(?=/demo)")


class NotUp(Exception):
    """The product did not come up; what it said."""


@asynccontextmanager
async def product(folder: Path) -> AsyncIterator[str]:
    """The whole product with its data in `folder`, on a free port; yields its address once its models are warm. Keys
    and other settings of the environment hold, as for `make demo`."""
    settings = os.environ | {"PORT": "0", "DATA_DIR": str(folder), "LOG_LEVEL": "warning"}
    async with started("silvertalk", "up", **settings) as up:
        try:
            address = _ADDRESS.search(await up.printed("/demo", UP_SECONDS))  # told once it listens
        except (AssertionError, TimeoutError):
            raise NotUp("\n".join(up.lines[-20:]) or "it said nothing") from None
        assert address is not None
        yield address.group()
