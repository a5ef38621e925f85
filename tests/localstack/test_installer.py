"""Finding the servers: on the PATH, through apt as root, or refused with the command to run. On a stub PATH."""

import stat
from collections.abc import Mapping
from pathlib import Path

import pytest

from taskservice.localstack.servers import (
    Flavour,
    Host,
    MissingServerError,
    ensure_mysql,
    ensure_programs,
    ensure_redis,
)

REDIS = 'echo "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=1"'
MARIADB = 'echo "mariadbd  Ver 10.11.19-MariaDB-0+deb12u1 for debian-linux-gnu on x86_64 (Debian 12)"'
MYSQL = 'echo "/usr/sbin/mysqld  Ver 9.4.0-1 for Linux on x86_64 ((Debian))"'


class StubHost:
    """A machine whose only programs are those in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said: list[str] = []

    def program(self, name: str, body: str) -> Path:
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    def apt_that_installs(self, name: str, body: str) -> None:
        """An apt-get that notes its calls and puts a program there."""
        target = self.folder / name
        self.program(
            "apt-get",
            f'echo "$@" >> {self.folder}/apt-calls\n'
            f'case "$*" in *install*) printf "#!/bin/sh\\n%s\\n" \'{body}\' > {target}; /bin/chmod +x {target};; esac',
        )

    def apt_calls(self) -> list[str]:
        return (self.folder / "apt-calls").read_text().splitlines()

    def host(self, *, is_root: bool, env: Mapping[str, str] | None = None) -> Host:
        variables = {"PATH": str(self.folder), **(env or {})}
        return Host(env=variables, is_root=is_root, say=self.said.append, system_folders=())


@pytest.fixture
def stub(tmp_path: Path) -> StubHost:
    return StubHost(tmp_path)


def test_programs_on_the_path_are_used_as_they_are(stub: StubHost) -> None:
    redis, mariadb = stub.program("redis-server", REDIS), stub.program("mariadbd", MARIADB)

    programs = ensure_programs(stub.host(is_root=False))

    assert (programs.redis.path, programs.redis.version) == (redis, "7.0.15")
    assert (programs.mysql.path, programs.mysql.flavour, programs.mysql.version) == (
        mariadb, Flavour.MARIADB, "10.11.19",
    )  # fmt: skip
    assert stub.said == []


def test_a_system_folder_is_searched_after_the_path(stub: StubHost, tmp_path: Path) -> None:
    stub.program("redis-server", REDIS)
    host = Host(
        env={"PATH": str(tmp_path / "empty")}, is_root=False, say=stub.said.append, system_folders=(str(tmp_path),)
    )

    assert ensure_redis(host).version == "7.0.15"


def test_mysqld_comes_before_mariadbd(stub: StubHost) -> None:
    stub.program("mariadbd", MARIADB)
    mysqld = stub.program("mysqld", MYSQL)

    program = ensure_mysql(stub.host(is_root=False))

    assert (program.path, program.flavour, program.version) == (mysqld, Flavour.MYSQL, "9.4.0")
    assert program.full_version == "MySQL 9.4.0"


def test_the_named_server_comes_before_both(stub: StubHost) -> None:
    stub.program("mysqld", MYSQL)
    named = stub.program("my-own-mysqld", MARIADB)

    program = ensure_mysql(stub.host(is_root=False, env={"TASKSERVICE_MYSQLD": str(named)}))

    assert program.path == named


def test_a_named_server_that_is_not_there_is_refused_by_its_name(stub: StubHost) -> None:
    stub.program("mysqld", MYSQL)

    with pytest.raises(MissingServerError, match="TASKSERVICE_MYSQLD names /nowhere/mysqld"):
        ensure_mysql(stub.host(is_root=False, env={"TASKSERVICE_MYSQLD": "/nowhere/mysqld"}))


def test_root_installs_redis_through_apt_and_says_so(stub: StubHost) -> None:
    stub.apt_that_installs("redis-server", REDIS)

    program = ensure_redis(stub.host(is_root=True))

    assert program.path == stub.folder / "redis-server"
    assert stub.apt_calls() == ["-qq update", "-qq -y --no-install-recommends install redis-server"]
    assert any("installing redis-server" in line for line in stub.said)


def test_root_installs_mariadb_through_apt_and_says_so(stub: StubHost) -> None:
    stub.apt_that_installs("mariadbd", MARIADB)

    program = ensure_mysql(stub.host(is_root=True))

    assert program.path == stub.folder / "mariadbd"
    assert stub.apt_calls()[-1] == "-qq -y --no-install-recommends install mariadb-server-core mariadb-client-core"
    assert any("installing mariadb-server-core mariadb-client-core" in line for line in stub.said)


@pytest.mark.parametrize(
    ("ensure", "command"),
    [
        (ensure_redis, "sudo apt-get install -y redis-server"),
        (ensure_mysql, "sudo apt-get install -y mariadb-server-core mariadb-client-core"),
    ],
)
def test_others_are_refused_with_the_one_command_to_run(stub: StubHost, ensure, command: str) -> None:  # type: ignore[no-untyped-def]
    stub.apt_that_installs("redis-server", REDIS)

    with pytest.raises(MissingServerError, match=command):
        ensure(stub.host(is_root=False))

    assert not (stub.folder / "apt-calls").exists()


def test_without_apt_the_refusal_names_the_package(stub: StubHost) -> None:
    with pytest.raises(MissingServerError, match="install redis-server with your system's package manager"):
        ensure_redis(stub.host(is_root=True))


def test_an_apt_that_fails_is_quoted(stub: StubHost) -> None:
    stub.program("apt-get", 'echo "E: Unable to locate package redis-server" >&2; exit 100')

    with pytest.raises(MissingServerError, match="Unable to locate package") as caught:
        ensure_redis(stub.host(is_root=True))

    assert "apt-get update && apt-get install -y redis-server" in str(caught.value)


def test_a_program_that_does_not_run_is_refused(stub: StubHost) -> None:
    stub.program("redis-server", "exit 127")

    with pytest.raises(MissingServerError, match="does not run"):
        ensure_redis(stub.host(is_root=False))
