"""The reference of all settings is the table, and what is shown of settings holds no secret."""

from pathlib import Path

import pytest
from tests.tidy.tree import ROOT

from taskservice.config.effective import effective_values
from taskservice.config.keys import SETTINGS
from taskservice.config.reference import reference
from taskservice.config.shown import MASK, masked_url, shown_settings


def test_the_page_is_up_to_date() -> None:
    page = (ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")

    assert page == reference(), "run: .venv/bin/python -m taskservice.config.reference > docs/reference/settings.md"


def test_every_setting_has_one_row_with_its_names() -> None:
    rows = [line for line in reference().splitlines() if line.startswith("| `")]

    assert len(rows) == len(SETTINGS)
    for setting in SETTINGS.values():
        (row,) = (line for line in rows if line.startswith(f"| `{setting.key}` |"))
        assert all(f"`{name}`" in row for name in setting.env_names)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("mysql://me:p%40w@db:3306/tasks", f"mysql://me:{MASK}@db:3306/tasks"),
        ("redis://:pw@cache/0", f"redis://:{MASK}@cache/0"),
        ("redis://cache:6379/0", "redis://cache:6379/0"),
        ("redis://cache/0?password=pw&db=3", f"redis://cache/0?password={MASK}&db={MASK}"),
        ("unix:///run/redis.sock?password=pw", f"unix:///run/redis.sock?password={MASK}"),
        ("redis://u:a@b:c@cache/0", f"redis://u:{MASK}@cache/0"),
        ("redis://[::1", MASK),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert masked_url(url) == shown


def test_no_secret_is_shown_from_any_source(tmp_path: Path) -> None:
    canary = "canary-7Qx"
    (tmp_path / "secret").write_text(canary)
    env = {
        "MYSQL_PASSWORD_FILE": str(tmp_path / "secret"), "TASKSERVICE_API_KEY": canary,
        "TASKSERVICE_REDIS_URL": f"redis://:{canary}@cache/0", "TASKSERVICE_MYSQL_URL": f"mysql://u:{canary}@db/d",
        "TASKSERVICE_API_URL": f"http://u:{canary}@api",
    }  # fmt: skip

    rows = shown_settings(effective_values({"redis.password": canary}, env, tmp_path))

    shown = {row.key: row for row in rows}
    assert canary not in repr(rows)
    assert (shown["mysql.password"].value, shown["mysql.password"].source) == (MASK, "MYSQL_PASSWORD_FILE")
    assert (shown["redis.password"].value, shown["redis.password"].source) == (MASK, "--set")
    assert shown["taskservice.mysql.url"].value == f"mysql://u:{MASK}@db/d"


def test_a_secret_that_is_not_set_is_not_masked(tmp_path: Path) -> None:
    shown = {row.key: row.value for row in shown_settings(effective_values({}, {}, tmp_path))}

    assert shown["mysql.password"] == ""


def test_what_follows_from_another_setting_is_shown_as_it_is(tmp_path: Path) -> None:
    env = {"APP_TASK_DISTRIBUTED_LOCK_REDIS_DEFAULT_EXPIRE_TIME": "300000"}

    shown = {row.key: row.value for row in shown_settings(effective_values({}, env, tmp_path))}

    assert shown["app.task.scheduler.misfire-threshold"] == 305_000
