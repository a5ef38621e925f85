"""From what a fold collected to the statements of one transaction: computed once, kept until they are committed."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, Protocol, TypeVar

import msgspec

from taskservice.domain.state import TERMINAL, State
from taskservice.storage.archive import Entry, EventSegment, LogSegment, pack_events, pack_lines
from taskservice.storage.literals import Instant, Value
from taskservice.storage.projection import row_text
from taskservice.storage.projection.changes import Changes, Ending
from taskservice.storage.projection.instance_text import full_row, is_plain, plain_row, settled_row
from taskservice.storage.rows import CheckpointRow
from taskservice.storage.statements import around_rows, filled, statement

MAX_STATEMENT_ROWS: Final = 1_000
MAX_STATEMENT_CHARACTERS: Final = 1_000_000
"""A row may be longer than this; then it is a statement of its own. Servers take 16 MiB at least."""

T = TypeVar("T")
_encode = msgspec.json.Encoder().encode
_NO_DETAILS: Final = Ending()


class LineEntry(Protocol):
    """An entry of the stream of log lines."""

    @property
    def id(self) -> str:
        """Its id in the stream."""
        ...

    @property
    def lines(self) -> bytes:
        """JSON of the batch."""
        ...


class Mark(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Where the tables are. Two projectors that wrote different batches never have the same mark."""

    event_id: str
    segment_sha256: str
    log_stream_id: str
    log_segment_number: int
    log_segment_sha256: str

    @property
    def position(self) -> int:
        """Of the last event in the tables."""
        return int(self.event_id.rpartition("-")[2])


class PreparedBatch(msgspec.Struct, frozen=True, kw_only=True):
    """One transaction. `epoch`: of its last event; `commands`: what can be read once it is committed.

    `rows`: all but segments and checkpoint; `log_lines`: those of them that are lines of a log.
    """

    partition: int
    before: Mark
    after: Mark
    epoch: int
    ts: int
    statements: tuple[str, ...]
    commands: tuple[str, ...]
    events: int
    rows: int
    log_lines: int = 0


def mark_of(checkpoint: CheckpointRow) -> Mark:
    """The mark of a checkpoint row."""
    return Mark(
        event_id=checkpoint.event_id,
        segment_sha256=checkpoint.segment_sha256,
        log_stream_id=checkpoint.log_stream_id,
        log_segment_number=checkpoint.log_segment_number,
        log_segment_sha256=checkpoint.log_segment_sha256,
    )


def prepare(
    state: State,
    changes: Changes,
    entries: Sequence[Entry],
    line_entries: Sequence[LineEntry],
    *,
    before: Mark,
    first_ts: int,
    last_ts: int,
) -> PreparedBatch:
    """The transaction that brings the tables from `before` to `state`.

    :param entries: the events between the two, without a gap; `line_entries`: likewise of the log lines.
    :param first_ts: when the first of the events was decided, `last_ts` the last.
    """
    statements: list[str] = []
    rows = 0
    for name, texts in _tables(changes):
        rows += len(texts)
        statements += _chunked(name, texts)
    segment, log_segment = None, None
    if entries:
        segment = pack_events(
            state.partition, entries, first_ts=first_ts, last_ts=last_ts, previous_sha256=before.segment_sha256
        )
        statements.append(_event_segment(segment))
    if line_entries:
        log_segment = pack_lines(
            state.partition,
            before.log_segment_number + 1,
            [(entry.id, entry.lines) for entry in line_entries],
            previous_sha256=before.log_segment_sha256,
        )
        statements.append(filled(statement("insert_log_segment"), _columns(log_segment)))
    after = _after(state, before, segment, log_segment)
    statements.append(_checkpoint(state, before, after))
    return PreparedBatch(
        partition=state.partition,
        before=before,
        after=after,
        epoch=state.epoch,
        ts=state.ts,
        statements=tuple(statements),
        commands=tuple(command.id for command in changes.commands),
        events=len(entries),
        rows=rows,
        log_lines=len(changes.lines),
    )


def _tables(changes: Changes) -> Iterator[tuple[str, list[str]]]:
    """Statements with the rows of each, sorted by primary key: two writers in another order would deadlock."""
    full = _sorted(changes.definitions.values(), lambda one: one.id, keep=lambda one: one.id in changes.respecified)
    yield "upsert_definitions", [row_text.definition_row(one) for one in full if one.deleted_at is not None]
    yield "upsert_definitions", [row_text.definition_row(one) for one in full if one.deleted_at is None]
    moved = _sorted(
        changes.definitions.values(), lambda one: one.id, keep=lambda one: one.id not in changes.respecified
    )
    yield "upsert_definition_progress", [row_text.progress_row(one) for one in moved]
    versions = sorted(changes.versions, key=lambda one: (one.definition_id, one.version))
    yield "upsert_versions", [row_text.version_row(one) for one in versions]
    yield from _instances(changes)
    commands = sorted(changes.commands, key=lambda one: one.id)
    yield "insert_commands", [row_text.command_row(one) for one in commands]
    yield "add_stats", [row_text.counts_row(key, changes.counts[key]) for key in sorted(changes.counts)]
    yield "insert_logs", [row_text.line_row(changes.lines[key]) for key in sorted(changes.lines)]


def _instances(changes: Changes) -> Iterator[tuple[str, list[str]]]:
    endings, settled = changes.endings, changes.settled
    full: list[str] = []
    plain: list[str] = []
    succeeded: list[str] = []
    for instance_id, instance in sorted(changes.instances.items()):
        ending = endings.get(instance_id, _NO_DETAILS) if instance.status in TERMINAL else None
        if instance_id in settled:
            succeeded.append(settled_row(instance, ending))
        elif is_plain(instance, ending):
            plain.append(plain_row(instance, ending))
        else:
            full.append(full_row(instance, ending))
    yield "upsert_instances", full
    yield "upsert_plain_instances", plain
    yield "settle_instances", succeeded


def _sorted(items: Iterable[T], key: Callable[[T], str], *, keep: Callable[[T], bool]) -> list[T]:
    return sorted(filter(keep, items), key=key)


def _chunked(name: str, rows: Sequence[str]) -> Iterator[str]:
    before, after = around_rows(name)
    chunk: list[str] = []
    size = 0
    for row in rows:
        if chunk and (len(chunk) == MAX_STATEMENT_ROWS or size + len(row) > MAX_STATEMENT_CHARACTERS):
            yield before + ",\n".join(chunk) + after
            chunk, size = [], 0
        chunk.append(row)
        size += len(row)
    if chunk:
        yield before + ",\n".join(chunk) + after


def _columns(segment: EventSegment | LogSegment) -> dict[str, Value]:
    return {name: getattr(segment, name) for name in segment.__struct_fields__}


def _event_segment(segment: EventSegment) -> str:
    columns = _columns(segment)
    columns["first_ts"] = Instant(segment.first_ts)
    columns["last_ts"] = Instant(segment.last_ts)
    return filled(statement("insert_event_segment"), columns)


def _after(state: State, before: Mark, segment: EventSegment | None, log_segment: LogSegment | None) -> Mark:
    mark = before
    if segment is not None:
        mark = msgspec.structs.replace(mark, event_id=state.head_id, segment_sha256=segment.sha256)
    if log_segment is not None:
        mark = msgspec.structs.replace(
            mark,
            log_stream_id=log_segment.last_id,
            log_segment_number=log_segment.number,
            log_segment_sha256=log_segment.sha256,
        )
    return mark


def _checkpoint(state: State, before: Mark, after: Mark) -> str:
    stopped_at = state.scheduler.stopped_at
    values: Mapping[str, Value] = {
        "partition": state.partition,
        "epoch": state.epoch,
        "position": state.position,
        "event_id": after.event_id,
        "cursor": state.cursor,
        "ts": Instant(state.ts),
        "epoch_started_at": Instant(state.epoch_started_at),
        "epoch_position": state.epoch_position,
        "recovering": state.recovering,
        "recovered_epoch": state.recovered_epoch,
        "horizon": state.horizon,
        "settings": _encode(state.settings).decode(),
        "stopped_at": None if stopped_at is None else Instant(stopped_at),
        "stopped_until": Instant(state.scheduler.stopped_until),
        "tenant_limits": msgspec.json.encode(state.tenants, order="sorted").decode(),
        "segment_sha256": after.segment_sha256,
        "log_stream_id": after.log_stream_id,
        "log_segment_number": after.log_segment_number,
        "log_segment_sha256": after.log_segment_sha256,
        "from_position": before.position,
        "from_log_segment": before.log_segment_number,
    }
    return filled(statement("move_checkpoint"), values)
