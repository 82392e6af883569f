"""Whether a file is an MP4, by its own bytes: boxes from its first byte to its last, and in them a film (ISO 14496-12).

Nothing is decoded. A file that only begins like one, or has something else behind it, is none.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

MP4_TYPE = "video/mp4"
MAX_BOXES = 4_096
"""At the top of a file there are a handful; a film in fragments has two for each of them."""
_BRANDS = frozenset({b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1", b"M4V ", b"dash", b"MSNV"})
_KNOWN = frozenset(
    {
        b"ftyp",
        b"moov",
        b"mdat",
        b"free",
        b"skip",
        b"udta",
        b"uuid",
        b"meta",
        b"moof",
        b"mfra",
        b"sidx",
        b"styp",
        b"emsg",
    }
)


def is_mp4(path: Path) -> bool:
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        at, seen = 0, set[bytes]()
        for _ in range(MAX_BOXES):
            if at == size:
                return {b"ftyp", b"moov", b"mdat"} <= seen
            file.seek(at)
            head = file.read(16)
            if len(head) < 8:
                return False
            length, kind = struct.unpack_from(">I4s", head)
            begins = 8
            if length == 1 and len(head) == 16:
                (length,) = struct.unpack_from(">Q", head, 8)
                begins = 16
            elif length == 0:
                length = size - at
            if kind not in _KNOWN or length < begins or at + length > size:
                return False
            if at == 0 and (kind != b"ftyp" or head[8:12] not in _BRANDS):
                return False
            seen.add(kind)
            at += length
    return False
