"""What reaches the stand-in of Gemini, read for scenarios, and refused where Gemini 3 refuses it.

https://ai.google.dev/gemini-api/docs/function-calling, https://ai.google.dev/gemini-api/docs/thought-signatures. A
function call goes back with the signature it came with, to the first call of each step of the turn in hand, and is
answered by as many responses as it had calls; older turns are not looked at.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections import deque
from dataclasses import dataclass
from functools import cached_property
from typing import Any

PICTURES = {
    "image/jpeg": b"\xff\xd8",
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/webp": b"RIFF",
    "image/heic": b"",
    "image/heif": b"",
}
"""What Gemini looks at, and how such a file begins."""
DUMMY_SIGNATURES = frozenset({"context_engineering_is_the_way_to_go", "skip_thought_signature_validator"})
"""Documented: stand for the signature of a call that another model made."""
KEPT_SIGNATURES = 1_000
"""Older ones than these are no longer known as issued; no test goes so far back."""

_FUNCTION_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,63}")
_NOT_IN_A_SCHEMA = ("additionalProperties", "$schema", "$ref", "$defs", "const", "oneOf")
_MISSING = (
    "Function call is missing a thought_signature in functionCall parts. This is required for tools to work correctly, "
    "and missing thought_signature may lead to degraded model performance. Additional data, function call "
    "`default_api:{name}` , position {position}. Please refer to "
    "https://ai.google.dev/gemini-api/docs/thought-signatures for more details."
)
_COUNT = (
    "Please ensure that the number of function response parts is equal to the number of function call parts of the "
    "function call turn."
)
_RESPONSE_PLACE = "Please ensure that function response turn comes immediately after a function call turn."
_CALL_PLACE = (
    "Please ensure that function call turn comes immediately after a user turn or after a function response turn."
)


@dataclass(frozen=True)
class Picture:
    content_type: str
    data: bytes


@dataclass(frozen=True)
class Asked:
    """One request, as a rule that answers it reads it."""

    body: dict[str, Any]
    model: str = ""

    @cached_property
    def contents(self) -> list[dict[str, Any]]:
        return list(self.body.get("contents") or ())

    @cached_property
    def instructions(self) -> str:
        return _text(_either(self.body, "systemInstruction") or {})

    @cached_property
    def conversation(self) -> tuple[tuple[str, str], ...]:
        """Role (`user`, `model`) and words, the oldest first; calls and what came of them left out."""
        said = ((content.get("role", "user"), _text(content)) for content in self.contents)
        return tuple((role, text) for role, text in said if text)

    @cached_property
    def heard(self) -> str:
        """The newest words of the user's."""
        return next((text for role, text in reversed(self.conversation) if role == "user"), "")

    @cached_property
    def tools(self) -> tuple[str, ...]:
        """The names of the functions that may be called."""
        return tuple(declaration.get("name", "") for _, declaration in self.declarations)

    @cached_property
    def declarations(self) -> list[tuple[str, dict[str, Any]]]:
        """Where each declaration stands in the request, and the declaration."""
        return [
            (f"tools[{place}].function_declarations[{number}]", declaration)
            for place, tool in enumerate(self.body.get("tools") or ())
            for number, declaration in enumerate(_either(tool, "functionDeclarations") or ())
        ]

    @cached_property
    def results(self) -> tuple[tuple[str, dict[str, Any]], ...]:
        """What came of the calls of the turn in hand: the function's name and its response, the oldest first."""
        responses = [part["functionResponse"] for content in self.in_hand for part in _responses(content)]
        return tuple((response.get("name", ""), response.get("response") or {}) for response in responses)

    @cached_property
    def in_hand(self) -> list[dict[str, Any]]:
        """The contents since the user last said something: steps of the answer now being made."""
        for place in range(len(self.contents) - 1, -1, -1):
            content = self.contents[place]
            if content.get("role", "user") == "user" and not _responses(content):
                return self.contents[place + 1 :]
        return []

    @cached_property
    def picture(self) -> Picture | None:
        """The newest picture; None where there is none, or it cannot be read."""
        for content in reversed(self.contents):
            for part in content.get("parts") or ():
                if data := _either(part, "inlineData"):
                    decoded = decode(str(data.get("data", "")))
                    return None if decoded is None else Picture(str(_either(data, "mimeType")), decoded)
        return None

    @cached_property
    def wants_json(self) -> bool:
        config = self.body.get("generationConfig") or {}
        return bool(_either(config, "responseMimeType") == "application/json")


class Signatures:
    """The thought signatures that were given out."""

    def __init__(self) -> None:
        self._given: deque[bytes] = deque(maxlen=KEPT_SIGNATURES)
        self._count = 0

    def new(self) -> str:
        """Opaque bytes in base64, of either alphabet's odd characters: a client that treats it as text loses it."""
        self._count += 1
        signature = b"\xfb\xef\xbe\xff" + self._count.to_bytes(4, "big")
        self._given.append(signature)
        return base64.b64encode(signature).decode()

    def known(self, field: str) -> bool:
        decoded = decode(field)
        return field in DUMMY_SIGNATURES or decoded in self._given or _dummy(decoded)


def refusal(asked: Asked, signatures: Signatures) -> str:
    """Why Gemini answers this request 400 INVALID_ARGUMENT; empty where it does not."""
    return _about_contents(asked) or _about_tools(asked) or _about_calls(asked, signatures) or _about_pictures(asked)


def decode(text: str) -> bytes | None:
    """Base64 of either alphabet, as Google's JSON takes it; None where it is none."""
    plain = text.replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def _about_contents(asked: Asked) -> str:
    if not asked.contents:
        return "* GenerateContentRequest.contents: contents is not specified"
    if any(content.get("role", "user") not in ("user", "model") for content in asked.contents):
        return "Please use a valid role: user, model."
    for place, content in enumerate(asked.contents):
        if not content.get("parts"):
            return f"* GenerateContentRequest.contents[{place}].parts: contents.parts must not be empty."
    return ""


def _about_tools(asked: Asked) -> str:
    for where, declaration in asked.declarations:
        if not _FUNCTION_NAME.fullmatch(str(declaration.get("name", ""))):
            return f"[GenerateContentRequest.{where}.name]: Invalid function name."
        if problem := _about_schema(f"{where}.parameters", declaration.get("parameters") or {}):
            return problem
    return ""


def _about_schema(where: str, schema: dict[str, Any]) -> str:
    """`parameters` takes a part of OpenAPI's schemas; what JSON Schema has beside it goes into another field."""
    for name in _NOT_IN_A_SCHEMA:
        if name in schema:
            return f"Invalid JSON payload received. Unknown name \"{name}\" at '{where}': Cannot find field."
    if str(schema.get("type", "")).upper() == "OBJECT" and not schema.get("properties"):
        return f"* GenerateContentRequest.{where}.properties: should be non-empty for OBJECT type"
    for name, inner in (schema.get("properties") or {}).items():
        if problem := _about_schema(f"{where}.properties[{name}]", inner):
            return problem
    return _about_schema(f"{where}.items", schema["items"]) if "items" in schema else ""


def _about_calls(asked: Asked, signatures: Signatures) -> str:
    in_hand = len(asked.contents) - len(asked.in_hand)
    awaited = 0
    before: dict[str, Any] | None = None
    for place, content in enumerate(asked.contents):
        calls, responses = _calls(content), _responses(content)
        if responses and not awaited:
            return _RESPONSE_PLACE
        if awaited and len(responses) != awaited:
            return _COUNT
        if calls and (before is None or before.get("role", "user") != "user"):
            return _CALL_PLACE
        if calls and place >= in_hand and (problem := _about_signature(calls[0], place, signatures)):
            return problem
        awaited, before = len(calls), content
    return _COUNT if awaited else ""


def _about_signature(part: dict[str, Any], place: int, signatures: Signatures) -> str:
    signature = _either(part, "thoughtSignature")
    if not signature:
        return _MISSING.format(name=part["functionCall"].get("name", ""), position=place + 1)
    return "" if signatures.known(str(signature)) else "Corrupted thought signature."


def _about_pictures(asked: Asked) -> str:
    for content in asked.contents:
        for part in content.get("parts") or ():
            if not (data := _either(part, "inlineData")):
                continue
            content_type = str(_either(data, "mimeType"))
            if content_type not in PICTURES:
                return f"Unsupported MIME type: {content_type}"
            decoded = decode(str(data.get("data", "")))
            if not decoded or not decoded.startswith(PICTURES[content_type]):
                return "Unable to process input image. Please retry or report in https://developers.generativeai.google"
    return ""


def _dummy(decoded: bytes | None) -> bool:
    return decoded is not None and decoded in {name.encode() for name in DUMMY_SIGNATURES}


def _calls(content: dict[str, Any]) -> list[dict[str, Any]]:
    return [part for part in content.get("parts") or () if "functionCall" in part]


def _responses(content: dict[str, Any]) -> list[dict[str, Any]]:
    return [part for part in content.get("parts") or () if "functionResponse" in part]


def _text(content: dict[str, Any]) -> str:
    return "".join(part.get("text", "") for part in content.get("parts") or () if not part.get("thought"))


def _either(fields: dict[str, Any], name: str) -> Any:
    """A field by its name; Google's JSON takes it in snake_case as well."""
    return fields.get(name, fields.get(re.sub("([A-Z])", lambda upper: "_" + upper[1].lower(), name)))
