"""Random steps that concern instances and their attempts."""

import msgspec
from tests.histories.growing_log import GrowingLog

from taskservice.domain import events as e
from taskservice.domain.ids import instance_id_of_fire, instance_id_of_trigger
from taskservice.domain.state import Instance


class RunSteps(GrowingLog):
    """Each method adds what is legal now, or nothing."""

    def fire(self) -> None:
        """A due instant runs."""
        definition = self.any_definition()
        if definition is None:
            return
        self.now += 1
        self.append(
            e.InstanceScheduled(
                **self.decided(definition.tenant_id),
                instance_id=instance_id_of_fire(definition.id, self.now),
                definition_id=definition.id,
                definition_version=definition.version,
                origin="SCHEDULE",
                fire_time=self.now,
                **self.dispatched_or_delayed(),
            )
        )

    def trigger(self) -> None:
        """Somebody runs it by hand, once or several times."""
        definition = self.any_definition()
        if definition is None:
            return
        common = self.asked("TriggerDefinition", tenant_id=definition.tenant_id)
        items = self.random.choice((1, 1, 3))
        for index in range(items):
            common["outcome"] = items == 1
            self.append(
                e.InstanceScheduled(
                    **common,
                    instance_id=instance_id_of_trigger(common["command_id"], index, self.now),
                    definition_id=definition.id,
                    definition_version=definition.version,
                    origin="MANUAL",
                    fire_time=self.now,
                    params=self.random.choice((None, '{"a": "it\'s"}')),
                    **self.dispatched_or_delayed(),
                ),
                last=items == 1,
            )
        if items > 1:
            common["outcome"] = True
            self.append(e.CommandAccepted(**common, resource=f"definitions/{definition.id}"))

    def dispatch(self) -> None:
        """A waiting instance goes to a dispatch stream."""
        instance = self.any_instance(lambda one: one.waits)
        if instance is not None:
            self.append(
                e.InstanceDispatched(
                    **self.decided(instance.tenant_id), instance_id=instance.id, attempt=instance.next_attempt
                )
            )

    def start(self) -> None:
        """A handler has run for a while."""
        instance = self.any_instance(lambda one: one.entry_position > 0 and one.status == "PENDING")
        if instance is not None:
            self.append(
                e.AttemptStarted(
                    **self.decided(instance.tenant_id),
                    instance_id=instance.id,
                    attempt=instance.attempt,
                    worker=self.any_worker(),
                    started_at=self.now - 200,
                )
            )

    def succeed(self) -> None:
        """An attempt ends well."""
        instance = self.any_instance(lambda one: one.entry_position > 0)
        if instance is None:
            return
        result: object = self.random.choice((None, {"rows": 42, "text": self.any_text()}, [], "s", 1.5))
        self.append(e.AttemptSucceeded(**self.ran(instance), result=msgspec.Raw(msgspec.json.encode(result))))

    def fail(self) -> None:
        """An attempt ends badly; perhaps there is another."""
        instance = self.any_instance(lambda one: one.entry_position > 0)
        if instance is None:
            return
        final = self.random.random() < 0.4
        self.append(
            e.AttemptFailed(**self.ran(instance), error_type="ValueError", error_message=self.any_text(), final=final),
            last=final,
        )
        self._retry_unless(instance, final=final)

    def time_out(self) -> None:
        """An attempt took too long."""
        instance = self.any_instance(lambda one: one.entry_position > 0)
        if instance is None:
            return
        if self.random.random() < 0.5:
            self.append(
                e.TimeoutReached(
                    **self.decided(instance.tenant_id),
                    instance_id=instance.id,
                    attempt=instance.attempt,
                    kind="TIMEOUT",
                    mode="any",
                )
            )
        final = self.random.random() < 0.5
        self.append(e.AttemptTimedOut(**self.ran(instance), error_message=self.any_text(), final=final), last=final)
        self._retry_unless(instance, final=final)

    def lose(self) -> None:
        """An attempt is gone with its worker."""
        instance = self.any_instance(lambda one: one.entry_position > 0)
        if instance is None:
            return
        worker = instance.worker or self.any_worker()
        self.append(
            e.WorkerLost(**self.decided(""), worker=worker, entries=(f"default:-:h|{instance.entry_id}",)),
        )
        final = self.random.random() < 0.3
        self.append(
            e.AttemptLost(
                **self.decided(instance.tenant_id),
                instance_id=instance.id,
                attempt=instance.attempt,
                worker=worker,
                reason=self.random.choice(("worker", "shutdown", "recovery")),
                started_at=self.random.choice((None, self.now - 50)),
                ended_at=self.now,
                final=final,
                counted=self.random.random() < 0.7,
            ),
            last=final,
        )
        self._retry_unless(instance, final=final)

    def withdraw(self) -> None:
        """A worker hands back what it never called."""
        instance = self.any_instance(lambda one: one.entry_position > 0 and one.status == "PENDING")
        if instance is not None:
            self.append(
                e.DispatchWithdrawn(
                    **self.decided(instance.tenant_id),
                    instance_id=instance.id,
                    attempt=instance.attempt,
                    reason="returned",
                )
            )

    def ask_back(self) -> None:
        """The leader wants an entry back."""
        instance = self.any_instance(lambda one: one.entry_position > 0)
        if instance is not None:
            self.append(
                e.RevocationRequested(
                    **self.decided(""), mode="waiting", positions=(instance.entry_position, 1), reason="stop"
                )
            )

    def cancel(self) -> None:
        """Asked for, and perhaps done."""
        instance = self.any_instance(lambda _: True)
        if instance is None:
            return
        self.append(
            e.CancelRequested(
                **self.asked("CancelInstance", tenant_id=instance.tenant_id),
                instance_id=instance.id,
                attempt=instance.attempt,
                mode="cancel",
            )
        )
        if instance.waits or self.random.random() < 0.5:
            self.append(
                e.InstanceCancelled(
                    **self.decided(instance.tenant_id),
                    instance_id=instance.id,
                    attempt=instance.attempt,
                    ended_at=self.now,
                    worker=self.random.choice(("", "w1")),
                    started_at=self.random.choice((None, self.now - 5)),
                    error_message=self.any_text(),
                )
            )

    def give_up(self) -> None:
        """A waiting instance ends FAILED."""
        instance = self.any_instance(lambda one: one.waits)
        if instance is not None:
            self.append(
                e.InstanceFailed(
                    **self.decided(instance.tenant_id),
                    instance_id=instance.id,
                    failure_reason=self.random.choice(("DEADLINE", "START_TIMEOUT", "REJECTED")),
                    error_message=self.any_text(),
                    ended_at=self.now,
                )
            )

    def retry(self) -> None:
        """By hand, of something that ended badly and whose definition still exists."""
        chosen = [
            one
            for one in self.ended.values()
            if one.status != "SUCCESS" and one.definition_id in self.state.definitions
        ]
        if not chosen:
            return
        ended = self.random.choice(chosen)
        definition = self.state.definitions[ended.definition_id]
        if definition.deleted_at is not None:
            return
        del self.ended[ended.id]
        self.append(
            e.InstanceRetried(
                **self.asked("RetryInstance", tenant_id=ended.tenant_id),
                instance_id=ended.id,
                definition_version=definition.version,
                snapshot=e.InstanceSnapshot(
                    definition_id=ended.definition_id,
                    definition_version=ended.definition_version,
                    origin=ended.origin,
                    fire_time=ended.fire_time,
                    created_at=ended.created_at,
                    params=ended.params,
                    attempt=ended.attempt,
                    worker_losses=ended.worker_losses,
                    actor=ended.actor,
                    command_id=ended.command_id,
                    traceparent=ended.traceparent,
                    previous_attempts=msgspec.Raw(msgspec.json.encode(ended.previous_attempts)),
                ),
            )
        )

    def _retry_unless(self, instance: Instance, *, final: bool) -> None:
        if not final:
            self.append(
                e.RetryScheduled(
                    **self.decided(instance.tenant_id),
                    instance_id=instance.id,
                    attempt=instance.attempt + 1,
                    not_before=self.now + 1_000,
                )
            )
