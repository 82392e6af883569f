"""What is an MP4 and what only begins like one."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from silvertalk.media.mp4 import MAX_BOXES, is_mp4
from silvertalk.standins.replicate_outputs import bare_film, film, picture

GOOD = bare_film()


def box(kind: bytes, content: bytes = b"") -> bytes:
    return struct.pack(">I4s", len(content) + 8, kind) + content


FTYP, MOOV, MDAT = box(b"ftyp", b"isom\0\0\0\0"), box(b"moov"), box(b"mdat", bytes(9))


def says(tmp_path: Path, data: bytes) -> bool:
    path = tmp_path / "film"
    path.write_bytes(data)
    return is_mp4(path)


async def test_a_real_film(tmp_path: Path) -> None:
    pytest.importorskip("imageio_ffmpeg", reason="films are encoded by the extra `film`")
    made = await film(picture("a", 0, "9:16", "png"), "9:16")
    assert says(tmp_path, made)
    assert not says(tmp_path, made[:-1])


@pytest.mark.parametrize(
    "data",
    [
        GOOD,
        FTYP + MOOV + MDAT,
        FTYP + box(b"free") + MDAT + MOOV,
        FTYP + MOOV + struct.pack(">I4sQ", 1, b"mdat", 20) + bytes(4),
        FTYP + MOOV + struct.pack(">I4s", 0, b"mdat") + bytes(100),
    ],
)
def test_what_is_one(tmp_path: Path, data: bytes) -> None:
    assert says(tmp_path, data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\0",
        FTYP,
        FTYP + MOOV,
        MOOV + MDAT,
        MOOV + FTYP + MDAT,
        box(b"ftyp", b"heic\0\0\0\0") + MOOV + MDAT,
        FTYP + MOOV + MDAT + b"<html>",
        FTYP + MOOV + MDAT + b"<",
        FTYP + MOOV + box(b"evil") + MDAT,
        FTYP + MOOV + struct.pack(">I4s", 4, b"mdat"),
        FTYP + MOOV + struct.pack(">I4s", 2**31, b"mdat"),
        FTYP + MOOV + struct.pack(">I4sQ", 1, b"mdat", 2**63) + bytes(4),
        FTYP + MOOV + struct.pack(">I4sQ", 1, b"mdat", 3) + bytes(4),
        FTYP + MOOV + struct.pack(">I4s", 1, b"mdat"),
        FTYP + box(b"free") * MAX_BOXES + MOOV + MDAT,
        b"<!doctype html>" + GOOD,
        b"\x89PNG\r\n\x1a\n" + bytes(100),
    ],
)
def test_what_is_none(tmp_path: Path, data: bytes) -> None:
    assert not says(tmp_path, data)
