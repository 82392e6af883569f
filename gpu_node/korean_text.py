"""Written Korean to spoken Korean: digits, units, symbols and Latin letters become the words a reader would say.

`spoken("3시 30분에 2km를 걸었어요")` is `"세 시 삼십분에 이 킬로미터를 걸었어요"`. What comes out holds Hangul,
spaces, the pauses `, . ! ? …` and such Latin words as have no Korean spelling here (`gpu_node.engines.kokoro` says
those in English). Sino-Korean numbers are joined to their unit, as they are spoken (이십팔년 [이십팔련]); native ones
stand apart (세 시).

Each step below rewrites one kind of thing, the more specific before the more general.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from gpu_node.korean_numbers import TELEPHONE_DIGITS, counting, decimal, digits, sino
from gpu_node.pauses import tidied

LETTERS = dict(
    zip(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        (
            "에이 비 씨 디 이 에프 지 에이치 아이 제이 케이 엘 엠 엔 오 피 큐 알 에스 티 유 브이 더블유 엑스 와이 제트"
        ).split(),
        strict=True,
    )
)

WORDS = {
    "ok": "오케이",
    "okay": "오케이",
    "a4": "에이포",
    "mp3": "엠피쓰리",
    "3d": "쓰리디",
    "4g": "포지",
    "5g": "파이브지",
    "lte": "엘티이",
    "wi-fi": "와이파이",
    "wifi": "와이파이",
    "youtube": "유튜브",
    "kakaotalk": "카카오톡",
    "kakao": "카카오",
    "google": "구글",
    "netflix": "넷플릭스",
    "email": "이메일",
    "e-mail": "이메일",
    "seoul": "서울",
    "busan": "부산",
    "korea": "코리아",
    "samsung": "삼성",
    "hyundai": "현대",
    "covid-19": "코로나 십구",
    "covid": "코로나",
    "dr": "닥터",
    "mr": "미스터",
    "mrs": "미시즈",
    "ms": "미즈",
    "no": "노",
    "vs": "대",
    "am": "오전",
    "pm": "오후",
}
"""Latin writing that every Korean reads in Hangul. Capitals up to five letters are read by their names (AI, KBS)."""

UNITS = {
    "km/h": "킬로미터",
    "kcal": "킬로칼로리",
    "cal": "칼로리",
    "km": "킬로미터",
    "cm": "센티미터",
    "mm": "밀리미터",
    "m²": "제곱미터",
    "m2": "제곱미터",
    "m": "미터",
    "kg": "킬로그램",
    "mg": "밀리그램",
    "g": "그램",
    "ml": "밀리리터",
    "mL": "밀리리터",
    "l": "리터",
    "L": "리터",
    "°C": "도",
    "°F": "도",
    "°": "도",
    "GB": "기가바이트",
    "MB": "메가바이트",
    "%p": "퍼센트포인트",
    "%": "퍼센트",
    "mmHg": "밀리미터 수은주",
    "Hz": "헤르츠",
    "W": "와트",
    "V": "볼트",
}
SPOKEN_BEFORE = {"km/h": "시속 ", "°F": "화씨 "}

CURRENCIES = {"₩": "원", "$": "달러", "€": "유로", "£": "파운드", "¥": "엔"}

NATIVE_COUNTERS = """
    시간 시 살 명 사람 개 마리 번째 번 권 장 대 잔 병 그릇 벌 켤레 채 송이 그루 마디 군데 가지 달 곳 쌍 모금
    숟가락 조각 줄 통 판 자루 포기 방울 끼 차례 다발 봉지 상자 바퀴 걸음 컵 접시 알 톨 척 필 돌 가닥 무더기
    그램짜리 바구니 정거장 가구 식구 남매 형제 자매
""".split()
"""Counters after native numbers. Any other takes Sino-Korean ones: 분, 년, 월, 일, 세, 층, 원, 개월, 인분, 주, 도 …"""

SINO_LOOKALIKES = """
    개월 개국 개년 장조 대학 판사 통신 번지 번길 달러 명세 병동 채널
""".split()
"""Begin like a native counter, but are not one."""

PERSONS = "손님 어르신 선생님 할머니 할아버지 부모님 가족 친구 여성 남성 어머니 아버지 교수님 환자".split()
"""After these 분 counts people (손님 세 분), else minutes."""

SYMBOLS = {
    "&": " 앤드 ",
    "+": " 더하기 ",
    "=": " 은 ",
    "×": " 곱하기 ",
    "÷": " 나누기 ",
    "@": " 골뱅이 ",
    "·": " ",
    "/": " ",
    ":": ",",
    ";": ",",
    "(": ", ",
    ")": ", ",
    "\n": ". ",
}

NUMBER = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?"
_UNIT = "|".join(re.escape(unit) for unit in sorted(UNITS, key=len, reverse=True))
_COUNTER = "|".join(sorted(NATIVE_COUNTERS, key=len, reverse=True))


def spoken(text: str) -> str:
    """Say `text` in words. What nobody would say (emoji, quotation marks, lone jamo such as ㅋㅋ) is left out."""
    text = _plain(text)
    for pattern, say in _STEPS:
        text = pattern.sub(say, text)
    text = _LATIN.sub(_latin, text)
    text = re.sub(r"\)(?=[가-힣])", "", text)  # 복실이(강아지)가: the particle belongs to both
    for symbol, word in SYMBOLS.items():
        text = text.replace(symbol, word)
    text = re.sub(r"[^가-힣A-Za-z' ,.!?…]", " ", text)
    return tidied(text)


def _plain(text: str) -> str:
    """One form for each character: full-width and unit ligatures (㎏, ℃) opened, dashes and tildes unified."""
    text = unicodedata.normalize("NFC", text)
    text = re.sub(r"[\u3131-\u318e]+", " ", text)  # lone jamo; NFKC would turn them into conjoining ones
    text = unicodedata.normalize("NFKC", text.replace("m²", "m2").replace("…", "\ue000")).replace("\ue000", "…")
    text = re.sub(r"[‐-―−]", "-", text)
    text = re.sub(r"[～〜∼]", "~", text)
    return re.sub(r"[*_`#>|\"“”‘’『』「」《》<\[\]{}]", "", text)


# --- the steps -------------------------------------------------------------------------------------------------------


def _date(match: re.Match[str]) -> str:
    year, month, day = (int(part) for part in match.groups())
    return f"{sino(year)}년 {_month(month)} {sino(day)}일"


def _month(number: int) -> str:
    return {6: "유월", 10: "시월"}.get(number, f"{sino(number)}월")


def _clock(match: re.Match[str]) -> str:
    hour, minute = int(match[1]), int(match[2])
    return f"{counting(hour)} 시" + (f" {sino(minute)}분" if minute else "")


def _telephone(match: re.Match[str]) -> str:
    return ", ".join(digits(group, TELEPHONE_DIGITS) for group in re.split(r"[-. ]", match[0]))


def _blood_pressure(match: re.Match[str]) -> str:
    return f"{sino(int(match[1]))}에 {sino(int(match[2]))}"


def _fraction(match: re.Match[str]) -> str:
    return f"{sino(int(match[2]))}분의 {sino(int(match[1]))}"


def _range(match: re.Match[str]) -> str:
    """3~5시 to `3시에서 5시`: each half is read by the steps that follow."""
    first, last, unit = match.groups()
    return f"{first}{unit}에서 {last}{unit}"


def _signed(match: re.Match[str]) -> str:
    sign, number, unit = match.groups()
    if unit.strip() in ("°C", "도"):
        return f"영하 {number}{unit}"
    return f"{'마이너스' if sign == '-' else '플러스'} {number}{unit}"


def _money(match: re.Match[str]) -> str:
    return f"{decimal(match[2])}{match[3] or ''} {CURRENCIES[match[1]]}"


def _with_unit(match: re.Match[str]) -> str:
    number, unit = match.groups()
    return f"{SPOKEN_BEFORE.get(unit, '')}{decimal(number)} {UNITS[unit]}"


def _counted(match: re.Match[str]) -> str:
    number, space, counter = int(match["number"].replace(",", "")), match["space"], match["counter"]
    if counter == "대" and number % 10 == 0 and 10 <= number <= 90:
        return f"{sino(number)}{counter}"  # 20대: in one's twenties
    if counter == "번" and (match["after"] is not None or number > 20):
        return f"{sino(number)}{space}{counter}"  # 3번 출구: a name, not a count
    if counter == "번째" and number == 1:
        return "첫 번째"
    return f"{counting(number)} {counter}"


_STEPS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r"(?<!\d)(\d{4})\s?[-./]\s?(\d{1,2})\s?[-./]\s?(\d{1,2})\.?(?!\d)"), _date),
    (re.compile(r"(?<![\d:])([01]?\d|2[0-4]):([0-5]\d)(?![\d:])"), _clock),
    (re.compile(r"(?<![\d-])(?:0\d{1,2}[-. ]\d{3,4}[-. ]\d{4}|1[5-9]\d\d-\d{4}|01\d{8,9})(?![\d-])"), _telephone),
    (re.compile(r"(?<![\d.,])11[0-9](?=에|로|번에|을|를| 신고| 구급|$)"), _telephone),
    (re.compile(r"(?<![\d.])([89]\d|1\d\d|2[0-4]\d)/([4-9]\d|1[0-4]\d)(?![\d.])"), _blood_pressure),
    (re.compile(r"(?<![\d./])(\d{1,2})/(\d{1,2})(?![\d./])"), _fraction),
    (
        re.compile(rf"({NUMBER})\s?[~-]\s?({NUMBER})\s?({_UNIT}|[가-힣]*?(?=[은는이가을를에의도로와과만,.!?\s]|$))"),
        _range,
    ),
    (re.compile(rf"(?<![\w)])([-+])({NUMBER})(\s?(?:°C|도)?)"), _signed),
    (re.compile(rf"([₩$€£¥])\s?({NUMBER})([만억천백]*)"), _money),
    (re.compile(rf"({NUMBER})\s?({_UNIT})(?![A-Za-z\d])"), _with_unit),
    (re.compile(r"(?<!\d)(1[0-2]|0?[1-9])월(?!급|세)"), lambda match: _month(int(match[1]))),
    (
        re.compile(rf"(?P<before>{'|'.join(PERSONS)})(?P<gap>\s)(?P<number>\d{{1,2}})\s?분"),
        lambda match: f"{match['before']} {counting(int(match['number']))} 분",
    ),
    (
        re.compile(
            rf"(?<![\d.,])(?P<number>\d[\d,]*)(?P<space>\s?)(?!{'|'.join(SINO_LOOKALIKES)})(?P<counter>{_COUNTER})"
            r"(?P<after>(?= ?(?:출구|버스|방|문제|국도|타자|트랙|창구|손님|홈)))?"
        ),
        _counted,
    ),
    (re.compile(r"(?<![\d.,])(0\d+)(?![\d.,])"), lambda match: digits(match[1], TELEPHONE_DIGITS)),
    (re.compile(r"1(?=천|백)(?<!\d1)"), lambda match: ""),
)

_LATIN = re.compile(r"[A-Za-z][A-Za-z']*(?:-[A-Za-z]+)*(?:-?\d+)?|\d[A-Za-z](?![A-Za-z])|" + NUMBER)


def _latin(match: re.Match[str]) -> str:
    """A Latin word, or a number that no step has claimed."""
    written = match[0]
    if (known := WORDS.get(written.lower())) is not None:
        return known
    if written[0].isdecimal():
        trailing = written[-1]
        return decimal(written) if trailing.isdecimal() else decimal(written[:-1]) + LETTERS[trailing.upper()]
    letters, number = re.fullmatch(r"([A-Za-z'-]*?)[-']*(\d*)", written).groups()  # type: ignore[union-attr]
    if (letters.isupper() and len(letters) <= 5) or len(letters) == 1:
        letters = "".join(LETTERS.get(letter.upper(), "") for letter in letters)
    elif number:
        letters += " "
    return letters + (decimal(number) if number else "")
