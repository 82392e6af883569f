"""The exceptions of this package, each with what a person reads of it.

SilverTalkError              `code`, `http_status`, `close_code`, `retryable`, `message_ko` (the person's), `message_en`
├── ConfigurationError       a setting is missing or impossible; the process does not start
├── AuthError                who is asking?
│   ├── TokenMissing         no bearer token
│   ├── TokenRefused         not a token of ours
│   ├── TokenExpired         it was ours, and its time is over: ask for a new one
│   ├── TicketRefused        the ticket for the voice socket is unknown, used or too old
│   ├── GuestRefused         a guest id that we did not give
│   ├── GuestsClosed         this server takes no guests
│   ├── RefreshRefused       a refresh token that is unknown, too old or revoked: log in again
│   ├── RefreshReused        a refresh token that was used before; its login is revoked
│   ├── KakaoRefused         Kakao does not vouch for this person, or not to us
│   ├── WebhookRefused       a webhook that does not come from whom it says
│   └── OriginRefused        a page of another site is asking
├── RequestError             what is asked cannot be understood
│   ├── RequestInvalid       a field is wrong
│   ├── RequestTooLarge      the body is over the limit
│   ├── MediaTooLarge        a picture or recording is over its limit
│   ├── PictureTypeRefused   a file of a kind that is not taken
│   ├── PictureRefused       a picture of which nothing can be made
│   ├── ConsentMissing       an outside service would see what is the person's, who did not agree to that
│   ├── UploadMissing        an upload is reported that has not arrived
│   ├── GalleryFull          a person has as many photos as one may have
│   ├── KeyReused            an idempotency key came again with another request
│   ├── AnswerNotKept        it was done, and its answer cannot be given again
│   ├── NothingTold          a conversation without a word and without a photo cannot be finished
│   ├── StoryNotFinished     a video is made of a conversation that its person has finished
│   ├── NothingToShow        a video needs at least one photo
│   ├── VideoNotReady        only a video that is made can be shared
│   ├── VideoSettled         a video that is made is not made again, nor stopped
│   ├── TooSlow              the body took too long to come
│   └── NotFound             nothing there
├── Refused                  understood, but not now
│   ├── RateLimited          too often; `retry_after_seconds`
│   ├── QuotaReached         as much was made as may be in a day; `retry_after_seconds`
│   ├── ServerFull           no room for another session
│   ├── AddressFull          too many sessions from one address
│   ├── StillAnswering       the same request, by its idempotency key, is being carried out
│   ├── ConversationTaken    a conversation can be opened once, and it was
│   ├── FloorTaken           the person is speaking, or waits for an answer: nothing can be typed now
│   ├── Draining             this gateway is going away: come back, another will answer
│   ├── SessionReplaced      the same person opened a newer session
│   └── ClientTooSlow        it takes what it is sent too slowly, or not at all
├── PartAway                 a part of the service is out of reach
│   ├── DatabaseAway         it will be tried again
│   ├── BusAway              Redis cannot be reached
│   ├── MediaAway            the media store cannot be reached
│   ├── KakaoAway            Kakao cannot be reached, or asks us to wait
│   ├── KakaoNotConfigured   this server has no Kakao login
│   ├── ReplicateAway        Replicate cannot be reached, or asks us to wait; `retry_after_seconds`
│   ├── ReplicateRefused     Replicate does not do what we ask: our token, our bill, our model
│   ├── GenerateNotConfigured  this server makes no pictures
│   └── NoNode               nobody claimed the turn in time
├── DatabaseRefused          the database will never take this row; trying again is useless
│   └── AccountErased        it is a deleted person's
├── JobFailed                background work that no further try will do; `reason` says why
├── TurnLost                 a turn could not be answered, whoever tried
└── Internal                 our own mistake

Close codes of the voice socket are 4000 + the HTTP status that says the same.
"""

from __future__ import annotations

from typing import ClassVar

from streaming.errors import BusError, BusFull


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


class RefreshRefused(AuthError):
    code = "refresh_refused"
    message_ko = "로그인한 지 오래되었어요. 다시 로그인해 주세요."
    message_en = "The refresh token is unknown, expired or revoked: log in again."


class RefreshReused(AuthError):
    code = "refresh_reused"
    message_ko = RefreshRefused.message_ko
    message_en = "The refresh token was used before: its whole login is revoked. Log in again."


class KakaoRefused(AuthError):
    code = "kakao_refused"
    message_ko = "카카오 로그인을 확인하지 못했어요. 다시 로그인해 주세요."
    message_en = "Kakao does not accept this token or code, or it was made for another app."


class WebhookRefused(AuthError):
    code = "webhook_refused"
    message_en = "The webhook does not prove where it comes from."


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


class PictureTypeRefused(RequestError):
    code = "picture_type_refused"
    http_status = 415
    close_code = 4415
    message_ko = "이 파일은 받을 수 없어요. 사진을 골라 주세요."
    message_en = "Only JPEG, PNG, WEBP and HEIC pictures are taken."


class PictureRefused(RequestError):
    code = "picture_refused"
    http_status = 422
    close_code = 4422
    message_ko = "이 사진으로는 만들 수 없어요. 다른 사진을 골라 주세요."
    message_en = "Takes JPEG, PNG, WEBP, GIF and BMP pictures, whole, of at least 64 and at most 25 million pixels."


class ConsentMissing(RequestError):
    code = "consent_missing"
    http_status = 403
    close_code = 4403
    message_ko = "다른 회사의 서비스에 사진과 글을 보내도 괜찮은지 먼저 여쭤봐야 해요. 설정에서 동의해 주세요."
    message_en = "The person has not agreed to `outside_services`: PATCH /users/me."


class UploadMissing(RequestError):
    code = "upload_missing"
    http_status = 409
    close_code = 4409
    retryable = True
    message_ko = "사진이 아직 도착하지 않았어요. 다시 올려 주세요."
    message_en = "Nothing was uploaded for this photo, or something else than was announced: upload it, then ask again."


class GalleryFull(RequestError):
    code = "gallery_full"
    http_status = 409
    close_code = 4409
    message_ko = "사진을 더 담을 자리가 없어요. 몇 장을 지우신 뒤에 다시 해 주세요."
    message_en = "This person has as many photos here as one may have."


class KeyReused(RequestError):
    code = "idempotency_key_reused"
    http_status = 422
    close_code = 4422
    message_en = "This Idempotency-Key came with another request before: each request needs a key of its own."


class AnswerNotKept(RequestError):
    code = "answer_not_kept"
    http_status = 409
    close_code = 4409
    message_ko = "이미 처리된 요청이에요."
    message_en = "This request was carried out before; its answer was too long to be kept, or was left in the middle."


class NothingTold(RequestError):
    code = "nothing_told"
    message_ko = "아직 나누신 이야기가 없어요. 이야기를 조금 들려주신 뒤에 마쳐 주세요."
    message_en = "Nothing was said in this conversation, and it has no photo."


class StoryNotFinished(RequestError):
    code = "story_not_finished"
    message_ko = "이야기를 마치신 뒤에 영상을 만들어 드릴게요."
    message_en = "The conversation is not finished: PATCH /chat/sessions/{id}/finish first."


class NothingToShow(RequestError):
    code = "nothing_to_show"
    message_ko = "영상에 담을 사진이 없어요. 이야기에 사진을 한 장 더해 주세요."
    message_en = "The conversation has no uploaded photo."


class VideoNotReady(RequestError):
    code = "video_not_ready"
    http_status = 409
    close_code = 4409
    retryable = True
    message_ko = "영상이 아직 다 만들어지지 않았어요. 다 되면 보내실 수 있어요."
    message_en = "The video is not completed."


class VideoSettled(RequestError):
    code = "video_settled"
    http_status = 409
    close_code = 4409
    message_ko = "이미 끝난 영상이에요."
    message_en = "The video is completed or has failed: there is nothing to stop, or nothing to make again."


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


class QuotaReached(Refused):
    code = "quota_reached"
    http_status = 429
    close_code = 4429
    message_ko = "오늘 만들 수 있는 만큼 모두 만드셨어요. 내일 다시 해 주세요."
    message_en = "As much was made as may be made in a day: wait as long as Retry-After says."

    def __init__(self, detail: str = "", *, retry_after_seconds: int = 86_400) -> None:
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


class StillAnswering(Refused):
    code = "still_answering"
    http_status = 409
    close_code = 4409
    message_ko = "요청을 처리하고 있어요. 잠시만 기다려 주세요."
    message_en = "The same request, by its Idempotency-Key, is being carried out: ask again for its answer."


class ConversationTaken(Refused):
    code = "conversation_taken"
    http_status = 409
    close_code = 4409
    retryable = False
    message_ko = "이미 시작하신 이야기예요. 새로 시작해 주세요."
    message_en = "This conversation was opened already: begin another."


class FloorTaken(Refused):
    code = "floor_taken"
    http_status = 409
    close_code = 4409
    message_ko = "지금 하시던 말씀이 끝난 뒤에 써 주세요."
    message_en = "The person is speaking or waits for an answer: send the text once the turn in hand is answered."


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


class KakaoAway(PartAway):
    code = "kakao_away"
    message_ko = "지금은 카카오에 연결할 수 없어요. 조금 뒤에 다시 해 주세요."
    message_en = "Kakao cannot be reached, or asks us to wait."


class KakaoNotConfigured(PartAway):
    code = "kakao_not_configured"
    retryable = False
    message_ko = "여기에서는 카카오로 로그인하실 수 없어요."
    message_en = "This server has no Kakao login: its KAKAO_ settings are empty."


class ReplicateAway(PartAway):
    code = "replicate_away"
    message_ko = "지금은 그림을 만드는 곳에 연결할 수 없어요. 조금 뒤에 다시 해 주세요."
    message_en = "Replicate cannot be reached, or asks us to wait."

    def __init__(self, detail: str = "", *, retry_after_seconds: int = 5, throttled: bool = False) -> None:
        """`throttled`: it certainly did nothing."""
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds
        self.throttled = throttled


class ReplicateRefused(PartAway):
    code = "replicate_refused"
    retryable = False
    message_ko = "지금은 그림을 만들 수 없어요."
    message_en = "Replicate refuses what this server asks: its token, its account or its model is wrong."


class GenerateNotConfigured(PartAway):
    code = "generate_not_configured"
    retryable = False
    message_ko = "여기에서는 그림과 영상을 새로 만드실 수 없어요."
    message_en = "This server makes no pictures: REPLICATE_API_TOKEN is empty."


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


class JobFailed(SilverTalkError):
    """Raised by a job's work: it is a dead letter at once, for `reason`, a short code that its person is told."""

    code = "job_failed"
    message_en = "The job can never be done."

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TurnLost(SilverTalkError):
    code = "turn_lost"
    retryable = True
    message_ko = "미안해요, 잘 못 들었어요. 한 번만 더 말씀해 주세요."
    message_en = "The turn could not be answered."


class Internal(SilverTalkError):
    pass


# --- the edge --------------------------------------------------------------------------------------------------------


def translated(error: Exception) -> SilverTalkError:
    """The error of this package that stands for any other, to be told at the edge (HTTP problem, socket event).

    A `ProtocolError` has no counterpart: it has its own code; see `silvertalk.socket_problems`.
    """
    if isinstance(error, SilverTalkError):
        return error
    if isinstance(error, BusFull):
        return ServerFull(str(error))
    if isinstance(error, BusError):
        return BusAway(str(error))
    return Internal(type(error).__name__)
