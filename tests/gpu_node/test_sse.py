"""Server-sent events, however the bytes are cut."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_node.engines.sse import MAX_EVENT_BYTES, CommentFilter, EventDecoder

NEWLINES = st.sampled_from(["\n", "\r\n", "\r"])
payloads = st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), min_size=1, max_size=30)


@st.composite
def cuts(draw: st.DrawFn, data: bytes) -> list[bytes]:
    places = sorted(draw(st.lists(st.integers(0, len(data)), max_size=12)))
    return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]


@settings(deadline=None)
@given(st.data())
def test_events_are_the_same_however_the_bytes_are_cut(data: st.DataObject) -> None:
    expected = data.draw(st.lists(payloads, max_size=5))
    newline = data.draw(NEWLINES)
    comment = f": ping{newline}{newline}" if data.draw(st.booleans()) else ""
    raw = "".join(f"{comment}event: x{newline}data: {payload}{newline}{newline}" for payload in expected).encode()
    decoder = EventDecoder()
    assert [event for piece in data.draw(cuts(raw)) for event in decoder.feed(piece)] == expected


@settings(deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=10))
def test_any_bytes_are_survived(chunks: list[bytes]) -> None:
    decoder = EventDecoder()
    for chunk in chunks:
        assert all(isinstance(event, str) for event in decoder.feed(chunk))


def test_several_data_lines_are_one_event_and_the_space_is_optional() -> None:
    assert EventDecoder().feed(b"data:one\ndata: two\n\n\n\ndata\n\n") == ["one\ntwo", ""]


def test_an_event_without_end_is_refused() -> None:
    decoder = EventDecoder()
    with pytest.raises(ValueError, match="more than"):
        for _ in range(MAX_EVENT_BYTES // 1024 + 1):
            decoder.feed(b"data: " + b"x" * 1024)


@settings(deadline=None)
@given(st.data())
def test_comments_vanish_and_nothing_else_does(data: st.DataObject) -> None:
    newline = data.draw(NEWLINES)
    lines = data.draw(st.lists(st.one_of(payloads, payloads.map(lambda text: f":{text}")), max_size=8))
    raw = "".join(line + newline for line in lines).encode()
    kept = CommentFilter()
    out = b"".join(kept.feed(piece) for piece in data.draw(cuts(raw)))
    expected = "".join(("" if line.startswith(":") else line) + newline for line in lines).encode()
    assert out == expected
