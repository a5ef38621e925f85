"""Settings files: spellings, placeholders, other programs' keys, and the first design's file unchanged."""

import shutil
from pathlib import Path

import pytest
from tests.config.first_design import FIRST_DESIGN

from taskservice.config import Settings, SettingsError, load_settings

DOCKER_RUN = {
    "PROFILE": "prod", "MYSQL_HOST": "db", "MYSQL_PORT": "3307", "MYSQL_DATABASE": "task_service", "MYSQL_USER": "task",
    "MYSQL_PASSWORD": "vL9-mysql-pass", "REDIS_HOST": "cache", "REDIS_PORT": "6380", "REDIS_PASSWORD": "vL9-redis-pass",
    "NACOS_SERVER_ADDR": "nacos:8848",
}  # fmt: skip


def load(tmp_path: Path, text: str, env: dict[str, str] | None = None) -> Settings:
    path = tmp_path / "given.yaml"
    path.write_text(text)
    return load_settings({}, env or {}, tmp_path, path)


def test_the_first_designs_file_and_environment_are_taken_as_they_are(tmp_path: Path) -> None:
    settings = load_settings({}, DOCKER_RUN, tmp_path, FIRST_DESIGN)

    executor, scheduler = settings.executor, settings.scheduler
    assert (executor.core_pool_size, executor.max_pool_size, executor.queue_capacity) == (10, 50, 1_000)
    assert (scheduler.scan_interval_ms, scheduler.batch_size, scheduler.concurrent_limit) == (10_000, 100, 20)
    assert (scheduler.lock_prefix, scheduler.lease_ms, scheduler.misfire_threshold_ms) == (
        "task:lock:", 300_000, 305_000,
    )  # fmt: skip
    assert settings.mysql.url == "mysql://task:vL9-mysql-pass@db:3307/task_service"
    assert settings.redis.url == "redis://:vL9-redis-pass@cache:6380/0"
    assert (settings.api.port, settings.production) == (8_084, True)


def test_what_the_first_design_says_in_vain_is_said_by_name(tmp_path: Path) -> None:
    warnings = "\n".join(load_settings({}, DOCKER_RUN, tmp_path, FIRST_DESIGN).warnings)

    assert "default-expire-time" in warnings
    assert "300000 ms" in warnings
    assert "nacos.server-addr (NACOS_SERVER_ADDR) is not used yet" in warnings
    for ignored in ("redis.timeout", "logging.level.root", "spring.application.name"):
        assert ignored in warnings


def test_the_first_designs_file_works_as_the_profiles_file(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    shutil.copy(FIRST_DESIGN, tmp_path / "config" / "dev.yaml")

    settings = load_settings({}, {}, tmp_path)

    assert settings.mysql.url == "mysql://root:@127.0.0.1:3306/task_service"
    assert settings.scheduler.lease_ms == 300_000


@pytest.mark.parametrize("name", ["core-pool-size", "corePoolSize", "core_pool_size", "CORE-POOL-SIZE", "corepoolsize"])
def test_springs_spellings_of_a_key_are_one(tmp_path: Path, name: str) -> None:
    assert load(tmp_path, f"app: {{task: {{executor: {{{name}: 7}}}}}}").executor.core_pool_size == 7
    assert load_settings({f"app.task.executor.{name}": "8"}, {}, tmp_path).executor.core_pool_size == 8


def test_a_key_in_two_spellings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"app\.task\.worker\.ttl .* stands twice, as app\.task\.worker\.TTL too"):
        load(tmp_path, "app.task.worker: {ttl: 1s, TTL: 2s}")


def test_an_empty_group_is_no_mistake(tmp_path: Path) -> None:
    assert load(tmp_path, "app:\n  task:\n    executor:\n    scheduler: {}\n").warnings == ()


def test_a_group_with_a_value_is_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"app\.task\.executor .*no such setting"):
        load(tmp_path, "app: {task: {executor: 5}}")


def test_placeholders_stand_for_the_environment(tmp_path: Path) -> None:
    text = "mysql: {host: '${DB:fallback}', user: 'u-${WHO}'}"

    assert load(tmp_path, text, {"WHO": "x"}).mysql.host == "fallback"
    assert load(tmp_path, text, {"WHO": "x", "DB": "there"}).mysql.host == "there"
    assert load(tmp_path, text, {"WHO": "x"}).mysql.user == "u-x"


def test_a_placeholder_for_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"mysql\.password .*\$\{DB_PASSWORD\} is not set") as caught:
        load(tmp_path, "mysql: {password: '${DB_PASSWORD}'}")
    assert len(caught.value.problems) == 1


def test_a_spring_applications_servers_are_taken_over(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        """
        spring:
          datasource: {url: "jdbc:mysql://db:3310/tasks?useSSL=false", username: me, password: p1}
          data: {redis: {host: cache, port: 6390, password: p2}}
        server: {port: 9090, address: 0.0.0.0}
        """,
    )

    assert settings.mysql.url == "mysql://me:p1@db:3310/tasks"
    assert settings.redis.url == "redis://:p2@cache:6390/0"
    assert (settings.api.host, settings.api.port) == ("0.0.0.0", 9_090)


def test_our_own_key_wins_over_the_borrowed_one_of_the_same_file(tmp_path: Path) -> None:
    assert load(tmp_path, "app.task.api.port: 1\nserver.port: 2").api.port == 1
    assert load(tmp_path, "server.port: 2\napp.task.api.port: 1").api.port == 1


def test_a_faulty_borrowed_value_is_named_by_both_its_keys(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"app\.task\.api\.port \(.*given\.yaml, server\.port\) is 'x'"):
        load(tmp_path, "server.port: x")


def test_a_slip_in_a_servers_block_is_hinted_at(tmp_path: Path) -> None:
    (warning,) = load(tmp_path, "mysql: {pasword: x, pool: {size: 3}}").warnings

    assert "mysql.pasword (did you mean mysql.password?), mysql.pool.size" in warning


def test_a_thousand_foreign_keys_make_one_warning(tmp_path: Path) -> None:
    (warning,) = load(tmp_path, "\n".join(f"other.k{number}: 1" for number in range(1_000))).warnings

    assert "other.k19, and 980 more" in warning


def test_an_enormous_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="larger than 1048576 bytes"):
        load(tmp_path, "#" * (1 << 20) + "\n")
