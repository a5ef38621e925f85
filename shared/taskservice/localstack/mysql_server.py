"""A private MariaDB or MySQL: own data folder, own user, database and password, loopback only."""

import os
import secrets
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from taskservice.localstack.ports import LOOPBACK
from taskservice.localstack.servers import MARIADB_PACKAGES, Flavour, MissingServerError, MysqlProgram

PROBE_TIMEOUT_S = 1.0
INITIALISE_TIMEOUT_S = 180
USER = "taskservice"
DATABASE = "taskservice"
MADE = "made"
"""A file beside the data folder that says its making came to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MysqlServer:
    """How to run one, and where it answers.

    :ivar directory: holds `data/`, the password and the start-up statements; made when missing, kept between runs.
    :ivar durable: flush at each commit; False is for tests, which don't survive their machine anyway.
    :ivar every_database: the user may make and drop databases and users, as tests do.
    """

    program: MysqlProgram
    directory: Path
    port: int
    durable: bool = True
    every_database: bool = False

    @property
    def url(self) -> str:
        """`mysql://taskservice:<generated password>@127.0.0.1:<port>/taskservice`; needs `prepare` first."""
        return f"mysql://{USER}:{quote(self._password(), safe='')}@{LOOPBACK}:{self.port}/{DATABASE}"

    @property
    def version(self) -> str:
        """As people say it."""
        return self.program.full_version

    @property
    def data(self) -> Path:
        """The server's own folder."""
        return self.directory / "data"

    @property
    def temporary(self) -> Path:
        """Where it keeps temporary tables."""
        return self.directory / "tmp"

    @property
    def is_made(self) -> bool:
        """Whether its data folder has been made before."""
        return (self.directory / MADE).exists()

    def prepare(self) -> None:
        """Make the data folder, the password and the start-up statements, each unless it is there.

        :raises MissingServerError: when the server's own installer fails; says what it said.
        """
        self.temporary.mkdir(parents=True, exist_ok=True)
        for name in ("password", "root-password"):
            path = self.directory / name
            if not path.exists():
                _write_private(path, secrets.token_hex(16))
        if not self.is_made:
            shutil.rmtree(self.data, ignore_errors=True)
            self._initialise()
            (self.directory / MADE).write_text(self.version + "\n", encoding="utf-8")
        _write_private(self.directory / "start.sql", self._start_statements())

    def command(self) -> list[str]:
        """The program with its arguments; no option file, so that nothing of the system's leaks in.

        The socket is named relative to the data folder: a path of more than 107 bytes would be refused.
        """
        arguments = [
            *(str(self.program.path), "--no-defaults", *self._places()),
            *(f"--port={self.port}", f"--bind-address={LOOPBACK}", "--socket=mysql.sock", "--pid-file=mysql.pid"),
            *("--character-set-server=utf8mb4", "--collation-server=utf8mb4_bin", "--skip-name-resolve"),
            *("--skip-log-bin", "--local-infile=0", "--max-connections=300", "--innodb-buffer-pool-size=256M"),
            f"--innodb-flush-log-at-trx-commit={1 if self.durable else 0}",
            f"--init-file={self.directory / 'start.sql'}",
        ]
        if self.program.flavour is Flavour.MYSQL:
            arguments += ["--mysqlx=OFF", "--secure-file-priv=NULL", "--performance-schema=OFF"]
        return arguments

    def answers(self) -> bool:
        """Whether it takes connections: it greets with its handshake (the start-up statements are done by then)."""
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=PROBE_TIMEOUT_S) as connection:
                greeting = connection.recv(64)
        except OSError:
            return False
        return len(greeting) > 4 and greeting[4] == 10

    def _places(self) -> list[str]:
        """A folder of its own for temporary tables too: a server that starts removes those that it finds in its own."""
        return [f"--datadir={self.data}", f"--tmpdir={self.temporary}", *_as_root()]

    def _password(self) -> str:
        return (self.directory / "password").read_text(encoding="ascii")

    def _initialise(self) -> None:
        if self.program.flavour is Flavour.MARIADB:
            command = [
                *(str(_mariadb_installer(self.program.path)), "--no-defaults", *self._places()),
                *("--skip-test-db", "--auth-root-authentication-method=socket", "--skip-name-resolve"),
            ]
        else:
            command = [
                *(str(self.program.path), "--no-defaults", "--initialize-insecure", *self._places()),
            ]
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=INITIALISE_TIMEOUT_S, check=False
        )
        if done.returncode:
            lines = (done.stdout + done.stderr).strip().splitlines()
            said = [line for line in lines if "ERROR" in line] or lines[-10:]
            raise MissingServerError(
                "\n".join([f"{command[0]} could not make a data folder in {self.data}:", *said[:10], self._advice()])
            )

    def _advice(self) -> str:
        if self.program.flavour is Flavour.MYSQL:
            return "correct what it says, or name another server in TASKSERVICE_MYSQLD"
        return f"if a part of MariaDB is missing, run: sudo apt-get install -y {MARIADB_PACKAGES}"

    def _start_statements(self) -> str:
        """Run at each start, before the first connection is taken: all of them may be repeated."""
        password = self._password()
        scope, grants = ("*.*", " WITH GRANT OPTION") if self.every_database else (f"`{DATABASE}`.*", "")
        lines = [f"CREATE DATABASE IF NOT EXISTS `{DATABASE}` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;"]
        if self.program.flavour is Flavour.MYSQL:
            root_password = (self.directory / "root-password").read_text(encoding="ascii")
            lines.append(f"ALTER USER 'root'@'localhost' IDENTIFIED BY '{root_password}';")
        for host in ("localhost", LOOPBACK):
            lines += [
                f"CREATE USER IF NOT EXISTS '{USER}'@'{host}' IDENTIFIED BY '{password}';",
                f"GRANT ALL ON {scope} TO '{USER}'@'{host}'{grants};",
            ]
        return "\n".join(lines) + "\n"


def _mariadb_installer(server: Path) -> Path:
    """MariaDB's installer: of the server's own installation if it is there, else on the PATH."""
    root = server.resolve().parent.parent
    for folder in ("bin", "scripts"):
        for name in ("mariadb-install-db", "mysql_install_db"):
            if (root / folder / name).exists():
                return root / folder / name
    found = shutil.which("mariadb-install-db") or shutil.which("mysql_install_db")
    if found is None:
        raise MissingServerError(f"{server} has no mariadb-install-db; run: sudo apt-get install -y {MARIADB_PACKAGES}")
    return Path(found)


def _as_root() -> tuple[str, ...]:
    return ("--user=root",) if os.geteuid() == 0 else ()


def _write_private(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
        file.write(text)
