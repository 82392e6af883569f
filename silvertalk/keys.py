"""The one secret of the product, and the keys made from it.

No secret is used for two purposes: each purpose has its own key (HKDF, RFC 5869), so that what leaks from one use says
nothing of another, and what the operator typed is never handed to a library that would look for PEM or JSON in it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from silvertalk.errors import ConfigurationError
from silvertalk.setting_values import MIN_SECRET_BYTES
from silvertalk.settings import Settings

SECRET_FILE = "jwt-secret"


def signing_secret(settings: Settings) -> bytes:
    """JWT_SECRET, or in embedded mode the one kept in DATA_DIR, made on first use.

    Raises ConfigurationError where the file cannot be made or is not what was written there.
    """
    given = settings.jwt_secret.get_secret_value()
    if given:
        return given.encode()
    if not settings.embedded:
        raise ConfigurationError(f"DEPLOYMENT_MODE={settings.deployment_mode} needs JWT_SECRET.")
    return _kept_secret(settings.data_dir / SECRET_FILE)


def derived_key(secret: bytes, purpose: str) -> bytes:
    """32 bytes for one purpose; raises ConfigurationError for a secret below HS256's own size."""
    if len(secret) < MIN_SECRET_BYTES:
        raise ConfigurationError(f"A secret needs at least {MIN_SECRET_BYTES} bytes.")
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=f"silvertalk {purpose}".encode()).derive(secret)


def _kept_secret(path: Path) -> bytes:
    try:
        if not path.exists():
            _write_once(path, secrets.token_urlsafe(48).encode())
        path.chmod(0o600)  # a copied folder may have lost it
        secret = path.read_bytes().strip()
    except OSError as error:
        raise ConfigurationError(f"The secret {path} cannot be kept: {error.strerror}.") from error
    if len(secret) < MIN_SECRET_BYTES:
        raise ConfigurationError(f"The secret {path} is damaged: delete it, and a new one is made (all log in again).")
    return secret


def _write_once(path: Path, secret: bytes) -> None:
    """Gateway and worker may start at once: whoever links first wins, and nobody ever reads half a file."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secret)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
