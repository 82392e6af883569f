"""`/openapi.json` tells the truth: schemathesis asks everything it describes, in ways that are right and wrong.

A real server in this process, on a real database; schemathesis in a process of its own.
"""

from __future__ import annotations

import asyncio
import os
import sys
import uuid
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from silvertalk.standins.kakao import KakaoStandIn
from silvertalk.standins.replicate import ReplicateStandIn
from silvertalk.standins.serving import served
from tests.ports import free_port
from tests.postgres import Postgres
from tests.product import Product, gateway, node, settings
from tests.silvertalk.api.test_authorisation import PLENTY
from tests.silvertalk.furnishing import furnish
from tests.valkey import Valkey

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
    "ignored_auth",
)
"""Not `unsupported_method`: where one path fits into another's parameter, the other's answer is right too."""
LEAVING = "^(DELETE /users/me|POST /auth/logout)$"
"""Whoever asks for these asks for nothing after it: asked last."""
ENDLESS = "/v1/me/events"
PHASES = {"sqlite": "examples,coverage,fuzzing", "postgresql": "fuzzing"}
EXAMPLES = {"sqlite": 5, "postgresql": 4}
KAKAO: dict[str, object] = {
    "kakao_rest_key": "practice-rest-key",
    "kakao_app_id": 100_001,
    "kakao_admin_key": "practice-admin-key",
}
SEED = 20261122


async def someone(server: Product) -> str:
    """A guest who has something of everything; their token."""
    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as client:
        answer = (await client.post("/auth/guest")).json()
        token = str(answer["access_token"])
        me = (await client.get("/auth/me", headers={"Authorization": f"Bearer {token}"})).json()
    await furnish(server.parts.database, me["id"], f"thing{uuid.uuid4().hex[:6]}")
    return token


async def asked(server: Product, folder: Path, kind: str, *which: str) -> str:
    """What schemathesis found; nothing where it found nothing."""
    arguments: list[str] = [
        *("run", f"{server.url}/openapi.json", "--checks", ",".join(CHECKS), "--phases", PHASES[kind]),
        *(
            "--max-examples",
            str(EXAMPLES[kind]),
            "--seed",
            str(SEED),
            "--no-color",
            "--no-shrink",
            "--continue-on-failure",
        ),
        *("--generation-database", "none", "--request-timeout", "30", "--exclude-path", ENDLESS, "--warnings", "off"),
        *(
            "--workers",
            "1",  # CPython 3.11's `ast` counts its depth for all threads together, and Hypothesis parses lambdas
            "--suppress-health-check",
            "all",
            "-H",
            f"Authorization: Bearer {await someone(server)}",
            *which,
        ),
    ]
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("schemathesis")),
        *arguments,
        cwd=folder,
        env={"PATH": os.defpath, "HOME": str(folder), "NO_PROXY": "*"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return output.decode(errors="replace") if process.returncode else ""


async def generating(stack: AsyncExitStack) -> dict[str, object]:
    """The settings of a gateway that makes pictures without end."""
    replicate = await stack.enter_async_context(ReplicateStandIn(creates_per_minute=100_000))
    replicate.address = await stack.enter_async_context(served(replicate.app))
    replicate.delivery_address = await stack.enter_async_context(served(replicate.delivery))
    port = free_port()
    return {
        "port": port,
        "public_url": f"http://127.0.0.1:{port}",
        "replicate_url": replicate.address,
        "replicate_api_token": replicate.token,
        **dict.fromkeys(("images_per_day", "films_per_day"), 10_000),
        "generations_per_day": 100_000,
    }


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_no_answer_that_is_not_documented_and_no_mistake_of_ours(
    kind: str, request: pytest.FixtureRequest, valkey: Valkey, tmp_path: Path
) -> None:
    # A machine that does much else may keep one of some thousand calls waiting for its disk: that is no answer of ours.
    changes: dict[str, object] = {**PLENTY, "database_timeout_seconds": 30}
    if kind == "postgresql":
        server_of_rows: Postgres = request.getfixturevalue("postgres")
        changes["database_url"] = await server_of_rows.new_database()
    async with served(KakaoStandIn().app) as address, AsyncExitStack() as stack:
        changes |= KAKAO | {"kakao_auth_url": address, "kakao_api_url": address}
        changes |= await generating(stack)
        server = await stack.enter_async_context(gateway(settings(valkey.url, tmp_path / "var", **changes)))
        await stack.enter_async_context(node(valkey.url))
        await server.parts.database.wait_ready()
        found = await asked(server, tmp_path, kind, "--exclude-name-regex", LEAVING)
        assert not found, found[-20_000:]
        found = await asked(server, tmp_path, kind, "--include-name-regex", LEAVING)
        assert not found, found[-20_000:]
