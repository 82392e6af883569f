"""A voice made of arithmetic: glottal pulses through the resonances of vowels, which Silero takes for speech.

It says nothing; it is for tests of hearing that must run where there are no recordings. (For words, synthesise speech.)
"""

import numpy as np

from streaming.audio import MICROPHONE_RATE, float_to_pcm16, ms_to_samples

FORMANTS_HZ = ((730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480), (570, 840, 2410))
SYLLABLE_SAMPLES = 3200


def vowels(ms: int, *, seed: int = 0, pitch_hz: float = 140, peak: float = 0.4) -> bytes:
    """Five syllables a second, PCM16 mono 16 kHz."""
    rng = np.random.default_rng(seed)
    size = ms_to_samples(ms)
    seconds = np.arange(size) / MICROPHONE_RATE
    pitch = pitch_hz * (1 + 0.12 * np.sin(2 * np.pi * 0.7 * seconds))
    pulses = np.diff(np.floor(np.cumsum(pitch) / MICROPHONE_RATE), prepend=0) + 0.02 * rng.standard_normal(size)
    sound = np.zeros(size)
    for start in range(0, size, SYLLABLE_SAMPLES):
        source = pulses[start : start + SYLLABLE_SAMPLES + 400]
        frequencies = np.fft.rfftfreq(len(source), 1 / MICROPHONE_RATE)
        formants = FORMANTS_HZ[rng.integers(len(FORMANTS_HZ))]
        filtered = sum(0.5**order / (1 + ((frequencies - formant) / 80) ** 2) for order, formant in enumerate(formants))
        syllable = np.fft.irfft(np.fft.rfft(source) * filtered, len(source))
        sound[start : start + len(source)] += syllable * np.sin(np.pi * np.linspace(0.05, 0.98, len(source))) ** 2
    return float_to_pcm16(sound / np.abs(sound).max() * peak)


def silence(ms: int) -> bytes:
    return bytes(2 * ms_to_samples(ms))


def hiss(ms: int, *, seed: int = 0, dbfs: float = -30) -> bytes:
    """White noise: webrtcvad opens for it, Silero does not take it for speech."""
    rng = np.random.default_rng(seed)
    return float_to_pcm16(rng.standard_normal(ms_to_samples(ms)) * 10 ** (dbfs / 20))
