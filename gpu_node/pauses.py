"""The signs at which a speaker pauses, and one tidy way of writing them."""

from __future__ import annotations

import re

SIGNS = "?!….,"
"""The most telling first: of several signs in one place (`?!`, `...,`) it alone is kept."""

_RUN = re.compile(rf"\s*[{SIGNS}][{SIGNS}\s]*")


def tidied(text: str) -> str:
    """Each pause one sign, behind its word and before one space; none before the first word; spaces single."""
    text = re.sub(r"\.{2,}", "…", text)
    text = _RUN.sub(lambda run: next(sign for sign in SIGNS if sign in run[0]) + " ", text)
    text = re.sub(r"\s+", " ", text).strip()
    return text.lstrip(SIGNS + " ").removesuffix(",")
