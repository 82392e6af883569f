"""What a setting's value may be, and how a person reads it: the checks and the wording behind `silvertalk.settings`.

A check takes the value as the environment gave it and returns it as the product uses it, or raises ValueError with the
second half of a sentence that begins with the setting's name. No message holds a value: it may be a secret.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from typing import NamedTuple
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit, urlunsplit
from zoneinfo import ZoneInfo

from pydantic import SecretStr

MIN_SECRET_BYTES = 32
"""HS256's own size (RFC 7518, 3.2); python-jose would take a single byte."""
MIN_SECRET_VARIETY = 10
"""Different characters in a secret: refuses "changeme" repeated, not anything a generator makes."""

_APP_LINK = re.compile(r"[a-z][a-z0-9+.-]*://[A-Za-z0-9._~/-]*")

_MODEL = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}/[a-z0-9][a-z0-9._-]{0,63}(:[0-9a-f]{64})?", re.ASCII)
_HOST = re.compile(r"(\*\.)?[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63}){0,8}", re.ASCII)

# --- what may be set -------------------------------------------------------------------------------------------------


def endpoint(value: str) -> str:
    """An address without a path or a password."""
    parts = urlsplit(value)
    if value and (parts.scheme not in ("http", "https") or value != f"{parts.scheme}://{parts.netloc}"):
        raise ValueError("takes an address such as https://talk.example.org, without a path")
    if "@" in parts.netloc:
        raise ValueError("holds no password: S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY do")
    return value


def known_zone(value: str) -> str:
    """A zone of the IANA database."""
    try:
        ZoneInfo(value)
    except (KeyError, OSError, ValueError):
        raise ValueError("is not a time zone of the IANA database, such as Asia/Seoul") from None
    return value


def networks(value: tuple[str, ...]) -> tuple[str, ...]:
    """Addresses or networks."""
    for proxy in value:
        try:
            ipaddress.ip_network(proxy)
        except ValueError:
            raise ValueError("takes addresses or networks, such as 10.0.0.0/8") from None
    return value


def origins(value: tuple[str, ...]) -> tuple[str, ...]:
    """Exact web origins."""
    for origin in value:
        parts = urlsplit(origin)
        if parts.scheme not in ("http", "https") or origin != f"{parts.scheme}://{parts.netloc}" or "@" in origin:
            raise ValueError("takes origins such as https://talk.example.org, without a path")
        if origin != origin.lower() or "*" in origin:
            raise ValueError("takes exact origins in lower case, without wildcards")
    return value


def redirect_uris(value: tuple[str, ...]) -> tuple[str, ...]:
    """Addresses that Kakao may send people back to."""
    for uri in value:
        parts = urlsplit(uri)
        safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))
        if not safe or not parts.hostname or "@" in parts.netloc or parts.fragment or "*" in uri:
            raise ValueError("takes https addresses (http on this machine alone) without wildcard or fragment")
    return value


def app_link(value: str) -> str:
    """The app's own link."""
    if not _APP_LINK.fullmatch(value) or value.partition(":")[0] in ("http", "javascript", "data", "file", "blob"):
        raise ValueError("takes the app's own link, such as silvertalk://auth, without a query")
    return value


def kakao_server(value: str) -> str:
    """An address of Kakao, or of the practice one on this machine."""
    return _outside_server(value, "https://kauth.kakao.com")


def replicate_server(value: str) -> str:
    """An address of Replicate, or of one to practise with on this machine."""
    return _outside_server(value, "https://api.replicate.com")


def replicate_model(value: str) -> str:
    """A model at Replicate, with its version or without."""
    if not _MODEL.fullmatch(value):
        raise ValueError("takes a model such as black-forest-labs/flux-schnell, or owner/name:version")
    return value


def hosts(value: tuple[str, ...]) -> tuple[str, ...]:
    """Names of hosts; `*.` in front stands for all below a name."""
    for host in value:
        if not _HOST.fullmatch(host):
            raise ValueError("takes names of hosts in lower case, such as replicate.delivery or *.replicate.delivery")
    return value


def _outside_server(value: str, example: str) -> str:
    parts = urlsplit(value)
    if value != f"{parts.scheme}://{parts.netloc}" or "@" in value or not parts.hostname:
        raise ValueError(f"takes an address such as {example}, without a path")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname)):
        raise ValueError("takes https addresses (http on this machine alone)")
    return value


def whole_key(value: SecretStr) -> SecretStr:
    """Nothing, or base64 of a whole key."""
    try:
        key = base64.b64decode(value.get_secret_value(), validate=True)
    except ValueError:
        key = b"?"
    if len(key) not in (0, 32):
        raise ValueError("is base64 of 32 bytes; `openssl rand -base64 32` makes one")
    return value


def strong_secret(value: SecretStr) -> SecretStr:
    """Nothing, or a secret that nobody guesses."""
    secret = value.get_secret_value()
    if secret and (len(secret.encode()) < MIN_SECRET_BYTES or len(set(secret)) < MIN_SECRET_VARIETY):
        raise ValueError(f"needs at least {MIN_SECRET_BYTES} random bytes; `openssl rand -base64 48` makes one")
    return value


def driver_named(value: SecretStr) -> SecretStr:
    """Nothing, or a database's address with its driver; see `database_url`."""
    return SecretStr(database_url(value.get_secret_value())) if value.get_secret_value() else value


def redis_urls(value: tuple[str, ...]) -> tuple[str, ...]:
    """Addresses of Redis whose certificates are checked."""
    for url in value:
        parts = urlsplit(url)
        if parts.scheme not in ("redis", "rediss", "unix"):
            raise ValueError("takes redis://, rediss:// and unix:// addresses")
        if parse_qs(parts.query).get("ssl_cert_reqs", ["required"]) != ["required"]:
            raise ValueError("must check certificates: leave ssl_cert_reqs out")
    return value


def database_url(url: str) -> str:
    """A PostgreSQL or SQLite address, however spelled, for SQLAlchemy's asynchronous drivers; raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme in ("sqlite", "sqlite+aiosqlite"):
        if not parts.path.strip("/") or ":memory:" in url:
            raise ValueError("needs a file for SQLite, such as sqlite:////srv/silvertalk.sqlite3")
        return "sqlite+aiosqlite:" + url.split(":", 1)[1]
    if parts.scheme not in ("postgres", "postgresql", "postgresql+asyncpg"):
        raise ValueError("takes postgresql:// and sqlite:// addresses")
    query = dict(parse_qsl(parts.query))
    tls = query.pop("sslmode", query.get("ssl"))  # libpq's name, which asyncpg does not know as a keyword
    if tls is not None:
        if tls not in ("require", "verify-ca", "verify-full"):
            raise ValueError("takes sslmode require, verify-ca or verify-full; leave it out where no TLS is wanted")
        query["ssl"] = tls
    return urlunsplit(("postgresql+asyncpg", parts.netloc, parts.path, urlencode(query), ""))


def on_this_machine(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "unix" or is_loopback(parts.hostname or "localhost")


def is_loopback(host: str | None) -> bool:
    return host in ("localhost", "127.0.0.1", "::1")


def plain(value: object) -> object:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


# --- how it is read --------------------------------------------------------------------------------------------------


class SettingLine(NamedTuple):
    """A setting as a person reads it; secrets are masked."""

    name: str
    value: str
    default: str
    description: str


def shown(value: object) -> str:
    if isinstance(value, SecretStr):
        return "(set)" if value.get_secret_value() else "(unset)"
    if value in (None, "", ()):
        return "(unset)"
    if isinstance(value, tuple):
        return ", ".join(_without_password(str(part)) for part in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _without_password(text: str) -> str:
    parts = urlsplit(text)
    if "@" not in parts.netloc:
        return text
    return urlunsplit(parts._replace(netloc=f"***@{parts.netloc.rpartition('@')[2]}", query=""))


def sentence(location: tuple[int | str, ...], message: str) -> str:
    """Pydantic's finding as one plain sentence that begins with the variable's name and never holds its value."""
    text = message.removeprefix("Value error, ")
    if not location:
        return f"{text}."
    if text.startswith("Input should be "):
        text = text.replace("Input should be", "should be")
    return f"{str(location[0]).upper()} {text[0].lower()}{text[1:]}."
