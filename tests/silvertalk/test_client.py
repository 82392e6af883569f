import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import pytest

from silvertalk.client import Disconnected, Guest, Received, Refused, TalkClient, Unreachable, log_in_as_guest, talk
from streaming import protocol
from streaming.messages import Language
from streaming.protocol import MAX_AUDIO_MESSAGE_BYTES
from tests.silvertalk.fake_gateway import OUTPUT_RATE, FakeGateway, Script

LOUD = (np.sin(np.arange(320) / 5) * 8000).astype("<i2").tobytes()
QUIET = bytes(640)


@asynccontextmanager
async def conversation(
    gateway: FakeGateway, *, push_to_talk: bool = False, language: Language = "ko"
) -> AsyncIterator[TalkClient]:
    async with gateway.serve(), asyncio.timeout(20):
        guest = await log_in_as_guest(gateway.url)
        async with talk(gateway.url, guest, language=language, push_to_talk=push_to_talk) as client:
            yield client


async def speak(client: TalkClient, *, loud_frames: int = 20, quiet_frames: int = 15) -> None:
    for frame in [LOUD] * loud_frames + [QUIET] * quiet_frames:
        await client.send_audio(frame)


async def until(client: TalkClient, last: type[protocol.Event]) -> list[Received]:
    received = []
    async for item in client:
        received.append(item)
        if isinstance(item.event, last):
            return received
    raise AssertionError(f"the conversation ended before {last.__name__}")


def names(received: list[Received]) -> list[str]:
    """Event types in order, repeats in a row once."""
    kinds = [type(item.event).__name__ for item in received]
    return [kind for place, kind in enumerate(kinds) if kinds[place - 1 : place] != [kind]]


async def test_a_spoken_turn_comes_back_as_events_and_audio() -> None:
    gateway = FakeGateway([Script(tone_seconds=0.15)])
    async with conversation(gateway) as client:
        await speak(client)
        received = await until(client, protocol.TurnCommitted)
        assert names(received) == [
            "SpeechBegan",
            "PartialTranscript",
            "TurnEnded",
            "FinalTranscript",
            "SpokenText",
            "SpokenAudio",
            "SpokenText",
            "SpokenAudio",
            "ReplyEnded",
            "TurnCommitted",
        ]
        audio = b"".join(item.pcm for item in received)
        assert len(audio) == 2 * int(0.3 * OUTPUT_RATE)
        assert bytes(client.recorded[1]) == audio
        assert client.microphone_sample == 35 * 320
        assert client.last_event == received[-1].event.event
    assert isinstance(gateway.heard[0], protocol.Hello)
    assert gateway.heard[-1] == protocol.Bye()


async def test_whoever_goes_on_after_the_reply_began_hears_the_second_one() -> None:
    gateway = FakeGateway([Script(merged="하나 둘", tone_seconds=1.0, between_seconds=0.05)])
    async with conversation(gateway) as client:
        await speak(client)
        await until(client, protocol.SpokenAudio)
        await asyncio.sleep(0.3)
        await speak(client)
        received = await until(client, protocol.TurnCommitted)
        flush = next(item.event for item in received if isinstance(item.event, protocol.Flush))
        second = [item for item in received if isinstance(item.event, protocol.SpokenAudio) and item.event.reply == 2]
        assert isinstance(second[0].event, protocol.SpokenAudio)
        assert second[0].event.first_sample == flush.upto_sample > 0
        assert bytes(client.recorded[1]) == b"".join(item.pcm for item in second), "the first was taken back"
        await client.played_out()
        assert client.player.playhead(1) == flush.upto_sample + 2 * OUTPUT_RATE
    flushed = [message for message in gateway.heard if isinstance(message, protocol.Flushed)]
    assert [message.turn for message in flushed] == [1] and 0 < flushed[0].samples <= flush.upto_sample


async def test_patience_is_told_again_over_every_connection() -> None:
    gateway = FakeGateway()
    async with conversation(gateway) as client:
        with pytest.raises(ValueError, match="patience 9"):
            await client.wait_for_me(9)
        await client.wait_for_me(1.5)
        for _ in range(2):
            await client.say_text("천천히요")
            await until(client, protocol.TurnCommitted)
            await gateway.drain()
            await until(client, protocol.Ready)
        await client.say_text("네")
        await until(client, protocol.TurnCommitted)
    heard = [
        type(message).__name__ for message in gateway.heard if isinstance(message, protocol.Patience | protocol.Text)
    ]
    assert [name for place, name in enumerate(heard) if heard[place - 1 : place] != [name]] == ["Patience", "Text"] * 3


async def test_playback_is_acknowledged_up_to_the_last_sample_and_in_order() -> None:
    gateway = FakeGateway([Script(tone_seconds=0.3)])
    async with conversation(gateway) as client:
        await speak(client)
        await until(client, protocol.TurnCommitted)
        await client.played_out()
    told = [message.samples for message in gateway.heard if isinstance(message, protocol.Playback)]
    assert told == sorted(told)
    assert told[-1] == int(0.6 * OUTPUT_RATE)


async def test_a_flush_is_answered_with_the_playhead_and_silences_the_player() -> None:
    gateway = FakeGateway([Script(tone_seconds=20.0)])
    async with conversation(gateway) as client:
        await speak(client)
        await until(client, protocol.SpokenAudio)
        await asyncio.sleep(0.25)
        await speak(client, quiet_frames=0)
        await until(client, protocol.Flush)
        await client.played_out()
        assert client.seconds_to_play == 0
        await until(client, protocol.SpeechBegan)
    flushed = next(message for message in gateway.heard if isinstance(message, protocol.Flushed))
    assert flushed.turn == 1
    assert 0 < flushed.samples < 20 * OUTPUT_RATE
    after = gateway.heard[gateway.heard.index(flushed) + 1 :]
    assert not any(isinstance(message, protocol.Playback) and message.turn == 1 for message in after)


async def test_typing_committing_and_cancelling_reach_the_gateway() -> None:
    gateway = FakeGateway([Script(tone_seconds=0.1), Script(tone_seconds=20.0)])
    async with conversation(gateway, push_to_talk=True, language="en") as client:
        await client.say_text("hello")
        await until(client, protocol.TurnCommitted)
        await speak(client, quiet_frames=30)
        await client.commit()
        ended = (await until(client, protocol.TurnEnded))[-1].event
        assert isinstance(ended, protocol.TurnEnded) and ended.reason == "commit"
        await until(client, protocol.SpokenAudio)
        await client.cancel()
        await until(client, protocol.Flush)
        done = (await until(client, protocol.ReplyEnded))[-1].event
        assert isinstance(done, protocol.ReplyEnded) and done.reason == "cancelled"
    hello = gateway.heard[0]
    assert isinstance(hello, protocol.Hello) and hello.push_to_talk and hello.language == "en"


async def test_long_audio_is_cut_to_the_size_of_a_message_and_half_a_sample_is_refused() -> None:
    gateway = FakeGateway()
    pcm = np.arange(5000, dtype="<i2").tobytes()
    assert len(pcm) > 2 * MAX_AUDIO_MESSAGE_BYTES
    async with conversation(gateway) as client:
        await client.send_audio(pcm)
        with pytest.raises(ValueError, match="whole 16-bit"):
            await client.send_audio(b"\x00")
        await client.say_text("그만")
        await until(client, protocol.FinalTranscript)
    assert bytes(gateway.microphone) == pcm


async def test_the_iterator_ends_after_bye() -> None:
    async with conversation(FakeGateway()) as client:
        await client.bye()
        assert [item async for item in client] == []
        assert [item async for item in client] == []


async def test_a_connection_that_the_server_ends_is_told_to_whoever_listens_and_to_whoever_speaks() -> None:
    async with conversation(FakeGateway([Script(then="hang_up", hang_up_code=4409)])) as client:
        await speak(client)
        with pytest.raises(Disconnected) as lost:
            async for _ in client:
                pass
        assert lost.value.close_code == 4409
        with pytest.raises(Disconnected):
            await client.send_audio(QUIET)


async def test_a_refused_token_and_a_refused_ticket() -> None:
    async with FakeGateway().serve() as gateway:
        with pytest.raises(Refused) as refused:
            async with talk(gateway.url, Guest("g", "not a token")):
                pass
        assert refused.value.status == 401
        gateway._tickets = _Forgetful()
        guest = await log_in_as_guest(gateway.url)
        with pytest.raises(Refused, match="4401"):
            async with talk(gateway.url, guest):
                pass


async def test_nobody_at_the_address() -> None:
    async with FakeGateway().serve() as gateway:
        pass
    with pytest.raises(Unreachable):
        await log_in_as_guest(gateway.url)


async def test_the_same_guest_again() -> None:
    async with FakeGateway().serve() as gateway:
        guest = await log_in_as_guest(gateway.url)
        assert (await log_in_as_guest(gateway.url, guest.guest_id)).guest_id == guest.guest_id


class _Forgetful(set[str]):
    """Tickets that are given and then not known."""

    def __contains__(self, ticket: object) -> bool:
        return False
