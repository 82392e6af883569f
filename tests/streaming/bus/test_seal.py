"""What crosses a network is sealed, and bound to its place."""

from __future__ import annotations

import base64
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming.bus import Bus, names
from streaming.bus.seal import Sealer
from streaming.errors import BusError, MessageError
from tests.streaming.bus.parts import QUICK, Receiver, a_session, batch, claim, open_turn, until
from tests.valkey import Valkey

KEY = base64.b64encode(bytes(range(32))).decode()
SEALER = Sealer(bytes(range(32)))


@settings(deadline=None)
@given(st.binary(max_size=2_000))
def test_unsealing_is_the_inverse(data: bytes) -> None:
    sealed = SEALER.seal("stream", "1-2", data)
    assert SEALER.unseal("stream", "1-2", sealed) == data
    assert Sealer(bytes(range(32))).unseal("stream", "1-2", sealed) == data
    assert len(sealed) == len(data) + 29


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_what_was_not_sealed_does_not_open(data: bytes) -> None:
    with pytest.raises(MessageError):
        SEALER.unseal("stream", "1-2", data)


@settings(deadline=None)
@given(st.data())
def test_a_flipped_bit_does_not_open(data: st.DataObject) -> None:
    sealed = bytearray(SEALER.seal("stream", "1-2", b"speech"))
    at = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[at // 8] ^= 1 << at % 8
    with pytest.raises(MessageError):
        SEALER.unseal("stream", "1-2", bytes(sealed))


@pytest.mark.parametrize(("stream", "entry_id"), [("other", "1-2"), ("stream", "1-3"), ("strea", "m1-2")])
def test_a_moved_message_does_not_open(stream: str, entry_id: str) -> None:
    sealed = SEALER.seal("stream", "1-2", b"speech")
    with pytest.raises(MessageError):
        SEALER.unseal(stream, entry_id, sealed)


def test_another_key_does_not_open() -> None:
    with pytest.raises(MessageError):
        Sealer(os.urandom(32)).unseal("stream", "1-2", SEALER.seal("stream", "1-2", b"speech"))


def test_without_a_key_nothing_is_sealed() -> None:
    assert Sealer(None).seal("stream", "1-2", b"speech") == b"speech"
    assert Sealer(None).unseal("stream", "1-2", b"speech") == b"speech"


@pytest.mark.parametrize("text", ["secretish", base64.b64encode(b"sixteen bytes...").decode(), "é" * 44, KEY + "!"])
def test_a_key_that_is_none_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(BusError, match="BUS_KEY") as caught:
        Sealer.from_base64(text)
    assert text not in str(caught.value)
    assert caught.value.__cause__ is None


async def test_redis_never_sees_speech(valkey: Valkey) -> None:
    async with (
        Bus.open([valkey.url], name="gateway", key=KEY, limits=QUICK) as gateway,
        Bus.open([valkey.url], name="node", key=KEY, limits=QUICK) as node,
    ):
        session, receiver, up = a_session(), Receiver(), Receiver()
        turn = await open_turn(gateway, receiver, session)
        turn.up.append_soon(batch(1))
        claimed = await claim(node)
        claimed.follow(up.deliver)
        await claimed.down.append(batch(2))
        await gateway.put_once("ticket:1", b"who it is", 30)
        await until(lambda: len(up.entries) == 2 and len(receiver.entries) == 2)
        assert up.messages[1] == batch(1) and receiver.messages[1] == batch(2)
        strings = [valkey.client.get(key) for key in valkey.client.keys("*once*")]
        streams = [valkey.entries(key.decode()) for key in valkey.client.scan_iter(_type="stream")]
        seen = repr((strings, streams)).encode()
        assert len(strings) == 1 and len(streams) >= 3
        for secret in (b"who it is", b"AudioBatch", b"TurnOpened", b"Claimed", b"Offer", b"\\x01\\x01\\x01\\x01"):
            assert secret not in seen
        assert await gateway.take_once("ticket:1") == b"who it is"


async def test_what_a_stranger_wrote_ends_the_following(valkey: Valkey) -> None:
    async with Bus.open([valkey.url], name="gateway", key=KEY, limits=QUICK) as gateway:
        receiver = Receiver()
        turn = await open_turn(gateway, receiver, a_session())
        valkey.client.xadd(turn.down_key, {"stranger": b"\x01not sealed by us"}, id="1-1")
        await until(lambda: receiver.losses)
        assert [type(loss) for loss in receiver.losses] == [MessageError]
        assert receiver.entries == []


async def test_a_repeated_offer_is_no_turn_of_ours(valkey: Valkey) -> None:
    """Offers are sealed too: whoever can write to Redis cannot make one."""
    async with Bus.open([valkey.url], name="node", key=KEY, limits=QUICK) as node:
        async with Bus.open([valkey.url], name="stranger", limits=QUICK) as stranger:
            await open_turn(stranger, Receiver(), a_session())
        async with Bus.open([valkey.url], name="gateway", key=KEY, limits=QUICK) as gateway:
            ours = await open_turn(gateway, Receiver(), a_session())
            assert (await claim(node)).offer_id == ours.offer_id
            assert valkey.length(names.OFFERS) == 1
