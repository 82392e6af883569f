"""Ordinary requests, complaints and stories raise no alarm, typed or spoken; calls for help beside them still do."""

from __future__ import annotations

from itertools import product

import pytest

from benchmarks.distress_sentences import SENTENCES
from silvertalk.distress import distress_in
from silvertalk.korean_everyday_verbs import is_everyday

VERBS = (
    "적어 보여 찾아 닫아 열어 넣어 내려 올려 잘라 달려 담아 놓아 놔 알려 들어 들려 돌려 말려 눌러 틀어 "
    "빌려 불러 골라 발라 풀어 밀어  빼 빨아 살펴 켜 꺼 안아 앉아 일으켜 깨워 재워 데려와 가르쳐 기다려 "
    "기억해 잊어 읽어 써 전해 사 갖다 가져다 가져와 그려 차려  끓여 구워 볶아 썰어 씻어 씻겨 닦아 쓸어 매 "
    "묶어 벗겨 입혀 걸어 꽂아 줄여 늘려 키워 낮춰 높여 멈춰 말해 알아봐 물어봐 바꿔  옮겨 나눠 남겨 챙겨 "
    "지켜 믿어 용서해 이해해 축하해 응원해 칭찬해 노래해 춤춰 웃어 울려 흔들어 저어 집어 접어 찍어 붙여 떼 "
    "뜯어 까 벗어 깎아 따 캐 심어 뿌려 부어 섞어 말아 감아 세어 외워 와 가 봐 해 나와 들어와 돌아와 놀아 "
    "전화해 연락해 얘기해  이야기해 설명해 소개해 정리해 청소해 빨래해 요리해 주문해 예약해 취소해 확인해 지워 "
    "고쳐 만들어 다려 개 널어 털어 데워 식혀  녹여 비벼 무쳐 담가 절여 갈아 먹여 먹어 마셔 태워 실어 날려 "
    "던져 받아 잡아 당겨 비워 채워 덮어 깔아 펴 뒤집어 맡아 맡겨 보내  부쳐 돌봐 업어 주물러 두드려 긁어 "
    "만져 쓰다듬어 웃겨 달래 위로해 약속해 대답해 참아 비켜 일어나 누워 쉬어 자 빗어 땋아 꿰매"
).split()
NOUNS = (
    "도라지 소금 물 밥 떡 돈 약 국 김치 사과 배 도마 도토리 도시락 두부 콩 쌀 설탕 살구 사탕 수건 휴지 "
    "안경 돋보기 리모컨 신문 담요  이불 베개 양말 지팡이 우산 커피 우유 빵 과일 귤 감 포도 수박 참외 딸기 "
    "수제비 국수 만두 고기 생선 계란 죽 고구마 감자 마늘 파  배추 상추 그릇 접시 컵 칼 가위 실 바늘 연필 "
    "사진 열쇠 시간 자리 힘 편지 선물 꽃"
).split()
ENDINGS = ("주세요", "줘", "줘요", "줄래요", "주실래요", "주십시오", "주시겠어요")
BEFORE = ("", "네, ", "응 ", "예, ", "좀 ", "저기 ", "복실아, ", "그럼 ", "이것 좀 ")


@pytest.mark.parametrize("before", BEFORE)
def test_no_request_is_a_call_for_help(before: str) -> None:
    """Spoken with one ending each, another with every `before`; typed with all."""
    shift = BEFORE.index(before)
    spoken = [f"{before}{word} {ENDINGS[(n + shift) % len(ENDINGS)]}" for n, word in enumerate((*VERBS, *NOUNS))]
    assert [text for text in spoken if distress_in(text, "ko")] == []
    typed = [f"{before}{word} {ending}" for word, ending in product((*VERBS, *NOUNS), ENDINGS)]
    assert [text for text in typed if distress_in(text, "ko", by_ear=False)] == []


def test_the_grid_is_of_everyday_verbs() -> None:
    assert len(VERBS) > 180 and len(NOUNS) > 60
    # What calls for help are made of is not in the list, and is told apart by what stands before it.
    assert {verb for verb in VERBS if not is_everyday(verb, "joined")} == {"불러", "전화해"}


@pytest.mark.parametrize(
    ("words", "form"),
    [("그만 자", "stem"), ("그만자", "stem"), ("떨어질", "ahead"), ("적을", "ahead"), ("또와", "joined")],
)
def test_a_common_verb_is_known_in_its_forms(words: str, form: str) -> None:
    assert is_everyday(words, form)  # type: ignore[arg-type]


@pytest.mark.parametrize("words", ["살려", "도와", "제발 도와", "", "죽고", "구급차 불러", "사려고"])
def test_what_calls_are_made_of_is_no_common_verb(words: str) -> None:
    assert not is_everyday(words, "joined")


@pytest.mark.parametrize(
    "text",
    [
        *("아이고 죽겠다", "허리가 아파 죽겠네", "배고파 죽겠어", "보고 싶어 죽겠어", "배가 고파 죽을 것 같아"),
        *("숨이 차서 산에 못 가요", "숨이 차서 빨리 못 걸어", "심장이 두근두근했지", "그때 다 죽는 줄 알았어"),
        *("가슴이 아프지, 그때 생각하면", "다리가 저려", "잠이 안 와", "입맛이 없어", "더워서 꼼짝도 못 하겠어"),
        *("갑자기 말이 안 나오네 그 배우 이름이 뭐더라", "정신 나갈 것 같아", "코가 막혀서 숨쉬기가 힘들어"),
        *("총소리가 나고 사람들이 쓰러졌어", "폭격에 불이 났어", "어제 아파트에 불이 났어", "살려 주세요 하고 빌었지"),
        *("나무가 쓰러졌어", "화분이 쓰러졌어", "웃다가 쓰러졌어", "의자 다리가 부러졌어", "마당을 쓸어 줬어"),
        *("딸이 병원에 데려다줘요", "수요일에 병원에 데려다줘", "수요일 세 시에 병원 간다고 적어 줘"),
        *(
            "음식 맛 살려 줘",
            "꽃 좀 살려 줘",
            "또 와 주세요",
            "놀러 와 줘",
            "간호사 좀 불러 주세요",
            "구급차 노래 불러 줘",
        ),
        *("그만 하고 싶어", "이제 그만 자고 싶어", "뛰어놀고 싶어", "주고 싶다", "자는 듯이 죽고 싶어"),
        *("내가 줘야지", "빨리 주워야지", "내가 참아야지", "자는 게 낫지", "차라리 걷는 게 낫겠어"),
        *("떨어질 것 같아", "터질 것 같아", "잃어버릴 것 같아", "비가 많이 내려", "배추가 많이 나", "길이 났어"),
    ],
)
def test_complaints_stories_and_wishes_of_every_day(text: str) -> None:
    assert distress_in(text, "ko") is None


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        *((text, "emergency") for text in ("나 병원에 좀 데려다줘", "119에 전화 좀 해 줘", "도와줘ㅠㅠ", "살려주세여")),
        *((text, "emergency") for text in ("살여줘", "아이고 피가 안 멈춰!", "팔에 힘이 안 들어가", "네, 도와주세요")),
        *((text, "emergency") for text in ("어제부터 가슴이 너무 아파", "방금 쓰러졌어", "나 넘어져서 못 일어나겠어")),
        *((text, "emergency") for text in ("꽃 보러 가다가 넘어져서 못 일어나겠어", "숨이 차서 말을 못 하겠어")),
        *((text, "despair") for text in ("자꾸 죽고 싶어", "그만 살고 싶어", "차라리 죽는 게 낫겠어")),
    ],
)
def test_calls_beside_them_are_found_in_what_was_typed(text: str, kind: str) -> None:
    distress = distress_in(text, "ko", by_ear=False)
    assert distress is not None
    assert distress.kind == kind


@pytest.mark.parametrize(("row", "text"), [(row, text) for row, texts in SENTENCES["ko"].items() for text in texts])
def test_no_ear_is_needed_for_what_is_spelt_rightly(row: str, text: str) -> None:
    distress = distress_in(text, "ko", by_ear=False)
    assert (distress.kind if distress else "calm") == row


@pytest.mark.parametrize(
    "heard",
    [
        "살여 주세요",
        "살리어 주세요",
        "도아 주세요",
        "도와주세여",
        "또와주세요",
        "살녀줘",
        "누가 좀 도아줘요",
        "누가 좀 더 와줘요",
    ]
    + ["제발 놓아 주세요", "네, 도아 주세요", "구굽차 불러 주세요", "일일고 불러줘", "자사하고 싶은 생각이 들어요"],
)
def test_a_misheard_call_is_found_by_what_stands_before_its_ending(heard: str) -> None:
    assert distress_in(heard, "ko") is not None


def test_what_was_typed_was_not_misheard() -> None:
    assert distress_in("수미 안 쉬져", "ko") is not None
    assert distress_in("수미 안 쉬져", "ko", by_ear=False) is None


@pytest.mark.parametrize(
    "text",
    [
        *("help me find the photo", "help me remember her name", "please help me with this", "call my daughter"),
        *("I can't breathe life into this story", "I'm just killing time", "I want to kill time", "save me a seat"),
        *("my heart aches for him", "My heart aches for my late husband", "there was pain in my heart"),
        *("I can't get up early anymore", "I can't stand up straight", "I can't move my furniture alone"),
        *("I can't see anything without my glasses", "I'm choking up, what a lovely photo", "I'm bleeding money"),
        *("I'm having a stroke of luck", "I'm going to pass out the candies", "my arm is numb from sleeping on it"),
        *("I don't want to live alone", "I don't want to wake up early", "I wish I was dead tired"),
        *("Call an ambulance! he shouted", "Help me! That was what she sang.", "I'm bored to death", "I'm dead tired"),
    ],
)
def test_english_of_every_day(text: str) -> None:
    assert distress_in(text, "en") is None


@pytest.mark.parametrize(
    "text",
    [
        *("I can't get up, I am on the stairs", "I can't move my left arm", "I'm so cold and I can't get up"),
        *("my heart hurts", "I think I'm going to pass out", "I'm having a stroke", "help", "Can you help me?"),
        *("I don't want to wake up tomorrow", "I wish I was dead", "He said wait. Call an ambulance!"),
    ],
)
def test_english_calls_beside_it(text: str) -> None:
    assert distress_in(text, "en") is not None
