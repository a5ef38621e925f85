"""What the api reads, over the rows of a random history, against filters said once more in Python."""

from collections.abc import Callable
from random import Random

import msgspec
import pytest
from tests.histories.history import History

from taskservice.domain.event_codec import decode_event
from taskservice.domain.events import InstanceScheduled
from taskservice.domain.state import Definition, Instance, State
from taskservice.projector.folding import Folding
from taskservice.storage.database import Database
from taskservice.storage.projection import ProjectionWriter, mark_of, prepare
from taskservice.storage.queries import ReadModel
from taskservice.storage.rows import CheckpointRow, DefinitionFilter, InstanceFilter, InstanceRow, LogFilter

NOBODY = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
async def history(database: Database) -> History:
    """Projected as one batch."""
    history = History(Random(30)).grow(900)
    state = State(partition=0)
    folding = Folding(state)
    for entry in history.entries:
        folding.fold(entry)
    before = mark_of(CheckpointRow(partition=0))
    batch = prepare(
        state,
        folding.changes,
        folding.entries,
        [],
        before=before,
        first_ts=folding.first_ts,
        last_ts=folding.last_ts,
    )
    writer = ProjectionWriter(database, 0)
    await writer.prepare()
    await writer.write(batch, lambda: 0)
    writer.close()
    return history


@pytest.fixture
def reads(database: Database) -> ReadModel:
    return ReadModel(database)


def opened_at(run: Instance) -> int:
    return run.created_at if run.retried_at is None else run.retried_at


async def everything(reads: ReadModel, tenant_id: str) -> list[InstanceRow]:
    return list(await reads.instances(tenant_id, InstanceFilter(), None, 10_000))


async def test_a_list_holds_every_instance_of_the_tenant_newest_first(history: History, reads: ReadModel) -> None:
    made = {"acme": set[str](), "globex": set[str]()}
    for entry in history.entries:
        event = decode_event(entry.event)
        if isinstance(event, InstanceScheduled):
            made[event.tenant_id].add(event.instance_id)

    for tenant_id, ids in made.items():
        rows = await everything(reads, tenant_id)
        assert {row.instance.id for row in rows} == ids
        assert len(rows) == len(ids) > 20
        keys = [(row.instance.fire_time, row.instance.id) for row in rows]
        assert keys == sorted(keys, reverse=True)
        oldest_first = await reads.instances(tenant_id, InstanceFilter(), None, 10_000, oldest_first=True)
        assert [row.instance.id for row in oldest_first] == [row.instance.id for row in reversed(rows)]


@pytest.mark.parametrize("oldest_first", [False, True])
async def test_pages_put_together_are_the_list(history: History, reads: ReadModel, oldest_first: bool) -> None:
    whole = [
        row.instance.id
        for row in await reads.instances("acme", InstanceFilter(), None, 10_000, oldest_first=oldest_first)
    ]
    paged: list[str] = []
    while page := await reads.instances(
        "acme", InstanceFilter(), paged[-1] if paged else None, 7, oldest_first=oldest_first
    ):
        paged += [row.instance.id for row in page]

    assert paged == whole


Fits = Callable[[InstanceRow], bool]


async def filters_and_their_meaning(rows: list[InstanceRow]) -> list[tuple[InstanceFilter, Fits]]:
    one = rows[len(rows) // 2]
    low, high = rows[-5].instance.fire_time, rows[5].instance.fire_time
    definition_id, worker, queue = one.instance.definition_id, "it's", one.queue
    return [
        (InstanceFilter(definition_id=definition_id), lambda row: row.instance.definition_id == definition_id),
        (InstanceFilter(statuses=("FAILED",)), lambda row: row.instance.status == "FAILED"),
        (
            InstanceFilter(statuses=("PENDING", "SUCCESS")),
            lambda row: row.instance.status in {"PENDING", "SUCCESS"},
        ),
        (InstanceFilter(origin="MANUAL"), lambda row: row.instance.origin == "MANUAL"),
        (InstanceFilter(worker=worker), lambda row: row.instance.worker == worker),
        (InstanceFilter(queue=queue), lambda row: row.queue == queue),
        (InstanceFilter(failure_reason="ERROR"), lambda row: row.instance.failure_reason == "ERROR"),
        (InstanceFilter(fire_from=low, fire_to=high), lambda row: low <= row.instance.fire_time < high),
        (
            InstanceFilter(definition_id=definition_id, statuses=("SUCCESS", "CANCELLED"), fire_from=low, queue=queue),
            lambda row: (
                row.instance.definition_id == definition_id
                and row.instance.status in {"SUCCESS", "CANCELLED"}
                and row.instance.fire_time >= low
                and row.queue == queue
            ),
        ),
        (
            InstanceFilter(worker=worker, statuses=("FAILED",), origin="SCHEDULE"),
            lambda row: (
                row.instance.worker == worker and row.instance.status == "FAILED" and row.instance.origin == "SCHEDULE"
            ),
        ),
    ]


async def test_every_filter_of_instances_means_what_it_says(history: History, reads: ReadModel) -> None:
    rows = await everything(reads, "acme")
    matched = 0
    for wanted, fits in await filters_and_their_meaning(rows):
        expected = [row.instance.id for row in rows if fits(row)]
        matched += bool(expected)
        assert [row.instance.id for row in await reads.instances("acme", wanted, None, 10_000)] == expected, wanted
        assert await reads.count_instances("acme", wanted, 10_000) == len(expected)
        assert await reads.count_instances("acme", wanted, 3) == min(3, len(expected))
        assert [row.instance.id for row in await reads.instances(NOBODY, wanted, None, 10)] == []
    assert matched >= 8


async def test_an_instance_is_read_with_attempts_and_only_by_its_tenant(history: History, reads: ReadModel) -> None:
    wanted = next(one for one in history.state.instances.values() if one.previous_attempts)
    key, foreign = (wanted.tenant_id, wanted.id), ("somebody else", wanted.id)

    found = await reads.instances_by_id([key, foreign, ("acme", NOBODY)])

    assert found.keys() == {key}
    row = found[key]
    assert row.instance == wanted
    spec = history.state.spec_of(wanted)
    assert (row.task_name, row.task_handler, row.queue, row.priority) == (
        *(spec.task_name, spec.task_handler, spec.queue, spec.priority),
    )
    assert row.params == (spec.task_params if wanted.params is None else wanted.params)
    assert await reads.instance_statuses(wanted.tenant_id, [wanted.id, NOBODY]) == {wanted.id: wanted.status}
    assert await reads.instance_statuses("somebody else", [wanted.id]) == {}


async def test_results_are_read_as_the_json_that_they_were(history: History, reads: ReadModel) -> None:
    rows = [*await everything(reads, "acme"), *await everything(reads, "globex")]
    results = [msgspec.json.decode(row.result) for row in rows if row.result is not None]

    assert {"s", 1.5} <= {result for result in results if isinstance(result, str | float)}
    assert any(isinstance(result, dict) and result["rows"] == 42 for result in results)


async def test_definitions_are_listed_without_the_deleted_ones(history: History, reads: ReadModel) -> None:
    expected = sorted(
        (one.id for one in history.state.definitions.values() if one.tenant_id == "acme" and one.deleted_at is None),
        reverse=True,
    )

    rows = await reads.definitions("acme", DefinitionFilter(), None, 1_000)

    assert [row.definition.id for row in rows] == expected
    assert len(expected) > 5
    paged: list[str] = []
    while page := await reads.definitions("acme", DefinitionFilter(), paged[-1] if paged else None, 3):
        paged += [row.definition.id for row in page]
    assert paged == expected
    assert await reads.count_definitions("acme", DefinitionFilter(), 1_000) == len(expected)
    assert await reads.count_definitions("acme", DefinitionFilter(), 2) == 2


async def test_every_filter_of_definitions_means_what_it_says(history: History, reads: ReadModel) -> None:
    live = [one for one in history.state.definitions.values() if one.tenant_id == "acme" and one.deleted_at is None]
    keyed = next(one for one in live if one.spec.key)
    label = {"a.b": 'x"y'}
    table: list[tuple[DefinitionFilter, Callable[[Definition], bool]]] = [
        (DefinitionFilter(q="同步"), lambda one: "同步" in one.spec.task_name),
        (DefinitionFilter(q="\\sl"), lambda one: "\\sl" in one.spec.task_name),
        (DefinitionFilter(q="it'"), lambda one: "it'" in one.spec.task_name),
        (DefinitionFilter(q="%"), lambda one: "%" in one.spec.task_name),
        (DefinitionFilter(key=keyed.spec.key), lambda one: one.spec.key == keyed.spec.key),
        (DefinitionFilter(status="ENABLED"), lambda one: one.enabled),
        (DefinitionFilter(status="DISABLED"), lambda one: not one.enabled),
        (DefinitionFilter(schedule_type="ONCE"), lambda one: one.spec.schedule_type == "ONCE"),
        (DefinitionFilter(task_handler="report.daily"), lambda one: one.spec.task_handler == "report.daily"),
        (DefinitionFilter(queue="fast"), lambda one: one.spec.queue == "fast"),
        (DefinitionFilter(owner="it's me"), lambda one: one.spec.owner == "it's me"),
        (DefinitionFilter(labels=label), lambda one: one.spec.labels.get("a.b") == 'x"y'),
        (DefinitionFilter(labels={"team": "数据", **label}), lambda one: one.spec.labels.get("team") == "数据"),
        (DefinitionFilter(labels={"team": "nobody"}), lambda one: False),
    ]
    matched = 0
    for wanted, fits in table:
        expected = {one.id for one in live if fits(one)}
        matched += bool(expected)
        assert {row.definition.id for row in await reads.definitions("acme", wanted, None, 1_000)} == expected, wanted
        assert await reads.count_definitions("acme", wanted, 1_000) == len(expected)
    assert matched >= 10


async def test_a_definition_is_read_deleted_or_not_with_the_status_of_its_last_instance(
    history: History, reads: ReadModel
) -> None:
    for one in history.state.definitions.values():
        row = (await reads.definitions_by_id([(one.tenant_id, one.id), ("somebody else", one.id)]))[
            one.tenant_id, one.id
        ]
        assert row.definition == msgspec.structs.replace(
            one,
            versions={one.version: one.spec},
            open_ids={},
            version_uses={},
            active=0,
            waiting_fires=0,
        )
        if one.last_instance_id:
            statuses = await reads.instance_statuses(one.tenant_id, [one.last_instance_id])
            assert row.last_status == statuses[one.last_instance_id]
        else:
            assert row.last_status is None


async def test_what_is_active_is_what_has_a_dispatch_entry(history: History, reads: ReadModel) -> None:
    definitions = history.state.definitions
    expected = {one.id: one.active for one in definitions.values() if one.active}

    assert expected
    assert await reads.active_by_definition([*definitions, NOBODY]) == expected
    assert await reads.active_by_definition([]) == {}


async def test_commands_are_read_with_their_outcome(history: History, reads: ReadModel) -> None:
    events = [decode_event(entry.event) for entry in history.entries]
    asked = {one.command_id: one for one in events if getattr(one, "outcome", False)}  # type: ignore[union-attr]

    rows = await reads.commands([*asked, NOBODY])

    assert rows.keys() == asked.keys()
    for command_id, event in asked.items():
        row = rows[command_id]
        rejected = type(event).__name__ == "CommandRejected"
        assert row.status == ("REJECTED" if rejected else "ACCEPTED")
        assert (row.tenant_id, row.submitted_at, row.decided_at) == (event.tenant_id, event.at, event.ts)
        assert row.code == ("version-mismatch" if rejected else "")
        assert row.current_version == (3 if rejected else None)
    assert {row.resource.split("/")[0] for row in rows.values()} == {
        "definitions",
        "instances",
        "tenants",
        "scheduler",
        "",
    }


async def test_log_lines_are_read_by_attempt_and_number(database: Database, reads: ReadModel) -> None:
    instance_id = "01912345-6789-8abc-8def-0123456789ab"
    levels = ("DEBUG", "INFO", "WARN", "ERROR")
    async with database.acquire() as connection:
        for attempt in (1, 2):
            for number in range(1, 9):
                await connection.execute(
                    "INSERT INTO task_logs (id, tenant_id, task_instance_id, log_level, log_message, log_time, attempt,"
                    " sequence) VALUES (%(id)s, 'acme', %(instance)s, %(level)s, %(text)s, UTC_TIMESTAMP(3), %(a)s, %(n)s)",
                    {
                        "id": f"{attempt}{9 - number}",
                        "instance": instance_id,
                        "level": levels[number % 4],
                        "text": f"100% of {number}",
                        "a": attempt,
                        "n": number,
                    },
                )

    async def numbers(
        wanted: LogFilter, after: tuple[int, int] | None = None, limit: int = 50
    ) -> list[tuple[int, int]]:
        rows = await reads.logs("acme", instance_id, wanted, after, limit)
        return [(row.attempt, row.sequence) for row in rows]

    whole = [(attempt, number) for attempt in (1, 2) for number in range(1, 9)]
    assert await numbers(LogFilter()) == whole
    assert await numbers(LogFilter(), (1, 7), 3) == [(1, 8), (2, 1), (2, 2)]
    assert await numbers(LogFilter(level="WARN")) == [one for one in whole if one[1] % 4 in {2, 3}]
    assert await numbers(LogFilter(attempt=2, q="% of 3")) == [(2, 3)]
    assert await reads.logs("globex", instance_id, LogFilter(), None, 5) == []


async def test_what_is_open_of_a_definition_comes_in_the_order_in_which_the_leader_lets_it_go(
    history: History, reads: ReadModel
) -> None:
    """A run that was retried by hand comes behind what was opened before its retry, as it does in the leader."""
    state = State(partition=0)
    folding = Folding(state)
    for entry in history.entries:
        folding.fold(entry)
    crowded = [one for one in state.definitions.values() if len(one.open_ids) > 1]
    opened = {one.id: [state.instances[instance_id] for instance_id in one.open_ids] for one in crowded}
    retried_after = [
        run for runs in opened.values() for run in runs[1:] if run.retried_at and run.created_at < runs[0].created_at
    ]
    assert retried_after, "the history has such a run"

    for definition in crowded:
        turns = await reads.open_turns(definition.tenant_id, definition.id)

        found = [state.instances[turn.instance_id] for turn in turns]
        assert list(map(opened_at, found)) == list(map(opened_at, opened[definition.id]))
