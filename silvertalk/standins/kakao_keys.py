"""The practice Kakao's signing keys: id_tokens as Kakao makes them, and as a liar would."""

from __future__ import annotations

import base64
import hmac
import json
import time
import uuid
from functools import cached_property
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

ISSUER = "https://kauth.kakao.com"
LIFE_SECONDS = 21_599


class SigningKey:
    """One RSA key and its id."""

    def __init__(self) -> None:
        self.kid = uuid.uuid4().hex

    @cached_property
    def private(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def public_jwk(self) -> dict[str, str]:
        numbers = self.private.public_key().public_numbers()
        return {
            "kid": self.kid,
            "kty": "RSA",
            "alg": "RS256",
            "use": "sig",
            "n": _encoded(numbers.n.to_bytes(256, "big")),
            "e": _encoded(numbers.e.to_bytes(3, "big")),
        }

    def public_bytes(self, encoding: serialization.Encoding) -> bytes:
        return self.private.public_key().public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)

    def signed(self, claims: dict[str, Any], **header: Any) -> str:
        """An RS256 token; members of the header given as None are left out."""
        head = {"kid": self.kid, "typ": "JWT", "alg": "RS256"} | header
        spoken = f"{_json({name: value for name, value in head.items() if value is not None})}.{_json(claims)}"
        return f"{spoken}.{_encoded(self.private.sign(spoken.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


class SigningKeys:
    """The keys that the key set lists; the last one signs."""

    def __init__(self) -> None:
        self._keys = [SigningKey()]

    @property
    def current(self) -> SigningKey:
        return self._keys[-1]

    def rotate(self) -> SigningKey:
        """A new key signs from now on; the one before it stays listed, those before that do not. Returns the new."""
        self._keys = [self._keys[-1], SigningKey()]
        return self.current

    def key_set(self) -> dict[str, Any]:
        return {"keys": [key.public_jwk() for key in self._keys]}


def claims_of(sub: str, aud: str, nonce: str, /, **changes: Any) -> dict[str, Any]:
    """What an id_token says; a change to `...` leaves the claim out."""
    now = int(time.time())
    good = {"iss": ISSUER, "aud": aud, "sub": sub, "iat": now, "exp": now + LIFE_SECONDS, "auth_time": now}
    if nonce:
        good["nonce"] = nonce
    return {name: value for name, value in (good | changes).items() if value is not ...}


def lies(keys: SigningKeys, sub: str, aud: str, nonce: str) -> dict[str, str]:
    """Id_tokens that nobody must believe, by what is wrong with them."""
    key, stranger, now = keys.current, SigningKey(), int(time.time())
    good = claims_of(sub, aud, nonce)

    def with_claims(**changes: Any) -> str:
        return key.signed(claims_of(sub, aud, nonce, **changes))

    def with_hmac(secret: bytes, **header: Any) -> str:
        spoken = f"{_json({'kid': key.kid, 'typ': 'JWT', 'alg': 'HS256'} | header)}.{_json(good)}"
        return f"{spoken}.{_encoded(hmac.digest(secret, spoken.encode(), sha256))}"

    truth = key.signed(good)
    head, payload, signature = truth.split(".")
    return {
        "alg none": f"{_json({'kid': key.kid, 'typ': 'JWT', 'alg': 'none'})}.{payload}.",
        "alg none, signed": f"{_json({'kid': key.kid, 'typ': 'JWT', 'alg': 'none'})}.{payload}.{signature}",
        "HS256 with the public key in PEM": with_hmac(key.public_bytes(serialization.Encoding.PEM)),
        "HS256 with the public key in DER": with_hmac(key.public_bytes(serialization.Encoding.DER)),
        "HS256 signed, RS256 said": with_hmac(key.public_bytes(serialization.Encoding.DER), alg="RS256"),
        "RS512 said": key.signed(good, alg="RS512"),
        "a stranger's key under our id": stranger.signed(good, kid=key.kid),
        "a stranger's key under its own id": stranger.signed(good),
        "a stranger's key brought along": stranger.signed(good, jwk=stranger.public_jwk()),
        "an address for keys": stranger.signed(good, jku="https://evil.example/jwks.json"),
        "crit": key.signed(good, crit=["exp"]),
        "no kid": key.signed(good, kid=None),
        "another issuer": with_claims(iss="https://kauth.kakao.com.evil.example"),
        "issuer with a slash": with_claims(iss=f"{ISSUER}/"),
        "no issuer": with_claims(iss=...),
        "another app": with_claims(aud="another-app"),
        "audience is a list": with_claims(aud=[aud, "another-app"]),
        "no audience": with_claims(aud=...),
        "another login's nonce": with_claims(nonce="another"),
        "no nonce": with_claims(nonce=...),
        "nonce is a list": with_claims(nonce=[nonce]),
        "nonce with half a character": with_claims(nonce="\ud800"),
        "expired": with_claims(iat=now - 1_800, exp=now - 120),
        "of a login long ago": with_claims(iat=now - 7_200, exp=now + 7_200),
        "no exp": with_claims(exp=...),
        "exp is text": with_claims(exp=str(now + 600)),
        "exp is true": with_claims(exp=True),
        "lives for years": with_claims(exp=now + 10 * 365 * 86_400),
        "from the future": with_claims(iat=now + 7_200, exp=now + 9_000),
        "no sub": with_claims(sub=...),
        "sub is a number": with_claims(sub=int(sub)),
        "sub is nobody": with_claims(sub="admin"),
        "sub is negative": with_claims(sub="-1"),
        "claims exchanged": f"{head}.{_json(claims_of('999', aud, nonce))}.{signature}",
        "junk behind": f"{truth}!!",
        "padding behind": f"{truth}=",
        "two parts": f"{head}.{payload}",
        "empty": "",
    }


def _json(value: object) -> str:
    return _encoded(json.dumps(value, separators=(",", ":")).encode())


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
