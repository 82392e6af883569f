"""The wire protocol's codec: round trips, and every way of getting it wrong."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.errors import ProtocolError
from streaming.protocol import (
    FAULTS,
    MAX_AUDIO_MESSAGE_BYTES,
    MAX_CONTROL_BYTES,
    AudioHeader,
    ClientMessage,
    Event,
    FinalTranscript,
    Flushed,
    Hello,
    PartialTranscript,
    Playback,
    Playhead,
    Problem,
    Ready,
    ReplyEnded,
    Resume,
    Text,
    TurnEnded,
    check_audio,
    decode_audio,
    decode_client,
    decode_event,
    encode_client,
    encode_event,
)

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=100)
NUMBER = st.integers(0, 2**53 - 1)

CLIENT = st.one_of(
    st.builds(
        Hello,
        ticket=WORDS,
        language=st.sampled_from(["ko", "en"]),
        push_to_talk=st.booleans(),
        resume=st.none()
        | st.builds(
            Resume,
            session=WORDS,
            epoch=NUMBER,
            last_event=NUMBER,
            microphone_sample=NUMBER,
            playhead=st.none() | st.builds(Playhead, turn=NUMBER, samples=NUMBER),
        ),
    ),
    st.builds(Playback, turn=NUMBER, samples=NUMBER),
    st.builds(Flushed, turn=NUMBER, samples=NUMBER),
    st.builds(Text, text=WORDS.filter(lambda text: text.strip())),
)

SERVER = st.one_of(
    st.builds(PartialTranscript, turn=NUMBER, stable=WORDS, tentative=WORDS, upto_sample=NUMBER, event=NUMBER),
    st.builds(
        FinalTranscript,
        turn=NUMBER,
        text=WORDS,
        language=st.just("ko"),
        rejected=WORDS,
        confidence=st.floats(-5, 0),
    ),
    st.builds(TurnEnded, turn=NUMBER, end_sample=NUMBER, wait_ms=NUMBER, reason=WORDS, epoch=NUMBER),
    st.builds(
        ReplyEnded,
        turn=NUMBER,
        reply=NUMBER,
        reason=st.just("completed"),
        source=WORDS,
        audio_samples=NUMBER,
        timings_ms=st.dictionaries(WORDS, st.floats(0, 1e9)),
    ),
    st.builds(
        Problem, code=WORDS, retryable=st.booleans(), message_ko=WORDS, message_en=WORDS, turn=st.none() | NUMBER
    ),
)


@given(CLIENT)
def test_a_client_message_comes_back(message: ClientMessage) -> None:
    assert decode_client(encode_client(message)) == message


@given(SERVER)
def test_an_event_comes_back(event: Event) -> None:
    assert decode_event(encode_event(event)) == event


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1), st.binary(max_size=64))
def test_audio_comes_back(turn: int, sequence: int, first: int, half: bytes) -> None:
    header = AudioHeader(turn, sequence, first)
    assert decode_audio(header.pack() + half + half) == (header, half + half)


def test_the_audio_header_is_little_endian() -> None:
    assert AudioHeader(1, 2, 3).pack() == bytes([1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0])


@given(st.text(max_size=200) | st.binary(max_size=200))
def test_anything_a_client_sends_is_a_message_or_a_protocol_error(data: str | bytes) -> None:
    try:
        message = decode_client(data)
    except ProtocolError as error:
        assert error.code in FAULTS
        assert error.close_code == FAULTS[error.code]
    else:
        assert decode_client(encode_client(message)) == message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(["hello", "playback", "flushed", "text", "commit", "nonsense"]), st.dictionaries(WORDS, JSON))
def test_wrong_fields_are_a_protocol_error(kind: str, fields: dict[str, object]) -> None:
    try:
        decode_client(json.dumps(fields | {"type": kind}))
    except ProtocolError as error:
        assert error.code in FAULTS
    else:
        assert kind == "commit" or kind in ("hello", "playback", "flushed", "text")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ("", "bad_json"),
        ("{", "bad_json"),
        ("\ud800", "bad_json"),
        (b"\xff\xfe", "bad_json"),
        ("[" * 4000, "bad_field"),
        ("null", "bad_field"),
        ("[]", "bad_field"),
        ("{}", "unknown_message"),
        ('{"type": "explode"}', "unknown_message"),
        ('{"type": 7}', "bad_field"),
        ('{"type": "hello"}', "bad_field"),
        ('{"type": "hello", "ticket": 5}', "bad_field"),
        ('{"type": "hello", "ticket": "x", "language": "fr"}', "bad_field"),
        ('{"type": "playback", "turn": 1}', "bad_field"),
        ('{"type": "playback", "turn": -1, "samples": 0}', "bad_field"),
        ('{"type": "playback", "turn": 1, "samples": 1e400}', "bad_field"),
        ('{"type": "playback", "turn": 1, "samples": 9007199254740993}', "bad_field"),
        ('{"type": "text", "text": " \\n "}', "bad_field"),
        (json.dumps({"type": "text", "text": "가" * 2001}), "text_too_long"),
        (json.dumps({"type": "text", "text": "x" * MAX_CONTROL_BYTES}), "message_too_large"),
        (
            '{"type":"hello","ticket":"x","resume":{"session":"s","epoch":-1,"last_event":0,"microphone_sample":0}}',
            "bad_field",
        ),
    ],
)
def test_each_fault_has_its_name(data: str | bytes, code: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        decode_client(data)
    assert caught.value.code == code


def test_unknown_fields_are_ignored() -> None:
    assert decode_client('{"type": "commit", "from_the_future": 1}') == decode_client('{"type": "commit"}')


def test_audio_is_whole_samples_and_small() -> None:
    assert check_audio(bytes(640)) == bytes(640)
    with pytest.raises(ProtocolError, match="odd_audio"):
        check_audio(bytes(641))
    with pytest.raises(ProtocolError, match="message_too_large"):
        check_audio(bytes(MAX_AUDIO_MESSAGE_BYTES + 2))


def test_every_event_has_epoch_and_number() -> None:
    ready = Ready(
        session="s",
        language="ko",
        input_rate=16000,
        output_rate=24000,
        microphone_sample=0,
        resumed=False,
        resume_seconds=180,
    )
    told = json.loads(encode_event(msgspec.structs.replace(ready, epoch=3, event=9)))
    assert (told["type"], told["epoch"], told["event"]) == ("ready", 3, 9)
