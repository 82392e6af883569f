"""Multipart bodies, as somebody means harm with them: what they cost before they are refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from silvertalk.errors import RequestInvalid
from silvertalk.media.multipart import MAX_PART_HEADERS, MAX_PARTS, SLICE_BYTES, Event, Part, Piece, read_multipart

TYPE = "multipart/form-data; boundary=x"
HEAD = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'


async def parsed(body: bytes) -> list[Event]:
    """All of it in one chunk, as the API has it in memory."""

    async def whole() -> AsyncIterator[bytes]:
        yield body

    return [event async for event in read_multipart(TYPE, whole())]


async def test_others_have_their_turn_while_a_large_body_is_parsed() -> None:
    slices = 8
    turns = 0

    async def somebody_else() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(somebody_else())
    data = bytes(slices * SLICE_BYTES)
    events = await parsed(HEAD + data + b"\r\n--x--\r\n")
    other.cancel()
    assert turns >= slices
    assert b"".join(event.data for event in events if isinstance(event, Piece)) == data


@pytest.mark.parametrize("fill", [b"\r", b"\r\n-", b"\r\n--"])
async def test_what_almost_ends_a_part_comes_in_large_pieces(fill: bytes) -> None:
    """Each piece costs whoever writes it down a thread's turn."""
    data = fill * (2 * SLICE_BYTES // len(fill))
    pieces = [event.data for event in await parsed(HEAD + data + b"\r\n--x--\r\n") if isinstance(event, Piece)]
    assert b"".join(pieces) == data
    assert len(pieces) <= 3


async def test_only_so_many_parts_are_taken_and_the_next_not_even_begun() -> None:
    part = HEAD + b"1\r\n"
    assert sum(isinstance(event, Part) for event in await parsed(part * MAX_PARTS + b"--x--")) == MAX_PARTS
    with pytest.raises(RequestInvalid):
        await parsed(part * MAX_PARTS + b"--x\r\nC")


async def test_only_so_many_headers_are_taken_whatever_they_are_called() -> None:
    named = b"Content-Disposition: form-data; name=a\r\n"
    for more, taken in ((MAX_PART_HEADERS - 1, True), (MAX_PART_HEADERS, False)):
        body = b"--x\r\n" + named + b"A: b\r\n" * more + b"\r\n1\r\n--x--"
        if taken:
            assert isinstance((await parsed(body))[0], Part)
        else:
            with pytest.raises(RequestInvalid):
                await parsed(body)
