"""One voice over one reply, as a microphone hears it bit by bit."""

import numpy as np

from silvertalk.echo_ear import LOOK_SAMPLES, EchoEar
from streaming.audio import MICROPHONE_RATE, Floats, float_to_pcm16
from streaming.echo_witness import EchoWitness
from tests.streaming.test_echo_witness import microphone, played, room, talk


class Tape:
    """A microphone that has heard so far what it is wound to."""

    def __init__(self, sound: Floats, held_samples: int = 15 * MICROPHONE_RATE) -> None:
        self._pcm = float_to_pcm16(sound)
        self._held = held_samples
        self.received_samples = 0

    def sound(self, first_sample: int, end_sample: int) -> bytes:
        begin = max(first_sample, self.received_samples - self._held, 0)
        return self._pcm[2 * begin : 2 * end_sample]

    def wind(self, ear: EchoEar, seconds: float) -> None:
        """On to there, as it comes."""
        while self.received_samples < seconds * MICROPHONE_RATE:
            self.received_samples += 640
            ear.listen()


def test_an_echo_is_known_after_a_third_of_a_second_and_stays_one() -> None:
    reply = talk(5, 21)
    tape = Tape(microphone((1, room(reply, -10, 200)), seconds=7))
    ear = EchoEar(EchoWitness(), played(reply), tape, int(1.2 * MICROPHONE_RATE))
    tape.wind(ear, 1.4)
    assert ear.testimony(0) is None
    tape.wind(ear, 1.7)
    assert ear.is_surely_echo
    tape.wind(ear, 6)
    assert ear.somebody is not None
    assert ear.somebody < 0.5


def test_who_was_heard_once_has_spoken_however_long_the_echo_goes_on() -> None:
    reply = talk(12, 22)
    tape = Tape(microphone((1, room(reply, -12, 100)), (2, talk(1, 80)), seconds=13))
    ear = EchoEar(EchoWitness(), played(reply), tape, int(1.1 * MICROPHONE_RATE))
    tape.wind(ear, 1.9)
    assert not ear.is_somebody
    tape.wind(ear, 3)
    assert ear.is_somebody
    tape.wind(ear, 12)
    testimony = ear.testimony(9000)
    assert testimony is not None
    assert not testimony.is_surely_echo
    assert testimony.beside_echo


def test_how_long_somebody_was_heard_does_not_depend_on_the_echo_around() -> None:
    reply = talk(12, 24)
    alone, both = (
        Tape(microphone(*echo, (2.5, talk(1, 81)), seconds=13)) for echo in ((), ((1, room(reply, -15, 100)),))
    )
    heard_ms = []
    for tape, onset in ((alone, 2.5), (both, 1.1)):
        tape.received_samples = int((onset + 0.2) * MICROPHONE_RATE)
        ear = EchoEar(EchoWitness(), played(reply), tape, int(onset * MICROPHONE_RATE))
        tape.wind(ear, 12)
        testimony = ear.testimony(0)
        assert testimony is not None
        heard_ms.append(testimony.own_ms)
    assert 500 <= min(heard_ms) <= max(heard_ms) <= 1200


def test_it_looks_no_oftener_than_it_need_and_bears_a_microphone_that_came_late() -> None:
    reply = talk(4, 23)
    tape = Tape(microphone((1, room(reply, -10, 100))), held_samples=MICROPHONE_RATE // 2)
    ear = EchoEar(EchoWitness(), played(reply), tape, int(1.1 * MICROPHONE_RATE))
    tape.received_samples = 2 * MICROPHONE_RATE
    assert ear.listen()
    tape.received_samples += LOOK_SAMPLES - 1
    assert not ear.listen()
    assert ear.heard is not None
    assert np.isfinite(ear.heard.agreement)
