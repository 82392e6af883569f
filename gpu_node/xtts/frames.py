"""What a node and its voice process say to each other, over a pair of sockets.

A frame is two lengths (u32, little-endian: header, payload), a MessagePack header and raw samples (float32, mono).
Every `Speak` is answered by any number of `Chunk`s and one `Spoken` or `Failed`, also when it was cancelled. There is
no word for "end": whoever closes the connection has said it, and a killed process says it too.
"""

from __future__ import annotations

import struct
from typing import BinaryIO, TypeVar

import msgspec

from gpu_node.errors import EngineError
from streaming.messages import Language

MAX_HEADER_BYTES = 64 * 1024
MAX_PAYLOAD_BYTES = 16 * 1024 * 1024
"""XTTS makes 605 audio tokens at most, 28 s or 2.7 MB of samples; more is not a frame but a mistake."""

_LENGTHS = struct.Struct("<II")


class Prepare(msgspec.Struct, frozen=True, tag=True):
    """The node's first words: load the model. `voice` is the house's; empty: the model's first."""

    folder: str
    cache: str
    voice: str = ""
    device: str = "auto"
    threads: int = 2
    chunk_tokens: int = 10
    log_level: str = "info"


class Speak(msgspec.Struct, frozen=True, tag=True):
    """One piece of text, short enough for one run of the model. A `voice` unknown there is replaced by the house's."""

    id: int
    text: str
    language: Language
    voice: str = ""
    speed: float = 1.0


class Cancel(msgspec.Struct, frozen=True, tag=True):
    id: int


class Prepared(msgspec.Struct, frozen=True, tag=True):
    """The model is loaded. `voices`: the names it knows; `voice`: the one that speaks where none is asked for."""

    sample_rate: int
    device: str
    voice: str
    voices: tuple[str, ...]


class Refused(msgspec.Struct, frozen=True, tag=True):
    """It cannot be loaded, and trying again would not help. The process ends after this."""

    detail: str
    weights_missing: bool = False


class Chunk(msgspec.Struct, frozen=True, tag=True):
    """The next samples of an utterance: the payload."""

    id: int


class Spoken(msgspec.Struct, frozen=True, tag=True):
    id: int


class Failed(msgspec.Struct, frozen=True, tag=True):
    """`detail` names the kind of error only: a library's message may quote the words that were to be spoken. `broken`:
    nothing would succeed after it, and the process ends."""

    id: int
    detail: str
    broken: bool = False


Request = Prepare | Speak | Cancel
Answer = Prepared | Refused | Chunk | Spoken | Failed

requests = msgspec.msgpack.Decoder(Request)
answers = msgspec.msgpack.Decoder(Answer)

_encoder = msgspec.msgpack.Encoder()
_T = TypeVar("_T")


def pack(message: Request | Answer, payload: bytes = b"") -> bytes:
    """One frame."""
    header = _encoder.encode(message)
    return _LENGTHS.pack(len(header), len(payload)) + header + payload


def read(stream: BinaryIO, decoder: msgspec.msgpack.Decoder[_T]) -> tuple[_T, bytes] | None:
    """The next frame, waiting for it; None where the other side has ended, be it in the middle of a frame.

    Raises EngineError for what is no frame of `decoder`'s.
    """
    lengths = stream.read(_LENGTHS.size)
    if len(lengths) < _LENGTHS.size:
        return None
    header_bytes, payload_bytes = _LENGTHS.unpack(lengths)
    if header_bytes > MAX_HEADER_BYTES or payload_bytes > MAX_PAYLOAD_BYTES:
        raise EngineError(f"a frame of {header_bytes} and {payload_bytes} bytes")
    header = stream.read(header_bytes)
    payload = stream.read(payload_bytes)
    if len(header) + len(payload) < header_bytes + payload_bytes:
        return None
    try:
        return decoder.decode(header), payload
    except msgspec.MsgspecError as error:
        raise EngineError(f"a frame that cannot be read: {error}") from error
