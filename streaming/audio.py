"""PCM16 arithmetic: the one shape of sound inside the project, and the ways in and out of it.

Sound is mono, signed 16 bit, little-endian, in `bytes`; a position is a sample number, never a time. Floats appear only
where a model or a resampler wants them: float32 in [-1, 1). Files are read and written by tools alone, so the library
for them loads when used.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from streaming.errors import AudioError

MICROPHONE_RATE = 16_000
"""What the client sends, and what Silero and Whisper were trained on."""

BYTES_PER_SAMPLE = 2

FRAME_SAMPLES = 320
"""20 ms at the microphone's rate: what a client sends at a time, and one of the three lengths webrtcvad knows."""

FRAME_BYTES = FRAME_SAMPLES * BYTES_PER_SAMPLE

SILENCE_DBFS = -120.0
"""Reported for digital silence, whose level has no logarithm; 24 dB below the least that 16 bits can say."""

Pcm = bytes | bytearray | memoryview
Floats = npt.NDArray[np.float32]


def sample_count(pcm: Pcm) -> int:
    """How many samples these bytes are; AudioError for half a sample."""
    size = pcm.nbytes if isinstance(pcm, memoryview) else len(pcm)
    if size % BYTES_PER_SAMPLE:
        raise AudioError(f"{size} bytes are not whole samples of 16 bits")
    return size // BYTES_PER_SAMPLE


def samples_to_ms(samples: int, rate: int = MICROPHONE_RATE) -> float:
    return samples * 1000 / rate


def ms_to_samples(ms: float, rate: int = MICROPHONE_RATE) -> int:
    """The nearest whole sample."""
    return round(ms * rate / 1000)


def duration_seconds(pcm: Pcm, rate: int = MICROPHONE_RATE) -> float:
    return sample_count(pcm) / rate


def pcm16_to_float(pcm: Pcm) -> Floats:
    """float32 in [-1, 1); AudioError for half a sample."""
    sample_count(pcm)
    return np.frombuffer(pcm, dtype="<i2").astype(np.float32) / np.float32(32768)


def float_to_pcm16(samples: npt.ArrayLike) -> bytes:
    """Rounded, and clipped where the input leaves [-1, 1). AudioError for NaN or infinity, which an engine may emit."""
    floats = np.asarray(samples, dtype=np.float32).reshape(-1)
    if not np.isfinite(floats).all():
        raise AudioError("samples that are not numbers")
    pcm: npt.NDArray[np.int16] = np.clip(np.rint(floats * np.float32(32768)), -32768, 32767).astype("<i2")
    return pcm.tobytes()


def rms(pcm: Pcm) -> float:
    """Root mean square, 0 to 1; 0 of nothing."""
    floats = pcm16_to_float(pcm)
    return float(np.sqrt(np.mean(np.square(floats, dtype=np.float64)))) if floats.size else 0.0


def dbfs(pcm: Pcm) -> float:
    """Level in dB below full scale (a full-scale square wave is 0, a sine -3); SILENCE_DBFS of nothing or zeros."""
    level = rms(pcm)
    return max(20 * float(np.log10(level)), SILENCE_DBFS) if level else SILENCE_DBFS


class ResampleStream:
    """Changes the rate of a sound that arrives in pieces; the same sound gives the same bytes however it is cut.

    What comes out lags what went in by the filter's length (about 20 ms with soxr's `HQ`); `flush` gives the rest and
    ends the stream. Between equal rates it hands the bytes through.
    """

    def __init__(self, from_rate: int, to_rate: int) -> None:
        if from_rate <= 0 or to_rate <= 0:
            raise AudioError(f"cannot resample {from_rate} Hz to {to_rate} Hz")
        self._resampler = None
        if from_rate != to_rate:
            import soxr

            # Floats, not soxr's own 16 bits: those are dithered, and a cut would move the dither.
            self._resampler = soxr.ResampleStream(from_rate, to_rate, 1, dtype="float32", quality="HQ")
        self._flushed = False

    def feed(self, pcm: Pcm) -> bytes:
        """AudioError for half a sample, or after `flush`."""
        return self._resample(pcm, last=False)

    def flush(self) -> bytes:
        rest = self._resample(b"", last=True)
        self._flushed = True
        return rest

    def _resample(self, pcm: Pcm, *, last: bool) -> bytes:
        if self._flushed:
            raise AudioError("this stream of samples has ended")
        floats = pcm16_to_float(pcm)
        if self._resampler is None:
            return bytes(pcm)
        return float_to_pcm16(self._resampler.resample_chunk(floats, last=last))


def resample(pcm: Pcm, from_rate: int, to_rate: int) -> bytes:
    """A whole sound at another rate."""
    stream = ResampleStream(from_rate, to_rate)
    return stream.feed(pcm) + stream.flush()


class AudioTail:
    """The last samples of a stream, addressed by their number in it.

    For the pre-roll before speech is noticed and for a turn's audio until it closes. At its limit the oldest samples
    go: whoever still needs them asks before that, and `read` refuses what is gone instead of returning something else.
    """

    def __init__(self, capacity_samples: int, first_sample: int = 0) -> None:
        if capacity_samples <= 0:
            raise AudioError("an audio tail of no length")
        self.capacity_samples = capacity_samples
        self.first_sample = first_sample
        """The oldest sample still held."""
        self._pcm = bytearray()  # cutting its front moves a pointer, not the bytes

    @property
    def end_sample(self) -> int:
        """One past the newest sample."""
        return self.first_sample + len(self._pcm) // BYTES_PER_SAMPLE

    def append(self, pcm: Pcm) -> None:
        """AudioError for half a sample, and nothing is kept of it."""
        sample_count(pcm)
        self._pcm += pcm
        self.forget_before(self.end_sample - self.capacity_samples)

    def read(self, start_sample: int, end_sample: int) -> bytes:
        """The samples [start, end); AudioError where any of them is gone or has not come yet."""
        if not self.first_sample <= start_sample <= end_sample <= self.end_sample:
            raise AudioError(
                f"samples {start_sample} to {end_sample} are not held, only {self.first_sample} to {self.end_sample}"
            )
        start = (start_sample - self.first_sample) * BYTES_PER_SAMPLE
        end = (end_sample - self.first_sample) * BYTES_PER_SAMPLE
        return bytes(memoryview(self._pcm)[start:end])

    def forget_before(self, sample: int) -> None:
        """Lets go of everything older; a position already gone, or not yet come, is clamped."""
        surplus = min(sample, self.end_sample) - self.first_sample
        if surplus > 0:
            del self._pcm[: surplus * BYTES_PER_SAMPLE]
            self.first_sample += surplus


def read_wav(path: Path | str, rate: int = MICROPHONE_RATE) -> bytes:
    """A sound file of any rate and any number of channels, as mono PCM16 at `rate`; AudioError if it is not one."""
    import soundfile

    try:
        samples, file_rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, OSError) as error:
        raise AudioError(f"{path}: {error}") from error
    return resample(float_to_pcm16(samples.mean(axis=1)), file_rate, rate)


def write_wav(path: Path | str, pcm: Pcm, rate: int = MICROPHONE_RATE) -> None:
    """Mono PCM16. AudioError for half a sample."""
    import soundfile

    sample_count(pcm)
    soundfile.write(path, np.frombuffer(pcm, dtype="<i2"), rate, subtype="PCM_16")
