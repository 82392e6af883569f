import stat
import threading
from pathlib import Path

import pytest

from silvertalk.errors import ConfigurationError
from silvertalk.keys import SECRET_FILE, derived_key, signing_secret
from silvertalk.settings import Settings


def embedded(folder: Path) -> Settings:
    return Settings(deployment_mode="embedded", data_dir=folder)


def test_embedded_makes_a_secret_once_and_keeps_it_to_itself(tmp_path: Path) -> None:
    settings = embedded(tmp_path / "var")
    secret = signing_secret(settings)
    kept = tmp_path / "var" / SECRET_FILE
    assert signing_secret(settings) == secret == kept.read_bytes()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert [path.name for path in kept.parent.iterdir()] == [SECRET_FILE], "no draft is left"


def test_processes_that_start_at_once_agree(tmp_path: Path) -> None:
    barrier, secrets = threading.Barrier(8), set[bytes]()

    def start() -> None:
        barrier.wait()
        secrets.add(signing_secret(embedded(tmp_path / "var")))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(secrets) == 1


def test_a_secret_that_others_could_read_is_closed_again(tmp_path: Path) -> None:
    secret = signing_secret(embedded(tmp_path))
    (tmp_path / SECRET_FILE).chmod(0o644)
    assert signing_secret(embedded(tmp_path)) == secret
    assert stat.S_IMODE((tmp_path / SECRET_FILE).stat().st_mode) == 0o600


def test_a_damaged_secret_is_named_not_replaced(tmp_path: Path) -> None:
    (tmp_path / SECRET_FILE).write_bytes(b"")
    with pytest.raises(ConfigurationError, match="damaged"):
        signing_secret(embedded(tmp_path))


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="cannot be kept"):
        signing_secret(embedded(tmp_path / "file"))


def test_the_operators_secret_wins(tmp_path: Path) -> None:
    given = "0123456789abcdefghijklmnopqrstuvwxyz"
    assert signing_secret(Settings(jwt_secret=given, data_dir=tmp_path)) == given.encode()  # type: ignore[arg-type]
    assert not (tmp_path / SECRET_FILE).exists()


def test_each_purpose_has_its_own_key() -> None:
    secret = b"0123456789abcdefghijklmnopqrstuvwxyz"
    assert len({derived_key(secret, "a"), derived_key(secret, "b"), derived_key(secret + b"!", "a"), secret}) == 4
    assert derived_key(secret, "a") == derived_key(secret, "a")
