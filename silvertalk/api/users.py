"""`/users/me`: the person who asks, how they want to be treated, and where they can be notified."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from silvertalk import people
from silvertalk.api.auth import AccountAnswer, account_answer
from silvertalk.api.problems import documented
from silvertalk.api.services import Asking, Services, ServicesOf, our_origin
from silvertalk.consents import ConsentName
from silvertalk.errors import AccountErased, DatabaseAway, MediaAway, NotFound, OriginRefused, RequestInvalid
from silvertalk.habits import MAX_SPEECH_RATE, MIN_SPEECH_RATE, Changes, Habits, applying, habits_of, today
from silvertalk.people import Person
from silvertalk.voice_keeping import forget_voices
from streaming.protocol import MAX_PATIENCE, MIN_PATIENCE
from streaming.voices import VoiceName

router = APIRouter(prefix="/users/me", tags=["users"], dependencies=[Depends(our_origin)])

MIN_FONT_SCALE, MAX_FONT_SCALE = 0.8, 3.0
FIRST_BIRTH_DATE = date(1900, 1, 1)
_PHONE = re.compile(r"\+?[0-9]{7,15}", re.ASCII)


def one_line(text: str) -> str:
    """Text as a name is written: one line, no control characters, whole syllables (a Mac sends Hangul in pieces)."""
    spoken = "".join(" " if unicodedata.category(character) == "Cc" else character for character in text)
    return unicodedata.normalize("NFC", " ".join(spoken.split()))


def _named(text: str) -> str:
    if not (name := one_line(text)):
        raise ValueError("needs a letter at least")
    return name


def _phone(text: str) -> str:
    number = re.sub(r"[ ()-]", "", text)
    if not _PHONE.fullmatch(number):
        raise ValueError("a telephone number has 7 to 15 digits")
    return number


def _zone(text: str) -> str:
    try:
        return text and ZoneInfo(text).key
    except (KeyError, OSError, ValueError):
        raise ValueError("not a time zone of the IANA database, such as Asia/Seoul") from None


def _born(day: date) -> date:
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)  # it may be tomorrow already where they are
    if not FIRST_BIRTH_DATE <= day <= tomorrow:
        raise ValueError("nobody was born then who could ask")
    return day


Line = Annotated[str, Field(max_length=50), AfterValidator(one_line)]
Clock = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", examples=["22:00"])]


class QuietHours(BaseModel):
    """On the person's own clock; over midnight where `until` is the earlier."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    begin: Clock = Field(alias="from")
    until: Clock = Field(examples=["07:30"])


class Guardian(BaseModel):
    """Whom to tell when something is wrong, where the person agreed to that (`guardian_notice`)."""

    model_config = ConfigDict(extra="forbid")

    name: Line = Field(examples=["김민수"])
    phone: Annotated[str, Field(max_length=32), AfterValidator(_phone)] = Field(examples=["+821012345678"])


class ConsentAnswer(BaseModel):
    granted: bool
    decided_at: datetime | None = Field(description="null: never asked, so not agreed")


class PersonAnswer(AccountAnswer):
    birth_date: date | None
    form_of_address: str = Field(description="what 복실이 calls them; empty for what it calls everybody")
    speech_rate: float = Field(description="how fast 복실이 speaks: 1 is the voice's own pace", examples=[0.9])
    patience: float = Field(description="1: waits as long as it learned to; 2: twice as long", examples=[1.0])
    font_scale: float = Field(examples=[1.2])
    barks: bool = Field(description='it may say "멍!" now and then')
    voice: str = Field(description="of `/videos/voices`; empty for the usual one")
    quiet_hours: QuietHours | None
    time_zone: str = Field(description="IANA; empty for the server's", examples=["Asia/Seoul"])
    guardian: Guardian | None
    consents: dict[ConsentName, ConsentAnswer]
    created_at: datetime | None


class PersonChange(BaseModel):
    """What is left out stays as it is. null takes `birth_date`, `quiet_hours` or `guardian` away, nothing else."""

    model_config = ConfigDict(extra="forbid")

    nickname: Line | None = None
    pet_name: Annotated[str, Field(max_length=20), AfterValidator(_named)] | None = None
    birth_date: Annotated[date, AfterValidator(_born)] | None = None
    form_of_address: Annotated[str, Field(max_length=20), AfterValidator(one_line)] | None = None
    speech_rate: Annotated[float, Field(ge=MIN_SPEECH_RATE, le=MAX_SPEECH_RATE)] | None = None
    patience: Annotated[float, Field(ge=MIN_PATIENCE, le=MAX_PATIENCE)] | None = None
    barks: bool | None = None
    font_scale: Annotated[float, Field(ge=MIN_FONT_SCALE, le=MAX_FONT_SCALE)] | None = None
    voice: Literal[VoiceName, ""] | None = None
    quiet_hours: QuietHours | None = None
    time_zone: Annotated[str, Field(max_length=64), AfterValidator(_zone)] | None = None
    guardian: Guardian | None = None
    consents: dict[ConsentName, bool] | None = None

    def columns(self) -> dict[str, Any]:
        """The columns of `users` that change."""
        plain = ("nickname", "pet_name", "form_of_address", "barks", "font_scale", "voice", "time_zone")
        changed = {name: getattr(self, name) for name in plain if getattr(self, name) is not None}
        sent = self.model_fields_set
        if "birth_date" in sent:
            changed["birth_date"] = self.birth_date
        if "quiet_hours" in sent:
            quiet = self.quiet_hours
            changed |= {"quiet_from": quiet.begin if quiet else "", "quiet_until": quiet.until if quiet else ""}
        if "guardian" in sent:
            guardian = self.guardian
            changed["guardian_name"] = guardian.name if guardian else ""
            changed["guardian_phone"] = guardian.phone if guardian else ""
        return changed


class DeviceRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    push_token: str = Field(min_length=8, max_length=512, pattern=r"^[!-~]+$", examples=["ExponentPushToken[xxxx]"])
    platform: Literal["ios", "android", "web"]


class DeviceGone(BaseModel):
    model_config = ConfigDict(extra="forbid")

    push_token: str = Field(min_length=8, max_length=512, pattern=r"^[!-~]+$")


class DeviceAnswer(BaseModel):
    id: str
    platform: str
    created_at: datetime


@router.get("", summary="Who I am and how I want to be treated", responses=documented(OriginRefused, DatabaseAway))
async def myself(services: ServicesOf, identity: Asking) -> PersonAnswer:
    return await _answer(services, identity.user, await people.person_of(services.database, identity.user))


@router.patch(
    "",
    summary="Change that",
    responses=documented(AccountErased, OriginRefused, RequestInvalid, DatabaseAway, MediaAway),
)
async def change_myself(services: ServicesOf, identity: Asking, change: PersonChange) -> PersonAnswer:
    if change.speech_rate is not None or change.patience is not None:
        asked_for = Changes(speech_rate=change.speech_rate, patience=change.patience)
        await services.database.change_habits(identity.user, applying(asked_for, today()))
    consents = change.consents or {}
    person = await people.change_person(services.database, identity.user, change.columns(), consents)
    if "outside_services" in consents:
        await services.generations.consent_changed(identity.user)
    if consents.get("keep_voice") is False:
        await forget_voices(services.database, services.media, identity.user)
    return await _answer(services, identity.user, person)


@router.post(
    "/devices",
    status_code=201,
    summary="Have a device notified for me",
    responses=documented(AccountErased, OriginRefused, RequestInvalid, DatabaseAway),
)
async def add_device(services: ServicesOf, identity: Asking, device: DeviceRequest) -> DeviceAnswer:
    """The same token again is the same device; one that was somebody else's is theirs no more."""
    added = await people.add_device(services.database, identity.user, device.push_token, device.platform)
    return DeviceAnswer(id=added.id, platform=added.platform, created_at=added.created_at)


@router.delete(
    "/devices",
    status_code=204,
    summary="Have a device notified no more",
    responses=documented(NotFound, OriginRefused, RequestInvalid, DatabaseAway),
)
async def remove_device(services: ServicesOf, identity: Asking, device: DeviceGone) -> Response:
    await people.remove_device(services.database, identity.user, device.push_token)
    return Response(status_code=204)


async def _answer(services: Services, user: str, person: Person) -> PersonAnswer:
    who = person.user
    habits: Habits = habits_of(await services.database.habits(user), today())
    quiet = QuietHours.model_validate({"from": who.quiet_from, "until": who.quiet_until}) if who.quiet_from else None
    guardian = Guardian(name=who.guardian_name, phone=who.guardian_phone) if who.guardian_phone else None
    return PersonAnswer(
        **account_answer(who).model_dump(),
        birth_date=who.birth_date,
        form_of_address=who.form_of_address,
        speech_rate=habits.speech_rate,
        patience=habits.profile.patience,
        font_scale=who.font_scale,
        barks=who.barks,
        voice=who.voice,
        quiet_hours=quiet,
        time_zone=who.time_zone,
        guardian=guardian,
        consents={
            name: ConsentAnswer(granted=said.granted, decided_at=said.decided_at)
            for name, said in person.consents.items()
        },
        created_at=who.created_at,
    )
