"""Signature Version 4 as S3 verifies it: in headers, in a presigned address, over the policy of a form."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote

from starlette.requests import Request

ALGORITHM = "AWS4-HMAC-SHA256"
MAX_SKEW = timedelta(minutes=15)
MAX_EXPIRES_SECONDS = 7 * 24 * 3600
UNSIGNED = "UNSIGNED-PAYLOAD"
UNCONDITIONED = frozenset({"x-amz-signature", "file", "policy", "bucket"})
"""Fields of a form that need no condition; nor do those that begin with `x-ignore-`."""

_HEADER = re.compile(rf"{ALGORITHM} Credential=([^,\s]+), ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{{64}})")


@dataclass
class S3Error(Exception):
    """An answer of S3's own kind."""

    status: int
    code: str
    message: str
    extra: dict[str, Any] = field(default_factory=dict)


class Keys(NamedTuple):
    """The account's, and the region it signs for."""

    access_key: str
    secret_key: str
    region: str


class _Claim(NamedTuple):
    """What a request says of its signature."""

    credential: str
    signed_headers: list[str]
    signature: str
    at: datetime
    payload: str
    query: list[tuple[str, str]]


def check_request(request: Request, body: bytes, keys: Keys, now: datetime) -> None:
    """Raises S3Error for a request that is signed by nobody or wrongly, has expired, or has another body than was
    signed."""
    query = parse_qsl(request.url.query, keep_blank_values=True)
    names = dict(query)
    claim = _from_query(names, query, now) if "X-Amz-Signature" in names else _from_headers(request, query, now)
    if claim.payload != UNSIGNED and claim.payload != sha256(body).hexdigest():
        raise S3Error(400, "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match.")
    if "host" not in claim.signed_headers:
        raise _denied("The host must be signed")
    unsigned = [name for name in request.headers if name.startswith("x-amz-") and name not in claim.signed_headers]
    if unsigned:
        raise S3Error(403, "AccessDenied", "There were headers present in the request which were not signed")
    scope = _checked_scope(claim.credential, claim.at, keys)
    canonical = "\n".join(
        [
            request.method,
            request.scope["raw_path"].decode("ascii").partition("?")[0],
            "&".join(f"{_encoded(name)}={_encoded(value)}" for name, value in sorted(claim.query)),
            *(f"{name}:{_trimmed(request.headers.getlist(name))}" for name in claim.signed_headers),
            "",
            ";".join(claim.signed_headers),
            claim.payload,
        ]
    )
    digest = sha256(canonical.encode()).hexdigest()
    text = "\n".join([ALGORITHM, f"{claim.at:%Y%m%dT%H%M%SZ}", scope, digest])
    _compare(text, claim.signature, scope, keys)


def check_form(fields: dict[str, str], size: int, keys: Keys, now: datetime) -> None:
    """Raises S3Error for a form whose policy is not signed, is over, or does not allow these fields and this size.
    Names of fields are in lower case."""
    policy = fields.get("policy", "")
    if not policy or "x-amz-signature" not in fields:
        raise _denied("Access Denied")
    if fields.get("x-amz-algorithm") != ALGORITHM:
        raise S3Error(400, "InvalidArgument", "X-Amz-Algorithm only supports AWS4-HMAC-SHA256")
    scope = _checked_scope(fields.get("x-amz-credential", ""), _moment(fields.get("x-amz-date", "")), keys)
    _compare(policy, fields["x-amz-signature"], scope, keys)
    try:
        terms = json.loads(base64.b64decode(policy, validate=True))
        ends = datetime.strptime(terms["expiration"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        conditions = list(terms["conditions"])
    except (binascii.Error, ValueError, KeyError, TypeError):
        raise S3Error(400, "InvalidPolicyDocument", "Invalid Policy: Invalid JSON.") from None
    if now >= ends:
        raise _denied("Invalid according to Policy: Policy expired.")
    met = {name for condition in conditions for name in _met(condition, fields, size)}
    extra = sorted(name for name in fields if name not in met | UNCONDITIONED and not name.startswith("x-ignore-"))
    if extra:
        raise _denied(f"Invalid according to Policy: Extra input fields: {', '.join(extra)}")


def _met(condition: Any, fields: dict[str, str], size: int) -> list[str]:
    """The names a condition speaks of; raises S3Error where it is not met."""
    if isinstance(condition, dict):
        pairs = [(name.lower(), str(value)) for name, value in condition.items()]
        if all(fields.get(name) == value for name, value in pairs):
            return [name for name, _ in pairs]
        raise _failed(condition)
    kind, first, second = condition
    if kind == "content-length-range":
        if size > second:
            extra = {"ProposedSize": size, "MaxSizeAllowed": second}
            raise S3Error(400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size", extra)
        if size < first:
            extra = {"ProposedSize": size, "MinSizeAllowed": first}
            raise S3Error(400, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size", extra)
        return []
    name = first.removeprefix("$").lower()
    given = fields.get(name)
    if given is not None and (given == second if kind == "eq" else kind == "starts-with" and given.startswith(second)):
        return [name]
    raise _failed(condition)


def _from_headers(request: Request, query: list[tuple[str, str]], now: datetime) -> _Claim:
    match = _HEADER.fullmatch(request.headers.get("authorization", ""))
    if match is None:
        raise _denied("Access Denied")
    at = _moment(request.headers.get("x-amz-date", ""))
    if abs(now - at) > MAX_SKEW:
        raise S3Error(403, "RequestTimeTooSkewed", "The difference between the request time and ours is too large.")
    payload = request.headers.get("x-amz-content-sha256", "")
    if not payload:
        raise S3Error(400, "InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
    return _Claim(match[1], match[2].split(";"), match[3], at, payload, query)


def _from_query(names: dict[str, str], query: list[tuple[str, str]], now: datetime) -> _Claim:
    expires = names.get("X-Amz-Expires", "")
    if names.get("X-Amz-Algorithm") != ALGORITHM or not expires.isdecimal() or int(expires) > MAX_EXPIRES_SECONDS:
        raise S3Error(400, "AuthorizationQueryParametersError", "X-Amz-Expires must be less than a week")
    at = _moment(names.get("X-Amz-Date", ""))
    if at > now + MAX_SKEW:
        raise _denied("Request is not valid yet")
    if now >= at + timedelta(seconds=int(expires)):
        raise S3Error(403, "AccessDenied", "Request has expired", {"X-Amz-Expires": expires})
    rest = [(name, value) for name, value in query if name != "X-Amz-Signature"]
    signed = names.get("X-Amz-SignedHeaders", "").split(";")
    return _Claim(names.get("X-Amz-Credential", ""), signed, names["X-Amz-Signature"], at, UNSIGNED, rest)


def _checked_scope(credential: str, at: datetime, keys: Keys) -> str:
    access_key, _, scope = credential.partition("/")
    if access_key != keys.access_key:
        raise S3Error(403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
    if scope != f"{at:%Y%m%d}/{keys.region}/s3/aws4_request":
        raise S3Error(400, "AuthorizationHeaderMalformed", f"expecting '{keys.region}'", {"Region": keys.region})
    return scope


def _compare(text: str, signature: str, scope: str, keys: Keys) -> None:
    key = f"AWS4{keys.secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), sha256)
    if not hmac.compare_digest(hmac.digest(key, text.encode(), sha256).hex().encode(), signature.encode()):
        raise S3Error(
            403,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided.",
        )


def _moment(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise _denied("AWS authentication requires a valid Date or x-amz-date header") from None


def _encoded(text: str) -> str:
    return quote(text, safe="-_.~")


def _trimmed(values: list[str]) -> str:
    return ",".join(" ".join(value.split()) for value in values)


def _denied(message: str) -> S3Error:
    return S3Error(403, "AccessDenied", message)


def _failed(condition: Any) -> S3Error:
    return _denied(f"Invalid according to Policy: Policy Condition failed: {json.dumps(condition)}")
