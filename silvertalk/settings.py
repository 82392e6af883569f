"""Every setting of the product, read once from the environment into one frozen object.

Names stand without a prefix, in either case (`PORT`, `DATABASE_URL`); an empty variable counts as unset. What a mode
changes is decided here and nowhere else: the rest of the package asks the settings, never the mode.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import quote, urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from silvertalk.errors import ConfigurationError
from silvertalk.setting_values import (
    SettingLine,
    app_link,
    driver_named,
    endpoint,
    hosts,
    is_loopback,
    kakao_server,
    known_zone,
    networks,
    on_this_machine,
    origins,
    plain,
    redirect_uris,
    redis_urls,
    replicate_model,
    replicate_server,
    sentence,
    shown,
    strong_secret,
    whole_key,
)

Mode = Literal["embedded", "local", "cloud"]

MAX_SOCKET_PATH_BYTES = 104
"""Linux takes 107, macOS 103 and a NUL."""
MAX_TOKEN_MINUTES = 60

TextList = Annotated[tuple[str, ...], NoDecode]
"""Comma-separated in the environment."""


class Settings(BaseSettings):
    """The settings of the gateway and of `silvertalk up`. Build it with `Settings.read()`."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True, validate_default=True
    )

    # where it stands
    deployment_mode: Mode = Field(
        default="embedded", description="`embedded` (one command, nothing installed), `local` or `cloud`"
    )
    host: str = Field(default="127.0.0.1", min_length=1, description="address to listen on")
    port: int = Field(default=8000, ge=0, le=65535, description="port to listen on; 0 takes a free one")
    data_dir: Path = Field(
        default=Path("var"), description="folder of the SQLite file, the Valkey socket and the generated secret"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="least level that is logged"
    )
    trusted_proxies: TextList = Field(
        default=(), description="addresses whose X-Forwarded-For is believed, comma-separated"
    )
    time_zone: str = Field(default="Asia/Seoul", description="IANA zone of people whose own is unknown")

    # what it stands on
    database_url: SecretStr = Field(
        default=SecretStr(""), description="`postgresql://…` or `sqlite:///…`; embedded: an SQLite file in DATA_DIR"
    )
    database_timeout_seconds: float = Field(default=5.0, ge=0.5, le=60, description="longest a database call may take")
    database_pool: int = Field(default=10, ge=1, le=100, description="connections to PostgreSQL, per process")
    commit_backlog: int = Field(
        default=10_000, ge=10, le=1_000_000, description="turns that wait in memory for the database"
    )
    bus_urls: TextList = Field(
        default=(),
        repr=False,
        description="Redis servers, comma-separated `redis://`, `rediss://` or `unix://`; embedded: its own Valkey",
    )
    bus_key: SecretStr = Field(
        default=SecretStr(""),
        description="key that encrypts what crosses the bus, base64 of 32 bytes; needed where it leaves the machine",
    )

    # where photos and voices lie
    public_url: str = Field(
        default="",
        description="this server as its clients reach it; unset: links to MEDIA_DIR's photos have no host",
    )
    s3_bucket: str = Field(default="", max_length=63, description="bucket of S3 or MinIO; unset: the folder MEDIA_DIR")
    s3_endpoint: str = Field(default="", description="address of MinIO or another S3; unset: Amazon's own")
    s3_public_endpoint: str = Field(
        default="", description="the same as phones and browsers reach it; unset: as S3_ENDPOINT"
    )
    s3_region: str = Field(default="us-east-1", min_length=1, max_length=32, description="the bucket's region")
    s3_access_key_id: str = Field(default="", repr=False, description="unset: what the machine's own role gives")
    s3_secret_access_key: SecretStr = Field(default=SecretStr(""), description="belongs to S3_ACCESS_KEY_ID")
    media_dir: Path | None = Field(default=None, description="folder of photos and voices; unset: `media` in DATA_DIR")
    max_photo_mb: int = Field(default=20, ge=1, le=100, description="largest photo taken, in MiB")

    # who may come in
    jwt_secret: SecretStr = Field(
        default=SecretStr(""),
        description="secret of the access tokens, 32 bytes or more; embedded: generated once into DATA_DIR",
    )
    access_token_minutes: int = Field(default=30, ge=1, le=MAX_TOKEN_MINUTES, description="life of an access token")
    allow_guests: bool | None = Field(default=None, description="guests without an account; unset: in `embedded` only")
    logins_per_minute: int = Field(
        default=120, ge=1, le=10_000, description="logins, fresh tokens and guests one address may ask for in a minute"
    )
    reads_per_minute: int = Field(default=600, ge=1, le=100_000, description="what one person may look at in a minute")
    changes_per_minute: int = Field(
        default=120, ge=1, le=100_000, description="what one person may make, change or delete in a minute"
    )
    uploads_per_minute: int = Field(
        default=300, ge=1, le=100_000, description="requests of one person in a minute that bring photos in"
    )
    talks_per_minute: int = Field(
        default=60, ge=1, le=100_000, description="tickets and typed messages of one person in a minute"
    )
    shares_per_minute: int = Field(
        default=60, ge=1, le=100_000, description="shared videos' pages and films one visitor may open in a minute"
    )
    people_per_address: int = Field(
        default=50, ge=1, le=100_000, description="an address may ask as often as so many people"
    )
    allowed_origins: TextList = Field(
        default=(),
        description="web origins that may connect, comma-separated (apps need none); embedded: the server's own",
    )
    hello_seconds: float = Field(
        default=5.0, ge=0.5, le=60, description="an unauthenticated voice socket is closed after this"
    )
    max_sessions: int = Field(default=150, ge=1, le=100_000, description="live sessions per gateway")
    max_sessions_per_address: int = Field(
        default=100, ge=1, le=100_000, description="live sessions from one address (many phones share a carrier's)"
    )

    # logging in with Kakao
    kakao_rest_key: str = Field(default="", description="the Kakao app's REST API key; with it people log in by Kakao")
    kakao_app_id: int = Field(
        default=0, ge=0, description="the Kakao app's number: tokens made for another are refused"
    )
    kakao_audiences: TextList = Field(
        default=(),
        description="the app's other keys, comma-separated: a phone's id_tokens are meant for the native one",
    )
    kakao_client_secret: SecretStr = Field(default=SecretStr(""), description="the app's client secret, where it is on")
    kakao_admin_key: SecretStr = Field(
        default=SecretStr(""), description="the app's admin key: proves unlink webhooks, unlinks whoever deletes all"
    )
    kakao_redirect_uris: TextList = Field(
        default=(), description="redirect URIs whose codes are taken, comma-separated, exactly as Kakao has them"
    )
    kakao_app_link: str = Field(
        default="silvertalk://auth", description="where `/auth/kakao/callback` sends the person back to: the app's link"
    )
    kakao_auth_url: str = Field(default="https://kauth.kakao.com", description="Kakao's server for logins")
    kakao_api_url: str = Field(default="https://kapi.kakao.com", description="Kakao's server for everything else")

    # making pictures and films with Replicate
    replicate_api_token: SecretStr = Field(
        default=SecretStr(""), description="Replicate's API token; with it `/generate` answers (needs PUBLIC_URL)"
    )
    replicate_url: str = Field(default="https://api.replicate.com", description="Replicate's server")
    replicate_webhook_secret: SecretStr = Field(
        default=SecretStr(""), description="secret of Replicate's webhooks (`whsec_…`); unset: asked of Replicate"
    )
    replicate_image_model: str = Field(
        default="black-forest-labs/flux-schnell", description="model that makes a picture of a text"
    )
    replicate_video_model: str = Field(
        default="luma/ray-flash-2-720p", description="model that makes a film of a picture"
    )
    replicate_output_hosts: TextList = Field(
        default=("replicate.delivery", "*.replicate.delivery"),
        description="hosts that what was made is fetched from, comma-separated",
    )
    images_per_day: int = Field(default=20, ge=0, le=10_000, description="pictures one person may have made in a day")
    films_per_day: int = Field(default=5, ge=0, le=10_000, description="films one person may have made in a day")
    clips_per_day: int = Field(
        default=60, ge=0, le=10_000, description="moving slides of memory videos one person may have made in a day"
    )
    generations_per_day: int = Field(
        default=1_000, ge=0, le=1_000_000, description="all of these together, of all people: what it may cost"
    )
    generated_days: int = Field(default=30, ge=1, le=365, description="how long what was made so is kept")

    # hearing
    pre_roll_ms: int = Field(default=300, ge=0, le=2_000, description="audio kept from before speech was noticed")
    max_utterance_seconds: int = Field(
        default=600, ge=5, le=1_200, description="a longer utterance rolls on into the next turn"
    )
    endpoint_wait_ms: int = Field(
        default=0,
        ge=0,
        le=10_000,
        description="silence after which an utterance has ended, whatever was said; 0 decides on evidence",
    )
    barge_in: Literal["words", "voice"] = Field(
        default="words",
        description="what stops a reply: `words` spoken to it, or any `voice`, its own echo among them",
    )
    echo_by_sound: bool = Field(
        default=True,
        description="a voice over a reply is held against the reply's sound, too, before it is taken for an echo",
    )
    silence_prompt_seconds: int = Field(
        default=30, ge=0, le=600, description="silence after a reply that calls for a gentle word, once; 0 for never"
    )
    clarify_below: float = Field(
        default=-1.0,
        ge=-10,
        le=0,
        description="words of a lower mean log-probability are asked about instead of answered",
    )
    audio_batch_first_ms: int = Field(
        default=40, ge=20, le=1_000, description="first batches of an utterance on the bus"
    )
    audio_batch_ms: int = Field(default=200, ge=20, le=2_000, description="later batches")

    # answering
    reply_rate: Literal[8000, 16000, 22050, 24000, 44100, 48000] = Field(
        default=24_000, description="samples a second of reply audio"
    )
    speculations_per_minute: int = Field(
        default=20, ge=0, le=1_000, description="replies begun in a pause, for each session; 0 for none"
    )
    turn_claim_ms: int = Field(
        default=2_000, ge=100, le=60_000, description="a turn nobody claimed by then is told to the person"
    )
    lease_ms: int = Field(
        default=2_000, ge=500, le=120_000, description="silence of a node after which its turn goes to another"
    )
    history_turns: int = Field(default=12, ge=0, le=100, description="earlier turns that travel with a reply's context")
    outside_services: Literal["ask", "allowed"] | None = Field(
        default=None,
        description="who is answered by a service such as Gemini: `ask`, whoever consented; `allowed`, everybody; "
        "unset: `allowed` in `embedded` only",
    )

    # coming and going
    resume_seconds: int = Field(default=180, ge=120, le=3_600, description="how long a lost connection may be resumed")
    send_timeout_seconds: float = Field(
        default=10.0, ge=0.5, le=120, description="a client that takes nothing is cut off after this"
    )
    send_backlog_kib: int = Field(default=256, ge=16, le=65_536, description="unsent data a client may have waiting")
    drain_seconds: float = Field(default=25.0, ge=0, le=600, description="time for turns in flight after SIGTERM")

    # background work
    worker_slots: int = Field(default=2, ge=1, le=32, description="jobs that one worker does at the same time")
    job_lease_seconds: float = Field(
        default=30.0, ge=1, le=600, description="silence of a worker after which its job goes to another"
    )

    # --- reading -----------------------------------------------------------------------------------------------------

    @classmethod
    def read(cls) -> Self:
        """The settings of this process's environment; raises ConfigurationError, one sentence for each mistake."""
        try:
            return cls()
        except ValidationError as error:
            raise ConfigurationError(
                " ".join(sentence(problem["loc"], problem["msg"]) for problem in error.errors())
            ) from None

    @field_validator("deployment_mode", "log_level", "outside_services", mode="before")
    @classmethod
    def _any_case(cls, value: object) -> object:
        return value.strip().lower() if isinstance(value, str) else value

    @field_validator(
        "trusted_proxies",
        "bus_urls",
        "allowed_origins",
        "kakao_audiences",
        "kakao_redirect_uris",
        "replicate_output_hosts",
        mode="before",
    )
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("media_dir")
    @classmethod
    def _absolute_or_none(cls, value: Path | None) -> Path | None:
        return None if value is None else value.expanduser().absolute()

    _endpoint = field_validator("s3_endpoint", "s3_public_endpoint", "public_url")(endpoint)
    _known_zone = field_validator("time_zone")(known_zone)
    _networks = field_validator("trusted_proxies")(networks)
    _origins = field_validator("allowed_origins")(origins)
    _redirect_uris = field_validator("kakao_redirect_uris")(redirect_uris)
    _app_link = field_validator("kakao_app_link")(app_link)
    _kakao_server = field_validator("kakao_auth_url", "kakao_api_url")(kakao_server)
    _replicate_server = field_validator("replicate_url")(replicate_server)
    _replicate_model = field_validator("replicate_image_model", "replicate_video_model")(replicate_model)
    _hosts = field_validator("replicate_output_hosts")(hosts)
    _whole_key = field_validator("bus_key")(whole_key)
    _strong_secret = field_validator("jwt_secret")(strong_secret)
    _driver_named = field_validator("database_url")(driver_named)
    _redis_urls = field_validator("bus_urls")(redis_urls)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        missing = [
            name.upper()
            for name in ("database_url", "bus_urls", "jwt_secret")
            if not self.embedded and not plain(getattr(self, name))
        ]
        if missing:
            raise ValueError(f"DEPLOYMENT_MODE={self.deployment_mode} needs {', '.join(missing)}")
        if not self.bus_key.get_secret_value() and not all(map(on_this_machine, self.bus_urls)):
            raise ValueError("BUS_URLS names another machine, which needs BUS_KEY: `openssl rand -base64 32` makes one")
        if self.deployment_mode == "cloud" and any(not url.startswith("rediss://") for url in self.bus_urls):
            raise ValueError("DEPLOYMENT_MODE=cloud takes rediss:// addresses in BUS_URLS only")
        if self.deployment_mode == "cloud" and not self.s3_bucket:
            raise ValueError("DEPLOYMENT_MODE=cloud needs S3_BUCKET: a machine of the cloud keeps no files")
        if bool(self.s3_access_key_id) is not bool(self.s3_secret_access_key.get_secret_value()):
            raise ValueError("S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY belong together")
        if bool(self.kakao_rest_key) != bool(self.kakao_app_id):
            raise ValueError("KAKAO_REST_KEY and KAKAO_APP_ID go together")
        if not self.embedded and self.kakao_is_pretended:
            raise ValueError("KAKAO_AUTH_URL names this machine: the practice Kakao is for DEPLOYMENT_MODE=embedded")
        if self.replicate_api_token.get_secret_value():
            if not self.public_url:
                raise ValueError("REPLICATE_API_TOKEN needs PUBLIC_URL: Replicate says there what it has made")
            if not self.replicate_is_pretended and not self.public_url.startswith("https://"):
                raise ValueError("REPLICATE_API_TOKEN needs a PUBLIC_URL with https: Replicate calls no other")
            if not self.embedded and self.replicate_is_pretended:
                raise ValueError("REPLICATE_URL names this machine, which is for DEPLOYMENT_MODE=embedded")
        if self.audio_batch_first_ms > self.audio_batch_ms:
            raise ValueError("AUDIO_BATCH_FIRST_MS must not be above AUDIO_BATCH_MS")
        if not self.bus_urls and len(str(self.valkey_socket).encode()) > MAX_SOCKET_PATH_BYTES:
            raise ValueError(f"DATA_DIR is too long: {self.valkey_socket} cannot be the name of a unix socket")
        return self

    # --- what follows from them --------------------------------------------------------------------------------------

    @property
    def embedded(self) -> bool:
        return self.deployment_mode == "embedded"

    @property
    def guests_allowed(self) -> bool:
        return self.embedded if self.allow_guests is None else self.allow_guests

    @property
    def outside_services_allowed(self) -> bool:
        """Whether nodes may show outside services what people say, though nobody asked them."""
        return self.embedded if self.outside_services is None else self.outside_services == "allowed"

    @property
    def kakao_is_pretended(self) -> bool:
        """Whether the Kakao that people log in with is the practice one on this machine."""
        return bool(self.kakao_rest_key) and is_loopback(urlsplit(self.kakao_auth_url).hostname)

    @property
    def replicate_is_pretended(self) -> bool:
        """Whether what is called Replicate is on this machine, to practise with."""
        return is_loopback(urlsplit(self.replicate_url).hostname)

    @property
    def database(self) -> str:
        """SQLAlchemy's address of the database, driver included. It may hold a password."""
        url = self.database_url.get_secret_value()
        if not url:
            return f"sqlite+aiosqlite:///{self.data_dir / 'silvertalk.sqlite3'}"
        if self.deployment_mode == "cloud" and url.startswith("postgresql") and "ssl=" not in url:
            return (
                f"{url}{'&' if '?' in url else '?'}ssl=require"  # asyncpg's own default would fall back to plain text
            )
        return url

    @property
    def media_folder(self) -> Path:
        """Where photos and voices lie without S3."""
        return self.media_dir or self.data_dir / "media"

    @property
    def max_photo_bytes(self) -> int:
        return self.max_photo_mb * 1024 * 1024

    @property
    def valkey_socket(self) -> Path:
        """Where `silvertalk up` lets its own Valkey listen."""
        return self.data_dir / "valkey.sock"

    @property
    def bus(self) -> tuple[str, ...]:
        """The Redis servers' addresses. They may hold passwords."""
        return self.bus_urls or (f"unix://{quote(str(self.valkey_socket))}",)

    def origins(self, port: int | None = None) -> frozenset[str]:
        """The web origins that may connect. `port` is the one really taken, where PORT is 0."""
        if self.allowed_origins or not self.embedded:
            return frozenset(self.allowed_origins)
        names = {"127.0.0.1", "localhost", "[::1]"}
        if self.host not in ("0.0.0.0", "::"):
            names.add(f"[{self.host}]" if ":" in self.host else self.host.lower())
        number = self.port if port is None else port
        return frozenset(f"http://{name}{'' if number == 80 else f':{number}'}" for name in names)

    def describe(self) -> list[SettingLine]:
        """One line for each setting, in order, secrets masked: for the README's table and for `doctor`."""
        return [
            SettingLine(
                name=name.upper(),
                value=shown(getattr(self, name)),
                default=shown(field.default),
                description=field.description or "",
            )
            for name, field in type(self).model_fields.items()
        ]
