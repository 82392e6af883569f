"""What the microphone hears while a reply is played: its echo, somebody, or both."""

import numpy as np
import pytest

from streaming.audio import MICROPHONE_RATE, Floats, float_to_pcm16
from streaming.echo_witness import BANDS, ROWS_A_SECOND, Bands, EchoWitness, Heard, Played

LEAD = MICROPHONE_RATE
"""The microphone is heard for so long before the reply begins."""


def talk(seconds: float, seed: int, rate: int = MICROPHONE_RATE) -> Floats:
    """Syllables of one or two formants each, none like another: to the witness, speech."""
    rng = np.random.default_rng(seed)
    sound = np.zeros(int(seconds * rate), np.float32)
    at = 0
    while at < len(sound):
        length = int(rng.uniform(0.09, 0.24) * rate)
        times = np.arange(length) / rate
        voice = sum(rng.uniform(0.3, 1) * np.sin(2 * np.pi * hertz * times) for hertz in rng.uniform(250, 4500, 4))
        piece = (voice * np.hanning(length)).astype(np.float32)[: len(sound) - at]
        sound[at : at + len(piece)] += piece * rng.choice([0.1, 0.2, 0.3])
        at += length + int(rng.choice([0, 0.03, 0.12]) * rate)
    return sound


def room(sound: Floats, gain_db: float, delay_ms: float, seed: int = 0) -> Floats:
    """A small loudspeaker, its colour, and a quarter of a second of reverberation."""
    rng = np.random.default_rng(seed)
    late = np.arange(MICROPHONE_RATE // 4) / MICROPHONE_RATE
    answer = 0.05 * rng.standard_normal(len(late)) * np.exp(-late / 0.04)
    answer[0] = 1.0
    spectrum = np.fft.rfft(np.convolve(sound, answer))
    hertz = np.fft.rfftfreq(2 * len(spectrum) - 2, 1 / MICROPHONE_RATE)[: len(spectrum)]
    heard = np.fft.irfft(spectrum / (1 + (400 / np.maximum(hertz, 1)) ** 4) / (1 + (hertz / 3000) ** 4))
    quiet = np.zeros(int(delay_ms * MICROPHONE_RATE / 1000))
    return np.concatenate([quiet, heard * 10 ** (gain_db / 20)]).astype(np.float32)


def microphone(*parts: tuple[float, Floats], seconds: float = 6.0) -> Floats:
    sound = 0.0005 * np.random.default_rng(9).standard_normal(int(seconds * MICROPHONE_RATE)).astype(np.float32)
    for at, part in parts:
        first = int(at * MICROPHONE_RATE)
        part = part[: len(sound) - first]
        sound[first : first + len(part)] += part
    return sound


def played(reply: Floats, rate: int = MICROPHONE_RATE, late: int = 0) -> Played:
    """It begins after a second, and the player says so five times a second."""
    known = Played(rate)
    pcm = float_to_pcm16(reply)
    for first in range(0, len(pcm), 4321 * 2):
        known.add(first // 2, pcm[first : first + 4321 * 2])
    for sample in range(0, len(reply), rate // 5):
        known.is_at(sample, LEAD + late + sample * MICROPHONE_RATE // rate)
    return known


def look(heard: Floats, known: Played, began: float, until: float, witness: EchoWitness | None = None) -> Heard:
    rows = Bands(MICROPHONE_RATE).feed(float_to_pcm16(heard))[: int(until * ROWS_A_SECOND)]
    return (witness or EchoWitness()).look(rows, int(began * ROWS_A_SECOND), known, 0)


@pytest.mark.parametrize("delay_ms", [30, 150, 400, 750])
@pytest.mark.parametrize("gain_db", [0.0, -12.0, -25.0])
def test_an_echo_is_known_by_its_sound(delay_ms: float, gain_db: float) -> None:
    reply = talk(4, 1)
    began = 1 + delay_ms / 1000
    found = look(microphone((1, room(reply, gain_db, delay_ms))), played(reply), began, began + 0.5)
    assert found.somebody < 0.15
    assert abs(found.lag_rows - delay_ms / 20) <= 2


@pytest.mark.parametrize("seed", range(5))
def test_somebody_is_no_echo(seed: int) -> None:
    found = look(microphone((2.1, talk(2, 50 + seed))), played(talk(4, seed)), 2.1, 2.7)
    assert found.somebody > 0.85


def test_nobody_is_taken_for_the_echo_of_a_hum() -> None:
    """Whatever it is of a reply that hardly changes, any steady sound resembles it."""
    hum = (0.3 * np.sin(2 * np.pi * 220 * np.arange(4 * MICROPHONE_RATE) / MICROPHONE_RATE)).astype(np.float32)
    steady = (0.2 * np.sin(2 * np.pi * 300 * np.arange(2 * MICROPHONE_RATE) / MICROPHONE_RATE)).astype(np.float32)
    for began in (1.2, 2.1):
        assert look(microphone((began, steady)), played(hum), began, began + 0.6).somebody >= 0.5


@pytest.mark.parametrize("seed", range(8))
def test_who_speaks_in_the_replys_own_rhythm_is_not_said_to_be_its_echo(seed: int) -> None:
    """Their syllables are as long and as loud as the reply's, and come when its echo would; their vowels are others."""
    reply = talk(4, seed)
    size = MICROPHONE_RATE // 50
    loudness = np.sqrt(np.convolve(np.square(reply), np.ones(size) / size, "same"))
    rng = np.random.default_rng(seed)
    voice = sum(
        np.sin(2 * np.pi * hertz * np.arange(len(reply)) / MICROPHONE_RATE) for hertz in rng.uniform(300, 3e3, 3)
    )
    their = (0.5 * loudness * voice).astype(np.float32)
    heard = microphone((1.2, their))
    for until in (1.6, 2.0, 3.0):
        assert look(heard, played(reply), 1.2, until).somebody > 0.05


@pytest.mark.parametrize("echo_db", [-3.0, -12.0, -20.0])
@pytest.mark.parametrize("seed", range(3))
def test_who_speaks_at_the_same_time_is_heard(echo_db: float, seed: int) -> None:
    reply, witness = talk(5, seed), EchoWitness()
    heard = microphone((1, room(reply, echo_db, 200)), (2.5, talk(2, 70 + seed)))
    known = played(reply)
    assert look(heard, known, 1.2, 2.2, witness).somebody < 0.15
    found = look(heard, known, 1.2, 3.2, witness)
    assert found.somebody > 0.85
    assert witness.lag == pytest.approx(10, abs=2)


def test_a_reply_played_softly_for_a_while_is_still_an_echo() -> None:
    """Whether or not the player does what it was told."""
    reply = talk(4, 3)
    known = played(reply)
    known.soften(LEAD + MICROPHONE_RATE, soft=True)
    softly = reply.copy()
    softly[MICROPHONE_RATE:] *= 0.25
    assert look(microphone((1, room(softly, -6, 100))), known, 1.1, 3).somebody < 0.5
    assert look(microphone((1, room(reply, -6, 100))), known, 1.1, 3).somebody < 0.5


def test_the_replys_rate_and_the_cuts_are_nothing_to_it() -> None:
    reply = talk(4, 4, rate=24_000)
    at_16 = np.interp(np.arange(0, len(reply), 1.5), np.arange(len(reply)), reply).astype(np.float32)
    heard = microphone((1, room(at_16, -10, 100)))
    assert look(heard, played(reply, rate=24_000), 1.1, 2).somebody < 0.15


def test_a_guess_of_the_playhead_is_forgotten_once_it_is_known() -> None:
    reply = talk(4, 5)
    known = Played(MICROPHONE_RATE)
    known.add(0, float_to_pcm16(reply))
    known.is_at(20_000, LEAD, guessed=True)
    assert known.is_placed
    known.is_at(0, LEAD)
    assert look(microphone((1, room(reply, -10, 100))), known, 1.1, 2).somebody < 0.15


def test_a_player_that_ran_dry_is_followed() -> None:
    reply, gap = talk(5, 6), MICROPHONE_RATE
    known = Played(MICROPHONE_RATE)
    known.add(0, float_to_pcm16(reply))
    for sample in range(0, 2 * MICROPHONE_RATE, 3200):
        known.is_at(sample, LEAD + sample)
    for sample in range(2 * MICROPHONE_RATE, len(reply), 3200):
        known.is_at(sample, LEAD + sample + gap)
    sound = np.concatenate([reply[: 2 * MICROPHONE_RATE], np.zeros(gap, np.float32), reply[2 * MICROPHONE_RATE :]])
    assert look(microphone((1, room(sound, -10, 100)), seconds=8), known, 4.1, 5.5).somebody < 0.15


def test_of_a_reply_that_is_not_heard_somebody_is_alone() -> None:
    reply = talk(5, 7)
    assert look(microphone((3.5, talk(2, 90))), played(reply), 3.5, 4.2).alone
    assert not look(microphone((1, room(reply, -12, 100)), (3.5, talk(2, 90))), played(reply), 3.5, 4.2).alone


def test_rows_do_not_depend_on_how_a_sound_is_cut() -> None:
    pcm = float_to_pcm16(talk(1, 8))
    whole = Bands(MICROPHONE_RATE).feed(pcm)
    bands = Bands(MICROPHONE_RATE)
    pieces = np.concatenate([bands.feed(pcm[at : at + 998]) for at in range(0, len(pcm), 998)])
    assert whole.shape == (ROWS_A_SECOND - 1, BANDS)
    np.testing.assert_allclose(pieces, whole, atol=1e-3)


def test_silence_and_nothing_played_are_no_reason_to_fail() -> None:
    nothing = Played(MICROPHONE_RATE)
    found = look(np.zeros(2 * MICROPHONE_RATE, np.float32), nothing, 0.5, 2)
    assert 0 <= found.somebody <= 1
    assert look(microphone((1, talk(1, 2))), nothing, 1, 2).somebody > 0.85
