"""The counters of a state, counted anew from its instances alone: what is kept step by step must amount to the same."""

from collections import Counter
from typing import Any

from taskservice.domain.agenda import Agenda
from taskservice.domain.dispatch import stream_suffix
from taskservice.domain.state import Instance, State


def assert_counted(state: State) -> None:
    """Every *derived* member of a state follows from its definitions and instances."""
    opened = list(state.instances.values())
    handed_out = [one for one in opened if one.entry_position]
    assert all(one.is_open and one.id == key for key, one in state.instances.items())
    assert not any(one.is_open for one in state.ended.values())
    assert state.dispatched == {one.entry_position: one.id for one in handed_out}
    assert state.in_flight == Counter(stream_suffix(state.spec_of(one)) for one in handed_out)
    assert state.tenant_open == Counter(one.tenant_id for one in opened)
    assert state.backfill_active == Counter(one.command_id for one in handed_out if one.backfill_limit is not None)
    assert state.tenant_active == _by_queue(state, handed_out)
    living = [one for one in state.definitions.values() if one.deleted_at is None]
    assert state.keys == {(one.tenant_id, one.spec.key): one.id for one in living if one.spec.key is not None}
    for definition in state.definitions.values():
        own = [one for one in opened if one.definition_id == definition.id]
        assert list(definition.open_ids) == sorted(definition.open_ids, key=list(state.instances).index)
        assert set(definition.open_ids) == {one.id for one in own}
        assert definition.active == sum(one.entry_position > 0 for one in own)
        assert definition.version_uses == Counter(one.definition_version for one in own)
        assert set(definition.versions) == {definition.version, *definition.version_uses}
        assert definition.waiting_fires == sum(one.origin == "SCHEDULE" and one.attempt == 0 for one in own)


def assert_followed(state: State, agenda: Agenda) -> None:
    """Windows, and who waits for them, are what the state amounts to."""
    for window in agenda.windows.all():
        assert window.used == sum(state.in_flight.get(suffix, 0) for suffix in window.suffixes)
    waiting = agenda.waiting
    ready = [(suffix, tenant) for suffix, tenants in waiting._ready.items() for tenant in tenants]
    assert sorted(ready) == sorted(
        (suffix, tenant) for tenant, lines in waiting._lines.items() for suffix, line in lines.items() if not line.aside
    )


def _by_queue(state: State, handed_out: list[Instance]) -> dict[str, Any]:
    found: dict[str, Counter[str]] = {}
    for one in handed_out:
        found.setdefault(one.tenant_id, Counter())[state.spec_of(one).queue] += 1
    return found
