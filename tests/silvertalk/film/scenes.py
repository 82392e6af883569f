"""Photos and sentences to make films of: drawn and spoken here, with the grain of a photo and the rhythm of speech."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from PIL import Image, ImageDraw, ImageFilter

from tests.streaming.voice import vowels


def scene(width: int, height: int, seed: int = 0) -> Image.Image:
    """Four people at the sea."""
    hand = np.random.default_rng(seed)
    falling = Image.linear_gradient("L").resize((width, height))
    image = Image.merge("RGB", [falling.point([round(a + (b - a) * v / 255) for v in range(256)]) for a, b in _SKY])
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, height * 0.6, width, height * 0.75), fill=(40, 110, 150))
    pen.rectangle((0, height * 0.75, width, height), fill=(214, 190, 140))
    pen.ellipse((width * 0.7, height * 0.1, width * 0.7 + height * 0.15, height * 0.25), fill=(255, 240, 200))
    for at in (0.1, 0.37, 0.63, 0.9):
        x, size = width * at, height * 0.06
        clothes = tuple(int(value) for value in hand.integers(60, 220, 3))
        pen.rounded_rectangle((x - size, height * 0.62, x + size, height * 0.9), radius=size / 2, fill=clothes)
        pen.ellipse((x - size * 0.8, height * 0.5, x + size * 0.8, height * 0.63), fill=(235, 200, 170))
        pen.pieslice((x - size * 0.85, height * 0.48, x + size * 0.85, height * 0.62), 180, 360, fill=(40, 30, 25))
    return _grainy(image.filter(ImageFilter.GaussianBlur(1)), hand)


_SKY = ((120, 180), (170, 190), (230, 170))
"""Red, green and blue, from above down."""


def _grainy(image: Image.Image, hand: np.random.Generator) -> Image.Image:
    grain = hand.normal(0, 6, (image.height, image.width, 1)).astype(np.float32)
    return Image.fromarray(np.clip(np.asarray(image, np.float32) + grain, 0, 255).astype(np.uint8))


def photo(path: Path, width: int, height: int, seed: int = 0) -> Path:
    scene(width, height, seed).save(path, quality=90)
    return path


def sentence(path: Path, seconds: float, *, rate: int = 16_000, channels: int = 1, seed: int = 0) -> Path:
    """Something like speech; the file's ending says whether it is WAV or FLAC."""
    spoken = np.frombuffer(vowels(round(seconds * 1000), seed=seed), "<i2").astype(np.float32) / 32768
    if rate != 16_000:
        import soxr

        spoken = soxr.resample(spoken, 16_000, rate)
    soundfile.write(path, np.repeat(spoken[:, None], channels, axis=1), rate)
    return path
