"""The wire protocol of `/v1/talk`, as a pure codec for both ends.

Control travels as JSON text, audio as binary. Up: PCM16 mono 16 kHz, as it comes from the microphone. Down: a 16-byte
header (`AudioHeader`), then PCM16 mono at the rate that `ready` declares; each binary message follows at once the
`reply.audio` event that announces it. Every event carries the owner's `epoch` and its own number `event`; numbers grow
and may skip superseded partial transcripts.

The README documents this protocol for the developers of clients; a test holds the two together.
"""

from __future__ import annotations

import struct
from typing import Any, Literal, NamedTuple

import msgspec

from streaming.errors import ProtocolError
from streaming.messages import Language

MICROPHONE_RATE = 16_000
MAX_AUDIO_MESSAGE_BYTES = 4096
"""128 ms of microphone; clients send 20 ms (640 bytes)."""
MAX_CONTROL_BYTES = 16_384
"""Room for `MAX_TEXT_CHARACTERS` with every one of them escaped."""
MAX_TEXT_CHARACTERS = 2000
MIN_PATIENCE, MAX_PATIENCE = 0.5, 3.0
MAX_SAMPLE = 2**53 - 1
"""Beyond this a JSON number loses its last digit in JavaScript."""


# --- client to server ------------------------------------------------------------------------------------------------


class _Incoming(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", forbid_unknown_fields=False):
    """Root of what a client says; unknown fields are ignored, so that newer clients can talk to older servers."""


class Playhead(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a turn's reply audio was played, in samples at the reply rate."""

    turn: int
    samples: int


class Resume(msgspec.Struct, frozen=True, kw_only=True):
    """Where a client that lost its connection stands."""

    session: str
    epoch: int
    last_event: int
    microphone_sample: int
    """Samples captured so far; the server answers in `ready` with the sample from which to send again."""
    received_samples: int = 0
    """What the server's last `received_samples` said: another gateway knows no better."""
    playhead: Playhead | None = None


class Hello(_Incoming, frozen=True, tag="hello"):
    """First message. The ticket comes from `POST /v1/talk/ticket` and works once."""

    ticket: str
    language: Language = "ko"
    resume: Resume | None = None
    client: str = ""
    """Name and version of the client, for logs."""
    push_to_talk: bool = False
    """True: an utterance ends with `commit`, never by silence."""


class Playback(_Incoming, frozen=True, tag="playback"):
    """Playback acknowledgement, about every 200 ms while a reply plays: `samples` of this turn's reply were played."""

    turn: int
    samples: int


class Flushed(_Incoming, frozen=True, tag="flushed"):
    """Answer to `flush`: playback stopped at `samples`."""

    turn: int
    samples: int


class Commit(_Incoming, frozen=True, tag="commit"):
    """The utterance ends here and now (push-to-talk, or a "다 말했어요" button)."""


class Text(_Incoming, frozen=True, tag="text"):
    """Something typed in place of speech."""

    text: str


class Cancel(_Incoming, frozen=True, tag="cancel"):
    """Stop the reply that is being made or played."""


class Patience(_Incoming, frozen=True, tag="patience"):
    """How long the server shall wait before it takes an utterance to be over: 1 as learned, 2 twice as long. Kept."""

    factor: float


class Bye(_Incoming, frozen=True, tag="bye"):
    """The conversation is over; nothing will be resumed."""


ClientMessage = Hello | Playback | Flushed | Commit | Text | Cancel | Patience | Bye

FAULTS: dict[str, int | None] = {
    "bad_json": None,
    "unknown_message": None,
    "bad_field": None,
    "odd_audio": None,
    "wrong_order": None,
    "text_too_long": None,
    "too_many_turns": None,
    "message_too_large": 4413,
    "audio_too_fast": 4429,
    "too_many_faults": 4400,
    "not_hello": 4401,
    "hello_timeout": 4408,
}
"""What the client can do wrong, and the close code where that ends the connection (None: it is told, and we go on)."""


def fault(code: str, detail: str) -> ProtocolError:
    """The error for one line of `FAULTS`."""
    return ProtocolError(code, detail, close_code=FAULTS[code])


_client_decoder: msgspec.json.Decoder[ClientMessage] = msgspec.json.Decoder(ClientMessage)


def decode_client(data: str | bytes) -> ClientMessage:
    """Read a control message; raises ProtocolError for anything that is not one."""
    size = len(data.encode("utf-8", "surrogatepass")) if isinstance(data, str) else len(data)
    if size > MAX_CONTROL_BYTES:
        raise fault("message_too_large", f"control message of {size} bytes, at most {MAX_CONTROL_BYTES}")
    try:
        message = _client_decoder.decode(data)
    except msgspec.ValidationError as error:
        unknown = "Invalid value" in str(error) and str(error).endswith("`$.type`")
        raise fault(
            "unknown_message" if unknown or "missing required field `type`" in str(error) else "bad_field", str(error)
        ) from None
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise fault("bad_json", str(error)) from None
    _check(message)
    return message


def _check(message: ClientMessage) -> None:
    if isinstance(message, Text):
        if len(message.text) > MAX_TEXT_CHARACTERS:
            raise fault("text_too_long", f"{len(message.text)} characters, at most {MAX_TEXT_CHARACTERS}")
        if not message.text.strip():
            raise fault("bad_field", "text is empty")
    if isinstance(message, Patience) and not MIN_PATIENCE <= message.factor <= MAX_PATIENCE:
        raise fault("bad_field", f"factor takes {MIN_PATIENCE} to {MAX_PATIENCE}")
    numbers: tuple[int, ...] = ()
    if isinstance(message, (Playback, Flushed)):
        numbers = (message.turn, message.samples)
    elif isinstance(message, Hello) and message.resume is not None:
        resume = message.resume
        numbers = (resume.epoch, resume.last_event, resume.microphone_sample, resume.received_samples)
        if resume.playhead is not None:
            numbers += (resume.playhead.turn, resume.playhead.samples)
    if any(not 0 <= number <= MAX_SAMPLE for number in numbers):
        raise fault("bad_field", "a number is out of range")


def check_audio(data: bytes) -> bytes:
    """Refuse microphone audio of an impossible size; returns it unchanged."""
    if len(data) > MAX_AUDIO_MESSAGE_BYTES:
        raise fault("message_too_large", f"{len(data)} bytes of audio, at most {MAX_AUDIO_MESSAGE_BYTES}")
    if len(data) % 2:
        raise fault("odd_audio", f"{len(data)} bytes are not whole 16-bit samples")
    return data


# --- server to client ------------------------------------------------------------------------------------------------


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False, tag_field="type"):
    """Root of what the server says. `epoch` and `event` are filled in where the event is sent."""

    epoch: int = 0
    event: int = 0


class Ready(Event, frozen=True, tag="ready"):
    """The session is open. `microphone_sample`: send audio from this sample on (0 for a new session).

    Where the client no longer has that sample it sends from the oldest it has, and counts from here: a sample's number
    is how many were received before it. A `resumed` session's `ready` carries the client's own position (`epoch`,
    `event`), since what was told after it follows. `patience`: what is kept of the person, until the client says
    another.
    """

    session: str
    language: Language
    input_rate: int
    output_rate: int
    microphone_sample: int
    resumed: bool
    resume_seconds: int
    patience: float = 1.0


class Resync(Event, frozen=True, tag="resync"):
    """The session to resume is unknown here (or its epoch is): a new one follows in `ready`."""

    reason: str


class FloorMoved(Event, frozen=True, tag="floor"):
    """Who may speak now: `open`, `user`, `paused`, `thinking`, `speaking` or `contested`, and in which turn (0:
    none)."""

    state: str
    turn: int


class SpeechBegan(Event, frozen=True, tag="speech.started"):
    """The user began to speak at `sample` (pre-roll included)."""

    turn: int
    sample: int


class PartialTranscript(Event, frozen=True, tag="transcript.partial"):
    """Caption while the user speaks: `stable` only grows, `tentative` may still change."""

    turn: int
    stable: str
    tentative: str
    upto_sample: int


class FinalTranscript(Event, frozen=True, tag="transcript.final"):
    """The words of the utterance. Empty, with `rejected` saying why, when nobody seems to have spoken."""

    turn: int
    text: str
    language: Language
    rejected: str
    confidence: float


class EndpointWait(Event, frozen=True, tag="endpoint.wait"):
    """The person paused at `speech_end_sample`, and if they say no more the utterance ends `wait_ms` after it.

    Sent anew as evidence comes. `because` names what decided, `ending` how the words end, `end_probability` what the
    acoustic model made of the sound, `faded` how much the voice had died away; empty or null where that evidence is
    absent.
    """

    turn: int
    speech_end_sample: int
    wait_ms: int
    because: str
    ending: str
    end_probability: float | None
    faded: float | None = None


class TurnEnded(Event, frozen=True, tag="turn.ended"):
    """The utterance is over: `wait_ms` after the last speech sample `end_sample`, for `reason`.

    `because`, `ending`, `end_probability` and `faded` as in `endpoint.wait`. `speculation`: `hit` where the reply was
    being made already, `none` where not.
    """

    turn: int
    end_sample: int
    wait_ms: int
    reason: str
    because: str = ""
    ending: str = ""
    end_probability: float | None = None
    faded: float | None = None
    speculation: str = "none"


class Speculation(Event, frozen=True, tag="speculation"):
    """A reply is being made before the utterance has ended: `started`; or was, in vain: `missed`, as they went on."""

    turn: int
    state: str


class Distress(Event, frozen=True, tag="distress"):
    """The person's words call for help (`kind`: emergency or despair; `phrase`: the words); call `number`."""

    turn: int
    kind: str
    phrase: str
    number: str


class Duck(Event, frozen=True, tag="duck"):
    """Play the reply of `turn` softly, since somebody else speaks too (`ducked`), or at its level again.

    `because`: empty while nobody knows; then what it was: `speech`, `echo`, `back_channel`, `noise`, or `finished`
    where the reply was over first.
    """

    turn: int
    ducked: bool
    because: str


class SpokenText(Event, frozen=True, tag="reply.text"):
    """One sentence of the reply, before its audio. `source` names the engine that wrote it."""

    turn: int
    reply: int
    sentence: int
    text: str
    source: str


class SpokenAudio(Event, frozen=True, tag="reply.audio"):
    """Announces the binary message that follows at once: `samples` samples of `turn`, from `first_sample` on."""

    turn: int
    reply: int
    sentence: int
    sequence: int
    first_sample: int
    samples: int


ReplyReason = Literal["completed", "interrupted", "cancelled", "nothing_heard", "failed"]


class ReplyEnded(Event, frozen=True, tag="reply.done"):
    """No more of this reply will come. `audio_samples`: how much of it was sent."""

    turn: int
    reply: int
    reason: ReplyReason
    source: str
    audio_samples: int
    timings_ms: dict[str, float]


class Flush(Event, frozen=True, tag="flush"):
    """Stop playing now, drop what is buffered, and answer `flushed` with the playhead.

    Where the person goes on soon after a reply began, another reply to the same turn follows: audio of the turn from
    `upto_sample` on is played, what lies before it is not.
    """

    turn: int
    upto_sample: int


class TurnCommitted(Event, frozen=True, tag="turn.committed"):
    """The turn is in the database. `heard` is what counts as said to the user."""

    turn: int
    outcome: str
    heard: str


class ReceivedSamples(Event, frozen=True, tag="received_samples"):
    """How much microphone audio has arrived; the client may forget older audio."""

    samples: int


class PhotoShown(Event, frozen=True, tag="photo.shown"):
    """This photo is talked about from now on: show it. `url` expires; empty where only the phone has the picture, which
    then knows it by `local_uri`. `position` counts from 1 within the conversation's `count` photos."""

    turn: int
    photo: str
    url: str
    local_uri: str
    position: int
    count: int


class NoticeTold(Event, frozen=True, tag="notice"):
    """Something happened to the person's things: a `job` went on, a `photo` or `video` is ready … `data` names it by
    its ids. `id` is that of the same notice on `/v1/me/events`."""

    kind: str
    id: str
    data: dict[str, Any]


class Reconnect(Event, frozen=True, tag="reconnect"):
    """This gateway is going away: come back (to any) with `resume` once the turn in hand is over."""

    after_turn: int


class Problem(Event, frozen=True, tag="error"):
    """Something went wrong. `retryable`: the same again may work."""

    code: str
    retryable: bool
    message_ko: str
    message_en: str
    turn: int | None = None


ServerEvent = (
    Ready
    | Resync
    | FloorMoved
    | SpeechBegan
    | PartialTranscript
    | FinalTranscript
    | EndpointWait
    | TurnEnded
    | Speculation
    | Distress
    | Duck
    | SpokenText
    | SpokenAudio
    | ReplyEnded
    | Flush
    | TurnCommitted
    | ReceivedSamples
    | PhotoShown
    | NoticeTold
    | Reconnect
    | Problem
)

_event_encoder = msgspec.json.Encoder()
_event_decoder: msgspec.json.Decoder[ServerEvent] = msgspec.json.Decoder(ServerEvent)


def encode_event(event: Event) -> bytes:
    """An event's JSON, UTF-8."""
    return _event_encoder.encode(event)


def decode_event(data: str | bytes) -> ServerEvent:
    """For clients: the inverse of `encode_event`; raises ProtocolError."""
    try:
        return _event_decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise ProtocolError("bad_event", str(error)) from None


def encode_client(message: ClientMessage) -> str:
    """For clients: the inverse of `decode_client`."""
    return msgspec.json.encode(message).decode()


_HEADER = struct.Struct("<IIQ")


class AudioHeader(NamedTuple):
    """What stands before reply audio in a binary message: little-endian u32, u32, u64."""

    turn: int
    sequence: int
    """0, 1, 2 … within the turn."""
    first_sample: int
    """Offset of the first sample within the turn's reply audio."""

    def pack(self) -> bytes:
        return _HEADER.pack(*self)


def decode_audio(data: bytes) -> tuple[AudioHeader, bytes]:
    """For clients: split a binary message into header and PCM16; raises ProtocolError."""
    if len(data) < _HEADER.size or (len(data) - _HEADER.size) % 2:
        raise ProtocolError("bad_audio", f"{len(data)} bytes")
    return AudioHeader(*_HEADER.unpack_from(data)), data[_HEADER.size :]
