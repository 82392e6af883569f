"""What somebody wants written down (`수요일 세 시에 병원 간다고 적어 줘`), as an event or as one of every day. Pure."""

from __future__ import annotations

from datetime import datetime

from silvertalk.spoken_clause import Clause, Request, ended, is_thing, less, rows
from silvertalk.spoken_dates import read_days, read_time

_WRITE = rows(
    "- 좀 꼭 달력에 달력에좀 잊지말고 수첩에",
    "적어 써 메모해 메모 기록해 등록해 저장해 넣어 적어놓아 적어두어 잡아",
    "줘 줘요 주세요 둬 둬라 놔 놔줘 둬줘 줄래 줄래요 다오 주렴 놔라 놓아줘 주라",
)
_TELL = rows(
    "- 좀 꼭 나한테 잊지말고 그때",
    "알려 말해 일러 얘기해 알람맞춰 알림해 일깨워 깨워 챙겨",
    "줘 줘요 주세요 줄래 줄래요 다오 주렴 주라 놔 둬",
)
_EVERY_DAY = ("매일매일", "매일같이", "매일", "날마다", "하루도빠짐없이", "하루에한번")
_EVERY_HALF = {"아침마다": "아침", "저녁마다": "저녁", "밤마다": "밤", "점심마다": "점심", "새벽마다": "새벽"}
_QUOTES = (
    ("먹으라고", "먹기"),
    ("먹어야한다고", "먹기"),
    ("먹어야된다고", "먹기"),
    ("먹는다고", "먹기"),
    ("먹는거", "먹기"),
    ("먹는것", "먹기"),
    ("먹게", "먹기"),
    ("먹자고", "먹기"),
    ("먹을시간이라고", "먹기"),
    ("먹는시간이라고", "먹기"),
    ("챙기라고", "챙기기"),
    ("복용하라고", "복용하기"),
    ("맞으라고", "맞기"),
    ("재라고", "재기"),
    ("가라고", "가기"),
    ("간다고", "가기"),
    ("가야한다고", "가기"),
    ("가야된다고", "가기"),
    ("갈거라고", "가기"),
    ("가기로했다고", "가기"),
    ("가는날이라고", "가기"),
    ("가는거", "가기"),
    ("온다고", "오는 날"),
    ("오기로했다고", "오는 날"),
    ("오는날이라고", "오는 날"),
    ("만난다고", "만나기"),
    ("만나기로했다고", "만나기"),
    ("하라고", "하기"),
    ("한다고", "하기"),
    ("해야한다고", "하기"),
    ("하기로했다고", "하기"),
    ("받으라고", "받기"),
    ("받는다고", "받기"),
    ("받는날이라고", "받기"),
    ("타라고", "타기"),
    ("탄다고", "타기"),
    ("전화하라고", "전화하기"),
    ("보러간다고", "보러 가기"),
    ("잡혔다고", ""),
    ("잡혀있다고", ""),
    ("있다고", ""),
    ("이라고", ""),
    ("라고", ""),
)
"""How what is to be written ends, and what that is as a title."""
_BEFORE_VERBS = {"가기": ("에", "을", "를", "로", "으로"), "오는 날": ("이", "가"), "": ("이", "가")}


def reminder(said: Clause, now: datetime) -> Request | None:
    """매일 아침 여덟 시에 혈압약 먹으라고 알려 줘."""
    told = ended(said.text, _TELL) or ended(said.text, _WRITE)
    if told is None:
        return None
    half, daily = "", False
    for word in _EVERY_DAY:
        if told.startswith(word):
            told, daily = told[len(word) :], True
            break
    for word, meant in _EVERY_HALF.items():
        if told.startswith(word):
            told, half, daily = told[len(word) :], meant, True
            break
    if not daily:
        return None
    at, what = _at(half + told)
    title = _title(said, what, quoted=True)
    if title is None:
        return None
    return Request("add_reminder", {"what": title} | at)


def event(said: Clause, now: datetime) -> Request | None:
    """수요일 세 시에 병원 간다고 적어 줘."""
    written = ended(said.text, _WRITE)
    told = ended(said.text, _TELL) if written is None else None
    rest = written if written is not None else told
    if not rest:
        return None
    arguments: dict[str, str] = {}
    if (found := read_days(rest, now.date())) is not None:
        if found[0].first != found[0].last:
            return None
        arguments["day"] = found[0].first.isoformat()
        rest = found[1]
        for particle in ("에는", "에", "은", "는"):
            if rest.startswith(particle):
                rest = rest.removeprefix(particle)
                break
    at, what = _at(rest)
    if not (at or arguments) and not what.endswith("고"):
        return None  # 이름 적어 줘
    if told is not None and not (at and arguments):
        return None  # 알려 줘 without a day and a time asks for something to be told now
    title = _title(said, what, quoted=told is not None)
    return Request("add_event", {"title": title} | arguments | at) if title is not None else None


def _at(text: str) -> tuple[dict[str, str], str]:
    """The time that `text` begins with, as an argument, and what follows."""
    found = read_time(text)
    if found is None:
        return {}, text
    at, rest = found
    for particle in ("에는", "에", "부터", "까지", "마다", "로", "으로"):
        if rest.startswith(particle):
            rest = rest.removeprefix(particle)
            break
    return {"time": f"{at:%H:%M}"}, rest


def _title(said: Clause, what: str, *, quoted: bool) -> str | None:
    """What is to be written, as a title; None where that cannot be said. `quoted`: only what is told as something that
    was said counts."""
    for ending, noun in sorted(_QUOTES, key=lambda pair: -len(pair[0])):
        if what.endswith(ending):
            thing = less(what[: len(what) - len(ending)], *_BEFORE_VERBS.get(noun, ("을", "를", "이", "가")))
            break
    else:
        if quoted:
            return None
        thing, noun = less(what, "을", "를", "이", "가"), ""
    if not is_thing(thing):
        return None
    return f"{said.spaced(thing)} {noun}".strip()
