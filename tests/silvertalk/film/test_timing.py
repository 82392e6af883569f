"""When slides and words come."""

from hypothesis import given
from hypothesis import strategies as st

from silvertalk.film.timing import (
    CROSSFADE,
    ENDING_SECONDS,
    FRAME_RATE,
    LEAD_SECONDS,
    PAUSE_SECONDS,
    SLIDE_SECONDS,
    reading_seconds,
    shared_out,
    timeline,
)


def test_slides_without_words_take_four_seconds_and_melt_for_one() -> None:
    times = timeline([[], [], []])
    assert [(shot.slide, shot.begins, shot.frames) for shot in times.shots] == [
        (-1, 0, 120),
        (0, 90, 120),
        (1, 180, 120),
        (2, 270, 120 + round(ENDING_SECONDS * FRAME_RATE)),
    ]
    assert times.frames == times.shots[-1].ends == 450
    assert times.words == () and times.seconds == 15.0


def test_a_slide_waits_for_its_words() -> None:
    times = timeline([[2.5, 4.0], []])
    first, second = times.words
    slide = times.shots[1]
    assert first.begins == slide.begins / FRAME_RATE + LEAD_SECONDS
    assert second.begins == first.begins + 2.5 + PAUSE_SECONDS
    melts = (slide.ends - CROSSFADE) / FRAME_RATE
    assert second.begins + second.seconds < melts < second.begins + second.seconds + 0.5
    assert slide.frames > SLIDE_SECONDS * FRAME_RATE


@given(st.lists(st.lists(st.floats(0.1, 90), max_size=5), min_size=1, max_size=20))
def test_nobody_speaks_while_one_slide_melts_into_the_next(slides: list[list[float]]) -> None:
    times = timeline(slides)
    for before, after in zip(times.shots, times.shots[1:], strict=False):
        assert after.begins == before.ends - CROSSFADE
        assert min(before.frames, after.frames) >= SLIDE_SECONDS * FRAME_RATE
    for words in times.words:
        shot = times.shots[words.slide + 1]
        assert words.begins * FRAME_RATE >= shot.begins + CROSSFADE - 1e-6
        assert (words.begins + words.seconds) * FRAME_RATE <= shot.ends - CROSSFADE
    ends = [words.begins + words.seconds for words in times.words]
    assert all(words.begins > end for end, words in zip(ends, times.words[1:], strict=False))


def test_pages_share_a_sentence_by_what_there_is_to_say() -> None:
    assert list(shared_out(10.0, 6.0, ["가나다라", "가 나"])) == [(10.0, 14.0), (14.0, 16.0)]


def test_who_only_reads_is_given_time() -> None:
    assert reading_seconds("네.") == 2.0
    assert reading_seconds("가" * 30) == 6.0
