import pytest

from silvertalk.downlink import Downlink, Received
from streaming.errors import ProtocolError
from streaming.protocol import (
    AudioHeader,
    Duck,
    Event,
    FloorMoved,
    Flush,
    PartialTranscript,
    Problem,
    Ready,
    Speculation,
    SpokenAudio,
    TurnCommitted,
    encode_event,
)

READY = Ready(
    session="s",
    language="ko",
    input_rate=16_000,
    output_rate=1000,
    microphone_sample=0,
    resumed=False,
    resume_seconds=120,
    epoch=1,
    event=1,
)


def committed(epoch: int, event: int) -> TurnCommitted:
    return TurnCommitted(turn=1, outcome="answered", heard="", epoch=epoch, event=event)


def piece(event: int, sequence: int, first_sample: int, samples: int, turn: int = 1) -> SpokenAudio:
    return SpokenAudio(
        turn=turn, reply=1, sentence=0, sequence=sequence, first_sample=first_sample, samples=samples, epoch=1,
        event=event,
    )  # fmt: skip


def told(downlink: Downlink, event: Event) -> Received | None:
    return downlink.take(encode_event(event).decode(), 0.0)


def played(downlink: Downlink, announced: SpokenAudio, first_value: int = 0) -> bytes | None:
    """Announce a piece and bring it, every sample another value; the samples that were new."""
    assert told(downlink, announced) is None
    pcm = b"".join((first_value + place).to_bytes(2, "little") for place in range(announced.samples))
    header = AudioHeader(announced.turn, announced.sequence, announced.first_sample)
    received = downlink.take(header.pack() + pcm, 0.0)
    return None if received is None else received.pcm


def test_an_event_counts_once_whatever_its_epoch() -> None:
    downlink = Downlink(READY)
    for event, news in [
        (committed(1, 5), True),
        (committed(1, 5), False),
        (committed(1, 4), False),
        (committed(2, 1), True),
        (committed(1, 6), False),
        (committed(2, 2), True),
    ]:
        assert (told(downlink, event) is not None) is news
    assert downlink.position == (2, 2)


def test_what_is_not_told_again_passes_and_is_no_position() -> None:
    downlink = Downlink(READY)
    for event in (
        FloorMoved(state="open", turn=0, epoch=1, event=90),
        Duck(turn=1, ducked=True, because="", epoch=1, event=92),
        Speculation(turn=1, state="started", epoch=1, event=93),
        PartialTranscript(turn=1, stable="", tentative="", upto_sample=0, epoch=1, event=91),
        Problem(code="draining", retryable=True, message_ko="", message_en=""),
    ):
        assert told(downlink, event) == Received(event, 0.0)
    assert downlink.position == (1, 1)


def test_audio_counts_by_what_the_player_has() -> None:
    downlink = Downlink(READY)
    assert played(downlink, piece(2, 0, 0, 3)) == b"\0\0\1\0\2\0"
    assert played(downlink, piece(2, 0, 0, 3)) is None
    assert played(downlink, piece(3, 0, 0, 5)) == b"\3\0\4\0"
    assert bytes(downlink.recorded[1]) == b"\0\0\1\0\2\0\3\0\4\0"
    assert downlink.position == (1, 3)


def test_after_a_flush_another_reply_to_the_turn_counts_and_is_recorded_alone() -> None:
    downlink = Downlink(READY)
    played(downlink, piece(2, 0, 0, 3))
    flushed = told(downlink, Flush(turn=1, upto_sample=5, epoch=1, event=3))
    assert flushed is not None and downlink.player.playing is None
    assert played(downlink, piece(2, 1, 3, 2)) is None, "sent before the flush, and told again"
    assert bytes(downlink.recorded[1]) == b"\0\0\1\0\2\0", "an interrupted reply is kept"
    assert told(downlink, Flush(turn=1, upto_sample=5, epoch=1, event=3)) is None
    assert played(downlink, piece(4, 2, 5, 2), 7) == b"\7\0\x08\0" == bytes(downlink.recorded[1])
    assert downlink.player.playing == 1


def test_an_announcement_whose_audio_was_cut_off_is_no_position() -> None:
    downlink = Downlink(READY)
    told(downlink, piece(2, 0, 0, 3))
    downlink.connect()
    assert downlink.position == (1, 1)
    with pytest.raises(ProtocolError, match="no reply.audio announced"):
        downlink.take(AudioHeader(1, 0, 0).pack() + bytes(6), 0.0)
    assert played(downlink, piece(2, 0, 0, 3)) is not None


def test_audio_that_is_not_what_was_announced_is_refused() -> None:
    downlink = Downlink(READY)
    told(downlink, piece(2, 0, 0, 3))
    with pytest.raises(ProtocolError, match="not what was announced"):
        downlink.take(AudioHeader(1, 0, 0).pack() + bytes(4), 0.0)


def test_another_session_begins_with_nothing() -> None:
    downlink = Downlink(READY)
    played(downlink, piece(9, 0, 0, 3))
    downlink.begin_again(READY)
    assert downlink.position == (1, 1) and not downlink.recorded and downlink.player.playing is None
    assert played(downlink, piece(2, 0, 0, 3)) is not None
