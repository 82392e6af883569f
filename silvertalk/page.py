"""The browser's page at `/demo`: a few files, read once, served as they are under a policy that lets nothing else in.

The policy (CSP) allows this server's own scripts, styles and pictures, and connections to this server; pictures, films
and uploads also of the media store, where that has an address of its own. Nothing inline, no other origin, no frame
around it: were somebody's words ever taken for markup, they could neither run nor call home.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

INDEX = "index.html"
CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""Files of other kinds are not served."""

HEADERS = {
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=(), display-capture=(), payment=(), usb=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",  # asked anew each time, answered 304: page and server are never of two versions
}


@dataclass(frozen=True)
class _File:
    body: bytes
    headers: dict[str, str]


class Page:
    """The ASGI application under `/demo`. A path that is not the name of one of its files is not there."""

    def __init__(self, folder: Path | None = None, *, media: Sequence[str] = ()) -> None:
        """`media`: origins of the media store, where it is not this server."""
        folder = page_folder() if folder is None else folder
        self._headers = {**HEADERS, "Content-Security-Policy": _policy(media)}
        self._files = {
            "" if path.name == INDEX else f"/{path.name}": _read(path, self._headers)
            for path in folder.iterdir()
            if path.suffix in CONTENT_TYPES
        }
        """By what follows `/demo` in the address."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._answer(scope)(scope, receive, send)

    def _answer(self, scope: Scope) -> Response:
        if scope["method"] not in ("GET", "HEAD"):
            return PlainTextResponse("Method Not Allowed", 405, {**self._headers, "Allow": "GET, HEAD"})
        below = scope["path_params"]["name"]
        if below == "/":
            return RedirectResponse("../demo", headers=self._headers)
        # A lookup, never a path: what is not a key is not found, whatever dots and slashes it has.
        file = self._files.get(below)
        if file is None:
            return PlainTextResponse("Not Found", 404, self._headers)
        if Headers(scope=scope).get("if-none-match") == file.headers["ETag"]:
            return Response(status_code=304, headers=file.headers)
        return Response(file.body, headers=file.headers)


def page_folder() -> Path:
    """Inside the package once installed, beside it in a checkout."""
    package = Path(__file__).resolve().parent
    inside = package / "web_demo"
    return inside if inside.is_dir() else package.parent / "web_demo"


def _policy(media: Sequence[str]) -> str:
    shown = " ".join(("'self'", *media))
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            f"img-src {shown}",
            f"media-src {shown}",
            f"connect-src {shown}",  # the voice socket too: ws and wss of the same host count as 'self' (CSP level 3)
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )


def _read(path: Path, headers: Mapping[str, str]) -> _File:
    body = path.read_bytes()
    tag = hashlib.sha256(body).hexdigest()[:32]
    return _File(body, {**headers, "Content-Type": CONTENT_TYPES[path.suffix], "ETag": f'"{tag}"'})
