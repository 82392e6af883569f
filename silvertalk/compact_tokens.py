"""The outer shape of a signed token (JWS, RFC 7515), read in the one way in which it can be written.

python-jose takes junk after a signature, several spellings of the same bytes and a JSON key that stands twice; two
readers of such a token may believe two different things. Whatever raises `Malformed` here never reaches it.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Any

_SEGMENT = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


class Malformed(ValueError):
    """No token that anybody honest writes; the text says why and never holds the token."""


def parts_of(token: str, max_characters: int) -> tuple[str, str, str]:
    """Header, payload and signature as they stand in the token."""
    if not isinstance(token, str) or len(token) > max_characters:
        raise Malformed("not a token's size")
    segments = token.split(".")
    if len(segments) != 3:
        raise Malformed("not three parts")
    return segments[0], segments[1], segments[2]


def bytes_of(segment: str) -> bytes:
    """What a part encodes; the same bytes encoded again are the same part."""
    if not _SEGMENT.fullmatch(segment):
        raise Malformed("not base64url")
    try:
        data = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    except binascii.Error:
        raise Malformed("not base64url") from None
    if base64.urlsafe_b64encode(data).rstrip(b"=").decode() != segment:
        raise Malformed("not canonical base64url")
    return data


def object_of(data: bytes) -> dict[str, Any]:
    """The JSON object in these bytes, with no key twice and no number that is none."""
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_number)
    except Malformed:
        raise
    except (ValueError, RecursionError):
        raise Malformed("not JSON") from None
    if not isinstance(value, dict):
        raise Malformed("not a JSON object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise Malformed("a key stands twice")
    return value


def _no_number(name: str) -> Any:
    raise Malformed("not a number")
