"""compose.yaml: no default secret, nothing open, and its commands run the service under a user a role."""

import os
import stat
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pymysql
import pytest
import redis
import yaml
from tests.deploy.compose_file import OURS, PATH, ComposeFile, MissingVariableError, raw_text, required_variables
from tests.deploy.replica import TASKSERVICE, client, first_key
from tests.deploy.stores import role_users, running_redis
from tests.tidy.tree import ROOT

from taskservice.localstack.ports import LOOPBACK, any_free
from taskservice.localstack.process import spawn, stop
from taskservice.testing.database_connection import connect
from taskservice.testing.waiting import wait_until_blocking

SECRETS_SCRIPT = ROOT / "deploy" / "make-secrets.sh"
READY_TIMEOUT_S = 60.0
STOP_GRACE_S = 30.0


@pytest.fixture
def secrets(tmp_path: Path) -> dict[str, str]:
    """What the script for them makes."""
    file = tmp_path / "env"
    subprocess.run(["sh", str(SECRETS_SCRIPT), str(file)], check=True, timeout=30, stdout=subprocess.DEVNULL)
    return dict(line.split("=", 1) for line in file.read_text().splitlines())


def test_the_script_makes_every_secret_that_compose_asks_for(secrets: dict[str, str]) -> None:
    assert set(secrets) == required_variables()
    assert len(set(secrets.values())) == len(secrets)
    assert all(len(secret) == 36 for secret in secrets.values())


def test_the_secrets_are_their_owners_alone_and_never_written_over(tmp_path: Path) -> None:
    file = tmp_path / "env"
    command = ["sh", str(SECRETS_SCRIPT), str(file)]
    subprocess.run(command, check=True, timeout=30, stdout=subprocess.DEVNULL)
    before = file.read_text()

    again = subprocess.run(command, check=False, timeout=30, capture_output=True, text=True)

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert (again.returncode, file.read_text()) == (1, before)
    assert "is there already" in again.stderr


def test_the_file_of_secrets_gets_into_no_commit_and_no_image() -> None:
    lines = {name: (ROOT / name).read_text(encoding="utf-8").splitlines() for name in (".gitignore", ".dockerignore")}

    assert ".env" in lines[".gitignore"]
    assert "*" in lines[".dockerignore"]
    assert "!.env" not in lines[".dockerignore"]


@pytest.mark.parametrize("name", sorted(required_variables()))
def test_compose_refuses_to_start_without_a_secret(secrets: dict[str, str], name: str) -> None:
    with pytest.raises(MissingVariableError, match=name):
        _ = ComposeFile({**secrets, name: ""}).services


def test_every_password_comes_from_such_a_variable() -> None:
    document = yaml.safe_load(raw_text())

    for service, told in document["services"].items():
        for name, value in told["environment"].items():
            if "PASSWORD" in name:
                assert value.startswith("${"), (service, name)
                assert ":?" in value, (service, name)


def test_only_the_api_is_published_and_on_loopback_alone(secrets: dict[str, str]) -> None:
    services = ComposeFile(secrets).services

    assert {name for name, told in services.items() if "ports" in told} == {"api"}
    assert services["api"]["ports"] == ["127.0.0.1:8084:8084"]
    assert all(services[name]["networks"] == ["stores"] for name in ("redis", "mysql", "ticker", "projector"))
    assert yaml.safe_load(raw_text())["networks"]["stores"] == {"internal": True}


@pytest.mark.parametrize("name", OURS)
def test_our_containers_can_write_nowhere_and_gain_nothing(secrets: dict[str, str], name: str) -> None:
    told = ComposeFile(secrets).services[name]

    assert told["read_only"] is True
    assert told["tmpfs"] == ["/tmp"]
    assert told["cap_drop"] == ["ALL"]
    assert told["security_opt"] == ["no-new-privileges:true"]
    assert told["environment"]["PROFILE"] == "prod"


def test_the_roles_are_there_in_their_numbers(secrets: dict[str, str]) -> None:
    services = ComposeFile(secrets).services

    numbers = {name: services[name].get("deploy", {}).get("replicas", 1) for name in OURS}
    assert numbers == {"migrate": 1, "api": 1, "ticker": 2, "worker": 2, "projector": 1}


def test_what_runs_once_is_waited_for_by_what_runs_on(secrets: dict[str, str]) -> None:
    """Else `docker compose up --wait` ends with status 1 when the migration has ended with 0."""
    services = ComposeFile(secrets).services

    once = {name for name, told in services.items() if told["restart"] == "no"}
    waited_for = {
        needed
        for told in services.values()
        if told["restart"] != "no"
        for needed, how in told.get("depends_on", {}).items()
        if how["condition"] == "service_completed_successfully"
    }
    assert once == waited_for == {"migrate"}


def test_what_compose_mounts_is_there(secrets: dict[str, str]) -> None:
    for told in ComposeFile(secrets).services.values():
        for volume in told.get("volumes", []):
            source = volume.split(":")[0]
            assert not source.startswith(".") or (PATH.parent / source).exists(), source


@pytest.fixture
def redis_port(tmp_path: Path, secrets: dict[str, str]) -> Iterator[int]:
    """The Redis of compose, by the very command that stands there, on a free port and in a folder of the test's own."""
    told = ComposeFile(secrets)
    port, folder = any_free(), tmp_path / "data"
    folder.mkdir()
    here = {"/deploy/start.sh": str(ROOT / "deploy" / "redis" / "start.sh"), "/data": str(folder)}
    command = [here.get(part, part) for part in told.command("redis")]
    env = {"PATH": os.environ["PATH"], "REDIS_USERS_FILE": str(tmp_path / "users.acl"), **told.environment("redis")}
    with running_redis([*command, "--bind", LOOPBACK, "--port", str(port)], port, folder, env) as running:
        yield running


@pytest.fixture
def database_users(mysql_url: str, secrets: dict[str, str]) -> Iterator[str]:
    """The database's users, by the script that compose mounts."""
    passwords = {name: value for name, value in ComposeFile(secrets).environment("mysql").items() if "PASSWORD" in name}
    with role_users(mysql_url, passwords):
        yield mysql_url


def told_here(told: ComposeFile, service: str, redis_port: int, mysql_url: str) -> dict[str, str]:
    """What compose tells a service, but for where the servers are."""
    mysql = urlsplit(mysql_url)
    return {
        "PATH": os.environ["PATH"],
        **told.environment(service),
        "REDIS_HOST": LOOPBACK, "REDIS_PORT": str(redis_port),
        "MYSQL_HOST": str(mysql.hostname), "MYSQL_PORT": str(mysql.port), "MYSQL_DATABASE": mysql.path.lstrip("/"),
        "APP_TASK_API_PORT": str(any_free()), "APP_TASK_HEALTH_PORT": str(any_free()), "APP_TASK_HEALTH_HOST": LOOPBACK,
    }  # fmt: skip


def run_once(arguments: list[str], env: Mapping[str, str], folder: Path) -> str:
    done = subprocess.run(
        [*TASKSERVICE, *arguments], cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def is_healthy(told: ComposeFile, service: str, env: Mapping[str, str], folder: Path) -> bool:
    """By the health check that compose (or, for the api, the image) has, at the port of this test."""
    check = told.services[service].get("healthcheck", {}).get("test", ["CMD", "taskservice", "health"])
    assert check[:3] == ["CMD", "taskservice", "health"]
    arguments = ["--port", env["APP_TASK_HEALTH_PORT"]] if "--port" in check else []
    command = [*TASKSERVICE, "health", *arguments]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, timeout=30, check=False).returncode == 0


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_its_commands_run_tasks_under_a_user_a_role(
    tmp_path: Path, secrets: dict[str, str], redis_port: int, database_users: str
) -> None:
    told = ComposeFile(secrets)
    owner = told_here(told, "migrate", redis_port, database_users)
    run_once(told.command("migrate"), owner, tmp_path)
    with ExitStack() as stack:
        started: list[tuple[str, dict[str, str]]] = []
        for service in ("api", "ticker", "worker", "projector"):
            for number in range(told.services[service].get("deploy", {}).get("replicas", 1)):
                env = told_here(told, service, redis_port, database_users)
                log = tmp_path / f"{service}-{number}.log"
                process = spawn([*TASKSERVICE, *told.command(service)], log=log, env=env, cwd=tmp_path)
                stack.callback(stop, process, grace_s=STOP_GRACE_S)
                started.append((service, env))
        for service, env in started:
            wait_until_blocking(
                lambda service=service, env=env: is_healthy(told, service, env, tmp_path),  # type: ignore[misc]
                f"{service} is healthy", timeout_s=READY_TIMEOUT_S, interval_s=0.2,
            )  # fmt: skip
        url = f"http://{LOOPBACK}:{started[0][1]['APP_TASK_API_PORT']}"
        with client(url, first_key(owner, tmp_path)) as api:
            wait_until_blocking(lambda: api.get("/definitions").status_code == 200, "the new key is known")
            assert_a_task_runs(api)
        said = "\n".join(log.read_text(encoding="utf-8") for log in tmp_path.glob("*.log"))
        assert "permission" not in said
        assert "denied" not in said
        assert not any(secret in said for secret in secrets.values())


def assert_a_task_runs(api: httpx.Client) -> None:
    body = {
        "taskName": "often", "taskHandler": "noop", "scheduleType": "FIXED_RATE", "intervalMs": 500,
        "overlapPolicy": "ALLOW",
    }  # fmt: skip
    definition = api.post("/definitions", json=body)
    assert definition.status_code == 201, definition.text
    filters = {"taskDefinitionId": definition.json()["id"], "status": "SUCCESS"}

    def ran() -> bool:
        return len(api.get("/instances", params=filters).json()["items"]) >= 3

    wait_until_blocking(ran, "three runs", timeout_s=30, interval_s=0.2)


@pytest.mark.parametrize(
    ("user", "command"),
    [
        ("worker", ["FLUSHALL"]),
        ("worker", ["DEL", "task:{p0}:inbox"]),
        ("worker", ["SET", "task:lock:{p0}", "mine"]),
        ("worker", ["XADD", "task:{p0}:events", "*", "e", "{}"]),
        ("worker", ["EVAL", "return redis.call('XADD', 'task:{p0}:events', '*', 'e', '{}')", "0"]),
        ("worker", ["KEYS", "*"]),
        ("worker", ["CONFIG", "SET", "appendonly", "no"]),
        ("api", ["XADD", "task:{p0}:events", "*", "e", "{}"]),
        ("api", ["SET", "task:lock:{p0}", "mine"]),
        ("api", ["HGET", "task:{p0}:streams", "x"]),
        ("projector", ["XADD", "task:{p0}:inbox", "*", "b", "{}"]),
        ("ticker", ["FLUSHDB"]),
        ("ticker", ["SHUTDOWN"]),
        ("ticker", ["GET", "somebody:else"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_a_role_may_not_do_what_it_need_not(
    secrets: dict[str, str], redis_port: int, user: str, command: list[str]
) -> None:
    password = secrets[f"REDIS_{user.upper()}_PASSWORD"]
    with redis.Redis(host=LOOPBACK, port=redis_port, username=user, password=password) as connection:
        assert connection.ping()
        with pytest.raises(redis.exceptions.ResponseError, match=r"(?i)permission|can.t access"):
            connection.execute_command(*command)


def test_who_says_no_password_may_ping_and_nothing_else(redis_port: int) -> None:
    with redis.Redis(host=LOOPBACK, port=redis_port) as connection:
        assert connection.ping()
        for command in (["GET", "task:lock:{p0}"], ["INFO"], ["CONFIG", "GET", "*"]):
            with pytest.raises(redis.exceptions.ResponseError, match=r"(?i)permission|can.t access"):
                connection.execute_command(*command)


def test_the_redis_of_compose_holds_to_what_services_ask_for(secrets: dict[str, str], redis_port: int) -> None:
    password = secrets["REDIS_TICKER_PASSWORD"]
    with redis.Redis(
        host=LOOPBACK, port=redis_port, username="ticker", password=password, decode_responses=True
    ) as connection:
        facts = {**connection.info("memory"), **connection.info("persistence")}
        fsync = connection.execute_command("CONFIG", "GET", "appendfsync")

    assert (facts["maxmemory_policy"], facts["maxmemory"], facts["aof_enabled"]) == ("noeviction", 1 << 30, 1)
    assert "always" in str(fsync)


@pytest.mark.parametrize(
    ("user", "statement"),
    [
        ("task_api", "INSERT INTO tenants (id, name) VALUES ('x', 'x')"),
        ("task_api", "UPDATE task_instances SET status = 'SUCCESS'"),
        ("task_api", "DELETE FROM api_keys"),
        ("task_ticker", "UPDATE task_instances SET status = 'SUCCESS'"),
        ("task_ticker", "INSERT INTO api_keys (id) VALUES ('x')"),
        ("task_ticker", "DELETE FROM scheduler_leases"),
        ("task_projector", "DROP TABLE task_instances"),
        ("task_projector", "CREATE TABLE other (id INT)"),
        ("task_owner", "SELECT * FROM mysql.user"),
    ],
)
def test_a_user_of_the_database_may_not_do_what_it_need_not(
    tmp_path: Path, secrets: dict[str, str], database_users: str, user: str, statement: str
) -> None:
    parts = urlsplit(database_users)
    run_once(["migrate"], {"PATH": os.environ["PATH"], "TASKSERVICE_MYSQL_URL": database_users}, tmp_path)
    password = secrets[f"MYSQL_{user.removeprefix('task_').upper()}_PASSWORD"]

    connection = connect(parts._replace(netloc=f"{user}:{password}@{parts.hostname}:{parts.port}").geturl())
    try:
        with connection.cursor() as cursor, pytest.raises(pymysql.err.OperationalError, match="denied"):
            cursor.execute(statement)
    finally:
        connection.close()


def test_a_password_with_quotes_and_backslashes_is_taken_as_it_is(mysql_url: str) -> None:
    odd = "it's a \\'test\\ \"$(id)` %s; --"
    passwords = {f"MYSQL_{role}_PASSWORD": odd for role in ("OWNER", "API", "TICKER", "PROJECTOR")}
    with role_users(mysql_url, passwords):
        parts = urlsplit(mysql_url)
        connection = pymysql.connect(host=parts.hostname, port=parts.port or 0, user="task_api", password=odd)
        connection.close()
