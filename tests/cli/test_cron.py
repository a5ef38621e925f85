"""`taskservice cron`: questions in bulk, one expression for a person, and an explanation."""

import io
import json
import subprocess
import sys
import time
from typing import Any

import pytest
from click.testing import CliRunner

from taskservice.cli.cron_lines import LONGEST_LINE, MOST_FIRES, answers
from taskservice.cli.main import main

DAY = 86_400_000
NOON = 1_795_435_200_000  # 2026-11-23T12:00:00Z


def asked(**members: object) -> dict[str, Any]:
    return {"expr": "0 0 2 * * ?", "zone": "UTC", "start_ms": NOON, "n": 2} | members


def answered(*lines: dict[str, Any] | str) -> list[dict[str, Any]]:
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    return [json.loads(line) for line in answers(io.BytesIO(text.encode()))]


def shown(*arguments: str) -> str:
    found = CliRunner().invoke(main, ["cron", *arguments])
    assert found.exit_code == 0, found.output
    return found.output


def test_each_line_is_answered_in_order_and_a_faulty_one_stops_no_other() -> None:
    two, twelve = NOON - 12 * 3_600_000 + 2 * 3_600_000, NOON
    found = answered(
        asked(),
        "no json",
        asked(expr="0 0 12 * * ?", start_ms=NOON - 1),
        asked(expr="0 12 * * *", n=1),
        asked(expr="0 0 0 30 2 ?"),
        asked(expr="0 0 25 * * ?"),
        asked(n=0),
        asked(expr="0 0 0 1 1 ? 2027-2028", n=5),
    )

    assert found[0] == {"next_ms": [two + DAY, two + 2 * DAY]}
    assert list(found[1]) == ["error"]
    assert found[2:5] == [{"next_ms": [twelve, twelve + DAY]}, {"next_ms": [twelve + DAY]}, {"next_ms": []}]
    assert found[5] == {"error": "expr, hour: the value is 0 to 23 (position 4)"}
    assert found[6] == {"next_ms": []}
    assert len(found[7]["next_ms"]) == 2


def test_dialect_policy_and_id_are_heard() -> None:
    before_overlap = {"zone": "America/New_York", "start_ms": 1_793_505_600_000, "n": 1}  # 2026-11-01T00:00-04:00
    once, quartz, unix, hashed = answered(
        asked(expr="0 30 1 * * ?", **before_overlap),
        asked(expr="0 30 1 * * ?", dst="QUARTZ", **before_overlap),
        asked(expr="30 1 * * *", dialect="UNIX", dst="ONCE", **before_overlap),
        asked(expr="H(30-31) 1 * * *", id="x", n=1),
    )

    assert quartz["next_ms"][0] - once["next_ms"][0] == 3_600_000
    assert unix == once
    assert hashed["next_ms"][0] % 3_600_000 in {30 * 60_000, 31 * 60_000}


@pytest.mark.parametrize(
    ("members", "member"),
    [
        ({"zone": "Mars/Olympus"}, "zone"),
        ({"zone": "america/new_york"}, "zone"),
        ({"n": -1}, "n"),
        ({"n": MOST_FIRES + 1}, "n"),
        ({"start_ms": 10**18}, "start_ms"),
        ({"start_ms": -(10**18)}, "start_ms"),
        ({"start_ms": "today"}, "start_ms"),
        ({"dialect": "SPRING"}, "dialect"),
        ({"dst": "TWICE"}, "dst"),
        ({"expr": None}, "expr"),
        ({"expr": "* " * 600}, "expr"),
        ({"expr": "0 0 2 * * ?", "dialect": "UNIX"}, "expr"),
    ],
)
def test_a_faulty_member_is_named(members: dict[str, object], member: str) -> None:
    (found,) = answered(asked(**members))

    assert member in found["error"]


def test_an_overlong_line_is_refused_and_the_next_one_answered() -> None:
    found = answered("[" * (3 * LONGEST_LINE), "", "   ", asked())

    assert [list(one) for one in found] == [["error"], ["next_ms"]]


def test_no_question_is_slow_however_hostile() -> None:
    many = ",".join(map(str, range(60)))
    questions = [
        asked(expr=expression, zone=zone, start_ms=start, n=MOST_FIRES, dst=dst)
        for expression in (
            *("0 0 0 30 2 ?", "0 0 0 29 2 ? 2096", "0 0 0 ? 2 1#5", "0 0 0 L-30 2 ?", "0 0 0 31W 2,4 ?", "* * * * * ?"),
            *(f"{many} {many} * * * ?", "0 30 2 * * ?", "59 59 23 31 12 ? 2099", "0 0 0 1 1 ? 1970", "0 0 31 2-2 *"),
        )
        for zone in ("UTC", "Africa/El_Aaiun", "Pacific/Apia", "Antarctica/Troll")
        for start in (-(10**14), 0, NOON, 4_102_444_790_000, 10**14)
        for dst in ("ONCE", "QUARTZ")
    ]
    slowest = 0.0
    for question in questions:
        began = time.thread_time()
        answered(question)
        slowest = max(slowest, time.thread_time() - began)

    assert slowest < 0.05


def test_the_command_answers_three_thousand_lines_in_three_seconds() -> None:
    expressions = (
        "0 0/5 * * * ?",
        "0 0 2 ? * MON-FRI",
        "0 0 0 LW * ?",
        "*/10 * * * *",
        "0 15 10 ? * 6#3",
        "0 0 0 29 2 ?",
    )
    lines = [json.dumps(asked(expr=expressions[number % 6], start_ms=NOON + number, n=5)) for number in range(3_000)]
    program = "import resource, sys; from taskservice.cli.main import main; main(['cron', 'next', '--jsonl'], standalone_mode=False)"
    program += (
        "; used = resource.getrusage(resource.RUSAGE_SELF); print(used.ru_utime + used.ru_stime, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], input="\n".join(lines), capture_output=True, text=True, check=True
    )

    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(found) == 3_000
    assert all(len(one["next_ms"]) == 5 for one in found)
    assert float(done.stderr) < 3.0


def test_a_person_sees_local_time_and_utc() -> None:
    output = shown("next", "0 0 2 * * ?", "--zone", "Asia/Shanghai", "-n", "2", "--from", "2026-11-23T00:00:00+08:00")

    assert output.splitlines() == [
        "local                          utc",
        "2026-11-23T02:00:00.000+08:00  2026-11-22T18:00:00.000Z",
        "2026-11-24T02:00:00.000+08:00  2026-11-23T18:00:00.000Z",
    ]


def test_an_explanation_has_words_fires_and_warnings() -> None:
    output = shown(
        *("explain", "0 30 2 31 * ?", "--zone", "America/New_York", "-n", "1", "--from", "2026-12-01T00:00:00Z"),
        *("--timeout-ms", "9000000000"),
    )
    lines = output.splitlines()

    assert lines[0] == "at 02:30, on the 31st, every month (America/New_York)"
    assert lines[1] == "每月 31 日 02:30（America/New_York）"
    assert "2026-12-31T02:30:00.000-05:00  2026-12-31T07:30:00.000Z" in lines
    assert [line.split(":")[0] for line in lines if line.startswith("warning")] == [
        "warning SPARSE_DAY",
        "warning DENSER_THAN_TIMEOUT",
    ]


def test_what_never_comes_is_said() -> None:
    assert "warning NEVER_AGAIN" in shown("explain", "0 0 0 30 2 ?")
    assert "no fires" in shown("next", "0 0 30 2 *")
    assert "and none after that" in shown("next", "0 0 0 1 1 ? 2099")


def test_programs_get_objects() -> None:
    arguments = ("0 0 2 * * ?", "--zone", "Asia/Shanghai", "-n", "1", "--from", "2026-11-23T00:00:00+08:00", "--json")
    fire = {"localTime": "2026-11-23T02:00:00.000+08:00", "fireTime": "2026-11-22T18:00:00.000Z"}

    assert json.loads(shown("next", *arguments)) == fire
    told = json.loads(shown("explain", *arguments))
    assert (told["items"], told["warnings"], told["cronDialect"]) == ([fire], [], "QUARTZ")
    assert told["words"] == {"en": "at 02:00, every day (Asia/Shanghai)", "zh": "每天 02:00（Asia/Shanghai）"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["next", "0 0 25 * * ?"], ["hour: the value is 0 to 23", "\n  0 0 25 * * ?\n      ^"]),
        (["explain", "0 0"], ["5 fields"]),
        (["next", "0 0 2 * * ?", "--zone", "Mars"], ["--zone", "IANA"]),
        (["next", "0 0 2 * * ?", "--from", "today"], ["--from", "RFC 3339"]),
        (["next", "0 0 2 * * ?", "-n", "0"], ["-n"]),
        (["next"], ["--jsonl"]),
        (["next", "0 0 2 * * ?", "--jsonl"], ["--jsonl"]),
    ],
)
def test_a_mistake_is_told_with_status_2(arguments: list[str], words: list[str]) -> None:
    found = CliRunner().invoke(main, ["cron", *arguments])

    assert found.exit_code == 2
    assert all(word in found.output for word in words), found.output
