"""The bus's messages: what is encoded comes back, anything else is refused."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.errors import MessageError
from streaming.messages import (
    MAX_MESSAGE_BYTES,
    AnyMessage,
    AudioBatch,
    Closed,
    ReplyContext,
    StartReply,
    TranscriptPartial,
    TurnOpened,
    TurnRecord,
    Utterance,
    decode,
    encode,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
SAMPLE = st.integers(0, 2**53)

MESSAGES = st.one_of(
    st.builds(AudioBatch, first_sample=SAMPLE, pcm=st.binary(max_size=4000)),
    st.builds(TranscriptPartial, stable=TEXT, tentative=TEXT, upto_sample=SAMPLE),
    st.builds(
        StartReply,
        attempt=st.integers(1, 9),
        reply=st.integers(1, 9),
        end_sample=SAMPLE,
        context=st.builds(
            ReplyContext,
            history=st.lists(st.builds(Utterance, role=st.sampled_from(["user", "assistant"]), text=TEXT)).map(tuple),
            summary=TEXT,
        ),
    ),
    st.builds(
        TurnOpened,
        session=TEXT,
        turn=st.integers(1, 99),
        language=st.sampled_from(["ko", "en"]),
        reply_rate=st.just(24_000),
        text=st.none() | TEXT,
    ),
    st.builds(
        Closed,
        record=st.builds(
            TurnRecord,
            session=TEXT,
            user=TEXT,
            turn=st.integers(1, 99),
            language=st.just("ko"),
            outcome=st.sampled_from(["answered", "failed", "nothing_heard"]),
            transcript=TEXT,
            timings_ms=st.dictionaries(TEXT, st.floats(0, 1e6)),
        ),
    ),
)


@given(MESSAGES)
def test_what_is_encoded_comes_back(message: AnyMessage) -> None:
    assert decode(encode(message)) == message


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_a_message_or_a_message_error(data: bytes) -> None:
    try:
        message = decode(data)
    except MessageError:
        return
    assert decode(encode(message)) == message


def test_another_version_is_refused() -> None:
    data = encode(AudioBatch(first_sample=0, pcm=b"ab"))
    with pytest.raises(MessageError, match="version"):
        decode(bytes([data[0] + 1]) + data[1:])


def test_an_oversized_message_is_refused_unread() -> None:
    with pytest.raises(MessageError, match="bytes"):
        decode(encode(AudioBatch(first_sample=0, pcm=bytes(MAX_MESSAGE_BYTES))))


def test_every_message_is_immutable() -> None:
    batch = AudioBatch(first_sample=0, pcm=b"")
    with pytest.raises(AttributeError):
        batch.first_sample = 1  # type: ignore[misc]
    assert msgspec.structs.replace(batch, first_sample=1).first_sample == 1
