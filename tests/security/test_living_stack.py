"""What a whole service leaves behind and where it listens: secrets are nowhere but in their files."""

import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from taskservice.testing.running_stack import RunningStack, running_stack
from taskservice.testing.waiting import wait_until_blocking

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
CHUNK_BYTES = 1 << 20
LOOPBACK = {"0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F"}
"""127.0.0.1, ::1 and ::ffff:127.0.0.1 as /proc/net spells them."""
LISTENING = "0A"
NEVER_SENT = "tsk_canary-of-a-key-that-nobody-has"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A stack on which a key was used in every way, right and wrong."""
    with running_stack(tmp_path_factory.mktemp("secrets")) as running:
        use(running)
        yield running


def use(stack: RunningStack) -> None:
    """Reads, writes, refusals, a key in the wrong places, a service that dies, and `verify`."""
    key = stack.facts["apiKey"]
    with stack.client() as client:
        body = {"taskName": "canary", "taskHandler": "hello", "scheduleType": "ONCE", "runAt": "2020-01-01T00:00:00Z"}
        made = client.post("/definitions", json=body, headers={"Idempotency-Key": "canary-1"}).json()
        client.post("/definitions", json={**body, "scheduleType": key})
        client.get("/definitions", params={"apikey": key})
        client.get(f"/definitions/{key}")
        wait_until_blocking(
            lambda: client.get("/instances", params={"taskDefinitionId": made["id"], "status": "SUCCESS"}).json()[
                "items"
            ],
            "the canary ran",
            timeout_s=30,
        )
    wrong = {"Authorization": f"Bearer {NEVER_SENT}"}
    assert httpx.get(f"{stack.url}/api/v1/tasks/definitions", headers=wrong, trust_env=False).status_code == 401
    pid = stack.kill("projector")
    wait_until_blocking(lambda: stack.is_back("projector", pid), "the projector is back", timeout_s=30)
    settings = {"TASKSERVICE_REDIS_URL": stack.facts["redisUrl"], "TASKSERVICE_MYSQL_URL": stack.facts["mysqlUrl"]}
    subprocess.run(
        [sys.executable, "-m", "taskservice.cli.main", "verify"], env={**settings, "PATH": "/usr/bin:/bin"},
        check=True, capture_output=True,
    )  # fmt: skip


def secrets_of(stack: RunningStack) -> dict[str, str]:
    """Name → text of everything secret in the stack."""
    facts = stack.facts
    found = {name: str(facts[name]) for name in ("apiKey", "viewerKey", "operatorKey")}
    found["otherTenant.apiKey"] = str(facts["otherTenant"]["apiKey"])
    found["password of MySQL"] = str(urlsplit(facts["mysqlUrl"]).password)
    return {**found, "a key that was refused": NEVER_SENT}


def files_that_hold(folder: Path, secret: str) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and holds(path, secret.encode())]


def holds(path: Path, wanted: bytes) -> bool:
    """Whether the bytes stand anywhere in the file."""
    tail = b""
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                if wanted in tail + chunk:
                    return True
                tail = chunk[-len(wanted) :]
    except FileNotFoundError:  # a server's temporary file
        return False
    return False


def test_secrets_stand_in_private_files_alone(stack: RunningStack) -> None:
    """Not in a log, not in the append-only file of Redis, not in a table, not in what `up` left beside them."""
    found = {
        f"{name} in {path.relative_to(stack.directory)}"
        for name, secret in secrets_of(stack).items()
        for path in files_that_hold(stack.directory / ".local", secret)
        if stat.S_IMODE(path.stat().st_mode) & 0o077 or path.parent.name in {"logs", "appendonlydir"}
    }

    assert found == set()


def test_the_search_finds_what_is_there(stack: RunningStack) -> None:
    held = {path.name for path in files_that_hold(stack.directory / ".local", str(stack.facts["apiKey"]))}

    assert {"stack.json", "keys.json"} <= held


def test_no_command_line_holds_a_secret(stack: RunningStack) -> None:
    """Command lines can be read by everybody on the machine."""
    lines = {
        process["name"]: Path(f"/proc/{process['pid']}/cmdline").read_bytes() for process in stack.facts["processes"]
    }
    found = {
        f"{name} of {process}"
        for name, secret in secrets_of(stack).items()
        for process, line in lines.items()
        if secret.encode() in line
    }

    assert found == set()


@pytest.mark.parametrize("path", ["/metrics", "/openapi.json", "/health/ready", "/health/live", "/problems/forbidden"])
def test_what_needs_no_key_shows_no_secret_and_no_tenant(stack: RunningStack, path: str) -> None:
    answer = httpx.get(f"{stack.url}{path}", trust_env=False)

    assert answer.status_code == 200
    assert [name for name, secret in secrets_of(stack).items() if secret in answer.text] == []
    assert "canary" not in answer.text


def test_every_process_listens_on_loopback_alone(stack: RunningStack) -> None:
    elsewhere = {
        f"{process['name']} on {address}"
        for process in stack.facts["processes"]
        for address in listening_addresses(process["pid"])
        if address not in LOOPBACK
    }

    assert elsewhere == set()


def test_the_search_for_listeners_finds_one() -> None:
    with socket.create_server(("", 0)):
        assert "00000000" in listening_addresses("self")
    with socket.create_server(("127.0.0.1", 0)):
        assert "0100007F" in listening_addresses("self")


def listening_addresses(pid: int | str) -> set[str]:
    """The local addresses that a process listens on, as /proc/net spells them."""
    inodes = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(link.readlink())
        except FileNotFoundError:
            continue
        if target.startswith("socket:["):
            inodes.add(target.removeprefix("socket:[").removesuffix("]"))
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTENING and fields[9] in inodes:
                found.add(fields[1].partition(":")[0])
    return found
