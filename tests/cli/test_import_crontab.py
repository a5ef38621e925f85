"""Crontabs: what each line becomes, and what can't be taken. The texts have the shapes of those that Debian ships."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.api.scene import Scene
from tests.cli.served import CommandLine

from taskservice.cli.crontab.entries import Wanted, definitions_of
from taskservice.cli.crontab.lines import CrontabEntry, CrontabRemark, RefusedLine, read_crontab

SYSTEM = """\
# /etc/crontab: times of the folders
SHELL=/bin/bash
PATH = "/usr/local/sbin:/usr/sbin:/usr/bin"

17 *\t* * *\troot    cd / && run-parts --report /etc/cron.hourly
25 6\t* * 7\troot\ttest -x /usr/sbin/anacron || ( cd / && run-parts --report /etc/cron.daily )
@daily backup tar cf /var/backups/home-$(date +\\%F).tar /home
  5-55/10 * * * Mon-Fri root [ -x /usr/lib/stat/collect ] && /usr/lib/stat/collect 1 1
"""


def entries(text: str, user: str | None = None) -> list[CrontabEntry]:
    return [line for line in read_crontab(text, user=user) if isinstance(line, CrontabEntry)]


def test_the_entries_of_a_system_crontab_have_schedule_user_command_and_the_settings_above() -> None:
    found = [(one.line, one.schedule, one.user, one.command) for one in entries(SYSTEM)]

    assert found == [
        (5, "17 * * * *", "root", "cd / && run-parts --report /etc/cron.hourly"),
        (6, "25 6 * * 7", "root", "test -x /usr/sbin/anacron || ( cd / && run-parts --report /etc/cron.daily )"),
        (7, "@daily", "backup", "tar cf /var/backups/home-$(date +%F).tar /home"),
        (8, "5-55/10 * * * Mon-Fri", "root", "[ -x /usr/lib/stat/collect ] && /usr/lib/stat/collect 1 1"),
    ]
    assert {tuple(one.settings.items()) for one in entries(SYSTEM)} == {
        (("SHELL", "/bin/bash"), ("PATH", "/usr/local/sbin:/usr/sbin:/usr/bin"))
    }


@pytest.mark.parametrize(
    ("rest", "command", "stdin"),
    [
        ("mail -s x alice%hello%world", "mail -s x alice", "hello\nworld\n"),
        ("cat%", "cat", "\n"),
        (r"date +\%F\%T", "date +%F%T", ""),
        (r"cat%100\%%end", "cat", "100%\nend\n"),
        (r"printf '\n'", r"printf '\n'", ""),
    ],
)
def test_a_percent_ends_the_command_unless_it_is_escaped(rest: str, command: str, stdin: str) -> None:
    (one,) = entries(f"0 1 * * * {rest}\n", user="alice")

    assert (one.command, one.stdin, one.user) == (command, stdin, "alice")


def test_a_setting_holds_for_the_lines_below_it() -> None:
    text = "0 1 * * * a\nX=1\n0 2 * * * b\nX='two words '\nEMPTY=\n\"Y\" = z \n0 3 * * * c\n"

    assert [dict(one.settings) for one in entries(text, user="u")] == [
        {},
        {"X": "1"},
        {"X": "two words ", "EMPTY": "", "Y": "z"},
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("@reboot root /bin/true", "@reboot names no time"),
        ("@fortnightly root /bin/true", "none of @annually"),
        ("61 * * * * root /bin/true", "minute: the value is 0 to 59"),
        ("0 1 * * root", "day-of-week"),
        ("0 1 * * * /usr/bin/backup --all", "is no name of a user"),
        ("0 1 * * * root", "no command"),
        ("0 1 * * *", "nothing"),
        ("-*/5 * * * * root /bin/true", "dash"),
        ("7 0 cron.daily", "five fields"),
        ("word", "five fields"),
    ],
)
def test_what_can_not_be_taken_says_why_and_where(line: str, reason: str) -> None:
    found = read_crontab(f"# first\n{line}\n", user=None)

    assert [type(one) for one in found] == [RefusedLine]
    refused = found[0]
    assert isinstance(refused, RefusedLine)
    assert (refused.line, refused.text) == (2, line)
    assert reason in refused.reason


def test_mail_and_another_zone_are_remarked_upon() -> None:
    found = read_crontab("MAILTO=root\nCRON_TZ=Asia/Shanghai\n", user=None)

    assert [(type(one), one.line) for one in found] == [(CrontabRemark, 1), (CrontabRemark, 2)]


def test_an_entry_becomes_a_definition_that_does_as_cron_does() -> None:
    text = "SHELL=/bin/bash\nHOME=/srv\nMAILTO=root\nLANG=C\n*/5 * * * * alice wc -l%one%two\n"

    (made,) = definitions_of("my.cron", entries(text), Wanted(queue="q", zone="Asia/Tokyo", user_label="user"), set())

    key = made.pop("key")
    assert key.startswith("crontab/my.cron/")
    assert len(key.rpartition("/")[2]) == 16
    assert made == {
        "taskName": "my.cron: wc -l",
        "description": "*/5 * * * * alice wc -l%one%two",
        "labels": {"source": "crontab"},
        "taskHandler": "shell",
        "taskParams": {"argv": ["/bin/bash", "-c", "wc -l"], "cwd": "/srv", "stdin": "one\ntwo\n"},
        "scheduleType": "CRON",
        "cronExpression": "*/5 * * * *",
        "cronDialect": "UNIX",
        "misfirePolicy": "SKIP",
        "overlapPolicy": "ALLOW",
        "onWorkerLoss": "FAIL",
        "queue": "q",
        "environment": {"SHELL": "/bin/bash", "HOME": "/srv", "LANG": "C"},
        "owner": "alice",
        "requiredLabels": {"user": "alice"},
        "timeZone": "Asia/Tokyo",
    }


def test_keys_depend_on_what_runs_and_not_on_where_it_stands() -> None:
    def keys(text: str) -> list[str]:
        return [one["key"] for one in definitions_of("f", entries(text, user="u"), Wanted(), set())]

    first = keys("0 1 * * * a\n0 2 * * * b\n")
    moved = keys("# a comment\n0 2  *  * * b\nX=1\n\n0 1 * * * a\n")
    twice = keys("0 1 * * * a\n0 1 * * * a\n")

    assert moved == first[::-1]
    assert twice == [first[0], first[0] + "-2"]


async def test_an_import_is_repeated_without_change_and_follows_its_file(
    scene: Scene, cli: CommandLine, tmp_path: Path
) -> None:
    file = tmp_path / "crontab"
    file.write_text(SYSTEM + "@reboot root /bin/true\n")

    tried = await cli.run("import", "crontab", str(file), "--dry-run")
    assert scene.reads.kept_definitions == {}
    first = await cli.run("import", "crontab", str(file), "--zone", "Europe/Berlin")
    again = await cli.run("import", "crontab", str(file), "--zone", "Europe/Berlin")
    file.write_text(SYSTEM.replace("/bin/bash", "/bin/dash"))
    changed = await cli.run("import", "crontab", str(file), "--zone", "Europe/Berlin")

    assert "4 would be created, 0 would be changed, 0 unchanged" in tried.stdout
    assert (first.exit_code, again.exit_code, changed.exit_code) == (1, 1, 0)
    assert f"not taken  {file}:9: @reboot names no time" in first.stdout
    assert f"taken      {file}:7: @daily backup" in first.stdout
    assert "1 line was not taken" in first.stderr
    assert first.stdout.splitlines()[-1] == "4 created, 0 changed, 0 unchanged"
    assert again.stdout.splitlines()[-1] == "0 created, 0 changed, 4 unchanged"
    assert changed.stdout.splitlines()[-1] == "0 created, 4 changed, 0 unchanged"
    specs = [one.spec for one in scene.reads.kept_definitions.values()]
    assert {spec.time_zone for spec in specs} == {"Europe/Berlin"}
    assert {msgspec.json.decode(spec.task_params)["argv"][0] for spec in specs} == {"/bin/dash"}


async def test_what_a_shell_means_by_a_placeholder_stays(scene: Scene, cli: CommandLine) -> None:
    text = "0 1 * * * echo ${NOW} ${TASKSERVICE_URL}\n"

    (taken, made) = await cli.told("import", "crontab", "-", "--user", "alice", "--disabled", stdin=text)

    (one,) = scene.reads.kept_definitions.values()
    assert msgspec.json.decode(one.spec.task_params)["argv"][2] == "echo ${NOW} ${TASKSERVICE_URL}"
    assert not one.enabled
    assert (taken["line"], taken["key"], made["action"]) == (1, one.spec.key, "create")


@pytest.mark.parametrize(
    ("arguments", "status"),
    [(("missing-file",), 2), (("-", "--zone", "Mars/Base"), 2), (("-", "--queue", "NOT A QUEUE"), 1)],
)
async def test_wrong_usage_changes_nothing(
    scene: Scene, cli: CommandLine, arguments: tuple[Any, ...], status: int
) -> None:
    refused = await cli.run("import", "crontab", *arguments, stdin="0 1 * * * root /bin/true\n")

    assert refused.exit_code == status, refused.output
    assert scene.reads.kept_definitions == {}
