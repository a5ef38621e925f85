"""Settings: which source wins, what stops a start, and what the message says."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from taskservice.config import Settings, SettingsError, load_settings
from taskservice.config.keys import SETTINGS


def load(
    tmp_path: Path,
    env: Mapping[str, str] | None = None,
    flags: Mapping[str, str] | None = None,
    config: str | None = None,
) -> Settings:
    path = None
    if config is not None:
        path = tmp_path / "given.yaml"
        path.write_text(config)
    return load_settings(flags or {}, env or {}, tmp_path, path)


def problems(tmp_path: Path, **sources: object) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, **sources)  # type: ignore[arg-type]
    return caught.value.problems


def profile_file(tmp_path: Path, name: str, text: str) -> None:
    folder = tmp_path / "config"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.yaml").write_text(text)


def stack_file(tmp_path: Path) -> None:
    folder = tmp_path / ".local"
    folder.mkdir()
    stack = {
        "version": 1, "state": "READY", "url": "http://127.0.0.1:5001", "apiKey": "stack-key", "partitions": 3,
        "redisUrl": "redis://127.0.0.1:5002/0", "mysqlUrl": "mysql://taskservice:pw@127.0.0.1:5003/taskservice",
    }  # fmt: skip
    (folder / "stack.json").write_text(json.dumps(stack))


def test_the_defaults_are_those_of_the_contract(tmp_path: Path) -> None:
    settings = load(tmp_path)

    executor, scheduler = settings.executor, settings.scheduler
    assert (executor.core_pool_size, executor.max_pool_size, executor.queue_capacity) == (10, 50, 1_000)
    assert executor.async_slots == 500
    assert (scheduler.scan_interval_ms, scheduler.batch_size, scheduler.concurrent_limit) == (10_000, 100, 20)
    assert (scheduler.lease_ms, scheduler.misfire_threshold_ms, scheduler.lock_prefix) == (10_000, 15_000, "task:lock:")
    assert (scheduler.time_zone, scheduler.partitions, scheduler.worker_ttl_ms) == ("UTC", 1, 15_000)
    assert (settings.api.port, settings.api.tenant_queues, settings.http_allow) == (8_084, ("default",), ())
    assert settings.profile == "dev"
    assert set(settings.sources.values()) == {"default"}


def test_each_source_gives_way_to_the_one_above_it(tmp_path: Path) -> None:
    key = "app.task.scheduler.concurrent-limit"
    name = "APP_TASK_SCHEDULER_CONCURRENT_LIMIT"
    text = "app: {{task: {{scheduler: {{concurrent-limit: {}}}}}}}"
    profile_file(tmp_path, "dev", text.format(1))

    def limit(**sources: object) -> int:
        return load(tmp_path, **sources).scheduler.concurrent_limit  # type: ignore[arg-type]

    assert limit() == 1
    assert limit(config=text.format(2)) == 2
    assert limit(config=text.format(2), env={name: "3"}) == 3
    assert limit(config=text.format(2), env={name: "3"}, flags={key: "4"}) == 4


def test_the_profile_chooses_the_file(tmp_path: Path) -> None:
    profile_file(tmp_path, "staging", "app.task.time-zone: Asia/Shanghai")

    assert load(tmp_path, env={"PROFILE": "staging"}).scheduler.time_zone == "Asia/Shanghai"
    assert load(tmp_path).scheduler.time_zone == "UTC"


@pytest.mark.parametrize("name", ["APP_TASK_EXECUTOR_CORE_POOL_SIZE", "APP_TASK_EXECUTOR_COREPOOLSIZE"])
def test_both_forms_of_an_environment_name_work(tmp_path: Path, name: str) -> None:
    assert load(tmp_path, env={name: "7"}).executor.core_pool_size == 7


def test_a_dotted_key_and_a_nested_one_are_the_same(tmp_path: Path) -> None:
    assert load(tmp_path, config="app.task:\n  worker.ttl: 3s\n").scheduler.worker_ttl_ms == 3_000


@pytest.mark.parametrize(
    ("sources", "wrong", "nearest"),
    [
        ({"config": "app: {task: {time-zon: UTC}}"}, "app.task.time-zon", "app.task.time-zone"),
        ({"env": {"APP_TASK_WORKER_TLL": "1"}}, "APP_TASK_WORKER_TLL", "APP_TASK_WORKER_TTL"),
        ({"flags": {"app.task.api.prot": "1"}}, "app.task.api.prot", "app.task.api.port"),
        ({"config": "taskservice: {redis: {ulr: x}}"}, "taskservice.redis.ulr", "taskservice.redis.url"),
    ],
)
def test_an_unknown_key_stops_the_start_and_names_the_nearest(
    tmp_path: Path, sources: dict[str, object], wrong: str, nearest: str
) -> None:
    (problem,) = problems(tmp_path, **sources)

    assert problem.startswith(wrong)
    assert problem.endswith(f"did you mean {nearest}?")


def test_all_faulty_values_are_named_at_once_with_their_source_and_bounds(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        env={"APP_TASK_SCHEDULER_BATCH_SIZE": "501", "MYSQL_PORT": "http"},
        config="app: {task: {time-zone: Mars/Base, http: {allow: [127.0.0.1]}}}",
    )

    text = "\n".join(found)
    assert len(found) == 4
    assert (
        "app.task.scheduler.batch-size (APP_TASK_SCHEDULER_BATCH_SIZE) is '501' and must be an integer from 1 to 500"
        in text
    )
    assert "mysql.port (MYSQL_PORT) is 'http' and must be an integer from 1 to 65535" in text
    assert "is 'Mars/Base' and must be an IANA time zone" in text
    assert "'127.0.0.1' is not host:port" in text


@pytest.mark.parametrize(
    ("text", "expected_ms"), [("2500", 2_500), ("2500ms", 2_500), ("2500 ms", 2_500), ("3s", 3_000), ("1m", 60_000)]
)
def test_durations_are_milliseconds_unless_they_say_otherwise(tmp_path: Path, text: str, expected_ms: int) -> None:
    assert load(tmp_path, env={"APP_TASK_WORKER_TTL": text}).scheduler.worker_ttl_ms == expected_ms


def test_problems_of_every_source_and_between_settings_come_together(tmp_path: Path) -> None:
    profile_file(tmp_path, "dev", "app.task.api.port: many")

    found = problems(
        tmp_path,
        flags={"app.task.api.prot": "1"},
        env={"APP_TASK_WORKER_TTL": "soon", "APP_TASK_NO_SUCH": "1", "APP_TASK_SCHEDULER_MISFIRE_THRESHOLD": "3000"},
        config="app.task.time-zon: UTC",
    )

    begins = sorted(problem.split(" ")[0] for problem in found)
    assert begins == [
        "APP_TASK_NO_SUCH", "app.task.api.port", "app.task.api.prot", "app.task.scheduler.misfire-threshold",
        "app.task.time-zon", "app.task.worker.ttl",
    ]  # fmt: skip


def test_a_check_between_settings_is_silent_while_one_of_them_is_faulty(tmp_path: Path) -> None:
    (problem,) = problems(
        tmp_path,
        env={"APP_TASK_EXECUTOR_CORE_POOL_SIZE": "60", "APP_TASK_EXECUTOR_MAX_POOL_SIZE": "lots"},
    )

    assert problem.startswith("app.task.executor.max-pool-size ")


def test_the_misfire_threshold_follows_the_lease(tmp_path: Path) -> None:
    lease = "APP_TASK_DISTRIBUTED_LOCK_REDIS_DEFAULT_EXPIRE_TIME"

    assert load(tmp_path, env={lease: "2000"}).scheduler.misfire_threshold_ms == 15_000
    assert load(tmp_path, env={lease: "20000"}).scheduler.misfire_threshold_ms == 25_000


def test_a_misfire_threshold_within_a_failovers_time_is_refused(tmp_path: Path) -> None:
    threshold = "APP_TASK_SCHEDULER_MISFIRE_THRESHOLD"

    (problem,) = problems(tmp_path, env={threshold: "12000"})

    assert "must be more than" in problem
    assert "12000 ms" in problem
    assert load(tmp_path, env={threshold: "12001"}).scheduler.misfire_threshold_ms == 12_001


def test_the_first_designs_lease_is_taken_with_a_warning(tmp_path: Path) -> None:
    settings = load(tmp_path, env={"APP_TASK_DISTRIBUTED_LOCK_REDIS_DEFAULT_EXPIRE_TIME": "300000"})

    assert settings.scheduler.lease_ms == 300_000
    assert "300000 ms" in settings.warnings[0]


def test_more_threads_kept_than_allowed_is_refused(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, env={"APP_TASK_EXECUTOR_CORE_POOL_SIZE": "51"})

    assert "app.task.executor.max-pool-size (default), 50" in problem


def test_servers_by_their_parts(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        env={
            "MYSQL_HOST": "db", "MYSQL_PORT": "3307", "MYSQL_USER": "u", "MYSQL_PASSWORD": "p@/:", "MYSQL_DATABASE": "d",
            "REDIS_HOST": "cache", "REDIS_PORT": "6380", "REDIS_PASSWORD": "r@:",
        },
    )  # fmt: skip

    assert settings.mysql.url == "mysql://u:p%40%2F%3A@db:3307/d"
    assert settings.redis.url == "redis://:r%40%3A@cache:6380/0"


def test_urls_win_over_the_parts(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        env={
            "TASKSERVICE_MYSQL_URL": "mysql://me:p%40w@elsewhere:3310/tasks", "MYSQL_HOST": "db",
            "TASKSERVICE_REDIS_URL": "rediss://:x@elsewhere:6390/2", "REDIS_HOST": "cache",
        },
    )  # fmt: skip

    assert (settings.mysql.host, settings.mysql.port, settings.mysql.user) == ("elsewhere", 3_310, "me")
    assert (settings.mysql.password, settings.mysql.database) == ("p@w", "tasks")
    assert settings.redis.url == "rediss://:x@elsewhere:6390/2"


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret\n")

    assert load(tmp_path, env={"MYSQL_PASSWORD_FILE": str(tmp_path / "secret")}).mysql.password == "s3cret"


def test_a_secret_and_its_file_together_are_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret")

    (problem,) = problems(tmp_path, env={"MYSQL_PASSWORD_FILE": "secret", "MYSQL_PASSWORD": "other"})

    assert "both MYSQL_PASSWORD and MYSQL_PASSWORD_FILE are set" in problem
    assert "other" not in problem


def test_a_missing_secrets_file_is_named(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, env={"REDIS_PASSWORD_FILE": "nowhere"})

    assert "REDIS_PASSWORD_FILE names nowhere" in problem


@pytest.mark.parametrize(("content", "why"), [(b"x" * 65_537, "larger than 65536 bytes"), (b"\xff\xfe", "not UTF-8")])
def test_a_secrets_file_that_can_be_none_is_named_and_not_shown(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "secret").write_bytes(content)

    (problem,) = problems(tmp_path, env={"MYSQL_PASSWORD_FILE": "secret"})

    assert "MYSQL_PASSWORD_FILE names secret" in problem
    assert why in problem
    assert len(problem) < 200


def test_a_faulty_secret_is_not_shown(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, env={"TASKSERVICE_REDIS_URL": "http://:hunter2@x"})

    assert "hunter2" not in problem


def test_the_folders_stack_is_used_when_nothing_else_is_said(tmp_path: Path) -> None:
    stack_file(tmp_path)

    settings = load(tmp_path)

    assert settings.redis.url == "redis://127.0.0.1:5002/0"
    assert settings.mysql.port == 5_003
    assert (settings.client.url, settings.client.api_key) == ("http://127.0.0.1:5001", "stack-key")
    assert settings.scheduler.partitions == 3
    assert settings.http_allow == ("127.0.0.1:5001",), "as the workers of that stack have it"
    assert load(tmp_path, env={"APP_TASK_HTTP_ALLOW": ""}).http_allow == ()


def test_a_worker_beside_the_stack_keeps_the_stacks_time(tmp_path: Path) -> None:
    stack_file(tmp_path)
    clocks = {"app.task.worker.ttl": 3_000, "app.task.distributed-lock.redis.default-expire-time": 2_000}
    (tmp_path / ".local" / "clocks.json").write_text(json.dumps(clocks))

    scheduler = load(tmp_path).scheduler

    assert (scheduler.worker_ttl_ms, scheduler.lease_ms) == (3_000, 2_000)
    assert load(tmp_path, env={"REDIS_HOST": "elsewhere"}).scheduler.worker_ttl_ms == 15_000
    assert load(tmp_path, env={"APP_TASK_WORKER_TTL": "9000"}).scheduler.worker_ttl_ms == 9_000


def test_a_named_server_hides_the_folders_servers(tmp_path: Path) -> None:
    stack_file(tmp_path)

    settings = load(tmp_path, env={"MYSQL_HOST": "db"})

    assert settings.mysql.host == "db"
    assert settings.redis.url == "redis://127.0.0.1:6379/0"
    assert settings.scheduler.partitions == 1
    assert settings.http_allow == ()


def test_the_folders_key_is_never_sent_to_another_address(tmp_path: Path) -> None:
    stack_file(tmp_path)

    assert load(tmp_path, env={"TASKSERVICE_API_URL": "http://elsewhere:1"}).client.api_key == ""
    assert load(tmp_path, env={"TASKSERVICE_API_KEY": "mine"}).client.url == "http://127.0.0.1:5001"


@pytest.mark.parametrize(
    ("text", "says"), [("app: [", "is not YAML"), ("- 1", "must hold a mapping"), (None, "no such file")]
)
def test_a_bad_file_is_named(tmp_path: Path, text: str | None, says: str) -> None:
    path = tmp_path / "bad.yaml"
    if text is not None:
        path.write_text(text)

    with pytest.raises(SettingsError, match=says) as caught:
        load_settings({}, {}, tmp_path, path)

    assert str(path) in caught.value.problems[0]


def test_every_setting_has_a_default_that_it_would_read_itself() -> None:
    for setting in SETTINGS.values():
        if setting.default is not None:
            raw = list(setting.default) if isinstance(setting.default, tuple) else setting.default
            assert setting.read(raw) == setting.default, setting.key  # type: ignore[arg-type]


def test_every_setting_says_what_it_means_in_one_line() -> None:
    for setting in SETTINGS.values():
        assert setting.meaning, setting.key
        assert "\n" not in setting.meaning, setting.key
        assert not setting.meaning.endswith("."), setting.key
        assert setting.kind.allowed, setting.key
