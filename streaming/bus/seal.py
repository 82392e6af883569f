"""Encryption of what crosses a bus outside the machine, with a key that Redis never sees.

AES-256-GCM from `cryptography`. Every stream has a key of its own, derived from the bus key and the stream's name
(HKDF-SHA256), so that random nonces stay far from their limit of 2^32 messages a key however many turns are spoken.
The stream's key and the entry's id are authenticated with the message: an entry moved, repeated under another id or put
into another stream is refused.
"""

from __future__ import annotations

import base64
import binascii
import os
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from streaming.errors import BusError, MessageError

KEY_BYTES = 32
ANY_ID = "*"
"""Stands for the entry's id where Redis chooses it and the writer cannot know it (the offers stream)."""

_VERSION = b"\x01"
_NONCE_BYTES = 12
_TAG_BYTES = 16
_CIPHERS = 4096
"""Derived keys kept at hand: two streams a living turn, so about 2,000 turns; beyond that one costs 10 us again."""


class Sealer:
    """Seals and unseals message bytes; with no key both are the identity.

    `key`: 32 bytes or None. Raises ValueError for any other length.
    """

    def __init__(self, key: bytes | None) -> None:
        if key is not None and len(key) != KEY_BYTES:
            raise ValueError(f"a bus key has {KEY_BYTES} bytes, not {len(key)}")
        self._key = key
        self._cipher = lru_cache(_CIPHERS)(self._derive)

    @classmethod
    def from_base64(cls, text: str | None) -> Sealer:
        """From the setting BUS_KEY: base64 of 32 bytes, or nothing. Raises BusError, which never repeats the key."""
        if not text:
            return cls(None)
        try:
            return cls(base64.b64decode(text, validate=True))
        except (binascii.Error, ValueError):
            raise BusError(f"BUS_KEY is not base64 of {KEY_BYTES} bytes") from None

    @property
    def sealing(self) -> bool:
        return self._key is not None

    def seal(self, stream: str, entry_id: str, data: bytes) -> bytes:
        if self._key is None:
            return data
        nonce = os.urandom(_NONCE_BYTES)
        return _VERSION + nonce + self._cipher(stream).encrypt(nonce, data, _bound_to(stream, entry_id))

    def unseal(self, stream: str, entry_id: str, data: bytes) -> bytes:
        """The inverse of `seal`; raises MessageError for bytes that this key did not seal for this place."""
        if self._key is None:
            return data
        if len(data) < len(_VERSION) + _NONCE_BYTES + _TAG_BYTES or data[:1] != _VERSION:
            raise MessageError("not a sealed message")
        nonce, sealed = data[1 : 1 + _NONCE_BYTES], data[1 + _NONCE_BYTES :]
        try:
            return self._cipher(stream).decrypt(nonce, sealed, _bound_to(stream, entry_id))
        except InvalidTag:
            raise MessageError("a sealed message that does not open here") from None

    def _derive(self, stream: str) -> AESGCM:
        assert self._key is not None
        return AESGCM(HKDFExpand(SHA256(), KEY_BYTES, b"silvertalk bus " + stream.encode()).derive(self._key))


def _bound_to(stream: str, entry_id: str) -> bytes:
    return f"{stream}\n{entry_id}".encode()
