import pytest

from silvertalk.auth import check_origin, identify
from silvertalk.errors import OriginRefused, TokenMissing, TokenRefused
from silvertalk.tokens import AccessTokens

SECRET = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEF"
USER = "5b0c3a52-2f5e-4c1b-9d57-0d6b1f6f2a10"
ALLOWED = frozenset({"https://talk.example.org", "http://127.0.0.1:8000", "http://[::1]:8000"})


@pytest.fixture
def tokens() -> AccessTokens:
    return AccessTokens(SECRET)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_a_bearer_token_identifies(tokens: AccessTokens, scheme: str) -> None:
    issued = tokens.issue(USER, "guest")
    assert identify(tokens, [f"{scheme} {issued.access_token}"]) == issued.identity


@pytest.mark.parametrize("headers", [[], [""], ["Bearer"], ["Bearer "], ["Basic dXNlcjpwYXNz"], ["token"]])
def test_without_a_bearer_token_nobody_is_asking(tokens: AccessTokens, headers: list[str]) -> None:
    with pytest.raises(TokenMissing):
        identify(tokens, headers)


def test_two_headers_are_refused_even_when_both_are_good(tokens: AccessTokens) -> None:
    header = f"Bearer {tokens.issue(USER, 'guest').access_token}"
    with pytest.raises(TokenRefused):
        identify(tokens, [header, header])


def test_a_second_word_is_part_of_the_token(tokens: AccessTokens) -> None:
    with pytest.raises(TokenRefused):
        identify(tokens, [f"Bearer {tokens.issue(USER, 'guest').access_token} more"])


@pytest.mark.parametrize("origins", [[], *([origin] for origin in ALLOWED)])
def test_an_allowed_origin_or_none_may_come_in(origins: list[str]) -> None:
    check_origin(origins, ALLOWED)


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "null",
        "*",
        "https://evil.example",
        "http://talk.example.org",
        "https://talk.example.org:444",
        "https://talk.example.org:443",
        "https://talk.example.org/",
        "https://talk.example.org/path",
        "https://talk.example.org.evil.example",
        "https://evil-talk.example.org",
        "https://a.talk.example.org",
        "https://example.org",
        "https://TALK.example.org",
        "HTTPS://talk.example.org",
        "https://talk.example.org ",
        "https://talk.example.org\x00",
        "https://talk.example.org, https://evil.example",
        "https://evil.example#https://talk.example.org",
        "https://talk.example.org@evil.example",
        "http://127.0.0.1",
        "http://127.0.0.1:80000",
        "http://127.0.0.2:8000",
        "http://2130706433:8000",
        "http://localhost:8000",
        "file://",
    ],
)
def test_any_other_origin_is_refused(origin: str) -> None:
    with pytest.raises(OriginRefused):
        check_origin([origin], ALLOWED)


def test_two_origins_are_refused_even_when_both_are_allowed() -> None:
    with pytest.raises(OriginRefused):
        check_origin(["https://talk.example.org"] * 2, ALLOWED)
