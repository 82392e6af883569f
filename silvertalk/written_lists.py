"""What a language model wrote where a list of JSON objects was asked for: the objects that are whole.

Models put words before a list, fences around it, and stop in the middle of one where they may write no more. Whatever
is not an object of the shape asked for is left out; nothing here raises.
"""

from __future__ import annotations

import json
from typing import TypeVar

import msgspec

MAX_TRIED = 200
"""Braces at which an object may begin: of what a model may write, a list that was asked for has some twenty."""

Shape = TypeVar("Shape")


def objects_in(text: str, shape: type[Shape]) -> list[Shape]:
    """The objects of this shape (a msgspec struct) in the text, in their order; also within others."""
    found: list[Shape] = []
    decoder = json.JSONDecoder()
    at = text.find("{")
    for _ in range(MAX_TRIED):
        if at < 0:
            break
        end = at + 1
        try:
            value, whole = decoder.raw_decode(text, at)
            found.append(msgspec.convert(value, shape, strict=False))
            end = whole
        except (ValueError, RecursionError, msgspec.MsgspecError):
            pass
        at = text.find("{", end)
    return found
