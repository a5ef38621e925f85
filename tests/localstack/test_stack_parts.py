"""The stack's file, its ports, its lines, and what its services are told."""

import json
import os
import signal
import socket
import stat
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import click
import httpx
import pytest
import redis
from click.testing import CliRunner

from taskservice.clock import ManualClock, SystemClock
from taskservice.config import Settings, load_settings, settings_options
from taskservice.config.options import given_options
from taskservice.localstack.bootstrap import KeyFile, Keys
from taskservice.localstack.console import Console
from taskservice.localstack.follow import Follower, line_of
from taskservice.localstack.main import command as up_command
from taskservice.localstack.ports import PortBook, any_free
from taskservice.localstack.redis_server import RedisServer
from taskservice.localstack.shape import MERGED_HERE, Shape, Wiring, service_specs
from taskservice.localstack.stack import is_named, refusal_in
from taskservice.localstack.stack_file import ProcessEntry, Stack, StackFile, instant
from taskservice.localstack.supervisor import ProcessSpec, Supervisor
from taskservice.telemetry.parent import PARENT_VARIABLE
from taskservice.testing.waiting import wait_until

MEMBERS = [
    "version",
    "state",
    "pid",
    "dir",
    "startedAt",
    "url",
    "tenantId",
    "apiKey",
    "otherTenant",
    "viewerKey",
    "operatorKey",
    "redisUrl",
    "mysqlUrl",
    "redisVersion",
    "mysqlVersion",
    "partitions",
    "processes",
]
PROCESS_MEMBERS = ["name", "role", "pid", "startedAt", "restarts", "ready", "url", "log"]


def a_stack() -> Stack:
    entry = ProcessEntry(
        name="api", role="api", pid=2, started_at=instant(0), restarts=0, ready=True, url="http://127.0.0.1:1", log="x"
    )
    return Stack(
        state="READY", pid=1, dir="/d", started_at=instant(0), url="http://127.0.0.1:1", tenant_id="default",
        api_key="k", other_tenant=None, viewer_key=None, operator_key=None, redis_url="redis://r", mysql_url="mysql://u:p@m/d",
        redis_version="Redis 7", mysql_version="MariaDB 10", partitions=1, processes=[entry],
    )  # fmt: skip


def test_the_stack_file_has_the_members_of_the_contract_and_is_private(tmp_path: Path) -> None:
    file = StackFile(tmp_path)

    file.write(a_stack())

    written = json.loads((tmp_path / ".local" / "stack.json").read_text())
    assert list(written) == MEMBERS
    assert list(written["processes"][0]) == PROCESS_MEMBERS
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert [path.name for path in file.path.parent.iterdir()] == ["stack.json"]
    assert file.read() == a_stack()


def test_a_removed_stack_file_is_gone_and_may_be_removed_again(tmp_path: Path) -> None:
    file = StackFile(tmp_path)
    file.write(a_stack())

    file.remove()
    file.remove()

    assert file.read() is None


@pytest.mark.parametrize(
    ("at_ms", "text"), [(0, "1970-01-01T00:00:00.000Z"), (1_795_446_826_007, "2026-11-23T15:13:46.007Z")]
)
def test_instants_have_three_decimals(at_ms: int, text: str) -> None:
    assert instant(at_ms) == text


def test_keys_are_kept_between_runs_and_private(tmp_path: Path) -> None:
    file = KeyFile(tmp_path / "keys.json")
    keys = Keys(admin="a", viewer="v", operator="o", other_admin="x")

    assert file.read() is None
    file.write(keys)

    assert file.read() == keys
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600


def test_ports_are_kept_while_they_stay_free(tmp_path: Path) -> None:
    path = tmp_path / "ports.json"
    first = PortBook(path).take("redis")

    assert PortBook(path).take("redis") == first
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", first))
        taken.listen()
        assert PortBook(path).take("redis") != first


def test_two_names_never_get_one_port(tmp_path: Path) -> None:
    book = PortBook(tmp_path / "ports.json")

    ports = [book.take(name) for name in ("a", "b", "c", "d")]

    assert len(set(ports)) == 4


def test_a_wanted_port_is_taken_as_it_is(tmp_path: Path) -> None:
    assert PortBook(tmp_path / "ports.json").take("api", 8_084) == 8_084


def shape(tmp_path: Path, **changes: object) -> Shape:
    return Shape(directory=tmp_path, code=tmp_path, **changes)  # type: ignore[arg-type]


def wiring(env: dict[str, str] | None = None) -> Wiring:
    ports = iter(range(7_000, 7_100))
    return Wiring(
        redis_url="redis://r", mysql_url="mysql://u:p@m/d", api_port=9_000, parent=77, env=env or {},
        health_port=lambda name: next(ports),
    )  # fmt: skip


def test_each_partition_has_a_projector(tmp_path: Path) -> None:
    """Tickers and workers serve all partitions; what nobody projects is never readable, and each write of it waits."""
    settings = load_settings({"app.task.partitions": "3"}, {}, tmp_path)

    specs = service_specs(shape(tmp_path), settings, wiring())

    projectors = [
        (spec.name, spec.command[spec.command.index("--partition") + 1]) for spec in specs if spec.role == "projector"
    ]
    assert projectors == [("projector-p0", "0"), ("projector-p1", "1"), ("projector-p2", "2")]
    assert len({spec.url for spec in specs}) == len(specs)


def test_the_services_are_one_api_two_tickers_one_worker_one_projector(tmp_path: Path) -> None:
    specs = service_specs(shape(tmp_path), load_settings({}, {}, tmp_path), wiring())

    assert [(spec.name, spec.role) for spec in specs] == [
        ("api", "api"), ("ticker-1", "ticker"), ("ticker-2", "ticker"), ("worker-1", "worker"), ("projector", "projector"),
    ]  # fmt: skip
    assert len({spec.url for spec in specs}) == len(specs)
    assert [spec.name for spec in specs if "stack=local" in spec.command] == ["worker-1"]


def test_services_are_told_where_the_servers_are_and_whom_not_to_outlive(tmp_path: Path) -> None:
    settings = load_settings({"app.task.http.allow": "example.test:80"}, {}, tmp_path)
    person = {"PATH": "/bin", "REDIS_HOST": "elsewhere", "TASKSERVICE_REDIS_URL_FILE": "/x"}

    spec = service_specs(shape(tmp_path, lease_ms=2_000, worker_ttl_ms=3_000), settings, wiring(person))[0]

    env = dict(spec.env or {})
    assert env[PARENT_VARIABLE] == "77"
    assert env["APP_TASK_HTTP_ALLOW"] == "example.test:80,127.0.0.1:9000"
    told = load_settings({}, {name: value for name, value in env.items() if name != "PATH"}, tmp_path)
    assert (told.redis.url, told.api.port) == ("redis://r", 9_000)
    assert (told.scheduler.lease_ms, told.scheduler.worker_ttl_ms) == (2_000, 3_000)


def test_a_persons_options_reach_every_service(tmp_path: Path) -> None:
    options = ("--config", "mine.yaml", "--set", "app.task.time-zone=Asia/Shanghai")

    specs = service_specs(shape(tmp_path, options=options), load_settings({}, {}, tmp_path), wiring())

    assert all(tuple(spec.command[-4:]) == options for spec in specs)


@pytest.mark.parametrize("key", ["app.task.api.port", "app.task.api.PORT", "app.task.worker.ttl"])
def test_up_refuses_a_flag_for_what_it_decides_itself(key: str) -> None:
    answer = CliRunner().invoke(up_command, ["--set", f"{key}=5000"])

    assert answer.exit_code == 2
    assert f"--set {key.lower()}: use --" in answer.output


def test_options_are_passed_on_but_for_those_that_are_left_out() -> None:
    @click.command
    @settings_options
    def outer(settings: Settings) -> None:
        assert settings.http_allow == ("a:1",)
        click.echo(" ".join(given_options(without=MERGED_HERE)))

    flags = ["--set", "app.task.http.allow=a:1", "--set", "app.task.timeZone=UTC"]
    answer = CliRunner().invoke(outer, flags)

    assert answer.output == "--set app.task.timeZone=UTC\n"


def test_workers_import_the_examples_unless_told_otherwise(tmp_path: Path) -> None:
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples" / "handlers.py").touch()

    assert shape(tmp_path, imports=("mine",)).handler_modules == ("examples.handlers", "mine")
    assert shape(tmp_path, imports=("mine",), examples=False).handler_modules == ("mine",)


@pytest.mark.parametrize(
    ("env", "redis_named", "mysql_named"),
    [
        ({}, False, False),
        ({"REDIS_HOST": "r"}, True, False),
        ({"TASKSERVICE_MYSQL_URL": "mysql://u:p@h/d"}, False, True),
        ({"APP_TASK_WORKER_TTL": "3000"}, False, False),
    ],
)
def test_a_server_that_settings_name_is_used(
    tmp_path: Path, env: dict[str, str], redis_named: bool, mysql_named: bool
) -> None:
    StackFile(tmp_path).write(a_stack())
    settings = load_settings({}, env, tmp_path)

    assert (is_named(settings, "redis"), is_named(settings, "mysql")) == (redis_named, mysql_named)


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ('{"event": "warm"}\n{"event": "refused to start", "reason": "appendonly is off"}\n', "appendonly is off"),
        ("Traceback: something\nelse", "Traceback: something\nelse"),
    ],
)
def test_the_reason_of_a_refusal_is_taken_from_the_log(output: str, reason: str) -> None:
    assert refusal_in(output) == reason


@pytest.mark.parametrize(
    ("item", "line"),
    [
        ({"status": "SUCCESS", "taskName": "a", "executionDuration": 12, "retryCount": 0}, "SUCCESS   a" + " " * 34 + "12 ms"),
        ({"status": "RUNNING", "taskName": "数据同步任务"}, "RUNNING   数据同步任务"),
        (
            {
                "status": "FAILED", "taskName": "a", "executionDuration": 1, "retryCount": 2, "attempt": 3,
                "failureReason": "ERROR", "errorMessage": "no\nsecond line",
            },
            "FAILED    a" + " " * 34 + "1 ms  attempt 3  ERROR  no",
        ),
        (
            {"status": "SUCCESS", "taskName": "数据同步任务", "executionDuration": 12},
            "SUCCESS   数据同步任务" + " " * (35 - 2 * 6) + "12 ms",
        ),
    ],
)  # fmt: skip
def test_an_instance_is_one_line(item: dict[str, object], line: str) -> None:
    assert line_of(item) == line


async def test_only_what_changed_since_the_start_is_news() -> None:
    items = [
        {"id": "2", "status": "SUCCESS", "taskName": "new", "updatedAt": "2026-11-23T16:42:18.000Z"},
        {"id": "1", "status": "SUCCESS", "taskName": "old", "updatedAt": "2026-11-23T16:41:00.000Z"},
    ]
    out = StringIO()
    follower = Follower(Console(ManualClock(), out), "http://test", "key", "2026-11-23T16:42:10.000Z")
    served = httpx.MockTransport(lambda _: httpx.Response(200, json={"items": items}))

    async with httpx.AsyncClient(transport=served, base_url="http://test") as client:
        await follower.run_once(client)
        await follower.run_once(client)

    assert [line.split()[1:] for line in out.getvalue().splitlines()] == [["SUCCESS", "new"]]


async def test_a_killed_redis_is_back_on_its_port_with_its_data(tmp_path: Path, redis_server: RedisServer) -> None:
    server = RedisServer(program=redis_server.program, directory=tmp_path / "redis", port=any_free())
    server.prepare()
    supervisor = Supervisor(SystemClock())
    supervisor.add(
        ProcessSpec(name="redis", role="redis", command=server.command(), log=tmp_path / "log", answers=server.answers)
    )
    one = supervisor.processes["redis"]

    async def ready() -> bool:
        await supervisor.run_once()
        return one.ready

    try:
        await wait_until(ready, "redis serves")
        with redis.Redis.from_url(server.url) as client:
            client.set("kept", "yes")
        first = one.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await wait_until(lambda: _turn_until_restarted(supervisor, first), "redis runs again")
        await wait_until(ready, "redis serves again")
        with redis.Redis.from_url(server.url) as client:
            assert client.get("kept") == b"yes"
    finally:
        await supervisor.stop(["redis"])


async def _turn_until_restarted(supervisor: Supervisor, first: int) -> bool:
    await supervisor.run_once()
    return supervisor.processes["redis"].pid not in {None, first}


async def test_a_stable_process_is_restarted_without_delay(tmp_path: Path) -> None:
    clock = ManualClock()
    supervisor = Supervisor(clock)
    answers: Callable[[], bool] = lambda: True  # noqa: E731
    supervisor.add(
        ProcessSpec(name="one", role="worker", command=["sleep", "600"], log=tmp_path / "log", answers=answers)
    )
    try:
        await supervisor.run_once()
        clock.advance(10_000)
        first = supervisor.processes["one"].pid
        assert first is not None
        os.kill(first, signal.SIGKILL)

        async def restarted() -> bool:
            await supervisor.run_once()
            return supervisor.processes["one"].restarts == 1

        await wait_until(restarted, "started again though the clock stands still")
    finally:
        supervisor.kill_all()
        await supervisor.stop(["one"])
