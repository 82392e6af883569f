"""Every route: whether it is public, and how it is asked for something that is somebody's."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

from silvertalk.api.limiting import class_of
from silvertalk.api.rest import rest
from silvertalk.api.services import Services

Made = dict[str, dict[str, Any]]
"""What the owner has: a row of every table."""

PHOTO_FORM = {"filename": "photo.jpg", "content_type": "image/jpeg", "size": 1000}
EVENT = {"title": "손주 생일", "start_time": "2026-11-22T15:00:00+09:00", "end_time": "2026-11-22T16:00:00+09:00"}


class Rule(NamedTuple):
    """How a route is asked. `{table.column}` in `query` and in `body` stands for what the owner has there."""

    public: bool = False
    owned: bool = False
    """It names something of the owner's: for anybody else that is not there."""
    path: str = ""
    """Where the route's own with the owner's ids in it will not do."""
    query: str = ""
    body: Any = None
    files: bool = False
    accepts: tuple[int, ...] = ()
    """What the owner may be told besides success: what is asked makes no sense of what a test made up."""


ROUTES: dict[str, Rule] = {
    # who one is
    "POST /auth/guest": Rule(public=True, body={}),
    "GET /auth/kakao": Rule(public=True),
    "POST /auth/kakao": Rule(public=True, body={"kakao_access_token": "x" * 30}, accepts=(401, 503)),
    "GET /auth/kakao/callback": Rule(public=True, query="code=abc", accepts=(302, 503)),
    "POST /auth/refresh": Rule(public=True, body={"refresh_token": "x" * 43}, accepts=(401,)),
    "GET /auth/kakao/unlink-webhook": Rule(public=True, query="app_id=1&user_id=1&referrer_type=X", accepts=(401, 503)),
    "POST /auth/kakao/unlink-webhook": Rule(public=True, accepts=(401, 422, 503)),
    "POST /auth/logout": Rule(),
    "GET /auth/me": Rule(),
    "GET /users/me": Rule(),
    "PATCH /users/me": Rule(body={"pet_name": "초코"}),
    "DELETE /users/me": Rule(),
    "GET /users/me/export": Rule(),
    "POST /users/me/export": Rule(),
    "GET /v1/erasures/{receipt}": Rule(public=True, accepts=(404,)),
    "POST /users/me/devices": Rule(body={"push_token": "ExponentPushToken[abcdefgh]", "platform": "android"}),
    "DELETE /users/me/devices": Rule(owned=True, body={"push_token": "{devices.push_token}"}),
    # talking
    "POST /v1/talk/ticket": Rule(),
    "GET /v1/me/listening": Rule(),
    "PATCH /v1/me/listening": Rule(body={"loudness": 1.5}),
    "DELETE /v1/me/listening": Rule(),
    "GET /v1/me/events": Rule(),
    # what is theirs
    "POST /calendars/sync": Rule(body={"events": [EVENT]}),
    "GET /calendars/": Rule(query="start_date=2026-11-01&end_date=2026-11-30"),
    "POST /calendars/": Rule(body=EVENT),
    "GET /calendars/{event_id}": Rule(owned=True),
    "PATCH /calendars/{event_id}": Rule(owned=True, body={"title": "다른 날"}),
    "DELETE /calendars/{event_id}": Rule(owned=True),
    "POST /photos/presign": Rule(body=PHOTO_FORM),
    "POST /photos/batch-upload": Rule(owned=True, query="session_id={sessions.id}", files=True),
    "POST /photos/sync-metadata": Rule(body={"photos": [{"local_uri": "ph://1"}]}),
    "POST /photos/{photo_id}/complete": Rule(owned=True, accepts=(409,)),
    "GET /photos": Rule(),
    "GET /photos/random": Rule(),
    "GET /photos/refresh": Rule(),
    "GET /photos/related": Rule(owned=True, query="photo_id={photos.id}"),
    "GET /photos/{photo_id}": Rule(owned=True),
    "PATCH /photos/{photo_id}": Rule(owned=True, body={"location_name": "통영"}),
    "DELETE /photos/{photo_id}": Rule(owned=True),
    "GET /photos/{photo_id}/related": Rule(owned=True),
    "GET /memories/": Rule(),
    "POST /memories/": Rule(body={"fact": "고향은 통영이다."}),
    "GET /memories/{key}": Rule(path="/memories/family"),
    "PATCH /memories/{key}": Rule(owned=True, body={"importance": 5}),
    "DELETE /memories/{key}": Rule(owned=True),
    "GET /memories/photos/{photo_id}/analysis": Rule(owned=True),
    "GET /videos/": Rule(),
    "GET /videos/voices": Rule(),
    "POST /videos/generate": Rule(owned=True, body={"session_id": "{sessions.id}"}, accepts=(400,)),
    "GET /videos/{video_id}": Rule(owned=True),
    "GET /videos/{video_id}/status": Rule(owned=True),
    "POST /videos/{video_id}/seen": Rule(owned=True),
    "POST /videos/{video_id}/retry": Rule(owned=True, accepts=(409,)),
    "POST /videos/{video_id}/cancel": Rule(owned=True, accepts=(409,)),
    "POST /videos/{video_id}/share": Rule(owned=True, body={"days": 7}),
    "GET /videos/{video_id}/shares": Rule(owned=True),
    "DELETE /videos/{video_id}/shares": Rule(owned=True),
    "DELETE /videos/{video_id}/shares/{share_id}": Rule(
        owned=True, path="/videos/{videos.id}/shares/{video_shares.token_hash}"
    ),
    "GET /v/{token}": Rule(public=True, path="/v/" + "x" * 43, accepts=(404,)),
    "GET /v/{token}/film": Rule(public=True, path="/v/" + "x" * 43 + "/film", accepts=(404,)),
    "GET /v/{token}/still.jpg": Rule(public=True, path="/v/" + "x" * 43 + "/still.jpg", accepts=(404,)),
    "DELETE /videos/{video_id}": Rule(owned=True),
    # pictures and films that are made: without Replicate's token, and named by what Redis has
    "POST /generate/image": Rule(body={"prompt": "바닷가의 강아지"}, accepts=(503,)),
    "POST /generate/video": Rule(body={"image_url": "data:image/png;base64,AAAA"}, accepts=(503,)),
    "POST /generate/video/upload": Rule(files=True, accepts=(503,)),
    "POST /generate/preprocess": Rule(files=True, accepts=(422,)),
    "POST /generate/full": Rule(body={"image_prompt": "바닷가의 강아지"}, accepts=(503,)),
    "GET /generate/status/{generation_id}": Rule(owned=True, accepts=(404,)),
    "POST /generate/cancel/{generation_id}": Rule(owned=True, accepts=(404,)),
    "POST /generate/webhooks/replicate": Rule(public=True, accepts=(401, 503)),
    # conversations
    "GET /chat/animations": Rule(),
    "POST /chat/sessions": Rule(owned=True, body={"photo_id": "{photos.id}"}),
    "GET /chat/sessions": Rule(),
    "GET /chat/sessions/next-photos": Rule(owned=True, query="session_id={sessions.id}"),
    "GET /chat/sessions/{session_id}": Rule(owned=True),
    "GET /chat/sessions/{session_id}/turns": Rule(owned=True),
    "GET /chat/sessions/{session_id}/turns/{number}/voice": Rule(
        owned=True, path="/chat/sessions/{sessions.id}/turns/1/voice"
    ),
    "PATCH /chat/sessions/{session_id}/finish": Rule(owned=True),
    "DELETE /chat/sessions/{session_id}": Rule(owned=True),
    "POST /chat/sessions/{session_id}/photos": Rule(owned=True, query="photo_id={photos.id}"),
    "GET /chat/sessions/{session_id}/photos": Rule(owned=True),
    "POST /chat/messages": Rule(owned=True, body={"text": "안녕", "session_id": "{sessions.id}"}),
    "GET /home": Rule(),
    "GET /home/greeting": Rule(),
}

PATH_IDS = {
    "photo_id": "photos",
    "session_id": "sessions",
    "event_id": "calendar_events",
    "key": "memories",
    "video_id": "videos",
}
NOBODYS = "00000000-0000-4000-8000-000000000000"


@cache
def _page() -> dict[str, Any]:
    """What the application itself says of its routes."""
    nothing = SimpleNamespace(origins=frozenset(), limiter=SimpleNamespace(admit=None), answers=None)
    return rest(cast(Services, nothing)).openapi()


def route_table() -> list[str]:
    """`METHOD /path` of every route of the REST API."""
    return [f"{method.upper()} {path}" for path, operations in _page()["paths"].items() for method in operations]


def route_rows() -> list[list[str]]:
    """The README's table: route, what it is for, whether it needs a token, which limit counts."""
    return [
        [
            f"`{method.upper()} {path}`",
            operation["summary"],
            "yes" if operation.get("security") else "no",
            class_of(method.upper(), path),
        ]
        for path, operations in _page()["paths"].items()
        for method, operation in operations.items()
    ]


def filled(template: Any, made: Made) -> Any:
    """`template` with the owner's own in the place of `{table.column}`."""
    if isinstance(template, dict):
        return {name: filled(value, made) for name, value in template.items()}
    if isinstance(template, list):
        return [filled(value, made) for value in template]
    if isinstance(template, str):
        for table, row in made.items():
            for column, value in row.items():
                template = template.replace(f"{{{table}.{column}}}", str(value))
    return template


def path_of(route: str, rule: Rule, made: Made) -> str:
    path = str(filled(rule.path, made)) or route.partition(" ")[2]
    for name, table in PATH_IDS.items():
        path = path.replace(f"{{{name}}}", str(made[table]["id"]))
    path = path.replace("{receipt}", NOBODYS).replace("{generation_id}", NOBODYS)
    return path.replace("{number}", str(made["turns"]["number"]))


def rules() -> Iterator[tuple[str, str, Rule]]:
    for route, rule in ROUTES.items():
        yield route, route.partition(" ")[0], rule
