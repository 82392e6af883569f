"""`python -m silvertalk.standins.practice`: the practice Kakao as a process beside the gateway, in embedded mode alone.

It reads the same settings as the gateway: keys, redirect URIs, and in KAKAO_AUTH_URL where to listen.
"""

from __future__ import annotations

import asyncio
import socket
from urllib.parse import urlsplit

import uvicorn

from silvertalk.errors import ConfigurationError
from silvertalk.settings import Settings
from silvertalk.standins.kakao import KakaoStandIn
from streaming import notify


class _Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            notify.ready()


def practice_kakao(settings: Settings) -> KakaoStandIn:
    """The stand-in that these settings name; raises ConfigurationError where they name Kakao itself."""
    if not (settings.embedded and settings.kakao_is_pretended):
        raise ConfigurationError("The practice Kakao is for DEPLOYMENT_MODE=embedded and an address of this machine.")
    return KakaoStandIn(
        app_id=settings.kakao_app_id,
        rest_key=settings.kakao_rest_key,
        client_secret=settings.kakao_client_secret.get_secret_value(),
        admin_key=settings.kakao_admin_key.get_secret_value(),
        redirect_uris=settings.kakao_redirect_uris,
        mode="page",
    )


def main() -> None:
    settings = Settings.read()
    where = urlsplit(settings.kakao_auth_url)
    app = practice_kakao(settings).app
    config = uvicorn.Config(
        app,
        host=where.hostname or "127.0.0.1",
        port=where.port or 80,
        lifespan="off",
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=1,
    )
    asyncio.run(_Server(config).serve())


if __name__ == "__main__":
    main()
