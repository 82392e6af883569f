"""Every message that crosses the bus, and its bytes.

Three kinds of stream carry them, each with one writer (see `streaming.bus`): a turn's **up** stream (the owning
gateway), its **down** stream (the node that holds the turn) and the session's **journal** (the owning gateway).
Commands are imperatives (`StartReply`), events past-tense facts (`SpeechPaused`).

Positions in the user's audio are counted in samples received since the session began (16 kHz); positions in a reply are
samples of that reply at the session's `reply_rate`.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from streaming.errors import MessageError

VERSION = 1
"""Raised when an old reader could misread a new message; a reader refuses any other version."""

MAX_MESSAGE_BYTES = 256 * 1024
"""A batch of audio is at most 64 KiB and a context at most a few: anything near this is a fault."""

MAX_PIECE_BYTES = 64 * 1024
"""Of an errand's material or result."""

Language = Literal["ko", "en"]


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type"):
    """Root of all messages; `type` on the wire is the class name."""


# --- shared parts ----------------------------------------------------------------------------------------------------


class Utterance(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the conversation so far. `interrupted`: the user cut in, `text` is only what was heard."""

    role: Literal["user", "assistant"]
    text: str
    interrupted: bool = False


class ReplyContext(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the gateway lets the node know of the person, for this one reply."""

    language: Language = "ko"
    history: tuple[Utterance, ...] = ()
    form_of_address: str = ""
    pet_name: str = "복실이"
    barks: bool = True
    """It may say "멍!" now and then; a node drops it otherwise."""
    summary: str = ""
    memories: tuple[str, ...] = ()
    photo: str = ""
    events_today: tuple[str, ...] = ()
    local_time: str = ""
    """ISO 8601 with offset, the person's own clock; empty when unknown."""
    speech_rate: float = 1.0
    loudness: float = 1.0
    """How many times as loud as the voice comes: somebody asked for it."""
    voice: str = ""
    outside_services: bool = True
    """Whether a service outside the operator's own machines may be shown any of this, and the words that it goes with.
    A gateway that knows nothing of the question leaves it out, and means what it always meant."""
    tools: tuple[str, ...] = ()
    """Names of `streaming.tools` that the LLM may ask for; the gateway carries them out."""


Witness = Literal["journal", "gateway", "remnant"]
"""How sure a record is of what happened: the turn's gateway wrote it to the journal first; or could not, and another
may have gone on with the turn; or did not live to, and it was put together from what the journal had."""


class TurnRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All that is kept of a turn: written to the journal once, then to the database as it stands."""

    session: str
    user: str
    turn: int
    language: Language
    outcome: Literal["answered", "failed", "nothing_heard"]
    transcript: str = ""
    reply: str = ""
    heard: str = ""
    interrupted: bool = False
    typed: bool = False
    continuation: bool = False
    merges: int = 0
    """How often the person went on after a reply to the turn had begun."""
    distress: str = ""
    """What sort of help the person's words call for, if they do: see `silvertalk.distress`."""
    source: str = ""
    """Which LLM engine wrote the reply, or what fixed answer it is."""
    photo: str = ""
    """The photo that was shown meanwhile: its id."""
    wish: str = ""
    """What 복실이 asked leave to do in it, as JSON (`silvertalk.wishes`): a yes in the next turn has it done."""
    started_at_ms: int = 0
    closed_at_ms: int = 0
    """Unix milliseconds, the owning gateway's clock; never compared with another host's."""
    speech_samples: int = 0
    timings_ms: dict[str, float] = {}
    witness: Witness = "journal"


# --- offers stream ---------------------------------------------------------------------------------------------------


class Offer(Message, frozen=True):
    """A turn that wants a node."""

    session: str
    turn: int


class Reclaim(Message, frozen=True):
    """A gateway's hint that some lease has run out: whoever reads it looks through the group's pending list."""


# --- up: gateway to node ---------------------------------------------------------------------------------------------


class TurnOpened(Message, frozen=True):
    """First entry of an up stream. `text` is set for a typed turn, which has no audio."""

    session: str
    turn: int
    language: Language
    reply_rate: int
    first_sample: int = 0
    continuation: bool = False
    """The person went on after a turn that was closed already."""
    text: str | None = None
    context: ReplyContext = ReplyContext()
    """As of now, so that a node can warm an LLM's prompt cache; `StartReply` brings the one that counts."""


class AudioBatch(Message, frozen=True):
    """PCM16 mono 16 kHz. A jump in `first_sample` is silence that was not worth sending."""

    first_sample: int
    pcm: bytes


class SpeechPaused(Message, frozen=True):
    """The person fell silent after `sample` (one past the last sample of speech): the final pass may start."""

    sample: int


class SpeechResumed(Message, frozen=True):
    """The person went on before the endpoint; speech starts again at `sample`."""

    sample: int


class StartReply(Message, frozen=True):
    """The utterance ended at `end_sample`: answer it.

    `attempt` rises whenever the gateway asks anew; `reply` numbers the replies of a turn, of which there is more than
    one where the person went on after the first had begun. `released` is what the client already has of this reply: go
    on after it.
    """

    attempt: int
    reply: int
    end_sample: int
    context: ReplyContext
    released: str = ""
    speculative: bool = False
    """The person has only paused: transcribe, write the reply and speak its first sentence, then wait for
    `ConfirmReply`."""
    say: str = ""
    """Say just this, and ask no LLM."""
    say_as: str = ""
    """What `say` is ("repeat", "distress" …): the `source` of its texts."""
    may_fill: bool = False
    """Where nothing can be said for a while after the endpoint, a short filler may be."""


class ConfirmReply(Message, frozen=True):
    """The utterance has ended where the speculative reply of this attempt supposed: go on with it."""

    attempt: int


class CancelReply(Message, frozen=True):
    """Stop the reply of this attempt and everything older; the turn stays open."""

    attempt: int
    reason: str


class ToolAnswered(Message, frozen=True):
    """What came of the tool that this attempt's `ToolAsked` of the same `call` asked for: `result` is a JSON object.

    Where `say` is set there is nothing for the LLM to go on with: the reply ends with these words, whose `source` is
    `say_as`.
    """

    attempt: int
    call: int
    result: str
    say: str = ""
    say_as: str = ""


class CloseTurn(Message, frozen=True):
    """Last entry of an up stream: the node lets go of the turn."""

    reason: str


# --- down: node to gateway -------------------------------------------------------------------------------------------


class DownOpened(Message, frozen=True):
    """First entry of a down stream, written by the gateway, since a node never creates one."""


class Claimed(Message, frozen=True):
    """A node holds the turn; first entry of every lease."""

    node: str
    delivery: int
    stt: str
    tts: str
    llm: str


class TranscriptPartial(Message, frozen=True):
    """`stable` only grows; `tentative` is the tail that may still change. Both are plain text."""

    stable: str
    tentative: str
    upto_sample: int


class TranscriptFinal(Message, frozen=True):
    """The words of the utterance up to `upto_sample`.

    `rejected` names the guard that refused it ("silence", "invented", "loop" …); its `text` is then empty.
    """

    attempt: int
    text: str
    language: Language
    upto_sample: int
    confidence: float
    """Mean log-probability of the tokens; 0 is certain."""
    rejected: str = ""
    pass_ms: float = 0.0


class TurnEndScored(Message, frozen=True):
    """How much the utterance up to `sample` sounded as if the person had finished: `probability` 0 to 1, by `model`."""

    sample: int
    probability: float
    model: str


FILLER = "filler"
"""The `source` of a short sound made while the reply is not ready: it was heard, but it is no part of what was said."""

APOLOGY = "apology"
"""The `source` of what a node says where it has no reply: the turn has failed, though something was heard."""


class ToolAsked(Message, frozen=True):
    """The LLM asks for a tool before it goes on: `name` of `streaming.tools`, `arguments` a JSON object. `call` counts
    from 1 within the attempt."""

    attempt: int
    call: int
    name: str
    arguments: str


class ReplyText(Message, frozen=True):
    """One sentence (or first clause) of the reply, before its audio. `source` is the LLM engine that wrote it, or
    `APOLOGY`."""

    attempt: int
    reply: int
    sentence: int
    text: str
    source: str


class ReplyAudio(Message, frozen=True):
    """PCM16 mono at the session's `reply_rate`; `first_sample` counts from the start of the reply."""

    attempt: int
    reply: int
    sentence: int
    first_sample: int
    pcm: bytes


class ReplyDone(Message, frozen=True):
    """The reply is complete, or ended early for `reason`. `timings_ms` are durations on the node's own clock."""

    attempt: int
    reply: int
    reason: Literal["completed", "cancelled", "nothing_heard", "failed"]
    source: str = ""
    detail: str = ""
    tokens: int = 0
    """What the LLM wrote for this attempt: wasted, if the attempt was."""
    timings_ms: dict[str, float] = {}


class TurnFailed(Message, frozen=True):
    """The node gives the turn up (`poison`: it was delivered too often; `engine`: an engine broke)."""

    reason: Literal["poison", "engine", "bad_turn"]
    detail: str


# --- errands: asked by a worker or a gateway, run by a node ----------------------------------------------------------

ErrandKind = Literal["transcribe", "speak", "ask", "look"]


class ErrandOpened(Message, frozen=True):
    """First entry of an errand's up stream, which is a turn's: what is wanted, and how much material follows.

    transcribe: the material is PCM16 mono 16 kHz; its words come back.
    speak: `text` is spoken in `voice` at `speed`; PCM16 mono at `rate` comes back.
    ask: `text` is answered by the node's LLM as `instructions` say; what it writes comes back.
    look: the material is a picture of `content_type`, about which `text` asks; JSON comes back.
    """

    errand: str
    kind: ErrandKind
    language: Language = "ko"
    text: str = ""
    instructions: str = ""
    voice: str = ""
    speed: float = 1.0
    rate: int = 24_000
    content_type: str = ""
    material_bytes: int = 0
    outside_services: bool = False
    """ask, look: whether a service outside the operator's own machines may be shown what it is about. Whoever forgets
    to say so shows nothing to anybody."""

    @property
    def session(self) -> str:
        """Its streams are named as a turn's are."""
        return self.errand

    @property
    def turn(self) -> int:
        return 1


class ErrandMaterial(Message, frozen=True):
    """The next piece of what the errand is about, at most `MAX_PIECE_BYTES`."""

    data: bytes


class ErrandPiece(Message, frozen=True):
    """The next piece of the result, at most `MAX_PIECE_BYTES`; text is UTF-8, cut anywhere."""

    data: bytes


class ErrandDone(Message, frozen=True):
    """All of the result has been sent: so many bytes, made by `source`."""

    size: int
    source: str = ""


class ErrandFailed(Message, frozen=True):
    """There will be no result. `unable`: no engine here does this kind; `bad_errand`: what was asked makes no sense;
    `too_large`; `poison`: nodes died with it; `engine`: an engine broke."""

    reason: Literal["unable", "bad_errand", "too_large", "poison", "engine"]
    detail: str = ""
    retry_after_seconds: float = 0.0
    """So much later it may be done: a service was asked too often. 0: nobody knows of such a time."""


# --- journal ---------------------------------------------------------------------------------------------------------


class SessionOpened(Message, frozen=True):
    """First entry of an owner's epoch. `received_samples`: where the new owner's count of the microphone starts.
    `photo`: id of the one that is shown, if one is."""

    user: str
    language: Language
    reply_rate: int
    received_samples: int = 0
    photo: str = ""


class Told(Message, frozen=True):
    """An event as the client was told it: the JSON of the wire protocol, numbered by the journal entry's id."""

    event: bytes


class Released(Message, frozen=True):
    """The client was sent what stands at `entry` of the turn's down stream (a `ReplyText` or a `ReplyAudio`)."""

    turn: int
    entry: str


class Interrupted(Message, frozen=True):
    """The user took the floor: nothing of this reply is sent after this entry. `sent_samples` bounds what was heard."""

    turn: int
    attempt: int
    sent_samples: int
    reason: str


class TakenBack(Message, frozen=True):
    """The user went on soon after the reply began: what was released of it before this entry counts for nothing, and
    another reply to the same turn follows, whose audio begins at `upto_sample`, with these numbers of pieces and
    sentences before it."""

    turn: int
    attempt: int
    upto_sample: int
    sequences: int
    sentences: int


class Closed(Message, frozen=True):
    """The turn is over; `record` is what the database gets, whoever writes it."""

    record: TurnRecord


class Committed(Message, frozen=True):
    """The database has the turn. Told to the client by the same entry."""

    turn: int


class SessionEnded(Message, frozen=True):
    """The session is over and will not be resumed."""

    reason: str


OfferMessage = Offer | Reclaim
ErrandMessage = ErrandOpened | ErrandMaterial | ErrandPiece | ErrandDone | ErrandFailed
UpMessage = (
    TurnOpened
    | AudioBatch
    | SpeechPaused
    | SpeechResumed
    | StartReply
    | ConfirmReply
    | ToolAnswered
    | CancelReply
    | CloseTurn
)
DownMessage = (
    DownOpened
    | Claimed
    | TurnEndScored
    | TranscriptPartial
    | TranscriptFinal
    | ToolAsked
    | ReplyText
    | ReplyAudio
    | ReplyDone
    | TurnFailed
)
JournalRecord = SessionOpened | Told | Released | Interrupted | TakenBack | Closed | Committed | SessionEnded
AnyMessage = OfferMessage | UpMessage | DownMessage | ErrandMessage | JournalRecord

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[AnyMessage] = msgspec.msgpack.Decoder(AnyMessage)


def encode(message: Message) -> bytes:
    """A version byte, then MessagePack."""
    return bytes([VERSION]) + _encoder.encode(message)


def decode(data: bytes) -> AnyMessage:
    """The inverse of `encode`; raises MessageError for anything else."""
    if not 2 <= len(data) <= MAX_MESSAGE_BYTES:
        raise MessageError(f"{len(data)} bytes")
    if data[0] != VERSION:
        raise MessageError(f"version {data[0]}, this reader knows {VERSION}")
    try:
        return _decoder.decode(memoryview(data)[1:])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise MessageError(str(error)) from error
