"""The exceptions of this package.

StreamingError
├── ProtocolError      a client's message broke the wire protocol; `code` and, where the socket must go, `close_code`
├── MessageError       bytes from the bus are not a message of this version
├── AudioError         PCM of an impossible shape
├── IllegalMove        the floor was asked for a move its table does not have: our own mistake, never the client's
├── ErrandError        a node was asked for something and there is no result; `reason` says why
└── BusError
    ├── BusUnavailable Redis cannot be reached or refuses work for now; retrying is right
    ├── BusFull        Redis is at its memory limit, or a stream at its bound
    ├── Fenced         another holder has written to this stream with a higher number: stop at once
    └── StreamGone     the stream vanished (Redis lost it, or it expired): offer it again
"""


class StreamingError(Exception):
    """Root of the package's exceptions; `code` is stable and fit for logs, metrics and clients."""

    code = "streaming_error"


class ProtocolError(StreamingError):
    """The client broke the wire protocol.

    `code` names the fault (see `streaming.protocol.FAULTS`); `close_code` is the WebSocket close code where the fault
    ends the connection, None where the message alone is dropped.
    """

    def __init__(self, code: str, detail: str, *, close_code: int | None = None) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.close_code = close_code


class MessageError(StreamingError):
    """Bytes from the bus that are not a message of this version."""

    code = "bad_message"


class AudioError(StreamingError):
    """PCM of an impossible shape (odd byte count, wrong rate)."""

    code = "bad_audio"


class IllegalMove(StreamingError):
    """The floor's table has no such move. The state is unchanged."""

    code = "illegal_move"


class ErrandError(StreamingError):
    """There is no result, and `reason` says why: those of `streaming.messages.ErrandFailed`, and `deadline`.

    Asking again may help where it was `deadline` or `engine`, and `retry_after_seconds` later where those are given.
    """

    code = "errand_failed"

    def __init__(self, reason: str, detail: str = "", *, retry_after_seconds: float = 0.0) -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.retry_after_seconds = retry_after_seconds


class BusError(StreamingError):
    """Root of what the bus raises."""

    code = "bus_error"


class BusUnavailable(BusError):
    """Redis cannot be reached, or refuses work for now."""

    code = "bus_unavailable"


class BusFull(BusError):
    """Redis is at its memory limit, or a stream has reached its bound."""

    code = "bus_full"


class Fenced(BusError):
    """Another holder has written to this stream with a higher number."""

    code = "fenced"


class StreamGone(BusError):
    """The stream does not exist any more."""

    code = "stream_gone"
