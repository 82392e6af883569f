"""Pronunciation, example by example, each under the article of 표준 발음법 (Standard Pronunciation) that it shows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_node import hangul_words
from gpu_node.hangul import CODAS, FIRST, LAST, decompose, is_hangul, pronounce

EXAMPLES = {
    "5: vowels": """
        의사=의사 희망=히망 주의=주이 회의=회이 우리의=우리에 할머니의=할머니에 거의=거이 무늬=무니 의의=의이
        시계=시게 지혜=지헤 예절=예절 차례=차례 가져=가저 다쳐=다처 묻혀=무처 쪄=쩌
    """,
    "8-9: seven finals": """
        닦다=닥따 키읔=키윽 옷=옫 있다=읻따 젖=젇 꽃=꼳 솥=솓 앞=압 부엌=부억
    """,
    "10-11: clusters": """
        넋=넉 앉다=안따 여덟=여덜 넓다=널따 외곬=외골 핥다=할따 값=갑 없다=업따 밟다=밥따 밟지=밥찌 밟는=밤는
        넓죽하다=넙쭈카다 닭=닥 흙과=흑꽈 맑다=막따 삶=삼 읊다=읍따 맑게=말께 읽고=일꼬 얽거나=얼꺼나 닭과=닥꽈
    """,
    "12: ㅎ": """
        놓고=노코 좋던=조턴 쌓지=싸치 많고=만코 않던=안턴 닳지=달치 각하=가카 먹히다=머키다 밝히다=발키다
        맏형=마텽 좁히다=조피다 넓히다=널피다 꽂히다=꼬치다 앉히다=안치다 닿소=다쏘 많소=만쏘 싫소=실쏘 놓는=논는
        쌓네=싼네 않네=안네 뚫네=뚤레 낳은=나은 놓아=노아 많아=마나 않은=아는 닳아=다라 싫어도=시러도
        못하다=모타다 깨끗하다=깨끄타다 따뜻해=따뜨태 좋습니다=조씀니다 괜찮아요=괜차나요 그렇지만=그러치만
    """,
    "13-14: liaison": """
        깎아=까까 옷이=오시 있어=이써 낮이=나지 꽂아=꼬자 꽃을=꼬츨 밭에=바테 앞으로=아프로 덮이다=더피다
        넋이=넉씨 앉아=안자 닭을=달글 젊어=절머 곬이=골씨 핥아=할타 읊어=을퍼 값을=갑쓸 없어=업써
        산책은=산채근 할아버지=하라버지 음악이=으마기 강아지=강아지
    """,
    "17: palatalisation": """
        곧이듣다=고지듣따 굳이=구지 미닫이=미다지 땀받이=땀바지 밭이=바치 벼훑이=벼훌치 같이=가치 끝이에요=끄치에요
        굳히다=구치다 닫히다=다치다 묻히다=무치다 붙여=부처 닫혀=다처
    """,
    "18: nasals before ㄴ, ㅁ": """
        먹는=멍는 국물=궁물 깎는=깡는 몫몫이=몽목씨 긁는=긍는 흙만=흥만 닫는=단는 짓는=진는 옷맵시=온맵씨 있는=인는
        맞는=만는 젖멍울=전멍울 쫓는=쫀는 꽃망울=꼰망울 붙는=분는 잡는=잠는 밥물=밤물 앞마당=암마당 없는=엄는
        합니다=함니다 첫눈=천눈 박물관=방물관
    """,
    "19: ㄹ becomes ㄴ": """
        담력=담녁 침략=침냑 강릉=강능 항로=항노 대통령=대통녕 막론=망논 협력=혐녁 십리=심니 종로=종노 독립=동닙
        음료수=음뇨수
    """,
    "20: ㄴ becomes ㄹ": """
        난로=날로 신라=실라 천리=철리 대관령=대괄령 칼날=칼랄 물난리=물랄리 줄넘기=줄럼끼 닳는=달른 핥네=할레
        온라인=온나인 판단력=판단녁 생산량=생산냥
    """,
    "23: tense after an obstruent": """
        국밥=국빱 깎다=깍따 넋받이=넉빠지 닭장=닥짱 칡범=칙뻠 뻗대다=뻗때다 옷고름=옫꼬름 있던=읻떤 꽂고=꼳꼬
        꽃다발=꼳따발 밭갈이=받까리 곱돌=곱똘 덮개=덥깨 값지다=갑찌다 학교=학꾜 식사=식싸 숙제=숙쩨 듣고=듣꼬
    """,
    "24-25: tense after a stem": """
        신다=신따 앉고=안꼬 얹다=언따 삼도=삼도 닮고=담꼬 젊지=점찌 남습니다=남씀니다 넘던=넘떤 굶고=굼꼬 옮기다=옴기다
        넓게=널께 핥다=할따 떫지=떨찌 삶도=삼도 감자=감자 남자=남자 감기=감기 신고=신고 심지어=심지어 여덟도=여덜도
    """,
    "26: Sino-Korean ㄹ": """
        갈등=갈뜽 발전=발쩐 일시=일씨 갈증=갈쯩 물질=물찔 결정=결쩡 활동=활똥 실수=실쑤 출장=출짱 팔십=팔씹
        일정이=일쩡이 열심히=열씸히 절대로=절때로
    """,
    "27: tense after -(으)ㄹ": """
        할게요=할께요 갈게=갈께 있을게요=이쓸께요 할걸=할껄 할수록=할쑤록 갈수록=갈쑤록 할지도=할찌도 어떨지=어떨찌
        할거예요=할꺼예요 알지=알지 살지요=살지요 알게=알게 길게=길게 만들지=만들지 힘들게=힘들게 오늘=오늘
    """,
    "28: compounds without a written ㅅ": """
        물고기=물꼬기 손가락=손까락 발바닥=발빠닥 눈사람=눈싸람 보름달=보름딸 봄비=봄삐 안방=안빵 술잔=술짠 물소리=물쏘리
        아침밥은=아침빠븐 인기가=인끼가 사건이=사꺼니 한자=한짜 여권=여꿘
    """,
    "29: ㄴ is inserted": """
        솜이불=솜니불 꽃잎=꼰닙 꽃잎이=꼰니피 나뭇잎을=나문니플 깻잎=깬닙 담요=담뇨 색연필=생년필 한여름=한녀름
        알약=알략 물약=물략 서울역=서울력 휘발유=휘발류 볼일=볼릴 웬일이에요=웬니리에요 집안일=지반닐
        십육=심뉵 백육십=뱅뉵씹 육이오=유기오 서른여섯=서른녀섣 스물여덟=스물려덜 그럼요=그럼뇨 그렇군요=그러쿤뇨
        필요=피료 중요=중요 민요=미뇨 금요일=그묘일
    """,
    "15: a final before another word's vowel": """
        맛없다=마덥따 첫인상=처딘상 겉옷=거돋 값어치=가버치 헛웃음=허두슴 맛있다=마싣따 멋있어요=머시써요
    """,
}

PHRASES = {
    "12.1: ㅎ over a space": "옷 한 벌=오 탄 벌|낮 한때=나 탄때|꽃 한 송이=꼬 탄 송이|못 해요=모 태요|책 하나=채 카나",
    "15: reduced, then carried over": "밭 아래=바 다래|늪 앞=느 밥|꽃 위=꼬 뒤|집 앞=지 밥|못 와요=모 돠요|값 없는=가 범는",
    "18: nasals over a space": "밥 먹는=밤 멍는|책 넣는다=챙 넌는다|옷 맞추다=온 맏추다|못 만나요=몬 만나요|값 매기다=감 매기다",
    "20: ㄹ draws ㄴ along only after one syllable": "잘 나왔다=잘 라왇따|할 나이=할 라이|오늘 날씨=오늘 날씨",
    "23: tense over a space": "못 가요=몯 까요|밥 주세요=밥 쭈세요|책 두 권=책 뚜 권",
    "27: tense after -(으)ㄹ": (
        "할 것을=할 꺼슬|갈 데가=갈 떼가|할 수는=할 쑤는|먹을 거예요=머글 꺼예요|만날 사람=만날 싸람|갈 곳=갈 꼳|할 줄=할 쭐|"
        "있을 때=이쓸 때|오늘 수=오늘 수|밥을 거의=바블 거이|책을 사람들이=채글 사람드리|있을 사람=이쓸 싸람|오늘 거기=오늘 거기"
    ),
    "counters after 열, 여덟": "열 시=열 씨|열 개=열 깨|여덟 살=여덜 쌀|스물 다섯=스물 다섣",
    "29: ㄴ over a space": "무슨 일=무슨 닐|할 일=할 릴|좋은 일이=조은 니리|옷 입다=온 닙따|못 잊어=몬 니저|한 일주일=하 닐쭈일",
}


def _pairs(examples: dict[str, list[str]]) -> list[tuple[str, str, str]]:
    pairs = [(article, example.partition("=")) for article, listed in examples.items() for example in listed]
    return [(article, written, spoken) for article, (written, _, spoken) in pairs]


@pytest.mark.parametrize(
    ("article", "written", "spoken"),
    _pairs({article: listed.split() for article, listed in EXAMPLES.items()})
    + _pairs({article: listed.split("|") for article, listed in PHRASES.items()}),
)
def test_an_example_of_the_rule(article: str, written: str, spoken: str) -> None:
    assert pronounce(written) == spoken, article


def test_sounds_do_not_meet_over_punctuation() -> None:
    assert pronounce("옷, 한 벌") == "옫, 한 벌"
    assert pronounce("밥? 먹는다.") == "밥? 멍는다."
    assert pronounce("좋은, 일") == "조은, 일"


def test_what_is_not_hangul_is_kept() -> None:
    assert pronounce("") == ""
    assert pronounce(" OK, 같이!  ") == " OK, 가치!  "


def test_decomposed_hangul_is_read_as_well() -> None:
    assert pronounce("같이") == "가치"


def test_every_respelling_is_hangul_that_the_rules_can_go_on_with() -> None:
    for table in (hangul_words.WORD_STARTS, hangul_words.WORD_ENDS):
        for written, spoken in table.items():
            assert written != spoken
            assert all(map(is_hangul, written + spoken))
            assert len(written) == len(spoken)


SPOKEN_CODAS = frozenset(("", *"ㄱㄴㄷㄹㅁㅂㅇ"))
syllables = st.integers(FIRST, LAST).map(chr)
phrases = st.lists(st.text(syllables, min_size=1, max_size=6), min_size=1, max_size=5).map(" ".join)


@given(phrases)
def test_any_hangul_keeps_its_syllables_and_ends_in_spoken_finals(phrase: str) -> None:
    spoken = pronounce(phrase)
    assert [len(word) for word in spoken.split(" ")] == [len(word) for word in phrase.split(" ")]
    for block in spoken.replace(" ", ""):
        assert decompose(block)[2] in SPOKEN_CODAS


@given(phrases, phrases)
def test_a_pause_parts_two_phrases_wholly(first: str, second: str) -> None:
    assert pronounce(f"{first}, {second}") == f"{pronounce(first)}, {pronounce(second)}"


@given(st.text())
def test_any_text_at_all_is_taken(text: str) -> None:
    assert isinstance(pronounce(text), str)


def test_the_tables_of_letters_are_whole() -> None:
    assert len(CODAS) == 28
    assert decompose("힣") == ("ㅎ", "ㅣ", "ㅎ")
