"""The Gemini of this machine calls functions, looks at pictures and refuses what Gemini 3 refuses; asked by hand and by
Google's own client."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from google import genai
from google.genai import types

from silvertalk.standins.gemini import (
    REPLY,
    SEEN,
    Call,
    GeminiStandIn,
    Scenario,
    answering,
    calling,
    rate_limited,
    saying,
)
from silvertalk.standins.gemini_requests import Asked
from silvertalk.standins.serving import served

Parts = list[dict[str, Any]]
MODEL = "gemini-3.5-flash-lite"
WHOLE = "".join(REPLY)
QUESTION = {"role": "user", "parts": [{"text": "오늘 병원 가는 날인가?"}]}
TOOLS = [
    {
        "functionDeclarations": [
            {"name": "events", "parameters": {"type": "OBJECT", "properties": {"day": {"type": "STRING"}}}},
            {"name": "photos"},
        ]
    }
]
PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)


class Bench:
    """The stand-in, and somebody who asks it."""

    def __init__(self, stand_in: GeminiStandIn, url: str, http: httpx.AsyncClient) -> None:
        self.stand_in, self.url, self.http = stand_in, url, http

    async def ask(self, *contents: dict[str, Any], model: str = MODEL, **fields: Any) -> httpx.Response:
        return await self.http.post(
            f"{self.url}/v1/models/{model}:streamGenerateContent?alt=sse",
            json={"contents": contents} | fields,
            headers={"x-goog-api-key": "a-key"},
        )

    async def parts(self, *contents: dict[str, Any], model: str = MODEL, **fields: Any) -> Parts:
        answer = await self.ask(*contents, model=model, **fields)
        assert answer.status_code == 200, answer.text
        frames = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]
        return [part for frame in frames for part in frame["candidates"][0].get("content", {}).get("parts", ())]

    async def refusal(self, *contents: dict[str, Any], **fields: Any) -> str:
        answer = await self.ask(*contents, **fields)
        assert answer.status_code == 400 and answer.json()["error"]["status"] == "INVALID_ARGUMENT"
        return str(answer.json()["error"]["message"])


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    stand_in = GeminiStandIn()
    async with served(stand_in.app) as url, httpx.AsyncClient() as http:
        yield Bench(stand_in, url, http)


def said(parts: Parts) -> str:
    return "".join(part.get("text", "") for part in parts)


def responses(*names: str) -> dict[str, Any]:
    return {"role": "user", "parts": [{"functionResponse": {"name": name, "response": {"ok": True}}} for name in names]}


# --- functions -------------------------------------------------------------------------------------------------------


async def test_a_function_is_called_and_its_result_makes_the_answer(bench: Bench) -> None:
    def by_result(asked: Asked) -> Scenario:
        if not asked.results:
            return calling(Call("events", {"day": "오늘"}))
        return saying(f"{asked.results[0][0]}: {asked.results[0][1]['title']}")

    bench.stand_in.answer_by(by_result)
    [call] = await bench.parts(QUESTION, tools=TOOLS)
    assert call["functionCall"] == {"name": "events", "args": {"day": "오늘"}, "id": "call-1"}
    done = {"functionResponse": {"name": "events", "id": "call-1", "response": {"title": "병원"}}}
    parts = await bench.parts(QUESTION, {"role": "model", "parts": [call]}, {"role": "user", "parts": [done]})
    assert said(parts) == "events: 병원"


async def test_googles_own_client_goes_through_a_call_and_its_result(bench: Bench) -> None:
    options = types.HttpOptions(base_url=bench.url, api_version="v1", httpx_async_client=bench.http)
    client = genai.Client(vertexai=False, api_key="a-key", http_options=options)
    config = types.GenerateContentConfig(
        tools=[types.Tool(function_declarations=[types.FunctionDeclaration(name="events")])]
    )

    async def asked(contents: list[types.ContentUnion]) -> types.Content:
        parts: list[types.Part] = []
        async for chunk in await client.aio.models.generate_content_stream(
            model="calls-a-tool", contents=contents, config=config
        ):
            assert chunk.candidates and chunk.candidates[0].content
            parts += chunk.candidates[0].content.parts or []
        return types.Content(role="model", parts=parts)

    contents: list[types.ContentUnion] = [types.Content(role="user", parts=[types.Part(text="오늘 뭐 있어?")])]
    calls = await asked(contents)
    assert calls.parts and calls.parts[0].function_call and calls.parts[0].thought_signature
    result = types.Part.from_function_response(name="events", response={"events": []})
    answer = await asked([*contents, calls, types.Content(role="user", parts=[result])])
    assert answer.parts and "".join(part.text or "" for part in answer.parts) == WHOLE


async def test_only_the_first_of_several_calls_is_signed_and_all_must_be_answered(bench: Bench) -> None:
    bench.stand_in.answer_next(calling(Call("events"), Call("photos"), words=("잠시만요. ",)))
    words, first, second = await bench.parts(QUESTION, tools=TOOLS)
    assert words == {"text": "잠시만요. "} and "thoughtSignature" in first and "thoughtSignature" not in second
    model = {"role": "model", "parts": [words, first, second]}
    assert "number of function response parts" in await bench.refusal(QUESTION, model, responses("events"))
    assert said(await bench.parts(QUESTION, model, responses("events", "photos"))) == WHOLE


async def test_every_step_of_the_turn_in_hand_needs_its_signature_and_older_turns_do_not(bench: Bench) -> None:
    bench.stand_in.answer_next(calling(Call("events")), calling(Call("photos")))
    [first] = await bench.parts(QUESTION, tools=TOOLS)
    step = [QUESTION, {"role": "model", "parts": [first]}, responses("events")]
    [second] = await bench.parts(*step, tools=TOOLS)
    second_step = [{"role": "model", "parts": [second]}, responses("photos")]
    assert said(await bench.parts(*step, *second_step)) == WHOLE

    unsigned = {"role": "model", "parts": [{"functionCall": first["functionCall"]}]}
    steps = [QUESTION, unsigned, responses("events"), *second_step]
    refused = await bench.refusal(*steps)
    assert "missing a thought_signature" in refused and "`default_api:events` , position 2" in refused
    said_since = [
        {"role": "model", "parts": [{"text": "병원 가시는 날이에요."}]},
        {"role": "user", "parts": [{"text": "응"}]},
    ]
    assert said(await bench.parts(*steps, *said_since)) == WHOLE


@pytest.mark.parametrize(
    ("signature", "refused"),
    [
        ("bm90IG91cnM=", "Corrupted thought signature."),
        ("not base64 at all!", "Corrupted thought signature."),
        ("", "missing a thought_signature"),
        ("skip_thought_signature_validator", ""),
        (base64.b64encode(b"context_engineering_is_the_way_to_go").decode(), ""),
    ],
)
async def test_a_signature_is_one_that_was_given_out_or_a_documented_dummy(
    bench: Bench, signature: str, refused: str
) -> None:
    call = {"functionCall": {"name": "events", "args": {}}, "thoughtSignature": signature}
    steps = [QUESTION, {"role": "model", "parts": [call]}, responses("events")]
    if refused:
        assert refused in await bench.refusal(*steps)
    else:
        assert said(await bench.parts(*steps)) == WHOLE


async def test_calls_and_responses_stand_where_they_must(bench: Bench) -> None:
    assert "immediately after a function call turn" in await bench.refusal(QUESTION, responses("events"))
    [call] = await bench.parts(QUESTION, tools=TOOLS, model="calls-a-tool")
    calls = {"role": "model", "parts": [call]}
    assert "immediately after a user turn" in await bench.refusal(calls, responses("events"))
    assert "number of function response parts" in await bench.refusal(QUESTION, calls)


async def test_a_refused_request_uses_up_no_scenario(bench: Bench) -> None:
    bench.stand_in.answer_next(saying("네."))
    await bench.refusal(QUESTION, responses("events"))
    assert said(await bench.parts(QUESTION)) == "네."


async def test_a_model_can_call_for_ever_or_badly(bench: Bench) -> None:
    contents = [QUESTION]
    for _ in range(6):
        [call] = await bench.parts(*contents, tools=TOOLS, model="calls-forever")
        contents += [{"role": "model", "parts": [call]}, responses("events")]
    malformed = await bench.ask(QUESTION, tools=TOOLS, model="malformed-function-call")
    assert "MALFORMED_FUNCTION_CALL" in malformed.text and "functionCall" not in malformed.text


@pytest.mark.parametrize(
    ("declaration", "refused"),
    [
        ({"name": "오늘_일정"}, "Invalid function name"),
        ({"name": "events", "parameters": {"type": "OBJECT", "properties": {}}}, "should be non-empty"),
        (
            {
                "name": "events",
                "parameters": {
                    "type": "OBJECT",
                    "properties": {"days": {"type": "ARRAY", "items": {"additionalProperties": False}}},
                },
            },
            "additionalProperties",
        ),
    ],
)
async def test_declarations_are_read_strictly(bench: Bench, declaration: dict[str, Any], refused: str) -> None:
    assert refused in await bench.refusal(QUESTION, tools=[{"functionDeclarations": [declaration]}])
    schema = {"name": "events", "parametersJsonSchema": {"type": "object", "additionalProperties": False}}
    assert said(await bench.parts(QUESTION, tools=[{"functionDeclarations": [schema]}])) == WHOLE


# --- pictures and JSON -----------------------------------------------------------------------------------------------


def looking(data: bytes, content_type: str = "image/png") -> dict[str, Any]:
    picture = {"inlineData": {"mimeType": content_type, "data": base64.urlsafe_b64encode(data).decode()}}
    return {"role": "user", "parts": [picture, {"text": "무엇이 보이나요?"}]}


JSON_WANTED: dict[str, Any] = {"generationConfig": {"responseMimeType": "application/json"}}


async def test_a_picture_is_answered_in_json_where_json_is_asked_for(bench: Bench) -> None:
    assert json.loads(said(await bench.parts(looking(PNG), **JSON_WANTED))) == SEEN
    assert said(await bench.parts(looking(PNG))) == WHOLE
    assert json.loads(said(await bench.parts(QUESTION, **JSON_WANTED))) == {"reply": WHOLE}


@pytest.mark.parametrize(
    ("data", "content_type", "refused"),
    [(b"GIF89a", "image/gif", "Unsupported MIME type"), (b"no png", "image/png", "Unable to process"), (b"",) * 3],
)
async def test_what_is_no_picture_is_refused(bench: Bench, data: bytes, content_type: str, refused: str) -> None:
    assert (refused or "Unsupported") in await bench.refusal(looking(data, content_type or "text/html"))


async def test_a_rule_sees_everything_that_was_asked(bench: Bench) -> None:
    seen: list[Asked] = []

    def watching(asked: Asked) -> None:
        seen.append(asked)

    bench.stand_in.answer_by(watching)
    history = {"role": "model", "parts": [{"text": "네?"}]}
    instructions = {"parts": [{"text": "한 문장으로"}]}
    await bench.parts(QUESTION, history, looking(PNG), systemInstruction=instructions, tools=TOOLS, **JSON_WANTED)
    [asked] = seen
    assert asked.heard == "무엇이 보이나요?" and asked.instructions == "한 문장으로" and asked.wants_json
    assert asked.tools == ("events", "photos") and asked.results == ()
    assert asked.picture is not None and asked.picture.data == PNG
    assert asked.conversation[:2] == (("user", "오늘 병원 가는 날인가?"), ("model", "네?"))
    bench.stand_in.answer_by(None)
    await bench.parts(QUESTION)
    assert len(seen) == 1


async def test_scripted_answers_come_before_the_rule_and_one_by_one(bench: Bench) -> None:
    bench.stand_in.answer_by(lambda asked: answering({"instructions": asked.instructions}))
    bench.stand_in.answer_next(rate_limited("1s"), answering(["첫째"]), Scenario(block="PROHIBITED_CONTENT"))
    assert (await bench.ask(QUESTION)).status_code == 429
    assert json.loads(said(await bench.parts(QUESTION))) == ["첫째"]
    assert "PROHIBITED_CONTENT" in (await bench.ask(QUESTION)).text
    spoken = await bench.parts(QUESTION, system_instruction={"parts": [{"text": "규칙"}]})
    assert json.loads(said(spoken)) == {"instructions": "규칙"}


async def test_half_a_stream_ends_without_an_end(bench: Bench) -> None:
    bench.stand_in.answer_next(Scenario(words=('{"people": [',), finish=None, cut=True))
    with pytest.raises(httpx.RemoteProtocolError):
        await bench.ask(QUESTION)


async def test_a_text_may_end_in_a_frame_that_carries_a_signature_alone(bench: Bench) -> None:
    *words, last = await bench.parts(QUESTION, model="signed-text")
    assert said(words) == WHOLE and last["text"] == "" and last["thoughtSignature"]
