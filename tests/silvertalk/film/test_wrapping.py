"""Lines of subtitles."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from silvertalk.film.equipment import equipment
from silvertalk.film.lettering import Letters, subtitle_pages
from silvertalk.film.wrapping import LINES, balanced, pages, plain


def measure(text: str) -> float:
    return float(sum(10 if "가" <= mark <= "힣" else 5 for mark in text))


def test_two_lines_are_about_as_long() -> None:
    assert balanced("그날 바다가 참 파랗고 예뻤어요", 140, measure) == ["그날 바다가 참", "파랗고 예뻤어요"]


def test_a_long_sentence_becomes_pages_parted_at_a_comma() -> None:
    text = "막내가 울어서 내가 업고 갔지, 그래도 사진은 다 같이 찍었어."
    assert pages(text, 110, measure) == ["막내가 울어서\n내가 업고 갔지,", "그래도 사진은\n다 같이 찍었어."]


def test_a_word_wider_than_a_line_is_broken() -> None:
    assert pages("가나다라마바사", 40, measure) == ["가나다라\n마바사"]


def test_nothing_is_no_page() -> None:
    assert pages("  ", 100, measure) == []


@given(st.text(alphabet=st.sampled_from("가나다라 ,.abc"), max_size=200), st.integers(30, 400))
def test_every_page_fits_and_nothing_is_lost(text: str, width: int) -> None:
    shown = pages(text, width, measure)
    lines = [line for page in shown for line in page.split("\n")]
    assert all(len(page.split("\n")) <= LINES for page in shown)
    assert all(measure(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


def test_syllables_taken_apart_are_put_together() -> None:
    apart = unicodedata.normalize("NFD", "속초에서")
    assert len(apart) > 4 and plain(f"{apart}\n\u200b웃었어요") == "속초에서 웃었어요"


def test_what_the_font_cannot_draw_is_left_out() -> None:
    letters = Letters(equipment().bold, 72)
    assert letters.known("바다 😀 좋았어요 ♥︎뷁") == "바다 좋았어요 ♥뷁"
    assert subtitle_pages("😀", letters, own_voice=True) == []
    assert subtitle_pages("좋았지.", letters, own_voice=True) == ["“좋았지.”"]
