"""I3, I4, I20: what anybody saw of the log is still there and is the same; what belongs to an append came with it."""

from collections import Counter

from taskservice.domain import events as e
from taskservice.storage.archive import FIRST_SHA256, CorruptSegmentError, sha256_of, unpack_payload
from taskservice.testing.checkers.declared_losses import declared_losses
from taskservice.testing.checkers.evidence import Delivery, Evidence, LogRecord, Sighting
from taskservice.testing.checkers.violation import Violation


def losses_in_silence(evidence: Evidence) -> list[Violation]:
    """I3: every id that anybody saw is in the log, with the same content.

    Only what a declared loss names may be gone, and its positions then stand for something else under another epoch.
    """
    records = {record.position: record for record in evidence.log}
    deliveries = (Sighting("a dispatch stream", one.entry_id) for one in _delivered(evidence))
    found = []
    for sighting in (*evidence.sightings, *_answers(evidence), *deliveries):
        record = records.get(sighting.position)
        names_epoch = not sighting.entry_id.startswith("-")
        if record is None or (names_epoch and record.id != sighting.entry_id):
            if not _is_declared(evidence, sighting.position):
                what = f"{sighting.by} saw {sighting.entry_id.lstrip('-')}, which is not in the log"
                found.append(Violation("I3", sighting.position, what))
        elif sighting.raw is not None and sighting.raw != record.raw:
            what = f"{sighting.by} saw other content under {record.id}"
            found.append(Violation("I3", sighting.position, what))
    return found


def parted_batches(evidence: Evidence) -> list[Violation]:
    """I4: dispatch entries are exactly those that events tell of, each once."""
    dispatching: dict[str, tuple[str, int]] = {}
    for record in evidence.log:
        event = record.event
        if isinstance(event, e.InstanceScheduled) and event.dispatched:
            dispatching[record.id] = (event.instance_id, 1)
        elif isinstance(event, e.InstanceDispatched):
            dispatching[record.id] = (event.instance_id, event.attempt)
    found = []
    delivered = _delivered(evidence)
    for delivery in delivered:
        expected = dispatching.get(delivery.entry_id)
        position = int(delivery.entry_id.rpartition("-")[2])
        if expected is None and position <= evidence.head and not _is_declared(evidence, position, streams=True):
            what = f"the dispatch entry {delivery.entry_id} is of no event"
            found.append(Violation("I4", position, what))
        elif expected is not None and expected != (delivery.instance_id, delivery.attempt):
            what = f"the dispatch entry {delivery.entry_id} is of {delivery.instance_id}, attempt {delivery.attempt}"
            found.append(Violation("I4", position, what))
    for entry_id, count in Counter(one.entry_id for one in evidence.leftovers or ()).items():
        if count > 1:
            what = f"the dispatch entry {entry_id} lies in {count} streams"
            found.append(Violation("I4", int(entry_id.rpartition("-")[2]), what))
    if evidence.all_deliveries:
        missing = dispatching.keys() - {one.entry_id for one in delivered}
        for entry_id in sorted(missing):
            position = int(entry_id.rpartition("-")[2])
            if not _is_declared(evidence, position, streams=True):
                found.append(Violation("I4", position, f"no dispatch entry came with {entry_id}"))
    return found


def retention(evidence: Evidence) -> list[Violation]:
    """I20: archive and log overlap or touch, the archive is one unbroken chain, and both say the same."""
    found: list[Violation] = []
    archived: dict[int, tuple[str, bytes, str | None]] = {}
    expected, previous = 1, FIRST_SHA256
    for segment in evidence.archive:
        first = segment.first_position
        if first != expected:
            found.append(
                Violation("I20", first, f"a segment begins at {first}, and the one before ends at {expected - 1}")
            )
        if segment.previous_sha256 != previous or segment.sha256 != sha256_of(segment):
            found.append(Violation("I20", first, f"the chain of hashes breaks in the segment at {first}"))
        expected, previous = segment.last_position + 1, segment.sha256
        try:
            entries = unpack_payload(segment)
        except CorruptSegmentError as error:
            found.append(Violation("I20", first, str(error)))
            continue
        archived.update((one.position, (one.id, one.event, one.cursor)) for one in entries)
    return found + _overlap(evidence.in_redis, archived, expected - 1)


def _overlap(
    in_redis: tuple[LogRecord, ...], archived: dict[int, tuple[str, bytes, str | None]], last: int
) -> list[Violation]:
    if in_redis and in_redis[0].position > last + 1:
        what = f"Redis has the log from {in_redis[0].position} on, the archive up to {last}"
        return [Violation("I20", in_redis[0].position, what)]
    return [
        Violation("I20", record.position, f"Redis and the archive have different entries at {record.position}")
        for record in in_redis
        if record.position in archived and archived[record.position] != (record.id, record.raw, record.cursor)
    ]


def _delivered(evidence: Evidence) -> tuple[Delivery, ...]:
    return (*evidence.deliveries, *(evidence.leftovers or ()))


def _answers(evidence: Evidence) -> list[Sighting]:
    """Positions that the api named in its answers."""
    return [Sighting(f"the answer to {call.kind}", f"-{call.position}") for call in evidence.calls if call.position]


def _is_declared(evidence: Evidence, position: int, *, streams: bool = False) -> bool:
    """Whether a loss was declared that took this position of the log, or (`streams`) deliveries, of which none is named."""
    return any(
        loss.from_position <= position <= loss.to_position or (streams and loss.from_position == 0)
        for loss in declared_losses(evidence)
    )
