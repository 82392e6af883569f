"""Written Korean as it is read aloud."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_node.korean_text import spoken


@pytest.mark.parametrize(
    ("written", "said"),
    [
        # native numbers before their counters
        ("3시에 만나요", "세 시에 만나요"),
        ("5살", "다섯 살"),
        ("3시경", "세 시경"),
        ("3시도 안 됐어요", "세 시도 안 됐어요"),
        ("20살", "스무 살"),
        ("21명", "스물한 명"),
        ("사과 3개", "사과 세 개"),
        ("차 2대", "차 두 대"),
        ("1번째", "첫 번째"),
        ("2번째", "두 번째"),
        ("24시간", "스물네 시간"),
        ("손님 3분", "손님 세 분"),
        ("120명", "백이십 명"),
        # Sino-Korean numbers before the others
        ("30분", "삼십분"),
        ("85세", "팔십오세"),
        ("3개월", "삼개월"),
        ("2박 3일", "이박 삼일"),
        ("20대", "이십대"),
        ("80년대", "팔십년대"),
        ("3학년", "삼학년"),
        ("2인분", "이인분"),
        ("5층 3호", "오층 삼호"),
        ("제1회", "제일회"),
        ("KTX 3번 출구", "케이티엑스 삼번 출구"),
        ("3번 말했어요", "세 번 말했어요"),
        ("10분의 1", "십분의 일"),
        # dates and times
        ("2026년 10월 6일", "이천이십육년 시월 육일"),
        ("6월에", "유월에"),
        ("16월급", "십육월급"),
        ("2026-10-06", "이천이십육년 시월 육일"),
        ("14:30에", "열네 시 삼십분에"),
        ("3:00", "세 시"),
        ("오후 2시 5분", "오후 두 시 오분"),
        ("4월 5일(월)", "사월 오일, 월"),
        # telephone numbers, digit by digit
        ("010-1234-5678로", "공일공, 일이삼사, 오육칠팔로"),
        ("02-345-6789", "공이, 삼사오, 육칠팔구"),
        ("1588-1234", "일오팔팔, 일이삼사"),
        ("119에 전화", "일일구에 전화"),
        ("119개", "백십구 개"),
        # decimals, percent, money, large numbers
        ("36.5도예요", "삼십육 점 오도예요"),
        ("50.5%", "오십 점 오 퍼센트"),
        ("5,000원", "오천원"),
        ("₩12,000", "만 이천 원"),
        ("$5", "오 달러"),
        ("3만 5천원", "삼만 오천원"),
        ("1억 2천만원", "일억 이천만원"),
        ("1천원", "천원"),
        ("007", "공공칠"),
        # units
        ("2km를", "이 킬로미터를"),
        ("70kg", "칠십 킬로그램"),
        ("60km/h", "시속 육십 킬로미터"),
        ("25℃", "이십오 도"),
        ("-3°C", "영하 삼 도"),
        ("1.5L", "일 점 오 리터"),
        ("혈압이 120/80", "혈압이 백이십에 팔십"),
        ("1/2", "이분의 일"),
        # ranges
        ("3~5시에", "세 시에서 다섯 시에"),
        ("2~3명이", "두 명에서 세 명이"),
        ("3-5일", "삼일에서 오일"),
        # Latin letters
        ("AI가 TV를", "에이아이가 티브이를"),
        ("MP3 파일", "엠피쓰리 파일"),
        ("비타민 C와 B12", "비타민 씨와 비십이"),
        ("3D 영화", "쓰리디 영화"),
        ("covid-19", "코로나 십구"),
        ("Zoom으로", "Zoom으로"),
        # what is written and not said
        ('"안녕"하고', "안녕하고"),
        ("네~ 좋아요ㅎㅎ", "네 좋아요"),
        ("😀 안녕", "안녕"),
        ("**중요**", "중요"),
        ("복실이(강아지)가", "복실이, 강아지가"),
        ("하나·둘", "하나 둘"),
        ("와...", "와…"),
        ("정말요?!", "정말요?"),
        ("하나\n둘", "하나. 둘"),
    ],
)
def test_written_to_spoken(written: str, said: str) -> None:
    assert spoken(written) == said


PLAIN = re.compile(r"[가-힣A-Za-z' ,.!?…]*")


@given(st.text())
def test_only_what_can_be_spoken_comes_out(text: str) -> None:
    assert PLAIN.fullmatch(spoken(text))


@given(st.text(st.sampled_from("0123456789.,:-~/%월일시분개번대원년도 km°C($₩)가을"), max_size=20))
def test_no_digit_is_left_over_and_none_is_lost(text: str) -> None:
    said = spoken(text)
    assert not re.search(r"\d", said)
    if re.search(r"[1-9]", text):
        assert re.search(r"[일이삼사오육칠팔구십백천만유시한두세네첫섯곱덟홉열스른흔쉰순든]", said)


@given(st.text(st.sampled_from("가나다라마 ,.!?"), max_size=30))
def test_spoken_text_stays_as_it_is(text: str) -> None:
    assert spoken(spoken(text)) == spoken(text)
