"""`definitions apply` against an api in this process."""

import json
from pathlib import Path
from typing import Any

import click
import pytest
from tests.api.scene import Scene, key_of

from taskservice.cli.apply import apply_entries, read_entries
from taskservice.cli.output import Output
from taskservice.client import Client

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "definitions.json"
NOW = 1_800_000_000_000


async def apply(scene: Scene, entries: list[Any], capsys: pytest.CaptureFixture[str], **options: Any) -> list[str]:
    given: dict[str, Any] = {"zone": "UTC", "now_ms": NOW, "dry_run": False} | options
    async with Client("http://127.0.0.1:8084", key_of("admin"), transport=scene.transport) as client:
        await apply_entries(client, Output(as_json=False, now_ms=NOW), entries, **given)
    # The api of this process says its access lines on the same stream.
    return [line for line in capsys.readouterr().out.splitlines() if " [info " not in line]


async def test_the_shipped_examples_apply_once_and_then_are_unchanged(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    entries = read_entries(EXAMPLES)

    first = await apply(scene, entries, capsys)
    second = await apply(scene, entries, capsys, now_ms=NOW + 86_400_000)

    assert first[-1] == f"{len(entries)} created, 0 changed, 0 unchanged"
    assert second[-1] == f"0 created, 0 changed, {len(entries)} unchanged"
    assert len(scene.reads.kept_definitions) == len(entries)


def test_the_definition_of_the_first_design_stands_in_the_examples_as_it_was() -> None:
    assert json.loads(EXAMPLES.read_text(encoding="utf-8"))[0] == {
        "taskName": "数据同步任务",
        "taskHandler": "customTaskHandler",
        "scheduleType": "CRON",
        "cronExpression": "0 0 2 * * ?",
        "taskParams": '{"source":"db1","target":"db2"}',
        "description": "每天凌晨2点执行数据同步",
        "enabled": True,
    }


async def test_a_dry_run_shows_the_plan_and_changes_nothing(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    lines = await apply(scene, read_entries(EXAMPLES), capsys, dry_run=True)

    assert lines[0] == "create     数据同步任务"
    assert lines[-1].endswith("would be created, 0 would be changed, 0 unchanged")
    assert scene.reads.kept_definitions == {}


async def test_a_change_is_shown_member_by_member(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    entry = {"key": "k", "taskName": "t", "taskHandler": "noop", "scheduleType": "FIXED_RATE", "intervalMs": 1_000}
    await apply(scene, [entry], capsys)

    lines = await apply(scene, [{**entry, "intervalMs": 2_000, "description": "d"}], capsys)

    assert [line for line in lines if "next" not in line] == [
        "change     t (key k)",
        '             description: "" -> "d"',
        "             intervalMs: 1000 -> 2000",
        "             every 2 s, however long a run takes",
        "             warning NO_HANDLER: no live worker can run the handler noop: its runs will wait",
        "0 created, 1 changed, 0 unchanged",
    ]
    (kept,) = scene.reads.kept_definitions.values()
    assert (kept.spec.interval_ms, kept.version) == (2_000, 2)


async def test_one_faulty_entry_keeps_all_others_from_being_made(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    good = {"key": "k", "taskName": "t", "taskHandler": "noop", "scheduleType": "FIXED_RATE", "intervalMs": 1_000}

    lines = await apply(scene, [good, {**good, "key": "l", "intervalMs": 1}], capsys)

    assert lines[1] == "faulty     t (key l) (entry 1)"
    assert lines[2].startswith("             #/intervalMs: ")
    assert scene.reads.kept_definitions == {}


async def test_what_the_service_refuses_is_named_by_its_entry(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    good = {"key": "k", "taskName": "t", "taskHandler": "noop", "scheduleType": "FIXED_RATE", "intervalMs": 1_000}

    with pytest.raises(click.ClickException, match=r"entry 1, t \(key l\): 422 [^#]*#/queue"):
        await apply(scene, [good, {**good, "key": "l", "queue": "gpu"}], capsys)

    assert [one.spec.key for one in scene.reads.kept_definitions.values()] == ["k"]


async def test_a_key_that_stands_twice_keeps_all_from_being_made(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = {"key": "k", "taskName": "t", "taskHandler": "noop", "scheduleType": "FIXED_RATE", "intervalMs": 1_000}

    lines = await apply(scene, [entry, {**entry, "taskName": "u"}], capsys)

    assert lines[-2:] == ["faulty     u (key k) (entry 1)", "             #/key: entry 0 has this key already"]
    assert scene.reads.kept_definitions == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [('{"definitions": 1}', "array"), ("[\n{,", "line 2 column 2"), ('"x"', "array"), ("[NaN]", "NaN")],
)
def test_a_file_that_holds_something_else_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "d.json"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(click.ClickException, match=words):
        read_entries(path)


def test_a_file_may_hold_them_under_definitions(tmp_path: Path) -> None:
    path = tmp_path / "d.json"
    path.write_text('{"definitions": [{"a": 1}]}', encoding="utf-8")

    assert read_entries(path) == [{"a": 1}]
