"""What people ask of the service: everything that there is a command for, at any moment, also when it makes no sense."""

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.simulation.drawing import TENANTS, change_a_little, draw_spec, draw_tenant
from tests.simulation.fabric import Fabric

from taskservice.domain import commands as c
from taskservice.domain import events as e
from taskservice.domain.decide.instance_commands import snapshot_of
from taskservice.domain.state import Definition, Instance
from taskservice.domain.tenants import DEPLOYMENT

ACTOR = e.Actor(type="api_key", id="key-1")
MOST_DEFINITIONS = 9
READS_NOW = 0.7
"""Share of the retries that go by a row that was read just now."""


@dataclass
class Clients:
    """They see the read model, which is the fold of the log."""

    fabric: Fabric
    chance: Random
    zone: str
    asked: dict[str, int] = field(default_factory=dict)
    """Kind of command → how many."""
    _number: int = 0
    _tenant_of: dict[str, str] = field(default_factory=dict)
    _backfills: list[tuple[str, str]] = field(default_factory=list)
    _rows: list[tuple[Instance, e.InstanceSnapshot, int]] = field(default_factory=list)
    """Ended instances as an api read them once, and the position that it read up to."""

    def ask_something(self) -> None:
        """One command of any kind."""
        kinds = list(self._weights())
        (act,) = self.chance.choices([act for act, _ in kinds], [weight for _, weight in kinds])
        act()

    def create(self) -> None:
        """A new definition, now and then under an id that exists."""
        number = len(self._tenant_of) + 1
        definition_id = f"d{number}"
        if number > MOST_DEFINITIONS:
            definition_id = self._any_id()
        tenant = self._tenant_of.setdefault(definition_id, self.chance.choice(TENANTS))
        spec = draw_spec(self.chance, self.fabric.time.now, self.zone)
        self._send(
            c.CreateDefinition, tenant, definition_id=definition_id, spec=spec, enabled=self.chance.random() < 0.9
        )

    def start_scheduler(self) -> None:
        """It runs again."""
        self._send(c.StartScheduler, "")

    def lift_limits(self) -> None:
        """No tenant has limits of its own any more."""
        for tenant in TENANTS:
            self._send(c.ChangeTenantSettings, tenant, settings=DEPLOYMENT)

    def disable_all(self) -> None:
        """Nothing new will be due."""
        for definition_id, tenant in self._tenant_of.items():
            self._send(c.DisableDefinition, tenant, definition_id=definition_id)

    def _weights(self) -> tuple[tuple[Callable[[], None], float], ...]:
        return (
            (self.create, 3),
            (self._update, 9),
            (self._disable, 3),
            (self._enable, 4),
            (self._trigger, 8),
            (self._cancel, 7),
            (self._retry, 4),
            (self._backfill, 3),
            (self._cancel_backfill, 1),
            (self._change_tenant, 3),
            (self._delete, 1),
            (self._stop, 2),
            (self.start_scheduler, 4),
            (self._restart, 0.7),
        )

    def _update(self) -> None:
        definition = self._any_definition()
        if definition is None:
            return
        if self.chance.random() < 0.5:
            spec = change_a_little(self.chance, definition.spec)
        else:
            spec = draw_spec(self.chance, self.fabric.time.now, self.zone)
        self._send(
            c.UpdateDefinition,
            self._tenant_of[definition.id],
            definition_id=definition.id,
            spec=spec,
            enabled=self.chance.choice((None, None, None, True, False)),
            expected_version=self.chance.choice((None, None, definition.version)),
        )

    def _disable(self) -> None:
        self._about_definition(c.DisableDefinition)

    def _enable(self) -> None:
        self._about_definition(c.EnableDefinition)

    def _delete(self) -> None:
        self._about_definition(c.DeleteDefinition, cancel_running=self.chance.random() < 0.5)

    def _trigger(self) -> None:
        items = self.chance.choice((1, 1, 1, 3))
        self._about_definition(c.TriggerDefinition, params=(None,) * items, batch=items > 1)

    def _about_definition(self, command: type[Any], **members: object) -> None:
        definition_id = self._any_id()
        self._send(command, self._tenant_of[definition_id], definition_id=definition_id, **members)

    def _cancel(self) -> None:
        instance = self._any_of(self.fabric.read_model.instances) or self._any_of(self.fabric.read_model.ended)
        if instance is not None:
            self._send(c.CancelInstance, instance.tenant_id, instance_id=instance.id, known_status=instance.status)

    def _retry(self) -> None:
        """By the row that was read now, or by one that was read long ago: another click may have been faster."""
        model = self.fabric.read_model
        instance = self._any_of(model.ended)
        if instance is not None:
            self._rows.append((copy(instance), snapshot_of(instance), model.position))
        if not self._rows:
            return
        read_now = instance is not None and self.chance.random() < READS_NOW
        row, snapshot, position = self._rows[-1] if read_now else self.chance.choice(self._rows)
        self._send(
            c.RetryInstance,
            row.tenant_id,
            instance_id=row.id,
            snapshot=snapshot,
            known_status=row.status,
            known_position=position,
        )

    def _backfill(self) -> None:
        """Instants of the past, under the versions that the read model still knows."""
        definition = self._any_definition()
        if definition is None:
            return
        now = self.fabric.time.now
        versions = sorted(definition.versions)
        fires = tuple(
            (now - 60_000 + 3_000 * number, self.chance.choice(versions)) for number in range(self.chance.randint(1, 7))
        )
        backfill_id = self._name("backfill")
        specs = {version: spec for version, spec in definition.versions.items() if version != definition.version}
        self._backfills.append((definition.id, backfill_id))
        self._send(
            c.BackfillDefinition,
            self._tenant_of[definition.id],
            definition_id=definition.id,
            backfill_id=backfill_id,
            fires=fires,
            specs=specs | {definition.version: definition.spec},
            max_concurrency=self.chance.choice((None, 1, 2)),
        )

    def _cancel_backfill(self) -> None:
        if self._backfills:
            definition_id, backfill_id = self.chance.choice(self._backfills)
            tenant = self._tenant_of[definition_id]
            self._send(c.CancelBackfill, tenant, definition_id=definition_id, backfill_id=backfill_id)

    def _change_tenant(self) -> None:
        self._send(c.ChangeTenantSettings, self.chance.choice(TENANTS), settings=draw_tenant(self.chance))

    def _stop(self) -> None:
        self._send(c.StopScheduler, "")

    def _restart(self) -> None:
        self._send(c.RestartScheduler, "")

    def _any_id(self) -> str:
        return self.chance.choice(list(self._tenant_of))

    def _any_definition(self) -> Definition | None:
        return self.fabric.read_model.definitions.get(self._any_id())

    def _any_of(self, instances: dict[str, Instance]) -> Instance | None:
        return self.chance.choice(list(instances.values())) if instances else None

    def _name(self, kind: str) -> str:
        self._number += 1
        return f"{kind}-{self._number}"

    def _send(self, command: type[Any], tenant: str, **members: object) -> None:
        name = command.__name__
        self.asked[name] = self.asked.get(name, 0) + 1
        self.fabric.submit(command(id=self._name(name), tenant_id=tenant, actor=ACTOR, **members))
