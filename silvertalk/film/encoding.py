"""FFmpeg's command lines, and what it says: sound levelled, frames encoded, results looked at.

Only what every build has is asked of it (libx264, aac, ebur128, alimiter): letters, movement and melting are made
before frames reach it.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from silvertalk.film.framing import HEIGHT, WIDTH
from silvertalk.film.timing import FRAME_RATE

LOUDNESS_LUFS = -16.0
TRUE_PEAK_DBTP = -1.5
LIMITER_DB = -2.6
"""AAC gives back peaks a little higher than it was given."""
THREADS = 2
"""Of x264: each keeps a frame more in memory, and the worker is not alone."""
SOUND_SECONDS = 240.0
"""For anything that is not the film itself; a minute of sound takes a second or two."""
CLIP_SECONDS = 60.0
"""For a clip of some seconds, on a busy machine: then the photo is shown instead."""
SAID_BYTES = 4000

_CLIP = ("-protocol_whitelist", "file", "-format_whitelist", "mov,mp4,matroska,webm", "-threads", "1")
"""One file in one of the formats that a clip comes in: a playlist could name others."""

_STREAM = re.compile(r"^\s*Stream #0:\d+.*?: (?P<kind>Video|Audio): (?P<codec>\w+)(?P<rest>.*)$", re.MULTILINE)
_LENGTH = re.compile(r"^\s*Duration: (\d+):(\d\d):(\d\d\.\d+)", re.MULTILINE)
_LOUDNESS = re.compile(r"I:\s+(-?\d+\.\d+) LUFS")
_PEAK = re.compile(r"Peak:\s+(-?\d+\.\d+|-inf) dBFS")


class EncodingFailed(Exception):
    """What FFmpeg said last."""


@dataclass(frozen=True)
class Probed:
    """What a file says of itself."""

    seconds: float
    video: str
    size: tuple[int, int]
    rate: float
    pixels: str
    audio: str
    audio_rate: int
    channels: str


def measured(ffmpeg: Path, path: Path) -> tuple[float, float]:
    """Integrated loudness (LUFS) and true peak (dBTP) of what sounds, by EBU R128. Silence is -70 and lower."""
    said = run(
        ffmpeg, ["-i", str(path), "-map", "0:a:0", "-af", "ebur128=peak=true:framelog=quiet", "-f", "null", "-"], "info"
    )
    summary = said[said.rfind("Summary:") :]
    loudness, peak = _LOUDNESS.search(summary), _PEAK.search(summary)
    if loudness is None or peak is None:
        raise EncodingFailed("no loudness")
    return float(loudness[1]), float(peak[1])


def level_sound(ffmpeg: Path, mix: Path, sound: Path, alive: Callable[[], None]) -> None:
    """`mix` as AAC of 192 kbit/s, at LOUDNESS_LUFS and under TRUE_PEAK_DBTP. Raises EncodingFailed.

    Limited at four times the rate, where a peak between two samples is seen; what the encoder added is measured, and
    the limit lowered by it. `alive` is called now and then.
    """
    gain, limit = LOUDNESS_LUFS - measured(ffmpeg, mix)[0], LIMITER_DB
    for _ in range(3):
        alive()
        chain = (
            f"volume={gain:.2f}dB,aresample=192000,"
            f"alimiter=limit={10 ** (limit / 20):.5f}:attack=5:release=60:level=false,aresample=48000"
        )
        run(ffmpeg, ["-i", str(mix), "-af", chain, "-c:a", "aac", "-b:a", "192k", "-ac", "2", "-y", str(sound)])
        alive()
        loudness, peak = measured(ffmpeg, sound)
        if peak <= TRUE_PEAK_DBTP and abs(loudness - LOUDNESS_LUFS) <= 0.5:
            return
        # What the limiter took from the whole is given back, once: words are far under the limit.
        gain += max(-1.0, min(1.0, LOUDNESS_LUFS - loudness))
        limit -= max(0.0, peak - TRUE_PEAK_DBTP + 0.2)


def film_command(ffmpeg: Path, sound: Path, film: Path) -> list[str]:
    """Takes frames of raw yuv420p on stdin."""
    colours = ["-color_range", "tv", "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"]
    return [
        *(str(ffmpeg), "-v", "error", "-nostats"),
        *("-f", "rawvideo", "-pix_fmt", "yuv420p", "-video_size", f"{WIDTH}x{HEIGHT}"),
        *("-framerate", str(FRAME_RATE), *colours, "-thread_queue_size", "2", "-i", "pipe:0"),
        *("-i", str(sound), "-map", "0:v:0", "-map", "1:a:0"),
        # Level 4.0 is what a phone of ten years ago still decodes.
        *("-c:v", "libx264", "-preset", "veryfast", "-crf", "23", "-profile:v", "high", "-level", "4.0"),
        *("-pix_fmt", "yuv420p", "-g", str(2 * FRAME_RATE), "-threads", str(THREADS), *colours),
        *("-c:a", "copy", "-map_metadata", "-1", "-movflags", "+faststart", "-y", str(film)),
    ]


def clip_to_film(ffmpeg: Path, clip: Path, plain: Path, size: tuple[int, int], seconds: float) -> None:
    """A clip from outside as one of ours: of this size (cut, never stretched) and the film's rate, no longer than it is
    seen, without sound. Raises EncodingFailed."""
    width, height = size
    fitted = (
        f"fps={FRAME_RATE},scale={width}:{height}:force_original_aspect_ratio=increase:"
        f"out_color_matrix=bt709:out_range=tv,crop={width}:{height},format=yuv420p"
    )
    kept = ["-map", "0:v:0", "-an", "-sn", "-dn", "-t", f"{seconds:.3f}", "-vf", fitted]
    encoded = ["-c:v", "libx264", "-preset", "ultrafast", "-crf", "12", "-threads", "1"]
    run(ffmpeg, [*_CLIP, "-i", str(clip), *kept, *encoded, "-f", "matroska", "-y", str(plain)], seconds=CLIP_SECONDS)


def first_picture(ffmpeg: Path, clip: Path, picture: Path) -> None:
    """Of a clip from outside, as a PNG, which tells its size as it is shown. Raises EncodingFailed."""
    smaller = "scale='min(2160,iw)':'min(2160,ih)':force_original_aspect_ratio=decrease"
    one = ["-map", "0:v:0", "-frames:v", "1", "-vf", smaller, "-update", "1", "-y", str(picture)]
    run(ffmpeg, [*_CLIP, "-i", str(clip), *one], seconds=CLIP_SECONDS)


def clip_frames_command(ffmpeg: Path, plain: Path) -> list[str]:
    """Writes frames of raw yuv420p to stdout."""
    return [
        *(str(ffmpeg), "-v", "error", "-nostats", "-nostdin", "-threads", "1", "-i", str(plain)),
        *("-f", "rawvideo", "-pix_fmt", "yuv420p", "pipe:1"),
    ]


def probe(ffmpeg: Path, path: Path) -> Probed:
    """Raises EncodingFailed for what is no film."""
    said = run(ffmpeg, ["-i", str(path), "-t", "0", "-f", "null", "-"], "info")
    length = _LENGTH.search(said)
    known = {match["kind"]: match for match in reversed(list(_STREAM.finditer(said.split("Output #0")[0])))}
    video, audio = known.get("Video"), known.get("Audio")
    if length is None or video is None:
        raise EncodingFailed("no film")
    size = re.search(r"(\d{2,5})x(\d{2,5})", video["rest"])
    rate = re.search(r"([\d.]+) fps", video["rest"])
    hertz = re.search(r"(\d+) Hz, (\w+)", audio["rest"]) if audio else None
    pixels = re.search(r"\b(yuvj?\d{3}p\w*|gray\w*|rgb\w*)\b", video["rest"])
    hours, minutes, seconds = length.groups()
    return Probed(
        seconds=int(hours) * 3600 + int(minutes) * 60 + float(seconds),
        video=video["codec"],
        size=(int(size[1]), int(size[2])) if size else (0, 0),
        rate=float(rate[1]) if rate else 0.0,
        pixels=pixels[1] if pixels else "",
        audio=audio["codec"] if audio else "",
        audio_rate=int(hertz[1]) if hertz else 0,
        channels=hertz[2] if hertz else "",
    )


def run(ffmpeg: Path, arguments: Sequence[str], said: str = "error", seconds: float = SOUND_SECONDS) -> str:
    """Let FFmpeg do one thing to its end; what it said. Raises EncodingFailed."""
    command = [str(ffmpeg), "-hide_banner", "-nostdin", "-nostats", "-v", said, *arguments]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise EncodingFailed("it did not end") from None
    words = done.stderr.decode("utf-8", "replace")
    if done.returncode:
        raise EncodingFailed(words[-SAID_BYTES:].strip() or f"ended with {done.returncode}")
    return words
