"""How pictures lie in the frame."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from silvertalk.film.framing import (
    BORDER,
    CANVAS_HEIGHT,
    CANVAS_WIDTH,
    HEIGHT,
    MOST_ENLARGED,
    STRIP_LONGEST,
    WIDTH,
    ZOOM,
    lay,
)

sizes = st.integers(1, 6000)


@given(sizes, sizes, st.floats(4, 200), st.integers(0, 1))
def test_any_picture_keeps_its_shape_and_the_window_stays_on_the_canvas(
    width: int, height: int, seconds: float, turn: int
) -> None:
    layout = lay(width, height, seconds, turn)
    left, top, across, down = layout.picture
    if (across, down) != layout.canvas:  # what fills the frame is cut, the others are only rounded to even pixels
        assert abs(across * height - down * width) <= 2.1 * max(width, height)
    assert all(each % 2 == 0 for each in (*layout.picture, *layout.canvas))
    assert left >= 0 and top >= 0 and left + across <= layout.canvas[0] and top + down <= layout.canvas[1]
    assert CANVAS_WIDTH <= layout.canvas[0] <= STRIP_LONGEST and layout.canvas[1] == CANVAS_HEIGHT
    for step in range(11):
        one, two, three, four = layout.window(step / 10)
        assert -1e-6 <= one < three <= layout.canvas[0] + 1e-6
        assert -1e-6 <= two < four <= layout.canvas[1] + 1e-6
        assert (three - one) * HEIGHT == pytest.approx((four - two) * WIDTH)


@pytest.mark.parametrize(("width", "height"), [(1600, 1200), (1200, 1600), (1200, 1200), (900, 2000), (1920, 1080)])
@pytest.mark.parametrize("turn", [0, 1])
def test_a_print_is_seen_whole_from_first_to_last_with_its_border(width: int, height: int, turn: int) -> None:
    layout = lay(width, height, 5.0, turn)
    left, top, across, down = layout.picture
    assert layout.border == BORDER
    for progress in (0.0, 0.5, 1.0):
        one, two, three, four = layout.window(progress)
        assert one <= left - BORDER + 1e-6 and left + across + BORDER <= three + 1e-6
        assert two <= top - BORDER + 1e-6 and top + down + BORDER <= four + 1e-6


def test_it_grows_by_a_tenth_evenly() -> None:
    layout = lay(1600, 1200, 4.0)
    widths = [right - left for left, _, right, _ in (layout.window(step / 4) for step in range(5))]
    assert widths[0] / widths[-1] == pytest.approx(ZOOM)
    assert widths[-1] == pytest.approx(WIDTH)
    assert {round(before / after, 6) for before, after in zip(widths, widths[1:], strict=False)} == {
        round(ZOOM**0.25, 6)
    }


def test_a_picture_of_the_frames_shape_fills_it() -> None:
    assert lay(1080, 1920, 4.0).picture == (0, 0, CANVAS_WIDTH, CANVAS_HEIGHT)
    assert lay(1125, 1900, 4.0).picture == (0, 0, CANVAS_WIDTH, CANVAS_HEIGHT)


@pytest.mark.parametrize("turn", [0, 1])
def test_a_panorama_is_travelled_from_end_to_end(turn: int) -> None:
    layout = lay(6000, 1500, 6.0, turn)
    begins, ends = layout.window(0)[0::2], layout.window(1)[0::2]
    if turn:
        begins, ends = ends, begins
    assert begins[0] == pytest.approx(0, abs=1e-6) and ends[1] == pytest.approx(layout.canvas[0])
    assert lay(6000, 1500, 12.0).canvas[0] > layout.canvas[0], "there is time for a larger one"


def test_a_tiny_picture_stays_small() -> None:
    _, _, across, down = lay(100, 80, 4.0).picture
    assert (across, down) == (100 * MOST_ENLARGED, 80 * MOST_ENLARGED)
