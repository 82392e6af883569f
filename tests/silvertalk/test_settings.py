import base64
from pathlib import Path

import pytest
from pydantic import ValidationError

from silvertalk.errors import ConfigurationError
from silvertalk.setting_values import database_url
from silvertalk.settings import Settings

SECRET = "q8Jm2vXb7LpZ4tRw9sKd1hFg6yNc3aEu"
BUS_KEY = base64.b64encode(bytes(range(32))).decode()
CLOUD = {
    "DEPLOYMENT_MODE": "cloud",
    "DATABASE_URL": "postgres://talk:pass-canary@db.example/talk",
    "BUS_URLS": "rediss://:bus-canary@one.example:6379, rediss://:bus-canary@two.example:6379",
    "BUS_KEY": BUS_KEY,
    "JWT_SECRET": SECRET,
    "ALLOWED_ORIGINS": "https://talk.example.org",
    "S3_BUCKET": "talk-media",
}


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Only what a test sets, in an empty folder."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def read(monkeypatch: pytest.MonkeyPatch, **environment: str) -> Settings:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return Settings.read()


def complaint(monkeypatch: pytest.MonkeyPatch, **environment: str) -> str:
    with pytest.raises(ConfigurationError) as error:
        read(monkeypatch, **environment)
    return str(error.value)


def test_with_nothing_set_it_is_one_machine_that_needs_nothing(tmp_path: Path) -> None:
    settings = Settings.read()
    assert settings.embedded
    assert settings.guests_allowed
    assert settings.data_dir == tmp_path / "var"
    assert settings.database == f"sqlite+aiosqlite:///{tmp_path}/var/silvertalk.sqlite3"
    assert settings.bus == (f"unix://{tmp_path}/var/valkey.sock",)
    assert settings.origins() == {"http://127.0.0.1:8000", "http://localhost:8000", "http://[::1]:8000"}
    assert not list(tmp_path.iterdir()), "reading the settings makes nothing"


def test_settings_do_not_change(tmp_path: Path) -> None:
    with pytest.raises(ValidationError):
        Settings.read().port = 1


@pytest.mark.parametrize("mode", ["embedded", "EMBEDDED", " Embedded "])
def test_modes_in_either_case(monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    assert read(monkeypatch, DEPLOYMENT_MODE=mode).embedded


def test_an_empty_variable_is_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(monkeypatch, PORT="", JWT_SECRET="", BUS_URLS="", ALLOW_GUESTS="").port == 8000


def test_a_cloud_with_all_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(monkeypatch, **CLOUD)
    assert settings.database == "postgresql+asyncpg://talk:pass-canary@db.example/talk?ssl=require"
    assert settings.bus == tuple(part.strip() for part in CLOUD["BUS_URLS"].split(","))
    assert not settings.guests_allowed
    assert settings.origins(1234) == {"https://talk.example.org"}


def test_outside_services_are_asked_about_unless_one_runs_ones_own_server(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(monkeypatch).outside_services_allowed
    assert not read(monkeypatch, OUTSIDE_SERVICES="Ask").outside_services_allowed
    assert not read(monkeypatch, **CLOUD, OUTSIDE_SERVICES="").outside_services_allowed
    assert not read(monkeypatch, DEPLOYMENT_MODE="local").outside_services_allowed
    assert read(monkeypatch, OUTSIDE_SERVICES="allowed").outside_services_allowed
    assert "OUTSIDE_SERVICES should be 'ask' or 'allowed'" in complaint(monkeypatch, OUTSIDE_SERVICES="never")


@pytest.mark.parametrize("name", ["DATABASE_URL", "BUS_URLS", "JWT_SECRET"])
@pytest.mark.parametrize("mode", ["local", "cloud"])
def test_what_a_mode_needs_is_named(monkeypatch: pytest.MonkeyPatch, mode: str, name: str) -> None:
    words = complaint(monkeypatch, **CLOUD | {"DEPLOYMENT_MODE": mode, name: ""})
    assert name in words
    assert mode in words


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("PORT", "65536", "PORT"),
        ("PORT", "http", "PORT"),
        ("DEPLOYMENT_MODE", "production", "DEPLOYMENT_MODE should be 'embedded', 'local' or 'cloud'"),
        ("LOG_LEVEL", "loud", "LOG_LEVEL"),
        ("RESUME_SECONDS", "119", "RESUME_SECONDS"),
        ("ACCESS_TOKEN_MINUTES", "61", "ACCESS_TOKEN_MINUTES"),
        ("REPLY_RATE", "12345", "REPLY_RATE"),
        ("TIME_ZONE", "Mars/Olympus", "IANA"),
        ("TIME_ZONE", "../../etc/passwd", "IANA"),
        ("JWT_SECRET", "short", "at least 32 random bytes"),
        ("JWT_SECRET", "changeme" * 8, "at least 32 random bytes"),
        ("BUS_KEY", "not base64!", "base64 of 32 bytes"),
        ("BUS_KEY", base64.b64encode(b"k" * 16).decode(), "base64 of 32 bytes"),
        ("BUS_URLS", "http://redis", "redis://"),
        ("BUS_URLS", "rediss://host?ssl_cert_reqs=none", "certificates"),
        ("BUS_URLS", "rediss://host?ssl_cert_reqs=CERT_NONE", "certificates"),
        ("BUS_URLS", "redis://elsewhere.example", "BUS_KEY"),
        ("DATABASE_URL", "mysql://host/talk", "postgresql:// and sqlite://"),
        ("DATABASE_URL", "sqlite://", "needs a file"),
        ("DATABASE_URL", "sqlite:///:memory:", "needs a file"),
        ("DATABASE_URL", "postgresql://host/talk?sslmode=prefer", "sslmode"),
        ("ALLOWED_ORIGINS", "*", "origins such as"),
        ("ALLOWED_ORIGINS", "https://*.example.org", "wildcards"),
        ("ALLOWED_ORIGINS", "https://talk.example.org/", "without a path"),
        ("ALLOWED_ORIGINS", "https://Talk.example.org", "lower case"),
        ("TRUSTED_PROXIES", "everyone", "addresses or networks"),
        ("AUDIO_BATCH_FIRST_MS", "500", "AUDIO_BATCH_MS"),
        ("DATA_DIR", "/" + "deep/" * 30, "unix socket"),
    ],
)
def test_a_bad_value_is_one_clear_sentence(monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str) -> None:
    said = complaint(monkeypatch, **{name: value})
    assert words in said
    assert said.endswith(".")
    assert "\n" not in said


def test_a_clouds_bus_is_encrypted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "rediss://" in complaint(monkeypatch, **CLOUD | {"BUS_URLS": "redis://one.example"})
    assert "BUS_KEY" in complaint(monkeypatch, **CLOUD | {"BUS_KEY": ""})


def test_a_complaint_never_repeats_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    said = complaint(
        monkeypatch,
        JWT_SECRET="secret-canary",
        BUS_KEY="secret-canary",
        DATABASE_URL="mysql://u:secret-canary@h/d",
        BUS_URLS="http://:secret-canary@host",
    )
    assert "secret-canary" not in said
    assert all(name in said for name in ("JWT_SECRET", "BUS_KEY", "DATABASE_URL", "BUS_URLS"))


def test_every_setting_is_described_and_no_secret_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(monkeypatch, **CLOUD)
    lines = settings.describe()
    assert [line.name for line in lines] == [name.upper() for name in Settings.model_fields]
    assert all(line.description for line in lines)
    shown = repr(lines) + repr(settings) + str(settings)
    for canary in ("pass-canary", "bus-canary", SECRET, BUS_KEY):
        assert canary not in shown
    assert {line.name: line.value for line in lines}["PORT"] == "8000"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("postgres://u:p@h:5432/d", "postgresql+asyncpg://u:p@h:5432/d"),
        ("postgresql://u:p%40ss@h/d", "postgresql+asyncpg://u:p%40ss@h/d"),
        ("postgresql+asyncpg://h/d", "postgresql+asyncpg://h/d"),
        ("postgres://h/d?sslmode=verify-full", "postgresql+asyncpg://h/d?ssl=verify-full"),
        ("sqlite:////srv/talk.sqlite3", "sqlite+aiosqlite:////srv/talk.sqlite3"),
        ("sqlite+aiosqlite:///talk.sqlite3", "sqlite+aiosqlite:///talk.sqlite3"),
    ],
)
def test_spellings_of_a_database(written: str, meant: str) -> None:
    assert database_url(written) == meant


def test_origins_follow_host_and_the_port_really_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(monkeypatch, HOST="192.168.0.7", PORT="0")
    assert "http://192.168.0.7:41234" in settings.origins(41234)
    assert "http://localhost" in settings.origins(80)
    assert not any("0.0.0.0" in origin for origin in read(monkeypatch, HOST="0.0.0.0").origins())


def test_guests_can_be_turned_off_and_on(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not read(monkeypatch, ALLOW_GUESTS="false").guests_allowed
    assert read(monkeypatch, **CLOUD | {"ALLOW_GUESTS": "true"}).guests_allowed


KAKAO = {"KAKAO_REST_KEY": "a-rest-key", "KAKAO_APP_ID": "100001"}


def test_kakao_is_set_up_by_its_key_and_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    lists = {
        "KAKAO_AUDIENCES": "native, web",
        "KAKAO_REDIRECT_URIS": "https://a.example/back,http://127.0.0.1:8000/demo",
    }
    settings = read(monkeypatch, **CLOUD, **KAKAO, **lists)
    assert settings.kakao_audiences == ("native", "web")
    assert settings.kakao_redirect_uris == ("https://a.example/back", "http://127.0.0.1:8000/demo")
    assert (settings.kakao_auth_url, settings.kakao_api_url) == ("https://kauth.kakao.com", "https://kapi.kakao.com")
    assert not settings.kakao_is_pretended


def test_a_practice_kakao_is_known_by_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not Settings.read().kakao_is_pretended
    assert read(monkeypatch, **KAKAO, KAKAO_AUTH_URL="http://127.0.0.1:9000").kakao_is_pretended


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"KAKAO_REST_KEY": "a-rest-key"}, "go together"),
        ({"KAKAO_APP_ID": "5"}, "go together"),
        (CLOUD | KAKAO | {"KAKAO_AUTH_URL": "http://127.0.0.1:9000"}, "embedded"),
        ({"KAKAO_AUTH_URL": "http://kauth.example"}, "https"),
        ({"KAKAO_AUTH_URL": "https://kauth.example/path"}, "without a path"),
        ({"KAKAO_API_URL": "https://user@kapi.example"}, "without a path"),
        ({"KAKAO_REDIRECT_URIS": "http://talk.example/back"}, "https"),
        ({"KAKAO_REDIRECT_URIS": "https://*.example/back"}, "wildcard"),
        ({"KAKAO_REDIRECT_URIS": "https://talk.example/back#a"}, "fragment"),
        ({"KAKAO_REDIRECT_URIS": "silvertalk://auth"}, "https"),
        ({"KAKAO_APP_LINK": "javascript:alert(1)"}, "link"),
        ({"KAKAO_APP_LINK": "http://evil.example"}, "link"),
        ({"KAKAO_APP_LINK": "silvertalk://auth?a=b"}, "without a query"),
        ({"KAKAO_APP_ID": "-1"}, "KAKAO_APP_ID"),
    ],
)
def test_a_kakao_that_cannot_be_is_told(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], words: str
) -> None:
    assert words in complaint(monkeypatch, **environment)


def test_kakaos_secrets_are_shown_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = {"KAKAO_CLIENT_SECRET": "secret-canary", "KAKAO_ADMIN_KEY": "admin-canary"}
    settings = read(monkeypatch, **KAKAO, **secret)
    assert "canary" not in repr(settings) + str(settings.describe())
