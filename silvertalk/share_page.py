"""The page behind a shared link: a film, its words in large letters, and nothing else. Pure: text in, HTML out.

It is read by a family, on any phone, often by grandparents: large letters, strong contrast, no script, no login. What
KakaoTalk and others show of it before it is opened comes from its Open Graph tags (https://ogp.me). All text is
somebody's and is escaped; the policy lets nothing in but this server's pictures, the film, and the one style sheet
below, known by its hash.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from html import escape
from typing import Literal

from streaming.messages import Language

STYLE = """\
:root{color-scheme:light}
*{box-sizing:border-box}
body{margin:0;background:#fffdf5;color:#3e2723;word-break:keep-all;overflow-wrap:anywhere;\
font:400 1.25rem/1.7 "Apple SD Gothic Neo","Noto Sans KR","Malgun Gothic",sans-serif;-webkit-text-size-adjust:100%}
main{max-width:34rem;margin:0 auto;padding:1.5rem 1.25rem 3rem}
h1{font-size:2rem;line-height:1.35;margin:.5rem 0 .25rem;text-align:center}
.when{margin:0 0 1.25rem;text-align:center;color:#5d4037}
video{display:block;width:auto;max-width:100%;max-height:82vh;aspect-ratio:9/16;margin:0 auto 1.5rem;\
background:#3e2723;border-radius:1rem}
.words{padding:1.25rem;background:#fff3d6;border-radius:1rem}
.words ul{list-style:none;margin:0;padding:0}
.words li+li{margin-top:.75rem}
h2{font-size:1.4rem;margin:0 0 .75rem}
.note{margin-top:1.75rem;font-size:1.125rem;color:#5d4037;text-align:center}
a{color:#3e2723;font-weight:700}
.sorry{text-align:center;padding-top:4rem}
.sorry .paw{display:block;width:4.5rem;margin:0 auto 1.25rem;fill:#8d5524}
@media (prefers-contrast:more){body,.when,.note{color:#000}}
"""
STYLE_HASH = base64.b64encode(sha256(STYLE.encode()).digest()).decode()
PAW = (
    '<svg class="paw" viewBox="0 0 64 60" aria-hidden="true"><ellipse cx="32" cy="42" rx="16" ry="14"/>'
    '<ellipse cx="9" cy="27" rx="7" ry="9"/><ellipse cx="24" cy="12" rx="7" ry="10"/>'
    '<ellipse cx="41" cy="12" rx="7" ry="10"/><ellipse cx="56" cy="27" rx="7" ry="9"/></svg>'
)
"""Drawn, since a letter for it is an empty box wherever no font has it."""

Missing = Literal["unknown", "over", "away"]

_MISSING: dict[Missing, tuple[str, str]] = {
    "unknown": ("영상을 찾을 수 없어요", "주소가 조금 다른 것 같아요. 보내 주신 분께 다시 한 번 받아 주세요."),
    "over": (
        "이제는 볼 수 없는 영상이에요",
        "보실 수 있는 날이 지났거나, 가족이 공유를 마쳤어요. 보내 주신 분께 다시 부탁해 주세요.",
    ),
    "away": ("잠시 쉬고 있어요", "조금 뒤에 다시 열어 주세요. 영상은 그대로 잘 있어요."),
}
_WORDS: dict[Language, dict[str, str]] = {
    "ko": {
        "site": "실버톡",
        "by": "사진을 보며 나눈 이야기로 만든 영상이에요.",
        "words": "이야기",
        "until": "{year}년 {month}월 {day}일까지 보실 수 있어요.",
        "note": "이 주소를 받으신 분만 볼 수 있어요.",
        "other": "영상이 보이지 않으면 여기를 눌러 주세요.",
        "locale": "ko_KR",
    },
    "en": {
        "site": "SilverTalk",
        "by": "A video made of a talk about family photos.",
        "words": "The story",
        "until": "It can be seen until {day}/{month}/{year}.",
        "note": "Only who was given this address can see it.",
        "other": "If the video does not show, open it here.",
        "locale": "en_GB",
    },
}


@dataclass(frozen=True)
class SharedFilm:
    """What the page shows. `address` is the page's own, absolute; the film and its still lie below it."""

    address: str
    title: str
    subtitle: str
    sentences: tuple[str, ...]
    language: Language
    expires_at: datetime
    """On the owner's clock."""


def share_page(film: SharedFilm) -> str:
    words = _WORDS[film.language]
    until = words["until"].format(year=film.expires_at.year, month=film.expires_at.month, day=film.expires_at.day)
    told = "".join(f"<li>{escape(sentence)}</li>" for sentence in film.sentences)
    story = f'<section class="words"><h2>{words["words"]}</h2><ul>{told}</ul></section>'
    still, video = (escape(f"{film.address}/{name}") for name in ("still.jpg", "film"))
    body = f"""\
<h1>{escape(film.title)}</h1>
<p class="when">{escape(film.subtitle)}</p>
<video controls playsinline preload="metadata" poster="{still}" src="{video}" aria-label="{escape(film.title)}">
<a href="{video}">{words["other"]}</a></video>
{story if told else ""}
<p class="note">{words["note"]}<br>{escape(until)}</p>"""
    return _document(film.language, film.title, body, _open_graph(film))


def description_of(film: SharedFilm) -> str:
    """In one line, for whoever sees the link in a chat: what it is, and nothing of what was said. A chat shows it to
    all who are in it, before anybody has opened the link."""
    return _WORDS[film.language]["by"]


def missing_page(why: Missing) -> str:
    """In Korean first: nobody knows whose link it was."""
    title, text = _MISSING[why]
    body = f'<div class="sorry">{PAW}<h1>{title}</h1><p>{text}</p></div>'
    return _document("ko", title, body, f'<meta property="og:title" content="{title}">')


POLICY = "; ".join(
    (
        "default-src 'none'",
        f"style-src 'sha256-{STYLE_HASH}'",
        "img-src 'self'",
        "media-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""The page's Content-Security-Policy."""


def headers() -> dict[str, str]:
    """Of every answer below a shared link. No search engine keeps it, no other site learns the link from a click."""
    return {
        "Content-Security-Policy": POLICY,
        "Permissions-Policy": "microphone=(), camera=(), geolocation=(), payment=(), usb=()",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Robots-Tag": "noindex, nofollow, noarchive",
        "Cache-Control": "private, no-store",
    }


def _open_graph(film: SharedFilm) -> str:
    words = _WORDS[film.language]
    tags = (
        ("og:type", "video.other"),
        ("og:site_name", words["site"]),
        ("og:locale", words["locale"]),
        ("og:url", film.address),
        ("og:title", film.title),
        ("og:description", description_of(film)),
        ("og:image", f"{film.address}/still.jpg"),
        ("og:image:type", "image/jpeg"),
        ("og:image:alt", film.title),
        ("og:video", f"{film.address}/film"),
        ("og:video:type", "video/mp4"),
        ("og:video:width", "1080"),
        ("og:video:height", "1920"),
    )
    return "\n".join(f'<meta property="{name}" content="{escape(value)}">' for name, value in tags)


def _document(language: Language, title: str, body: str, tags: str) -> str:
    return f"""\
<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex, nofollow, noarchive">
<meta name="referrer" content="no-referrer">
<title>{escape(title)}</title>
{tags}
<style>{STYLE}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""
