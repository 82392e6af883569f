"""The page as files: what is served, under which policy, and what is not."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from silvertalk.page import CONTENT_TYPES, Page, page_folder

FILES = sorted(path.name for path in page_folder().iterdir() if path.suffix in CONTENT_TYPES)
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def client() -> TestClient:
    return TestClient(Starlette(routes=[Route("/demo{name:path}", Page())]), follow_redirects=False)


def policy(headers: object) -> dict[str, str]:
    text = dict(headers.items())["content-security-policy"]  # type: ignore[attr-defined]
    return {name: value for name, _, value in (part.strip().partition(" ") for part in text.split(";"))}


def test_the_page_and_everything_it_asks_for_is_there(client: TestClient) -> None:
    page = client.get("/demo")
    assert page.status_code == 200 and page.headers["content-type"] == "text/html; charset=utf-8"
    asked = set(re.findall(r'(?:src|href)="demo/([^"]+)"', page.text))
    for name in FILES:
        asked |= set(re.findall(r'(?:from|import) "\./([^"]+)"', (page_folder() / name).read_text(encoding="utf-8")))
    assert {"app.js", "style.css", "resampler.js"} <= asked
    worklets = {"microphone-worklet.js", "player-worklet.js"}
    assert asked | worklets | {"index.html"} == set(FILES), "files that nothing asks for, or that are missing"
    for name in asked | worklets:
        got = client.get(f"/demo/{name}")
        assert got.status_code == 200, name
        assert got.headers["content-type"] == CONTENT_TYPES[Path(name).suffix]


@pytest.mark.parametrize("path", ["/demo", "/demo/app.js", "/demo/style.css", "/demo/missing"])
def test_nothing_foreign_and_nothing_inline_is_let_in(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    rules = policy(headers)
    assert rules["default-src"] == rules["frame-ancestors"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == "'self'"
    assert "unsafe" not in headers["content-security-policy"] and "*" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["permissions-policy"].startswith("microphone=(self)")
    assert headers["cache-control"] == "no-cache"


def test_the_readmes_map_has_every_file_of_the_page() -> None:
    mapped = set(
        re.findall(r"^\| `web_demo/([^`]+)` \|", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert mapped == set(FILES)


def test_the_files_keep_to_the_policy() -> None:
    for name in FILES:
        text = (page_folder() / name).read_text(encoding="utf-8")
        foreign = [found for found in re.findall(r"https?://[^\s\"'`)]+", text) if "www.w3.org" not in found]
        assert not foreign, name
        if name.endswith(".html"):
            assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", text)
        if name.endswith(".js"):
            assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b", text), name


@pytest.mark.parametrize(
    "path",
    [
        "/demo/../pyproject.toml",
        "/demo/..%2fpyproject.toml",
        "/demo/%2e%2e/pyproject.toml",
        "/demo/..%5cpyproject.toml",
        "/demo//etc/passwd",
        "/demo/sub/app.js",
        "/demo/app.js/",
        "/demo/app.js%00.html",
        "/demo/screenshot.png",
        "/demo/index.html",
        "/demoapp.js",
        "/demonstration",
    ],
)
def test_no_other_file_is_there(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_a_slash_too_many_and_a_wrong_method(client: TestClient) -> None:
    slash = client.get("/demo/")
    assert slash.status_code == 307 and slash.headers["location"] == "../demo"
    assert client.post("/demo").status_code == 405
    assert client.head("/demo").status_code == 200


def test_an_unchanged_file_is_not_sent_twice(client: TestClient) -> None:
    first = client.get("/demo/app.js")
    again = client.get("/demo/app.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get("/demo/app.js", headers={"If-None-Match": '"older"'}).status_code == 200


def test_a_wheel_carries_the_page(tmp_path: Path) -> None:
    """Built as it is released, and read from there as an installed gateway would read it."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    [wheel] = tmp_path.glob("*.whl")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'unpacked')!r})\n"
        "from silvertalk.page import Page, page_folder\n"
        "Page(); print(page_folder()); print(*sorted(path.name for path in page_folder().iterdir()))"
    )
    subprocess.run([sys.executable, "-m", "zipfile", "-e", str(wheel), str(tmp_path / "unpacked")], check=True)
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True)
    folder, names = done.stdout.splitlines()
    assert folder == str(tmp_path / "unpacked" / "silvertalk" / "web_demo")
    assert set(FILES) <= set(names.split())
