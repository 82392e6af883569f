"""The finished story, looked at and listened to: what its file holds, how loud it is, and whether what is heard in it
is what was written and nothing that nobody said.

FFmpeg measures, Whisper listens: the film is judged by others than those who made it.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.tts_round_trip import listener
from gpu_node import korean_text
from gpu_node.weights import Weights
from silvertalk.film.equipment import equipment
from story.script import FACTS, PHOTOS, TURNS
from story.telling import Told
from streaming.audio import pcm16_to_float
from streaming.text import character_error_rate

SIZE, RATE = "1080x1920", 30.0
LOUDNESS_LUFS = (-18.0, -14.0)
LOUDEST_DBTP = -1.0
HEARD_WRONG = 0.30
"""Characters that whisper-base, hearing Kokoro's voice over music, may get wrong: alone it gets about a tenth wrong."""


@dataclass(frozen=True)
class Check:
    """What was looked at, what was found, and whether that is as it should be."""

    what: str
    found: str
    good: bool


def check(told: Told) -> list[Check]:
    """Everything that must hold of a story that was told."""
    return [*check_talk(told), *check_file(told), *check_sound(told), *check_words(told)]


# --- the talk --------------------------------------------------------------------------------------------------------


def check_talk(told: Told) -> list[Check]:
    opening, *answers = told.turns
    wrong = [character_errors(said.words, heard.understood) for said, heard in zip(TURNS, answers, strict=True)]
    remembered = " / ".join(told.memories)
    return [
        Check("복실이 speaks first, with one question", opening.answered, opening.answered.count("?") == 1),
        Check(
            "each of the four turns was understood", ", ".join(f"{rate:.0%} wrong" for rate in wrong), max(wrong) < 0.2
        ),
        Check(
            "each was answered", f"{sum(bool(one.answered) for one in answers)} of 4", all(a.answered for a in answers)
        ),
        Check(
            "the next photo was shown when asked for",
            ", ".join(told.shown),
            told.shown[:2] == [p.name for p in PHOTOS[:2]],
        ),
        Check("something is remembered", remembered, bool(told.memories)),
        Check("nothing is remembered that was not said", "", not untold(told.memories)),
    ]


# --- the film --------------------------------------------------------------------------------------------------------


def check_file(told: Told) -> list[Check]:
    said = _ffmpeg("-i", str(told.film))
    video = next((line.strip() for line in said.splitlines() if "Video:" in line), "")
    audio = next((line.strip() for line in said.splitlines() if "Audio:" in line), "")
    rate = float(found[1]) if (found := re.search(r"([\d.]+) fps", video)) else 0.0
    seconds = _seconds(said)
    promised = float(told.video["duration_seconds"])
    return [
        Check("H.264, upright", video[:90], "h264" in video and SIZE in video and "yuv420p" in video),
        Check("30 pictures a second", f"{rate:g}", rate == RATE),
        Check("AAC, stereo, 48 kHz", audio[:90], "aac" in audio and "48000 Hz" in audio and "stereo" in audio),
        Check("as long as its row says", f"{seconds:.1f} s", abs(seconds - promised) < 0.2 and seconds > 8.0),
        Check("plays while it loads", "moov before mdat", _moov_first(told.film)),
    ]


def check_sound(told: Told) -> list[Check]:
    measured = _ffmpeg("-i", str(told.film), "-af", "ebur128=peak=true", "-f", "null", "-").rpartition("Summary:")[2]
    loudness = float(found[1]) if (found := re.search(r"I:\s+(-?[\d.]+) LUFS", measured)) else 0.0
    peak = float(found[1]) if (found := re.search(r"Peak:\s+(-?[\d.]+) dBFS", measured)) else 0.0
    low, high = LOUDNESS_LUFS
    return [
        Check("loud enough, and not too loud", f"{loudness:.1f} LUFS", low <= loudness <= high),
        Check("nothing crackles", f"true peak {peak:.1f} dBTP", peak <= LOUDEST_DBTP),
    ]


def check_words(told: Told) -> list[Check]:
    written = " ".join(told.narration)
    heard = hear(told.film)
    wrong = character_errors(written, heard)
    strange = untold(told.narration)
    return [
        Check(
            "its narration tells only what was said or is known",
            ", ".join(strange) or written,
            not strange and bool(written),
        ),
        Check(
            "what is heard is what is written", f"{wrong:.0%} of the characters wrong: {heard}", wrong <= HEARD_WRONG
        ),
    ]


def hear(film: Path) -> str:
    """What Whisper hears in the film."""
    rate = 16_000
    said = [str(equipment().ffmpeg), *"-v error -i".split(), str(film), *f"-vn -ac 1 -ar {rate} -f s16le -".split()]
    raw = subprocess.run(said, check=True, stdout=subprocess.PIPE, timeout=120).stdout
    weights = Weights(models_root=None, cache=Path(tempfile.gettempdir()) / "silvertalk-weights", offline=True)
    return listener(weights, threads=2)(pcm16_to_float(raw), rate, "ko")


def frames(told: Told, folder: Path, count: int = 4) -> list[Path]:
    """So many stills of the film, from its beginning to its end."""
    seconds = float(told.video["duration_seconds"])
    stills = []
    for number in range(count):
        still = folder / f"frame_{number + 1}.jpg"
        at = f"{seconds * (number + 0.5) / count:.2f}"
        _ffmpeg("-y", "-ss", at, "-i", str(told.film), *"-frames:v 1 -q:v 3".split(), str(still))
        stills.append(still)
    return stills


# --- how -------------------------------------------------------------------------------------------------------------


def character_errors(wanted: str, heard: str) -> float:
    """The share of characters that are wrong, both as they are spoken."""
    return character_error_rate(korean_text.spoken(wanted), korean_text.spoken(heard))


def untold(sentences: list[str], also: Iterable[str] = ()) -> list[str]:
    """Words of the sentences that are no fact of the script's, by their first two syllables, and numbers: a check that
    knows nothing of how the product checks itself. `also`: what was said and seen beside the script."""
    known = re.sub(r"[^\w]", " ", " ".join((*FACTS, *also, _FRAME)))
    stems = {word[:2] for word in known.split()} | set(known.split())
    words = re.findall(r"\w+", " ".join(sentences))
    numbers = set(re.findall(r"\d+", known))
    strange = [word for word in words if not word[0].isdigit() and word not in stems and word[:2] not in stems]
    return [*strange, *(number for number in re.findall(r"\d+", " ".join(words)) if number not in numbers)]


_FRAME = (
    "그날 그때 그리고 이야기 사진 말씀 추억 기억 할머니 할머니께서 들려 들려주신 하셨 하셨어요 했어요 "
    "있었어요 계셨어요 소중 소중한 함께 저희 우리 오래 간직 간직할게요 감사 고마워요 사랑 "
    "담긴 모습 순간 어르신 어르신은 찍은 라고 하세요"
)
"""Words with which a narration leads from one thing to the next; they tell of nothing."""


def _ffmpeg(*arguments: str) -> str:
    done = subprocess.run([str(equipment().ffmpeg), "-hide_banner", *arguments], stderr=subprocess.PIPE, timeout=300)
    return done.stderr.decode("utf-8", "replace")


def _seconds(said: str) -> float:
    found = re.search(r"Duration: (\d+):(\d+):([\d.]+)", said)
    return int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3]) if found else 0.0


def _moov_first(film: Path) -> bool:
    data = film.read_bytes()
    return 0 < data.find(b"moov") < data.find(b"mdat")
