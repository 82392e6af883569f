"""What somebody asks for that needs no language model: their calendar, another photo, something written down. Pure.

The whole utterance must be the request, calling the puppy aside: `사진을 보여줬더니 웃더라` is a story. What a request
is about (a day, a place, a title) is read from its beginning, what is wanted from its end, and what is left between the
two must be something that can be meant; else it is none, and a language model may still make sense of it. Nothing here
goes back over the text, so that a refusal takes as long as a match.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta

from silvertalk import spoken_requests_english
from silvertalk.spoken_clause import NOWHERE, TELLING, Clause, Request, clause_of, days, ended, is_thing, less, rows
from silvertalk.spoken_dates import Span, read_days
from silvertalk.spoken_dictation import event, reminder
from streaming.messages import Language

LONGEST_REQUEST = 80
"""Characters. Nobody asks at more length."""
AHEAD_DAYS = 92
"""How far 언제 is looked for."""


def request_in(text: str, language: Language, now: datetime) -> Request | None:
    """The request that `text`, one utterance as it was transcribed, is; None where it is anything more or else. `now`
    is on the person's own clock."""
    if len(text) > LONGEST_REQUEST:
        return None
    if language == "en":
        return spoken_requests_english.request_in(text, now, Request)
    clauses = [clause_of(clause) for clause in re.split(r"[.,!…\n]+|(?<=\?)", text)]
    said = [clause for clause in clauses if clause.words]
    if not said or any(word in TELLING for clause in said for word in clause.words):
        return None
    *before, last = said
    if not all(_is_days(clause.text, now.date()) for clause in before):  # 내일, 무슨 일 있어
        return None
    words = tuple(word for clause in said for word in clause.words)
    return _korean(Clause(words, last.asks), now)


def asks_for_own_words(text: str, language: Language) -> bool:
    """내가 뭐라고 했지? is asked about the person's own words, and not about 복실이's."""
    if len(text) > LONGEST_REQUEST:
        return False
    if language == "en":
        return spoken_requests_english.asks_for_own_words(text)
    said = clause_of(text)
    return "내가" in said.text and said.text in _MINE


def _is_days(text: str, today: date) -> bool:
    found = read_days(text, today)
    return found is not None and found[1] in ("", "은", "는", "에", "에는", "도")


def _korean(said: Clause, now: datetime) -> Request | None:
    readers = (_clock, _own_words, _forgetting, _photo, reminder, event, _calendar, _memory)
    return next(filter(None, (reader(said, now) for reader in readers)), None)


# --- the clock, and what was said before -----------------------------------------------------------------------------

_CLOCK = frozenset(
    (
        *rows(
            "- 지금 지금이 이제",
            "몇시",
            "야 니 지 냐 인가 인지 예요 에요 이에요 나 쯤이야 쯤됐어 됐어 됐니 됐나 입니까",
        ),
        *rows(
            "- 오늘 오늘이 오늘은 이번달",
            "며칠 몇일 무슨요일 몇월며칠 몇월몇일",
            "이야 이지 이니 이냐 인가 이에요 이예요 인지알아 이더라 이던가 야 지 입니까 인고",
        ),
    )
)
_MINE = rows(
    "내가 아까내가 내가아까 내가방금 방금내가 아까 내가지금 내가어디까지",
    "무슨말을 무슨말 무슨얘기를 무슨얘기 무슨이야기를 무슨이야기 뭐라고 뭐라 뭐를 뭘 뭐 말 얘기 이야기",
    "했었지 했지 했더라 했었더라 했었나 했나 하고있었지 하다말았지 말했지 그랬지 얘기했지 하고있었더라 하던중이었지 "
    "했니 했어",
)


def _clock(said: Clause, now: datetime) -> Request | None:
    return Request("clock") if said.text in _CLOCK else None


def _own_words(said: Clause, now: datetime) -> Request | None:
    """내가 뭐라고 했었지; but 뭐라고 했지 alone is asked of 복실이 (`silvertalk.repair`)."""
    found = said.text in _MINE and ("내가" in said.text or not said.text.endswith(("했니", "했어")))
    return Request("own_words") if found else None


# --- forgetting ------------------------------------------------------------------------------------------------------

_FORGET = rows(
    "- 좀 그만 이제 다 이제그만 제발",
    "잊어 잊어버려 지워 지워버려 기억하지말아 기억하지마 없던걸로해 못들은걸로해",
    "줘 주세요 줘요 다오 주라 주렴 줄래 줄래요",
) + rows("- 좀 그만 이제 다", "기억하지마 기억하지마라 기억하지마세요 잊어라 잊어버려라")
_THAT = frozenset(
    (
        *rows(
            "그 이 방금그 아까그 방금한 지금한 방금말한 아까한 내가한 내가방금한 방금들은",
            "말 말은 말을 얘기 얘기는 얘기를 이야기 이야기는 이야기를 거 거는 건 것 것은 것을",
        ),
        *rows("그건 그거 그거는 이건 이거 그것 그것은 방금건 방금거 방금말 방금얘기 그냥 -"),
    )
)
_TOLD = rows("- 한 했던 말한 들은", "이야기 얘기 일 말 것 거", "는 은 를 을 -") + rows("건 것은 거는")


def _forgetting(said: Clause, now: datetime) -> Request | None:
    about = ended(said.text, _FORGET)
    if about is None:
        return None
    if about in _THAT:
        return Request("forget_memory", {})
    topic = ended(about, _TOLD)
    if topic is None or not is_thing(topic):
        return None
    return Request("forget_memory", {"words": said.spaced(topic)})


# --- photos ----------------------------------------------------------------------------------------------------------

_SHOW = rows(
    "- 좀 한번 한번좀 더 하나 하나만 한장 한장만",
    "보여 틀어 띄워 찾아 꺼내 보여달",
    "줘 줘요 주세요 줄래 줄래요 다오 주렴 주라 줘봐 줘라 주겠니 줄수있어 줄수있니 줄수있나 주실래요 주겠어 라",
) + rows("- 좀 한번", "보자 볼래 볼까 보고싶어 보고싶다 보고싶네 보고싶구나 보고싶어요")
_ON = rows(
    "- 으로 로",
    "- 좀 한번 이제",
    "넘겨줘 넘겨주세요 넘겨 넘어가 넘어가자 넘어가줘 가자 바꿔줘 바꿔주세요 넘어갈까 넘겨볼래 돌려줘",
)
_NEXT = frozenset(
    (
        *rows("다음 그다음 다른 딴 또다른 새", "사진 사진을 사진도 사진은 거 것 것도 거도 장 그림"),
        "다음",
        "다음으로",
        "다음걸로",
        "다른걸로",
        "하나더",
        "사진더",
    )
)
_NEXT_ALONE = frozenset(rows("다음 그다음 다른", "사진 사진은 사진도"))
_ANY = frozenset(rows("- 내 우리 우리집 내가찍은 나도 아무 옛날 예전 다른", "사진 사진을 사진도"))
_TAKEN = (
    "에서찍은",
    "에서찍었던",
    "에서찍은그",
    "에서놀던",
    "에서본",
    "에서",
    "갔을때찍은",
    "갔을때",
    "에갔을때",
    "에갔을때찍은",
    "간",
    "에간",
)
_WITH = (
    *rows("랑 이랑 하고 와 과", "찍은 같이찍은 함께찍은 나온 같이나온 있는 같이있는 간"),
    *rows("이 가 -", "나온 나오는 찍힌 있는"),
)


def _photo(said: Clause, now: datetime) -> Request | None:
    text = said.text
    if (passed := ended(text, _ON)) is not None and passed in _NEXT | {"사진", "사진을"}:
        return Request("show_photo")
    wanted = ended(text, _SHOW)
    if wanted is None:
        if text in _NEXT_ALONE:
            return Request("show_photo")
        return _photos_of_a_year(text, now)
    if wanted in _NEXT or wanted in _ANY:
        return Request("show_photo")
    about = ended(wanted, rows("사진", "- 을 을다 들 들을 도 첩 이", "-"))
    return _photo_about(said, about, now) if about else None


def _photos_of_a_year(text: str, now: datetime) -> Request | None:
    """작년 여름 사진, and nothing else; with a place, or a season alone, it may as well be an answer."""
    found = read_days(text, now.date(), past=True) if text.endswith("사진") else None
    if (
        found is None
        or found[1] not in ("사진", "의사진", "찍은사진")
        or text.startswith(("봄", "여름", "가을", "겨울"))
    ):
        return None
    return Request("show_photo", days(found[0])) if found[0].first != found[0].last else None


def _photo_about(said: Clause, about: str, now: datetime) -> Request | None:
    """`about`: all that stands before 사진."""
    arguments: dict[str, str] = {}
    if (found := read_days(about, now.date(), past=True)) is not None:
        arguments |= days(found[0])
        about = found[1]
        for particle in ("에찍은", "때찍은", "날찍은", "찍은", "에", "의", "때", "날"):
            if about.startswith(particle):
                about = about.removeprefix(particle)
                break
    if not about or about == "찍은":
        return Request("show_photo", arguments) if arguments else None
    person = ended(about, _WITH)
    if person is not None and is_thing(person):
        return Request("show_photo", arguments | {"person": said.spaced(person)})
    place = ended(about, _TAKEN)
    if place is None and len(about) <= 6:
        place = about  # 부산 사진
    if place is None or not is_thing(place) or place in NOWHERE or place.endswith(("이", "가", "한테", "에게")):
        return None
    return Request("show_photo", arguments | {"place": said.spaced(place)})


# --- the calendar ----------------------------------------------------------------------------------------------------

_OPEN_DAY = rows("무슨날 뭐하는날", "이야 이지 이니 이냐 인가 이더라 이던가 이에요 인지알아 인가요")
_OPEN = rows(
    "무슨 뭔 어떤 뭐 무엇",
    "- 일 일정 약속 스케줄 계획 행사 할일 이 일이 일정이 약속이 계획이 할일이 특별한일 특별한일이",
    "있어 있어요 있나 있니 있냐 있나요 있지 있지요 있더라 있던가 있습니까 있을까 있는지알려줘 있는지말해줘 있는지봐줘",
)
_LISTED = rows(
    "일정 일정이 일정은 약속 약속이 스케줄 스케줄이 할일 할일이 예정 계획 계획이",
    "뭐야 뭐지 뭐니 뭐예요 뭐더라 뭐가있어 뭐가있지 뭐가있니 뭐있어 뭐있지 뭐있니 어떻게돼 어떻게되지 어떻게되니 "
    "알려줘 알려주세요 "
    "말해줘 말해주세요 읽어줘 좀알려줘 좀말해줘 좀읽어줘 있나 있니 있냐 있나요 있던가 있습니까 있을까 봐줘 확인해줘",
)
_IS_DAY = rows(
    "날", "인가 인가요 이지 이니 이냐 이던가 이었나 맞지 맞나 맞니 맞아 맞아요 아닌가 아니야 아닌가요 인지봐줘"
)
_MAY_ASK_DAY = ("날이야", "날이에요", "날이예요", "날")
_HAS = rows("- 이 가 은 는 도", "있나 있니 있냐 있나요 있던가 있습니까 있을까 있었나 있는가 있지않나 있지않아")
_MAY_HAVE = rows("- 이 가 은 는 도", "있어 있어요 있지 있지요 있죠")
_MUST = rows(
    "- 에 을 를",
    "가야하나 가야되나 가야하니 가야되니 가야하지 가야되지 가야하나요 가야되나요 가나 가니 가는가 가던가 가지",
)
_WHEN = rows(
    "- 이 가 은 는 날 날이 날은 가는날 가는날이 오는날 오는날이 에",
    "언제야 언제지 언제니 언제더라 언제인가 언제예요 언제에요 언제인지알아 언제가지 언제가더라 언제가니 언제오지 "
    "언제오니 언제였지 "
    "며칠이지 며칠이야 언제가 언제와",
)


def _calendar(said: Clause, now: datetime) -> Request | None:
    text, today = said.text, now.date()
    found = read_days(text, today)
    span, rest = found if found is not None else (Span(today, today), text)
    if found is not None:
        for particle in ("에는", "에도", "에", "은", "는", "도", "이", "의"):
            if rest.startswith(particle):
                rest = rest.removeprefix(particle)
                break
        if rest in _OPEN + _LISTED + _OPEN_DAY:
            return Request("find_events", days(span))
    elif text in _LISTED and text.startswith(("일정", "스케줄")):
        return Request("find_events", days(span))  # 일정 알려 줘: today's
    thing = _asked_about(said, rest, has_day=found is not None)
    if thing is not None:
        return Request("find_events", days(span) | {"words": said.spaced(thing)})
    thing = ended(text, _WHEN)
    if thing is not None and is_thing(thing) and not read_days(thing, today):
        ahead = Span(today, today + timedelta(days=AHEAD_DAYS))
        return Request("find_events", days(ahead) | {"words": said.spaced(thing)})
    return None


def _asked_about(said: Clause, rest: str, *, has_day: bool) -> str | None:
    """병원 of 병원 가는 날인가, 병원 있나, 병원 가야 하나; None where nothing of it is asked."""
    for verb in ("가는", "오는", "하는", "있는", "받는", "만나는", "먹는", ""):
        ends = (*_IS_DAY, *(_MAY_ASK_DAY if said.asks and verb else ()))
        thing = ended(rest, tuple(verb + end for end in ends))
        if thing is not None and (verb or has_day):
            thing = less(thing, "에", "을", "를", "이", "가", "하고", "랑")
            return thing if is_thing(thing) else None
    if not has_day:
        return None
    thing = ended(rest, _HAS + _MUST + (_MAY_HAVE if said.asks else ()))
    if thing is None or thing.endswith(("에", "에서", "한테", "만")):
        return None  # 오늘 집에 있나
    return thing if is_thing(thing) else None


# --- memories --------------------------------------------------------------------------------------------------------

_HAVE_TOLD = rows(
    "- 이야기 얘기 말 이야기를 얘기를 말을 이야기도 얘기도",
    "한적있나 한적있니 한적있어 한적있지 했었나 했던가 한적이있나 한적이있니 한적이있어 했었니 해줬나 해줬던가 해줬니",
)


def _memory(said: Clause, now: datetime) -> Request | None:
    """내가 부산 얘기 했었나."""
    about = ended(said.text, _HAVE_TOLD)
    if about is None or not about.startswith(("내가", "나")):
        return None
    topic = less(about.removeprefix("내가").removeprefix("전에"), "에대한", "에대해", "에대해서", "에관한")
    topic = less(topic, "살던", "갔던", "다니던", "간")
    return Request("find_memories", {"words": said.spaced(topic)}) if is_thing(topic) else None
