"""What holds for each setting, whoever added it: all its names work, and a wrong value is told with what is allowed."""

from pathlib import Path

import pytest

from taskservice.config.effective import effective_values
from taskservice.config.keys import SETTINGS, Setting
from taskservice.config.kinds import ANY_TEXT
from taskservice.config.shown import text_of

NO_VALUE = "\t!! no value !!"
SAMPLES = {
    "app.task.executor.process-slots": "3",
    "app.task.scheduler.misfire-threshold": "20000",
    "taskservice.redis.url": "redis://cache:6379/0",
    "taskservice.mysql.url": "mysql://me@db/tasks",
}
"""For settings whose default is none."""

every_setting = pytest.mark.parametrize("setting", SETTINGS.values(), ids=lambda setting: setting.key)


def sample(setting: Setting) -> str:
    return SAMPLES.get(setting.key, text_of(setting.default))


def camel(key: str) -> str:
    """As Spring's users write it: `app.task.executor.corePoolSize`."""
    head, *rest = key.split("-")
    return head + "".join(part[0].upper() + part[1:] for part in rest)


@every_setting
def test_each_of_its_environment_names_works(setting: Setting, tmp_path: Path) -> None:
    for name in setting.env_names:
        values = effective_values({}, {name: sample(setting)}, tmp_path)

        assert (values.problems, values.places[setting.key]) == ((), name)


@every_setting
def test_its_file_variant_works_if_it_has_one(setting: Setting, tmp_path: Path) -> None:
    name = f"{setting.env_names[0]}_FILE"
    (tmp_path / "value").write_text(sample(setting) + "\n")

    values = effective_values({}, {name: "value"}, tmp_path)

    if setting.file_variant:
        assert (values.problems, values.places[setting.key]) == ((), name)
        assert text_of(values.values[setting.key]) == sample(setting)
    else:
        assert values.places[setting.key] == "default"


@every_setting
@pytest.mark.parametrize("spell", [str, camel, str.upper], ids=["kebab", "camel", "upper"])
def test_it_is_read_from_a_file_in_every_spelling(setting: Setting, spell: type[str], tmp_path: Path) -> None:
    path = tmp_path / "given.yaml"
    path.write_text(f"{spell(setting.key)}: '{sample(setting)}'")

    values = effective_values({}, {}, tmp_path, path)

    assert (values.problems, values.places[setting.key]) == ((), str(path))


@every_setting
def test_a_wrong_value_is_told_with_key_source_and_what_is_allowed(setting: Setting, tmp_path: Path) -> None:
    name = setting.env_names[0]

    problems = effective_values({}, {name: NO_VALUE}, tmp_path).problems

    if setting.kind is ANY_TEXT:
        assert problems == ()
        return
    (problem,) = problems
    assert problem.startswith(f"{setting.key} ({name}) ")
    assert setting.kind.allowed.rpartition("each ")[2] in problem
    assert (NO_VALUE.strip() in problem) is not setting.secret


@pytest.mark.parametrize("setting", [one for one in SETTINGS.values() if one.secret], ids=lambda setting: setting.key)
def test_a_secret_on_the_command_line_is_warned_of_and_not_shown(setting: Setting, tmp_path: Path) -> None:
    values = effective_values({setting.key: sample(setting) or "s3cret-value"}, {}, tmp_path)

    (warning,) = values.warnings
    assert warning.startswith(f"{setting.key} (--set): whoever may list processes can read it")
    assert "s3cret-value" not in warning
