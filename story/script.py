"""What is shown and said in the story, and what may be told of it afterwards.

The photos were drawn, and the voice made (Kokoro-82M), for this project.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Shown:
    """A photo of the album, with what its owner's phone knows of it."""

    name: str
    location_name: str

    @property
    def path(self) -> Path:
        return HERE / "photos" / f"{self.name}.jpg"


@dataclass(frozen=True)
class Said:
    """A recording, and the words in it."""

    name: str
    words: str
    asks: bool = False
    """It is said to 복실이 and no part of what is told."""

    @property
    def path(self) -> Path:
        return HERE / "voices" / f"{self.name}.wav"


PHOTOS = (Shown("sea", "부산 해운대"), Shown("persimmons", "전라남도 구례"), Shown("birthday", "서울"))
TURNS = (
    Said("1_busan", "저는 부산에서 태어났어요. 여름마다 온 가족이 바다에 갔어요."),
    Said("2_hand_in_hand", "남편이 아이들 손을 꼭 잡고 걸었어요."),
    Said("3_next_photo", "다음 사진 보여 줘.", asks=True),
    Said("4_yard", "여기는 우리 친정집이에요. 마당에서 어머니와 같이 놀았어요."),
)
FORM_OF_ADDRESS = "순자 할머니"
PET_VOICE = "bright_female"
"""Another than the one in which the person speaks."""

FACTS = (
    *(turn.words for turn in TURNS if not turn.asks),
    *(photo.location_name for photo in PHOTOS),
    "1971년 8월 8일 여름, 1985년 10월 20일 가을, 1998년 3월 15일 봄",
    FORM_OF_ADDRESS,
)
"""All that was said, and all that is known of the photos: the film may tell nothing else."""
