"""The words by which `conduct` knows what a reply must not do. Data.

Patterns are searched in a reply as it would be spoken. Names and places are closed lists of common ones: what a model
invents when it invents is seldom rare.
"""

from __future__ import annotations

import re

_PARTICLE = r"(?=[\s,.!?]|이|가|은|는|을|를|와|과|의|에|도|로|씨|님|네|랑|이랑|께|한테|야|아|인|까지|부터)"


def _any(words: str) -> re.Pattern[str]:
    """One of these, where a word begins and nothing but a particle follows."""
    longest_first = sorted(words.split(), key=len, reverse=True)
    return re.compile(rf"(?<![가-힣])({'|'.join(longest_first)}){_PARTICLE}")


# --- what is invented ------------------------------------------------------------------------------------------------

GIVEN_NAMES_KO = _any(
    "순자 영자 정자 영숙 영희 순이 옥순 말순 복순 춘자 명자 경자 정숙 미숙 숙자 순옥 옥자 금순 점순 분순 귀순"
    " 영순 정순 길순"
    " 철수 영수 영호 영철 상철 정호 성호 만수 병철 종수 동수 길동 민수 민준 서준 도윤 지훈 준호 현우 지우 서연"
    " 서윤 지민"
    " 민지 수민 은지 지은 수진 유진 하은 예은 미영 은영 경희 미경 현숙 말자 덕수 갑돌 삼순 봉순 복희 영희네 철수네"
)
PLACES_KO = _any(
    "서울 부산 대구 인천 광주 대전 울산 세종 수원 성남 춘천 강릉 속초 원주 청주 충주 천안 전주 군산 목포 여수"
    " 순천 포항 경주"
    " 안동 구미 창원 마산 진주 통영 거제 제주 제주도 서귀포 강원도 경기도 충청도 전라도 경상도 함경도 평안도"
    " 황해도 평양 함흥"
    " 원산 개성 해주 신의주 흥남 해운대 광안리 경포대 설악산 지리산 한라산 북한산 남산 한강 낙동강 남대문"
    " 동대문 명동 종로"
    " 청계천 덕수궁 경복궁 창경원 미국 일본 중국 베트남 독일 사우디 만주 하와이 동경 오사카 엘에이 뉴욕"
)
FAMILY_KO = tuple(
    (re.compile(rf"(?<![가-힣])(?:{told}){_PARTICLE}"), said)
    for told, said in (
        (
            "남편|남편분|바깥어른|바깥양반|영감님|신랑",
            "남편|영감|바깥|신랑|서방|그이|그양반|두분|결혼|혼인|애아버지|애아빠|부부|시집",
        ),
        (
            "아내|아내분|안사람|부인|할멈",
            "아내|집사람|마누라|안사람|할멈|부인|와이프|안식구|애엄마|두분|결혼|혼인|부부|장가",
        ),
        ("아들|아드님|큰아드님|막내아드님", "아들|자식|아이들|애들|막내|큰애|장남"),
        ("딸|따님|큰따님|막내따님", "딸|자식|아이들|애들|막내|큰애"),
        ("손주|손주분|손자|손녀|손녀딸", "손주|손자|손녀|증손"),
        ("며느리|며느님", "며느|며늘"),
        ("사위|사위분", "사위"),
        ("오빠|오라버니|오라버님", "오빠|오라버|오래비|형제|남매"),
        ("언니|언니분", "언니|자매"),
        ("누나|누님", "누나|누님|누이|남매"),
        ("형|형님", "형|형제"),
        ("동생|동생분|여동생|남동생", "동생|형제|자매|남매|막내|오빠|언니|누나|형"),
        ("시어머니|시어머님|시아버지|시아버님|시댁", "시어머|시아버|시집|시댁|시부모|시엄마"),
    )
)
"""Whom a reply may only speak of when they were spoken of: by this, if any of that was said. Everybody had"
" parents."""
_SINO = r"[일이삼사오육칠팔구십백천만]{1,12}"
_NATIVE = (
    r"(?:(?:열|스물|서른|마흔|쉰|예순|일흔|여든|아흔)?(?:한|하나|두|둘|세|셋|네|넷|다섯|여섯|일곱|여덟|아홉)"
    r"|열|스무|스물|서른|마흔|쉰|예순|일흔|여든|아흔)"
)
NUMBERS_KO = re.compile(
    rf"(?<![가-힣])((?:{_SINO}\s?월\s?{_SINO}\s?일|{_SINO}\s?(?:년|월|년도|분|명|세|리|원|킬로|미터)"
    rf"|{_NATIVE}\s?(?:살|시간|시|명|남매|달|해|째)))"
    r"(?=[\s,.]|이|에|의|을|를|은|는|간|쯤|전|동안|생|도|인|짜리|밖)"
)
"""A count of years, people, hours, miles: told, it must have been told before."""

# --- the doctor ------------------------------------------------------------------------------------------------------

DISEASES_KO = _any(
    "치매 알츠하이머 우울증 당뇨 당뇨병 고혈압 저혈압 뇌졸중 중풍 심근경색 협심증 관절염 골다공증 파킨슨병 폐렴"
    " 독감 대상포진"
    " 백내장 녹내장 디스크 부정맥 갑상선 위염 암 불면증 빈혈 통풍 신부전"
)
ADVISES_KO = re.compile(
    r"(?:약|진통제|수면제|소화제|감기약|혈압약|아스피린|타이레놀|우황청심환|파스|연고|반창고|영양제|한약)(?:을"
    r"|를|은|는|도)?\s?(?:[가-힣]+\s)?"
    r"(?:드세요|드셔야|드시면 (?:돼|됩|좋|나)|드셔\s?보|복용하|먹으면|바르세요|바르시면|붙이세요|끊으|줄이|늘리"
    r"|한 알 더)"
    r"|(?:두|한|세) 알(?:씩)? (?:드|먹)|찜질(?:을)? (?:하세요|하시면)|(?:병|증상)(?:인 것 같|일 수 있|으로 보)"
)
REASSURES_KO = re.compile(
    r"금방 (?:나으|좋아지)|곧 (?:나으|좋아지|괜찮아지)|나으실 거|별일 아니|아무 일도 아니|걱정 (?:안 하셔도"
    r"|하지 마세요|마세요)|병원에? 안 가셔도"
    r"|틀림없이 (?:괜찮|나)|반드시 나"
)

# --- memories and feelings -------------------------------------------------------------------------------------------

CORRECTS_KO = re.compile(
    r"그건 (?:아니에요|아니지요|아닌데요|틀)|그게 아니라|아니에요, |틀리셨|틀렸|잘못 (?:아|기억|알고)|착각"
    r"|사실은 |아까는 .{0,20}(?:하셨는데|라고 하셨)"
    r"|앞뒤가 (?:안|맞지)|말씀이 다르|돌아가셨잖아요|이미 돌아가|정신 차리|오늘은 .{2,12}이 아니라|지금은 이천"
)
REMINDS_KO = re.compile(
    r"아까도|방금도|방금 말씀하|이미 말씀|또 (?:그 (?:말씀|이야기)|같은)|같은 (?:말씀|이야기)를? (?:또|계속"
    r"|여러)|벌써 (?:몇|여러) 번|여러 번 (?:말씀하|들었)"
    r"|몇 번째|들은 이야기예요|잊으셨(?:어요|나요|군요)"
)
TESTS_MEMORY_KO = re.compile(
    r"(?:는지|[가-힣]도) 기억(?:이 )?나세요|기억(?:이)? ?(?:안|못) ?(?:나|하)|기억나지 않|기억하시지요"
    r"|생각(?:이)? ?안 ?나|제 이름(?:이|은)? 뭐"
    r"|오늘이? ?며칠(?:인지|이)|지금이? ?몇 년|몇 가지.{0,8}기억"
)
PLATITUDES_KO = re.compile(
    r"힘내세요|기운 내세요|기운내|잊으세요|잊어버리세요|잊으셔야|그만 (?:우|슬퍼)|울지 마|좋은 곳(?:에|으로) 가"
    r"|시간이 약|산 사람은|긍정적으로|좋게 생각"
    r"|밝은 이야기|즐거운 이야기로|훌훌 털|다 그런 거|팔자|운명이에요|호상"
)

# --- who it is -------------------------------------------------------------------------------------------------------

LIVED_KO = re.compile(
    r"저도 (?:예전에|옛날에|어릴 때|어렸을 때|그때|젊었을 때|거기|그곳)|저도 .{0,14}(?:가 ?봤|다녀왔|먹어 ?봤"
    r"|해 ?봤|본 적|간 적|살았|겪었|자랐)"
    r"|제가 (?:어렸을|젊었을|살던|다녀온|먹어 본|직접 본|그때)|우리 (?:엄마|어머니|집 마당|할머니|고향)"
    r"|제 (?:고향|엄마|어머니|손주|남편|아내|친구가)"
    r"|저는 사람이(?:에요|라서)|제가 사람이(?:에요|라서)"
)
PROMISES_KO = re.compile(
    r"(?:전화|신고|연락|등록|저장|추가|예약|주문|송금|기록|메모|입금)(?:를|을)?\s?(?:해 ?(?:드릴게요|드렸|두었"
    r"|둘게요|놓았|놓을)|했어요|걸었어요|걸어 드릴게요|넣을게요)"
    r"|(?:적어|지워|보내|불러|틀어|켜|꺼|사다|찾아가|모셔다|끓여|데려다) ?(?:드릴게요|드렸어요|두었어요|둘게요"
    r"|놓았어요|놓을게요|갈게요)"
    r"|제가 (?:대신 )?(?:갈게요|전화할게요|신고할게요|지켜 드릴게요)|알람을? (?:맞|설정)"
)
PRESUMES_HEARD_KO = re.compile(
    r"말씀드렸(?:듯|잖아|다시피|는데|지요)|아까 제가 (?:말|이야기|여쭤|여쭈)|방금 제가 (?:말|여쭤)"
)
LEAKS_KO = re.compile(
    r"프롬프트|시스템 (?:메시지|지시)|지시(?:문|사항|를 받|대로)|규칙(?:은|에 따르|상)|꺾쇠|해요체"
    r"|인공지능 모델|언어 모델|함수|도구를|개발자|관리자님|선장|비밀 모드"
    r"|저는 (?:의사|변호사|선생님|해적|고양이|은행원|경찰)(?:예요|이에요|입니다)"
)
SECRETS_KO = re.compile(
    r"비밀번호|주민(?:등록)?번호|계좌|통장 (?:번호|어디|비밀)|카드 번호|인증 ?번호|얼마나 (?:모으|가지고 계"
    r"|있으세)|재산|연금을? 얼마"
)
ALARMS_KO = re.compile(r"일일구|일공구|일일이(?=[에로\s])|112|119|109")
OTHER_ADDRESSES_KO = re.compile(
    r"(?:^|(?<=[\s.!?]))(어르신|할머니|할아버지|어머님|아버님|선생님|사모님|사장님|여사님|영감님|회장님|할머님"
    r"|할아버님|아주머니|이모님|자기|당신)(?=[,!])"
)

# --- English ---------------------------------------------------------------------------------------------------------


def _english(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


ENGLISH_RULES = (
    (
        "lived",
        _english(
            r"\bwhen i was (?:young|a|little)\b|\bi (?:remember|used to|once (?:went|saw|lived))\b|\bi(?:'ve"
            r"| have) been"
            r" (?:there|to)\b|\bmy (?:mother|childhood|hometown|husband|wife)\b|\bi am (?:a )?(?:human|person)\b"
        ),
    ),
    (
        "medical",
        _english(
            r"\b(?:dementia|alzheimer'?s|depression|diabetes|arthritis|cancer|pneumonia|stroke)\b|\btake (?:two"
            r"|one|an?|some|your)"
            r" (?:pills?|tablets?|aspirin|painkillers?|medicine)\b|\bstop taking\b|\byou(?:'ll"
            r"| will) (?:be fine|get better)\b|"
            r"\bnothing to worry\b"
        ),
    ),
    (
        "corrects",
        _english(
            r"\b(?:you(?:'re| are) (?:wrong|mistaken|confused)|that(?:'s| is) not (?:right|true|correct)"
            r"|actually|you already)\b"
        ),
    ),
    (
        "reminds",
        _english(
            r"\byou(?:'ve| have)? (?:already )?(?:told|said|asked) (?:me )?(?:that )?(?:before|already)\b"
            r"|\bdon't you remember\b"
        ),
    ),
    (
        "platitude",
        _english(
            r"\b(?:cheer up|be strong|time heals|a better place|forget about it|look on the bright side|don't cry)\b"
        ),
    ),
    ("secrets", _english(r"\b(?:what is|tell me) your (?:password|pin|bank|account|card|identity)\b")),
    (
        "promises",
        _english(
            r"\bi(?:'ll| will) (?:call|phone|write|order|book|save|set|bring|come over)\b|\bi(?:'ve"
            r"| have) (?:called|saved|booked|set)\b"
        ),
    ),
    ("unheard", _english(r"\bas i (?:said|told you|mentioned)\b")),
    (
        "leaks",
        _english(
            r"\b(?:system prompt|instructions?|language model|developer mode|as an ai)\b|\bi am a (?:doctor"
            r"|lawyer|pirate|cat)\b"
        ),
    ),
    ("alarm", _english(r"\bone one nine\b|\bone zero nine\b|\bone one two\b|\b119\b|\b911\b")),
)
ENGLISH_CAPITALS = frozenset(
    "I Monday Tuesday Wednesday Thursday Friday Saturday Sunday January February March April May June July"
    " August September"
    " October November December Korea Korean English Christmas Boksil Mr Mrs Ms Dr New Year".split()
)
