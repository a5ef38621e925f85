"""`keys` and `tenants` on a real database and Redis; who decides is played by the test where it matters."""

import asyncio
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from taskservice.cli.exit_codes import ExitCode
from taskservice.cli.main import main
from taskservice.domain.commands import ChangeTenantSettings, decode_command
from taskservice.domain.ids import is_uuid
from taskservice.domain.tenants import TenantSettings
from taskservice.storage.database import Database, open_database
from taskservice.storage.keys import verify_key
from taskservice.storage.migrate import migrate
from taskservice.storage.projection import ProjectionWriter
from taskservice.storage.rows import TenantRow
from taskservice.storage.tenants import find_tenant, load_tenants
from taskservice.streams.answers import InboxEntry
from taskservice.streams.bundle import RedisStreams
from taskservice.streams.keys import Keys

NO_LIMITS: dict[str, Any] = {"maxConcurrency": None, "queueLimits": {}, "startsPerSecond": None, "weight": 1}
pytestmark = pytest.mark.timeout(60)


class Shell:
    """Runs commands on this test's database and Redis."""

    def __init__(self, mysql_url: str, redis_url: str, database: Database) -> None:
        self.env = {"TASKSERVICE_MYSQL_URL": mysql_url, "TASKSERVICE_REDIS_URL": redis_url}
        self.database = database

    async def run(self, *args: str) -> Result:
        result = await asyncio.to_thread(CliRunner().invoke, main, args, env=self.env, prog_name="taskservice")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    async def told(self, *args: str) -> list[dict[str, Any]]:
        result = await self.run(*args, "--json")
        assert result.exit_code == ExitCode.OK, result.output
        return [msgspec.json.decode(line) for line in result.stdout.splitlines()]


@pytest.fixture
async def shell(mysql_url: str, redis_url: str) -> Any:
    await migrate(mysql_url)
    database = open_database(mysql_url)
    yield Shell(mysql_url, redis_url, database)
    await database.close()


async def decide(shell: Shell, redis_url: str, *, undecided: int = 0) -> ChangeTenantSettings:
    """Be leader and projector for the next command after those left undecided; what it asks for."""
    streams = RedisStreams(redis_url, Keys(0), client_name="test")
    try:
        entries: list[InboxEntry] = []
        while len(entries) <= undecided:
            entries += await streams.inbox.read(entries[-1].id if entries else "0-0", 1, block_ms=1_000)
    finally:
        await streams.close()
    raw = entries[undecided].command
    assert raw is not None
    command = decode_command(raw)
    assert isinstance(command, ChangeTenantSettings)
    async with shell.database.acquire() as connection:
        await connection.execute(
            "INSERT INTO task_commands (id, tenant_id, command_type, status, submitted_at, decided_at, position) "
            f"VALUES ('{command.id}', '{command.tenant_id}', 'ChangeTenantSettings', 'ACCEPTED', "
            "UTC_TIMESTAMP(3), UTC_TIMESTAMP(3), 1)"
        )
    return command


async def test_a_key_is_made_listed_and_revoked(shell: Shell) -> None:
    (made,) = await shell.told("keys", "create", "--tenant", "acme", "--role", "admin", "--platform", "--name", "ci")
    await shell.told("keys", "create", "--tenant", "globex", "--role", "viewer")

    listed = await shell.told("keys", "list", "--tenant", "acme")
    text = (await shell.run("keys", "list")).stdout
    asked = await shell.run("keys", "revoke", made["id"])
    revoked = await shell.run("keys", "revoke", made["id"][:18], "--yes")
    again = await shell.run("keys", "revoke", made["id"], "--yes")

    assert list(made) == ["id", "tenantId", "role", "platform", "key"]
    assert is_uuid(made["id"])
    assert [(one["id"], one["role"], one["platform"], one["name"], one["status"]) for one in listed] == [
        (made["id"], "ADMIN", True, "ci", "valid")
    ]
    assert made["key"] not in text + str(listed)
    assert text.count("\n") == 3
    assert (asked.exit_code, revoked.exit_code, again.exit_code) == (
        ExitCode.USAGE,
        ExitCode.OK,
        ExitCode.REFUSED,
    )
    assert await verify_key(shell.database, made["key"]) is None
    assert await shell.told("keys", "list", "--tenant", "acme") == []
    (kept,) = await shell.told("keys", "list", "--tenant", "acme", "--revoked")
    assert (kept["status"], kept["revokedAt"] is None) == ("revoked", False)


@pytest.mark.parametrize("reference", ["01a2", "ffffffff", "tsk_secret"])
async def test_a_key_that_is_not_there_is_not_revoked(shell: Shell, reference: str) -> None:
    await shell.told("keys", "create", "--tenant", "acme", "--role", "admin")

    refused = await shell.run("keys", "revoke", reference, "--yes")

    assert refused.exit_code == ExitCode.REFUSED
    assert len(await shell.told("keys", "list")) == 1


async def test_a_tenant_is_made_once_and_listed(shell: Shell) -> None:
    made = await shell.told("tenants", "create", "acme", "--name", "Acme Inc.")
    again = await shell.run("tenants", "create", "acme")

    expected = {"id": "acme", "name": "Acme Inc.", "queues": None, "timeZone": None, **NO_LIMITS}
    assert made == await shell.told("tenants", "list") == [expected]
    assert again.exit_code == ExitCode.REFUSED
    assert "tenants set" in again.stderr


async def test_settings_go_into_the_log_and_then_into_the_row(shell: Shell, redis_url: str) -> None:
    await shell.told("tenants", "create", "acme")
    changing = asyncio.ensure_future(
        shell.told("tenants", "set", "acme", "--queue", "gpu", "--queue", "gpu", "--time-zone", "Asia/Shanghai")
    )

    command = await decide(shell, redis_url)
    (changed,) = await changing

    assert (command.tenant_id, command.settings.queues, command.settings.time_zone) == (
        "acme",
        ("gpu",),
        "Asia/Shanghai",
    )
    assert (command.settings.name, command.actor.type) == ("acme", "user")
    assert changed == {"id": "acme", "name": "acme", "queues": ["gpu"], "timeZone": "Asia/Shanghai", **NO_LIMITS}
    assert await find_tenant(shell.database, "acme") == TenantRow(
        id="acme", name="acme", queues=("gpu",), time_zone="Asia/Shanghai"
    )


async def test_what_the_log_has_of_a_tenant_besides_stays(shell: Shell, redis_url: str) -> None:
    await shell.told("tenants", "create", "acme")
    writer = ProjectionWriter(shell.database, 0)
    await writer.prepare()
    writer.close()
    async with shell.database.acquire() as connection:
        await connection.execute(
            """UPDATE projection_checkpoints SET tenant_limits = '{"acme": {"name": "old", "weight": 3}}'"""
        )
    changing = asyncio.ensure_future(shell.told("tenants", "set", "acme", "--queue", "gpu"))

    command = await decide(shell, redis_url)
    await changing

    assert command.settings == TenantSettings(name="acme", queues=("gpu",), weight=3)


async def test_limits_are_set_added_to_and_lifted(shell: Shell, redis_url: str) -> None:
    await shell.told("tenants", "create", "acme")
    limits = ("--max-concurrency", "50", "--queue-limit", "gpu=2", "--queue-limit", "default=9", "--weight", "3")
    changing = asyncio.ensure_future(shell.told("tenants", "set", "acme", *limits, "--starts-per-second", "20"))
    first = await decide(shell, redis_url)
    await changing
    changing = asyncio.ensure_future(
        shell.told(
            "tenants", "set", "acme", "--no-max-concurrency", "--queue-limit", "gpu=4", "--no-queue-limit", "default"
        )
    )
    second = await decide(shell, redis_url, undecided=1)
    (told,) = await changing

    assert first.settings == TenantSettings(
        name="acme", max_concurrency=50, queue_limits={"gpu": 2, "default": 9}, starts_per_second=20, weight=3
    )
    assert second.settings == TenantSettings(name="acme", queue_limits={"gpu": 4}, starts_per_second=20, weight=3)
    assert told == (await shell.told("tenants", "list"))[0]
    assert (told["maxConcurrency"], told["queueLimits"]) == (None, {"gpu": 4})
    assert "gpu 4, 20/s, weight 3" in (await shell.run("tenants", "list")).stdout


async def test_what_nobody_decides_is_said_and_still_stands_in_the_row(shell: Shell) -> None:
    result = await shell.run("tenants", "create", "acme", "--queue", "gpu")

    assert result.exit_code == ExitCode.PENDING
    assert "not decided" in result.stderr
    assert await find_tenant(shell.database, "acme") == TenantRow(id="acme", name="acme", queues=("gpu",))


async def test_definitions_that_a_withdrawn_queue_leaves_behind_are_counted(shell: Shell, redis_url: str) -> None:
    await shell.told("tenants", "create", "acme")
    async with shell.database.acquire() as connection:
        for number, queue in enumerate(("old", "old", "gpu")):
            await connection.execute(
                "INSERT INTO task_definitions (id, tenant_id, queue, task_params, spec) "
                f"VALUES ('d{number}', 'acme', '{queue}', '{{}}', '{{}}')"
            )
    changing = asyncio.ensure_future(shell.run("tenants", "set", "acme", "--queue", "gpu"))

    await decide(shell, redis_url)

    assert "2 definitions name the queue old: they go on firing" in (await changing).stderr


async def test_a_tenant_goes_back_to_the_deployments_settings(shell: Shell, redis_url: str) -> None:
    assert (await shell.run("tenants", "create", "acme", "--queue", "gpu")).exit_code == ExitCode.PENDING
    changing = asyncio.ensure_future(shell.run("tenants", "set", "acme", "--default-queues", "--name", "Acme"))

    command = await decide(shell, redis_url, undecided=1)

    assert (await changing).exit_code == ExitCode.OK
    assert (command.settings.queues, command.settings.name) == (None, "Acme")
    assert await find_tenant(shell.database, "acme") == TenantRow(id="acme", name="Acme")


@pytest.mark.parametrize(
    ("args", "status", "words"),
    [
        (("create", "a b"), ExitCode.USAGE, "tenant id"),
        (("create", "acme", "--name", "x" * 101), ExitCode.USAGE, "100"),
        (("create", "acme", "--queue", "GPU"), ExitCode.USAGE, "--queue"),
        (("create", "acme", "--time-zone", "Mars/Olympus"), ExitCode.USAGE, "Mars/Olympus"),
        (("set", "nobody", "--name", "x"), ExitCode.REFUSED, "no tenant 'nobody'"),
        (("set", "there"), ExitCode.USAGE, "nothing to change"),
        (("set", "there", "--queue", "gpu", "--default-queues"), ExitCode.USAGE, "contradict"),
        (("set", "there", "--time-zone", "UTC", "--default-time-zone"), ExitCode.USAGE, "contradict"),
        (("set", "there", "--name", "x" * 101), ExitCode.USAGE, "100"),
        (("set", "there", "--max-concurrency", "0"), ExitCode.USAGE, "--max-concurrency"),
        (("set", "there", "--max-concurrency", "1", "--no-max-concurrency"), ExitCode.USAGE, "contradict"),
        (("set", "there", "--starts-per-second", "1", "--no-starts-per-second"), ExitCode.USAGE, "contradict"),
        (("set", "there", "--queue-limit", "gpu"), ExitCode.USAGE, "QUEUE=N"),
        (("set", "there", "--queue-limit", "gpu=0"), ExitCode.USAGE, "QUEUE=N"),
        (("set", "there", "--queue-limit", "GPU=1"), ExitCode.USAGE, "--queue-limit"),
        (("set", "there", "--queue-limit", "gpu=1", "--no-queue-limit", "gpu"), ExitCode.USAGE, "contradict"),
        (("set", "there", "--weight", "0"), ExitCode.USAGE, "--weight"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, tuple) else None,
)
async def test_what_is_wrong_changes_nothing(
    shell: Shell, redis_url: str, args: tuple[str, ...], status: ExitCode, words: str
) -> None:
    await shell.told("tenants", "create", "there")

    result = await shell.run("tenants", *args)

    assert result.exit_code == status, result.output
    assert words in result.stderr
    assert await load_tenants(shell.database) == [TenantRow(id="there", name="there")]
    streams = RedisStreams(redis_url, Keys(0), client_name="test")
    assert await streams.inbox.read("0-0", 10) == []
    await streams.close()


async def test_a_redis_that_is_away_leaves_the_row_as_it_was(shell: Shell) -> None:
    await shell.told("tenants", "create", "acme")

    result = await shell.run(
        "tenants", "set", "acme", "--queue", "gpu", "--set", "taskservice.redis.url=redis://127.0.0.1:9"
    )

    assert result.exit_code == ExitCode.UNREACHABLE
    assert await find_tenant(shell.database, "acme") == TenantRow(id="acme", name="acme")
