"""What gateway, worker and the practice Kakao have to agree on, made anew with each start of `silvertalk up`."""

from __future__ import annotations

import secrets
from urllib.parse import urlsplit

from silvertalk.settings import Settings

PAGE = "/demo"
"""Where the page's own login comes back to."""
CALLBACK = "/auth/kakao/callback"


def practice_environment(settings: Settings, port: int) -> dict[str, str]:
    """The KAKAO_ settings of all three; the practice Kakao listens on `port` of the loopback address."""
    address = f"http://127.0.0.1:{port}"
    pages = [f"{origin}{PAGE}" for origin in sorted(settings.origins()) if _is_here(origin)]
    callbacks = [f"{origin}{CALLBACK}" for origin in sorted(settings.origins()) if _is_here(origin)]
    return {
        "KAKAO_REST_KEY": "practice-rest-key",
        "KAKAO_APP_ID": "100001",
        "KAKAO_CLIENT_SECRET": secrets.token_urlsafe(24),
        "KAKAO_ADMIN_KEY": secrets.token_urlsafe(24),
        "KAKAO_REDIRECT_URIS": ",".join([*pages, *callbacks]),
        "KAKAO_AUTH_URL": address,
        "KAKAO_API_URL": address,
    }


def _is_here(origin: str) -> bool:
    """Another machine's browser would look for the practice Kakao on itself."""
    return urlsplit(origin).hostname in ("localhost", "127.0.0.1", "::1")
