"""What Replicate is asked for a generation: which model, with what, for how long, and where it is to tell of it.

Inputs are those of the models' own pages: replicate.com/black-forest-labs/flux-schnell, replicate.com/luma/ray-2-720p.
"""

from __future__ import annotations

from typing import Any, Literal
from urllib.parse import urlencode

from silvertalk.generation_records import Generation
from silvertalk.settings import Settings

WEBHOOKS = "/generate/webhooks/replicate"
IMAGE_SECONDS = 120
FILM_SECONDS = 600
"""Replicate ends a prediction after so long."""
LATE_SECONDS = 30
"""So long after that its webhook is believed to be lost."""
CLIP_LENGTH_SECONDS = 5

ImageShape = Literal["1:1", "16:9", "21:9", "3:2", "2:3", "4:5", "5:4", "3:4", "4:3", "9:16", "9:21"]
FilmShape = Literal["1:1", "16:9", "9:16", "4:3", "3:4", "21:9", "9:21"]

_OLD_NAMES = frozenset({"luma/ray"})
"""Models that call the picture of a film's beginning by its older name."""


def model_of(generation: Generation, settings: Settings) -> str:
    return settings.replicate_image_model if generation.making == "image" else settings.replicate_video_model


def model_input(generation: Generation, source: str, settings: Settings) -> dict[str, Any]:
    """`source`: a link of ours to the picture that a film begins with."""
    if generation.making == "image":
        return {
            "prompt": generation.prompt,
            "aspect_ratio": generation.aspect_ratio,
            "num_outputs": generation.num_outputs,
            "output_format": "png",
        }
    old = settings.replicate_video_model.partition(":")[0] in _OLD_NAMES
    return {
        "prompt": generation.video_prompt or generation.prompt,
        "start_image_url" if old else "start_image": source,
        "aspect_ratio": generation.aspect_ratio,
        "loop": generation.loop,
    } | ({} if old else {"duration": CLIP_LENGTH_SECONDS})


def cancel_seconds(generation: Generation) -> int:
    return IMAGE_SECONDS if generation.making == "image" else FILM_SECONDS


def wait_seconds(generation: Generation) -> int:
    """How long a webhook is believed in."""
    return cancel_seconds(generation) + LATE_SECONDS


def webhook_of(token: str, settings: Settings) -> str:
    return f"{settings.public_url}{WEBHOOKS}?{urlencode({'generation': token})}"
