"""How a setting names engines: `gemini,reflective` or `scripted:first_token_ms=150,tokens_per_second=40,reflective`.

Engines are separated by commas, and so are the parameters of one; since no engine's name has an equals sign, a part
that has one belongs to the engine before it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import get_args

from streaming.messages import Language

LANGUAGES: tuple[Language, ...] = get_args(Language)

_NAME = re.compile(r"[a-z][a-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """One engine as a setting names it; the parameters are still text."""

    name: str
    parameters: dict[str, str] = field(default_factory=dict)

    def numbers(self, *known: str) -> dict[str, float]:
        """The parameters as numbers; raises ValueError for an unknown one or one that is not a number."""
        values: dict[str, float] = {}
        for key, text in self.parameters.items():
            if key not in known:
                raise ValueError(f"{self.name} has no parameter {key!r}; it knows {', '.join(known) or 'none'}")
            try:
                values[key] = float(text)
            except ValueError:
                raise ValueError(f"{self.name}:{key} takes a number") from None
            if not 0 <= values[key] < 1e9:
                raise ValueError(f"{self.name}:{key} takes a number of 0 or more")
        return values


def parse_engines(text: str) -> tuple[EngineSpec, ...]:
    """The engines named, in order; raises ValueError with a sentence fit to follow the setting's name."""
    specs: list[EngineSpec] = []
    for part in (part.strip() for part in text.split(",") if part.strip()):
        name, colon, first = part.partition(":")
        if "=" in name:
            if not specs or not specs[-1].parameters:
                raise ValueError(f"has {part!r} where the name of an engine should stand")
            _add_parameter(specs[-1], part)
            continue
        if not _NAME.fullmatch(name.strip().lower()):
            raise ValueError(f"has {part!r}, which is not the name of an engine")
        specs.append(EngineSpec(name.strip().lower()))
        if colon:
            _add_parameter(specs[-1], first)
    if not specs:
        raise ValueError("names no engine")
    return tuple(specs)


def parse_voices(text: str) -> dict[Language, EngineSpec]:
    """One engine for each language: `kokoro` for all, or `ko=kokoro,en=piper`. Raises ValueError too."""
    parts: list[tuple[str, list[str]]] = []
    for part in text.split(","):
        language, equals, rest = (piece.strip() for piece in part.partition("="))
        if equals and language in LANGUAGES:
            parts.append((language, [rest]))
        elif parts:
            parts[-1][1].append(part)  # a parameter of the engine before it
        else:
            parts.append(("", [part]))
    engines: dict[Language, EngineSpec] = {}
    for language, pieces in parts:
        specs = parse_engines(",".join(pieces))
        if len(specs) != 1:
            raise ValueError(f"names {len(specs)} engines where one should stand")
        for spoken in LANGUAGES:
            if language in ("", spoken):
                engines[spoken] = specs[0]
    if missing := [language for language in LANGUAGES if language not in engines]:
        raise ValueError(f"names no engine for {' and '.join(missing)}")
    return engines


def _add_parameter(spec: EngineSpec, text: str) -> None:
    key, equals, value = (piece.strip() for piece in text.partition("="))
    if not equals or not _NAME.fullmatch(key):
        raise ValueError(f"has {text!r} where a parameter such as first_token_ms=150 should stand")
    spec.parameters[key] = value
