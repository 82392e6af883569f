"""The exceptions of this package, and the one place where an error becomes something a person can read.

SilverTalkError              `code`, `http_status`, `close_code`, `retryable`, `message_ko` (the person's), `message_en`
├── ConfigurationError       a setting is missing or impossible; the process does not start
├── AuthError                who is asking?
│   ├── TokenMissing         no bearer token
│   ├── TokenRefused         not a token of ours
│   ├── TokenExpired         it was ours, and its time is over: ask for a new one
│   ├── TicketRefused        the ticket for the voice socket is unknown, used or too old
│   ├── GuestRefused         a guest id that we did not give
│   ├── GuestsClosed         this server takes no guests
│   └── OriginRefused        a page of another site is asking
├── RequestError             what is asked cannot be understood
│   ├── RequestInvalid       a field is wrong
│   ├── RequestTooLarge      the body is over the limit
│   ├── MediaTooLarge        a picture or recording is over its limit
│   ├── TooSlow              the body took too long to come
│   └── NotFound             nothing there
├── Refused                  understood, but not now
│   ├── RateLimited          too often; `retry_after_seconds`
│   ├── ServerFull           no room for another session
│   ├── AddressFull          too many sessions from one address
│   ├── Draining             this gateway is going away: come back, another will answer
│   ├── SessionReplaced      the same person opened a newer session
│   └── ClientTooSlow        it takes what it is sent too slowly, or not at all
├── PartAway                 a part of the service is out of reach
│   ├── DatabaseAway         it will be tried again
│   ├── BusAway              Redis cannot be reached
│   ├── MediaAway            the media store cannot be reached
│   └── NoNode               nobody claimed the turn in time
├── DatabaseRefused          the database will never take this row; trying again is useless
│   └── AccountErased        it is a deleted person's
├── TurnLost                 a turn could not be answered, whoever tried
└── Internal                 our own mistake

Close codes of the voice socket are 4000 + the HTTP status that says the same.
"""

from __future__ import annotations

from typing import ClassVar

from streaming.errors import BusError, BusFull, ProtocolError


class SilverTalkError(Exception):
    """Root of the package's exceptions.

    `str(error)` is for the developer's log and never shown to a client; the class's messages are.
    """

    code: ClassVar[str] = "internal"
    http_status: ClassVar[int] = 500
    close_code: ClassVar[int] = 4500
    retryable: ClassVar[bool] = False
    message_ko: ClassVar[str] = "잠시 문제가 생겼어요. 조금 뒤에 다시 해 주세요."
    message_en: ClassVar[str] = "Something went wrong on our side."

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail or self.message_en)


class ConfigurationError(SilverTalkError):
    code = "configuration"
    message_en = "A setting is missing or impossible."


# --- who is asking ---------------------------------------------------------------------------------------------------


class AuthError(SilverTalkError):
    code = "unauthenticated"
    http_status = 401
    close_code = 4401
    message_ko = "로그인이 필요해요. 다시 로그인해 주세요."
    message_en = "Authentication failed."


class TokenMissing(AuthError):
    code = "token_missing"
    message_en = "Send the access token as 'Authorization: Bearer …'."


class TokenRefused(AuthError):
    code = "token_refused"
    message_en = "The access token is not valid."


class TokenExpired(AuthError):
    code = "token_expired"
    message_ko = "로그인한 지 오래되었어요. 다시 로그인해 주세요."
    message_en = "The access token has expired: ask for a new one."


class TicketRefused(AuthError):
    code = "ticket_refused"
    retryable = True
    message_ko = "연결 시간이 지났어요. 다시 연결해 주세요."
    message_en = "The ticket is unknown, used or older than its 30 seconds: ask for a new one."


class GuestRefused(AuthError):
    code = "guest_refused"
    message_ko = "손님 번호를 확인할 수 없어요. 처음부터 다시 시작해 주세요."
    message_en = "This guest id was not given by this server: ask again without it."


class GuestsClosed(AuthError):
    code = "guests_closed"
    http_status = 403
    close_code = 4403
    message_ko = "로그인하신 뒤에 이용하실 수 있어요."
    message_en = "This server takes no guests."


class OriginRefused(AuthError):
    code = "origin_refused"
    http_status = 403
    close_code = 4403
    message_ko = "이 주소에서는 이용하실 수 없어요."
    message_en = "This origin is not on the server's allow-list."


# --- what is asked ---------------------------------------------------------------------------------------------------


class RequestError(SilverTalkError):
    code = "bad_request"
    http_status = 400
    close_code = 4400
    message_ko = "요청을 이해하지 못했어요. 다시 해 주세요."
    message_en = "The request cannot be understood."


class RequestInvalid(RequestError):
    """`fields`: where the request is wrong and why, without the values that were sent."""

    code = "request_invalid"
    http_status = 422
    close_code = 4422
    message_ko = "보내신 내용에 잘못된 곳이 있어요. 확인해 주세요."
    message_en = "A field of the request is wrong."

    def __init__(self, detail: str = "", *, fields: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(detail)
        self.fields = fields


class RequestTooLarge(RequestError):
    code = "request_too_large"
    http_status = 413
    close_code = 4413
    message_ko = "보내신 내용이 너무 커요."
    message_en = "The body of the request is too large."


class MediaTooLarge(RequestError):
    code = "media_too_large"
    http_status = 413
    close_code = 4413
    message_ko = "사진이 너무 커요. 조금 작은 사진으로 해 주세요."
    message_en = "The picture or recording is too large."


class TooSlow(RequestError):
    code = "request_too_slow"
    http_status = 408
    close_code = 4408
    retryable = True
    message_ko = "연결이 느려요. 다시 해 주세요."
    message_en = "The body of the request took too long to arrive."


class NotFound(RequestError):
    code = "not_found"
    http_status = 404
    close_code = 4404
    message_ko = "찾으시는 것이 없어요."
    message_en = "There is nothing here."


# --- not now ---------------------------------------------------------------------------------------------------------


class Refused(SilverTalkError):
    code = "refused"
    http_status = 503
    close_code = 4503
    retryable = True


class RateLimited(Refused):
    code = "rate_limited"
    http_status = 429
    close_code = 4429
    message_ko = "요청이 너무 잦아요. 잠시 뒤에 다시 해 주세요."
    message_en = "Too many requests: wait as long as Retry-After says."

    def __init__(self, detail: str = "", *, retry_after_seconds: int = 60) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


class ServerFull(Refused):
    code = "server_full"
    message_ko = "지금은 이야기 나누는 분이 많아요. 잠시 뒤에 다시 와 주세요."
    message_en = "The server has no room for another session."


class AddressFull(Refused):
    code = "address_full"
    http_status = 429
    close_code = 4429
    message_ko = "같은 곳에서 이용하시는 분이 많아요. 잠시 뒤에 다시 와 주세요."
    message_en = "Too many sessions from one address."


class Draining(Refused):
    code = "draining"
    message_ko = "잠깐 다시 연결할게요. 조금만 기다려 주세요."
    message_en = "This server is shutting down: connect again, another will answer."


class SessionReplaced(Refused):
    code = "session_replaced"
    http_status = 409
    close_code = 4409
    retryable = False
    message_ko = "다른 기기에서 이야기를 시작하셨어요."
    message_en = "The same person opened a newer session."


class ClientTooSlow(Refused):
    code = "client_too_slow"
    http_status = 408
    close_code = 4408
    message_ko = "연결이 느려졌어요. 다시 연결할게요."
    message_en = "The client takes what it is sent too slowly: connect again and resume."


# --- a part is away --------------------------------------------------------------------------------------------------


class PartAway(SilverTalkError):
    code = "part_away"
    http_status = 503
    close_code = 4503
    retryable = True


class DatabaseAway(PartAway):
    code = "database_away"
    message_ko = "지금은 지난 이야기를 불러올 수 없어요. 조금 뒤에 다시 해 주세요."
    message_en = "The database cannot be reached."


class BusAway(PartAway):
    code = "bus_away"
    message_ko = "지금은 연결이 고르지 않아요. 조금 뒤에 다시 해 주세요."
    message_en = "Redis cannot be reached."


class MediaAway(PartAway):
    code = "media_away"
    message_ko = "지금은 사진을 불러올 수 없어요. 조금 뒤에 다시 해 주세요."
    message_en = "The media store cannot be reached."


class NoNode(PartAway):
    code = "no_node"
    message_ko = "복실이가 아직 준비 중이에요. 조금만 기다려 주세요."
    message_en = "No node claimed the turn in time."


class DatabaseRefused(SilverTalkError):
    code = "database_refused"
    message_en = "The database refuses this row."


class AccountErased(DatabaseRefused):
    code = "account_erased"
    http_status = 401
    close_code = 4401
    message_ko = "탈퇴하신 계정이에요. 다시 가입하실 수 있어요."
    message_en = "This account was deleted."


class TurnLost(SilverTalkError):
    code = "turn_lost"
    retryable = True
    message_ko = "미안해요, 잘 못 들었어요. 한 번만 더 말씀해 주세요."
    message_en = "The turn could not be answered."


class Internal(SilverTalkError):
    pass


# --- the edge --------------------------------------------------------------------------------------------------------

PROTOCOL_MESSAGES_KO: dict[str, str] = {
    "message_too_large": "보내신 내용이 너무 커요.",
    "audio_too_fast": "소리가 너무 빨리 들어와요. 다시 연결해 주세요.",
    "text_too_long": "글이 너무 길어요. 조금 줄여 주세요.",
    "not_hello": "연결을 확인하지 못했어요. 다시 연결해 주세요.",
    "hello_timeout": "연결이 늦어졌어요. 다시 연결해 주세요.",
    "too_many_faults": "연결에 문제가 있어요. 다시 연결해 주세요.",
}
"""For the faults of `streaming.protocol.FAULTS` that mean something to a person; for the others the general words."""


def translated(error: Exception) -> SilverTalkError:
    """The error of this package that stands for any other, to be told at the edge (HTTP problem, socket event).

    A `ProtocolError` has no counterpart: it has its own code; see `protocol_message_ko`.
    """
    if isinstance(error, SilverTalkError):
        return error
    if isinstance(error, BusFull):
        return ServerFull(str(error))
    if isinstance(error, BusError):
        return BusAway(str(error))
    return Internal(type(error).__name__)


def protocol_message_ko(error: ProtocolError) -> str:
    """What a person is told of a client's fault."""
    return PROTOCOL_MESSAGES_KO.get(error.code, RequestError.message_ko)
