"""Server-sent events, decoded as they come: bytes in, the `data` of each whole event out.

https://html.spec.whatwg.org/multipage/server-sent-events.html. Lines end in CR, LF or CRLF; a line that starts with a
colon is a comment (proxies send them to keep a connection open); several `data` lines are one event. Bytes are decoded
line by line, so a syllable of Hangul may be cut anywhere between two reads.
"""

from __future__ import annotations

MAX_EVENT_BYTES = 1024 * 1024
"""A piece of a reply has some hundred bytes; a server that sends this much in one event speaks something else."""


class CommentFilter:
    """Bytes without their comment lines, for a reader that takes them for data. A comment's line end stays."""

    def __init__(self) -> None:
        self._at_line_start = True
        self._in_comment = False

    def feed(self, chunk: bytes) -> bytes:
        kept = bytearray()
        for line in chunk.splitlines(keepends=True):
            text = line.rstrip(b"\r\n")
            if self._at_line_start and text:
                self._in_comment = text.startswith(b":")
            kept += line[len(text) :] if self._in_comment else line
            self._at_line_start = len(text) < len(line) or (self._at_line_start and not text)
            self._in_comment = self._in_comment and not self._at_line_start
        return bytes(kept)


class EventDecoder:
    """Feed it bytes; it gives back what they completed."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._data: list[str] = []
        self._data_bytes = 0
        self._after_cr = False

    def feed(self, chunk: bytes) -> list[str]:
        """The data of the events that `chunk` completes; raises ValueError beyond `MAX_EVENT_BYTES`."""
        if self._after_cr and chunk.startswith(b"\n"):  # a CRLF cut in two ends one line, not two
            chunk = chunk[1:]
            self._after_cr = False
        elif chunk:
            self._after_cr = False
        events: list[str] = []
        for line in chunk.splitlines(keepends=True):  # bytes: CR, LF and CRLF only
            self._line += line.rstrip(b"\r\n")
            if len(self._line) + self._data_bytes > MAX_EVENT_BYTES:
                raise ValueError(f"an event of more than {MAX_EVENT_BYTES} bytes")
            if line.endswith((b"\r", b"\n")):
                self._end_line(events)
        self._after_cr = self._after_cr or chunk.endswith(b"\r")
        return events

    def _end_line(self, events: list[str]) -> None:
        line, self._line = self._line.decode("utf-8", "replace"), bytearray()
        if not line:
            if self._data:
                events.append("\n".join(self._data))
            self._data, self._data_bytes = [], 0
            return
        field, _, value = line.partition(":")
        if field == "data":
            value = value.removeprefix(" ")
            self._data.append(value)
            self._data_bytes += len(value)
