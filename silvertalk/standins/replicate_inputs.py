"""Which models the practice Replicate has, and what it says to an input that they do not take.

As their pages describe them: replicate.com/black-forest-labs/flux-schnell, replicate.com/luma/ray-2-720p.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

from silvertalk.setting_values import is_loopback

PICTURE_SHAPES = frozenset("1:1 16:9 21:9 3:2 2:3 4:5 5:4 3:4 4:3 9:16 9:21".split())
FILM_SHAPES = frozenset("1:1 3:4 4:3 9:16 16:9 9:21 21:9".split())
PICTURE_MODELS = frozenset({"black-forest-labs/flux-schnell", "black-forest-labs/flux-2-dev"})
FILM_MODELS = frozenset(
    {"luma/ray", "luma/ray-2-720p", "luma/ray-2-540p", "luma/ray-flash-2-720p", "luma/ray-flash-2-540p"}
)

Check = Callable[[Any], bool]


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _one_of(values: Collection[Any]) -> Check:
    return lambda value: not isinstance(value, (dict, list)) and value in values


def _from_to(least: int, most: int) -> Check:
    return lambda value: type(value) is int and least <= value <= most


def _is_address(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(("https://", "http://", "data:"))


PICTURES: Mapping[str, Check] = {
    "prompt": _is_text,
    "aspect_ratio": _one_of(PICTURE_SHAPES),
    "num_outputs": _from_to(1, 4),
    "num_inference_steps": _from_to(1, 4),
    "output_format": _one_of({"webp", "jpg", "png"}),
    "output_quality": _from_to(0, 100),
    "megapixels": _one_of({"1", "0.25"}),
    "go_fast": _is_flag,
}
FILMS: Mapping[str, Check] = {
    "prompt": _is_text,
    "aspect_ratio": _one_of(FILM_SHAPES),
    "duration": _one_of({5, 9}),
    "loop": _is_flag,
    **dict.fromkeys(("start_image", "end_image", "start_image_url", "end_image_url"), _is_address),
}


def wrong_with(model: str, body: Any) -> dict[str, Any] | None:
    """The problem of a request, as Replicate words it; None where there is none. What a model does not know it does not
    look at. Without a `model` a `version` names one that makes films."""
    if model and model not in PICTURE_MODELS | FILM_MODELS:
        return {"detail": "The requested resource could not be found.", "status": 404}
    if not isinstance(body, dict) or not isinstance(body.get("input"), dict):
        return _invalid(["- input is required"])
    wrong = [] if model or isinstance(body.get("version"), str) else ["- version is required"]
    webhook = body.get("webhook")
    if webhook is not None and not _is_webhook(webhook):
        wrong.append("- webhook must be a valid HTTPS URL")
    given = body["input"]
    if "prompt" not in given:
        wrong.append("- input: prompt is required")
    checks = PICTURES if model in PICTURE_MODELS else FILMS
    wrong += [f"- input.{name}: invalid" for name, value in given.items() if name in checks and not checks[name](value)]
    return _invalid(wrong) if wrong else None


def _is_webhook(address: Any) -> bool:
    if not isinstance(address, str):
        return False
    parts = urlsplit(address)
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))


def _invalid(lines: list[str]) -> dict[str, Any]:
    return {"title": "Input validation failed", "detail": "\n".join(lines) + "\n", "status": 422}
