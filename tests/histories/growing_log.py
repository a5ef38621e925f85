"""A log under construction: what every step of a random history needs."""

from collections.abc import Callable
from random import Random
from typing import Any

from taskservice.domain import events as e
from taskservice.domain.definition.spec import DefinitionSpec
from taskservice.domain.event_codec import decode_event, encode_event
from taskservice.domain.evolve import evolve, fold_cursor
from taskservice.domain.ids import uuid7
from taskservice.domain.state import Definition, Instance, State
from taskservice.streams.answers import LogEntry

START = 1_790_000_000_000
_TEXTS = ("", "plain", 'it\'s "quoted" \\ and\nlong', "每天凌晨2点 🚀", "%s %(x)s 100%", "a\0b\tc", "x" * 300, "'; --")
_NAMES = ("report", "数据同步任务", "it's", "back\\slash", '"q"')


class GrowingLog:
    """Entries, their fold, and random parts of further events.

    :param random: decides everything, so that a seed names a history.
    """

    def __init__(self, random: Random) -> None:
        self.random = random
        self.state = State(partition=0)
        self.entries: list[LogEntry] = []
        self.now = START
        self._made = 0
        self.ended: dict[str, Instance] = {}
        self.epoch = 0

    def append(self, event: e.AnyEvent, *, last: bool = True) -> None:
        """Add an event; `last`: of its append, so that it carries a cursor."""
        self.append_raw(encode_event(event), last=last)

    def append_raw(self, data: bytes, *, last: bool) -> None:
        """Likewise, of bytes."""
        position = self.state.position + 1
        cursor = f"{self.now}-{position}" if last else None
        entry = LogEntry(self.epoch, position, data, cursor)
        self.entries.append(entry)
        evolve(self.state, decode_event(data), entry.epoch, position)
        fold_cursor(self.state, cursor)
        self.ended.update({one.id: one for one in self.state.ended.values() if one.position == position})

    def new_id(self) -> str:
        """A UUIDv7 of now."""
        self._made += 1
        return uuid7(self.now, self.random.randbytes(10))

    def any_text(self) -> str:
        """Something that needs care in SQL, or nothing."""
        return self.random.choice(_TEXTS)

    def any_worker(self) -> str:
        """One of few."""
        return self.random.choice(("w1", "w2", "it's"))

    def decided(self, tenant_id: str) -> dict[str, Any]:
        """Members that every event has."""
        return {"ts": self.now, "at": self.now - 1, "tenant_id": tenant_id, "cause": f"{self.now}-0#0"}

    def asked(self, command: str, tenant_id: str | None = None) -> dict[str, Any]:
        """Members of an event that is a command's outcome."""
        return {
            **self.decided(tenant_id or self.random.choice(("acme", "globex"))),
            "outcome": True,
            "command_id": self.new_id(),
            "command_type": command,
            "source": self.random.choice(("", "2001:db8::1%eth0")),
            "actor": self.random.choice((None, e.Actor(type="api_key", id="k'1"))),
            "traceparent": self.random.choice((None, "00-" + "a" * 32 + "-" + "b" * 16 + "-01")),
        }

    def ran(self, instance: Instance) -> dict[str, Any]:
        """Members of an event that ends an attempt of this instance."""
        return {
            **self.decided(instance.tenant_id),
            "instance_id": instance.id,
            "attempt": instance.attempt,
            "worker": self.any_worker(),
            "started_at": self.now - self.random.randint(0, 500),
            "ended_at": self.now,
        }

    def dispatched_or_delayed(self) -> dict[str, Any]:
        """How an instance begins."""
        if self.random.random() < 0.6:
            return {"dispatched": True}
        return {"not_before": self.random.choice((None, self.now + 500))}

    def any_definition(self) -> Definition | None:
        """One that is not deleted."""
        chosen = [one for one in self.state.definitions.values() if one.deleted_at is None]
        return self.random.choice(chosen) if chosen else None

    def any_instance(self, fits: Callable[[Instance], bool]) -> Instance | None:
        """An open one that fits."""
        chosen = [one for one in self.state.instances.values() if fits(one)]
        return self.random.choice(chosen) if chosen else None

    def any_spec(self, key: str | None) -> DefinitionSpec:
        """A spec of any kind."""
        random = self.random
        common: dict[str, Any] = {
            "task_name": random.choice(_NAMES),
            "task_handler": random.choice(("h", "report.daily")),
            "key": key,
            "description": self.any_text(),
            "owner": random.choice((None, "it's me")),
            "labels": random.choice(({}, {"team": "数据", "a.b": 'x"y'})),
            "task_params": random.choice(("{}", '{"source":"db1","x":"it\'s \\\\"}')),
            "queue": random.choice(("default", "fast")),
            "priority": random.randint(0, 9),
            "time_zone": random.choice(("UTC", "Asia/Shanghai")),
            "max_retries": random.randint(0, 3),
        }
        match random.choice(("CRON", "FIXED_RATE", "FIXED_DELAY", "ONCE")):
            case "CRON":
                return DefinitionSpec(
                    **common, schedule_type="CRON", cron_expression="0 0 2 * * ?", cron_dialect="QUARTZ"
                )
            case "ONCE":
                run_at = self.now + random.choice((-50_000, 50_000))
                return DefinitionSpec(**common, schedule_type="ONCE", run_at=run_at)
            case kind:
                start_at = random.choice((None, self.now + 10_000))
                return DefinitionSpec(**common, schedule_type=kind, interval_ms=1_000, start_at=start_at)
