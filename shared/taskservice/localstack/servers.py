"""Finds the server programs of the local stack, or installs them.

A program on the PATH is used as it is; when one is missing and we are root on a Debian, apt installs it; else the
start is refused with the one command to run.
"""

import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

SYSTEM_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/sbin")
"""Where servers live that are not on a user's PATH."""
APT_TIMEOUT_S = 600


class Flavour(Enum):
    """The families of database servers; they differ in how a data folder is made and in a few options."""

    MARIADB = "MariaDB"
    MYSQL = "MySQL"


@dataclass(frozen=True, slots=True)
class RedisProgram:
    """A `redis-server` and its version, such as `7.0.15`."""

    path: Path
    version: str


@dataclass(frozen=True, slots=True)
class MysqlProgram:
    """A `mysqld` or `mariadbd`, its family and its version, such as `10.11.19` or `9.4.0`."""

    path: Path
    flavour: Flavour
    version: str

    @property
    def full_version(self) -> str:
        """As people say it: `MariaDB 10.11.19`."""
        return f"{self.flavour.value} {self.version}"


@dataclass(frozen=True, slots=True)
class Programs:
    """The two servers that the stack stands on."""

    redis: RedisProgram
    mysql: MysqlProgram


class MissingServerError(Exception):
    """A server program is missing and can't be installed from here; the message names the command to run."""


MARIADB_PACKAGES = "mariadb-server-core mariadb-client-core"
"""The programs alone: no service of the system's is set up or started. The installer needs the client's parts."""


@dataclass(frozen=True, slots=True)
class Host:
    """What finding and installing may know of this machine.

    :ivar env: the environment; `PATH` and `TASKSERVICE_MYSQLD` count.
    :ivar is_root: whether packages may be installed.
    :ivar say: tells a person what takes a while.
    :ivar system_folders: searched after the PATH.
    """

    env: Mapping[str, str]
    is_root: bool
    say: Callable[[str], None]
    system_folders: Sequence[str] = SYSTEM_FOLDERS

    def which(self, name: str) -> Path | None:
        """The program of that name on the PATH or in a system folder."""
        folders = [self.env.get("PATH", ""), *self.system_folders]
        found = shutil.which(name, path=":".join(folder for folder in folders if folder))
        return None if found is None else Path(found)


def ensure_programs(host: Host) -> Programs:
    """Both servers, installed if need be.

    :raises MissingServerError: when one is missing and can't be installed, or does not run.
    """
    return Programs(redis=ensure_redis(host), mysql=ensure_mysql(host))


def ensure_redis(host: Host) -> RedisProgram:
    """The `redis-server` to use.

    :raises MissingServerError: see `ensure_programs`.
    """
    path = host.which("redis-server")
    if path is None:
        _install(host, "redis-server", "a Redis server")
        path = host.which("redis-server")
    if path is None:
        raise MissingServerError("redis-server was installed, but is not on the PATH; add its folder to PATH")
    return RedisProgram(path=path, version=_version_of(path, r"v=(\d+(?:\.\d+)+)"))


def ensure_mysql(host: Host) -> MysqlProgram:
    """The database server to use: `TASKSERVICE_MYSQLD`, else `mysqld`, else `mariadbd`.

    :raises MissingServerError: see `ensure_programs`.
    """
    chosen = host.env.get("TASKSERVICE_MYSQLD")
    if chosen:
        path = host.which(chosen)
        if path is None:
            raise MissingServerError(f"TASKSERVICE_MYSQLD names {chosen}, which is not a program; correct or unset it")
        return _mysql_program(path)
    path = host.which("mysqld") or host.which("mariadbd")
    if path is None:
        _install(host, MARIADB_PACKAGES, "a MariaDB or MySQL server")
        path = host.which("mysqld") or host.which("mariadbd")
    if path is None:
        raise MissingServerError("mariadbd was installed, but is not on the PATH; add its folder to PATH")
    return _mysql_program(path)


def _mysql_program(path: Path) -> MysqlProgram:
    text = _version_text(path)
    flavour = Flavour.MARIADB if "mariadb" in text.lower() else Flavour.MYSQL
    return MysqlProgram(path=path, flavour=flavour, version=_version_in(text, r"Ver (\d+(?:\.\d+)+)", path))


def _version_of(path: Path, pattern: str) -> str:
    return _version_in(_version_text(path), pattern, path)


def _version_in(text: str, pattern: str, path: Path) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise MissingServerError(f"{path} --version says {text.strip()!r}, which names no version")
    return match[1]


def _version_text(path: Path) -> str:
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise MissingServerError(f"{path} --version does not run: {error}") from error
    return done.stdout + done.stderr


def _install(host: Host, packages: str, purpose: str) -> None:
    apt = host.which("apt-get")
    if apt is None:
        raise MissingServerError(f"needs {purpose}: install {packages} with your system's package manager")
    if not host.is_root:
        raise MissingServerError(f"needs {purpose}; run: sudo apt-get install -y {packages}")
    env = {**host.env, "DEBIAN_FRONTEND": "noninteractive"}
    steps = (
        ("reading the package lists", [str(apt), "-qq", "update"]),
        (f"installing {packages}", [str(apt), "-qq", "-y", "--no-install-recommends", "install", *packages.split()]),
    )
    for what, command in steps:
        host.say(f"{what} with apt-get ({purpose} is needed and none is here)")
        try:
            subprocess.run(
                command,
                env=env,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=APT_TIMEOUT_S,
                check=True,
            )
        except (OSError, subprocess.SubprocessError) as error:
            said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
            last = said[-1] if said else "no reason given"
            raise MissingServerError(
                f"{what} failed ({last}); run: apt-get update && apt-get install -y {packages}"
            ) from error
