"""Guests: people without an account, who keep what is theirs by keeping their guest id.

A guest id proves itself: a random UUID and a code that only this server can make for it, so no table of guests is
needed and only ids that we gave are taken back. Whoever holds it is that guest: it is a secret of the client's.
"""

from __future__ import annotations

import base64
import hmac
import uuid
from hashlib import sha256

from silvertalk.errors import GuestRefused
from silvertalk.keys import derived_key
from silvertalk.tokens import is_user_id

CODE_BYTES = 16


class GuestIds:
    """Gives guest ids and takes them back."""

    def __init__(self, secret: bytes) -> None:
        self._key = derived_key(secret, "guest ids")

    def new(self) -> str:
        return self._signed(str(uuid.uuid4()))

    def user_of(self, guest_id: str) -> str:
        """The user id within a guest id of ours; raises GuestRefused for any other text."""
        user = guest_id.partition(".")[0]
        if not is_user_id(user) or not hmac.compare_digest(
            self._signed(user).encode(), guest_id.encode("utf-8", "replace")
        ):
            raise GuestRefused
        return user

    def _signed(self, user: str) -> str:
        code = hmac.digest(self._key, user.encode(), sha256)[:CODE_BYTES]
        return f"{user}.{base64.urlsafe_b64encode(code).rstrip(b'=').decode()}"
