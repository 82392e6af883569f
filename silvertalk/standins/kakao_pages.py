"""What the practice Kakao shows in a browser. Every page says that it is not Kakao."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Protocol
from urllib.parse import urlencode

_PAGE = """<!doctype html>
<html lang="ko">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:" />
    <title>연습용 카카오</title>
    <link rel="icon" href="data:," />
    <style>
      body {{ font: 20px/1.6 system-ui, sans-serif; max-width: 30rem; margin: 2rem auto; padding: 0 1rem;
             color: #1f1a17; background: #fff; }}
      .mark {{ border: 3px dashed #1f1a17; padding: 0.5rem 1rem; font-weight: 700; }}
      a {{ display: block; margin: 0.75rem 0; padding: 1rem; border: 2px solid #1f1a17; border-radius: 0.75rem;
          color: inherit; text-align: center; }}
    </style>
  </head>
  <body>
    <p class="mark">연습용 카카오 · 진짜 카카오가 아니에요. (A practice Kakao on this machine.)</p>
    {body}
  </body>
</html>
"""


class Choosable(Protocol):
    @property
    def id(self) -> int: ...
    @property
    def nickname(self) -> str: ...


def about() -> str:
    return _PAGE.format(body="<p>실버톡을 이 컴퓨터에서 연습해 보실 때 쓰는 로그인이에요.</p>")


def choice(people: Iterable[Choosable], asked: Mapping[str, str]) -> str:
    """Whom to be; `asked` is the authorize page's query, which each link repeats."""

    def link(words: str, practice: str) -> str:
        target = "?" + urlencode({**asked, "practice": practice})
        return f'<a id="{escape(practice)}" href="{escape(target)}">{escape(words)}</a>'

    links = [link(f"{person.nickname} 님으로 로그인하기", str(person.id)) for person in people]
    body = "<h1>어느 분으로 로그인하실까요?</h1>" + "".join(links) + link("로그인하지 않고 돌아가기", "deny")
    return _PAGE.format(body=body)


def mistake(code: str, what: str) -> str:
    return _PAGE.format(body=f"<h1>{escape(code)}</h1><p>{escape(what)} 값이 맞지 않아요.</p>")
