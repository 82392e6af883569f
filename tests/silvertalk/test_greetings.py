"""What is said before anybody has said anything, and by whose clock."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from silvertalk.calendars import Event
from silvertalk.greetings import clock_words, conversation_greeting, home_greeting
from silvertalk.photo_words import PhotoFacts
from silvertalk.treatment import Treatment, zone_named

SEOUL = ZoneInfo("Asia/Seoul")
TODAY = datetime(2026, 11, 22, 9, 0, tzinfo=SEOUL)


def event(title: str, hour: int = 15, *, all_day: bool = False) -> Event:
    at = TODAY.replace(hour=hour).astimezone(UTC)
    return Event("id", None, title, "", all_day, at, at, (TODAY.date(), TODAY.date()))


@pytest.mark.parametrize(
    ("hour", "hello"),
    [
        (4, "밤이 깊었네요."),
        (5, "좋은 아침이에요."),
        (11, "안녕하세요."),
        (17, "좋은 저녁이에요."),
        (23, "밤이 깊었네요."),
    ],
)
def test_the_greeting_goes_by_the_clock(hour: int, hello: str) -> None:
    greeting = home_greeting(Treatment(), TODAY.replace(hour=hour), [])
    assert greeting == f"{hello} 저 복실이 왔어요. 오늘은 11월 22일 일요일이에요."


def test_names_are_the_persons_own() -> None:
    treatment = Treatment(form_of_address="순자\n할머니", pet_name="몽이")
    assert home_greeting(treatment, TODAY, []).startswith("순자 할머니, 좋은 아침이에요. 저 몽이 왔어요.")


def test_the_day_is_told_and_not_read_out_whole() -> None:
    one, more = home_greeting(Treatment(), TODAY, [event("병원")]), [event("생일", all_day=True), event("병원")]
    assert one.endswith("일정이 하나 있으세요, 오후 3시에 병원.")
    assert home_greeting(Treatment(), TODAY, more).endswith("일정이 두 가지 있으세요, 먼저 생일.")
    assert "여러 가지" in home_greeting(Treatment(), TODAY, [event("모임")] * 20)
    assert len(home_greeting(Treatment(), TODAY, [event("가" * 500)])) < 150
    assert "이름 없는 일정" in home_greeting(Treatment(), TODAY, [event(" ")])


def test_in_quiet_hours_the_greeting_asks_for_nothing() -> None:
    treatment = Treatment(quiet_from="21:00", quiet_until="07:00")
    night = home_greeting(treatment, TODAY.replace(hour=23), [event("병원")])
    assert night == "지금은 쉬시는 시간이에요. 저는 조용히 곁에 있을게요."
    assert "병원" in home_greeting(treatment, TODAY, [event("병원")])


@pytest.mark.parametrize(
    ("photo", "said"),
    [
        (None, "오늘은 어떤 이야기를 들려주시겠어요?"),
        (PhotoFacts(), "고르신 사진 이야기를 듣고 싶어요. 어떤 날이었는지 들려주시겠어요?"),
        (PhotoFacts(location_name="통영"), "통영에서 찍은 사진이네요. 그날 이야기를 들려주시겠어요?"),
        (
            PhotoFacts(datetime(1998, 5, 2, 23, 0, tzinfo=UTC), "통영"),
            "1998년 5월 3일에 통영에서 찍은 사진이네요. 그날 이야기를 들려주시겠어요?",
        ),
    ],
)
def test_of_a_photo_only_what_is_known_is_said(photo: PhotoFacts | None, said: str) -> None:
    assert conversation_greeting(Treatment(), TODAY, photo) == f"좋은 아침이에요. {said}"


@pytest.mark.parametrize(
    ("hour", "minute", "words"),
    [(0, 0, "오전 12시"), (9, 5, "오전 9시 5분"), (12, 30, "오후 12시 30분"), (15, 0, "오후 3시")],
)
def test_a_time_of_day_is_said_as_people_say_it(hour: int, minute: int, words: str) -> None:
    assert clock_words(TODAY.replace(hour=hour, minute=minute)) == words


@pytest.mark.parametrize(
    ("begin", "until", "hour", "quiet"),
    [
        ("22:00", "07:30", 23, True),
        ("22:00", "07:30", 3, True),
        ("22:00", "07:30", 8, False),
        ("13:00", "14:30", 13, True),
        ("13:00", "14:30", 15, False),
        ("", "", 3, False),
        ("22:00", "", 23, False),
        ("22:00", "22:00", 22, False),
        ("25:99", "07:00", 3, False),
    ],
)
def test_quiet_hours_are_by_the_persons_own_clock(begin: str, until: str, hour: int, quiet: bool) -> None:
    treatment = Treatment(zone=SEOUL, quiet_from=begin, quiet_until=until)
    assert treatment.is_quiet(TODAY.replace(hour=hour)) is quiet
    assert treatment.is_quiet(TODAY.replace(hour=hour).astimezone(UTC)) is quiet


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "../etc/passwd", "/etc/passwd", "America", "\x00"])
def test_a_zone_that_there_is_not_is_home(name: str) -> None:
    assert zone_named(name).key == "Asia/Seoul"
