"""Random logs that a leader might have written: for tests of whatever folds, stores or shows a log.

Each step looks at the fold so far and adds one or a few events that are legal there. What real leaders never do is not
here; what they rarely do is frequent.
"""

from collections.abc import Callable
from random import Random

from tests.histories.run_steps import RunSteps

from taskservice.domain import events as e
from taskservice.domain.tenants import TenantSettings


class History(RunSteps):
    """A log that grows. `entries` is what was appended so far, `state` its fold.

    :param random: decides everything, so that a seed names a history.
    """

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.start_epoch()

    def grow(self, steps: int) -> "History":
        """Take so many steps."""
        for _ in range(steps):
            self.step()
        return self

    def step(self) -> None:
        """One random step; what is not possible now does nothing."""
        self.now += self.random.choice((0, 0, 1, 3, 20, 200, 1_000, 15_000, 70_000))
        chosen: Callable[[], None] = self.random.choices(
            (
                *(
                    self.create,
                    self.update,
                    self.switch,
                    self.delete,
                    self.fire,
                    self.skip,
                    self.trigger,
                    self.dispatch,
                ),
                *(self.start, self.succeed, self.fail, self.time_out, self.lose, self.withdraw, self.ask_back),
                *(self.cancel, self.give_up, self.retry, self.start_epoch, self.scheduler, self.odds_and_ends),
            ),
            weights=(6, 3, 3, 2, 14, 4, 8, 10, 8, 14, 8, 4, 4, 3, 3, 5, 2, 5, 1, 2, 4),
        )[0]
        chosen()

    # --- definitions ---------------------------------------------------------------------------------------------

    def create(self) -> None:
        """A definition of any kind."""
        definition_id = self.new_id()
        self.append(
            e.DefinitionCreated(
                **self.asked("CreateDefinition"),
                definition_id=definition_id,
                spec=self.any_spec(self.random.choice((None, None, f"key-{self._made}"))),
                enabled=self.random.random() < 0.8,
                effective_at=self.now,
            )
        )

    def update(self) -> None:
        """A new version, of a definition that exists; its key stays."""
        definition = self.any_definition()
        if definition is None:
            return
        self.append(
            e.DefinitionUpdated(
                **self.asked("UpdateDefinition", tenant_id=definition.tenant_id),
                definition_id=definition.id,
                version=definition.version + 1,
                spec=self.random.choice((self.any_spec(definition.spec.key), definition.spec)),
                enabled=self.random.random() < 0.8,
                effective_at=self.now,
            )
        )

    def switch(self) -> None:
        """Enable or disable."""
        definition = self.any_definition()
        if definition is None:
            return
        kind = e.DefinitionEnabled if self.random.random() < 0.6 else e.DefinitionDisabled
        self.append(
            kind(
                **self.asked(kind.__name__, tenant_id=definition.tenant_id),
                definition_id=definition.id,
                version=definition.version + 1,
                effective_at=self.now,
            )
        )

    def delete(self) -> None:
        """Delete, with open instances or without."""
        definition = self.any_definition()
        if definition is not None:
            self.append(
                e.DefinitionDeleted(
                    **self.asked("DeleteDefinition", tenant_id=definition.tenant_id),
                    definition_id=definition.id,
                    effective_at=self.now,
                )
            )

    def skip(self) -> None:
        """Instants that were decided not to run."""
        definition = self.any_definition()
        if definition is None:
            return
        self.append(
            e.FireSkipped(
                **self.decided(definition.tenant_id),
                definition_id=definition.id,
                definition_version=definition.version,
                reason=self.random.choice(("OVERLAP", "MISFIRE", "SCHEDULER_STOPPED", "LIMIT")),
                first=self.now - 5_000,
                last=self.now,
                count=self.random.randint(1, 7),
                blocked_by=next(iter(definition.open_ids), None),
            )
        )

    # --- the partition -------------------------------------------------------------------------------------------

    def start_epoch(self) -> None:
        """A leader takes over."""
        previous = self.state.head_id
        self.epoch += self.random.randint(1, 3)
        self.append(
            e.EpochStarted(
                **self.decided(""),
                epoch=self.epoch,
                previous_id=previous,
                leader="t1",
                settings=e.DecisionSettings(concurrent_limit=self.random.randint(0, 50)),
                version="1",
                tzdata="2026a",
                recovering=self.random.random() < 0.3,
            )
        )

    def scheduler(self) -> None:
        """Stop or start."""
        kind = e.SchedulerStopped if self.random.random() < 0.5 else e.SchedulerStarted
        self.append(kind(**self.asked("StopScheduler"), effective_at=self.now))

    def odds_and_ends(self) -> None:
        """Events that change little, and one of a newer release."""
        which = self.random.randrange(7)
        if which == 0:
            self.append(e.RecoveryEnded(**self.decided(""), epoch=self.epoch))
        elif which == 1:
            self.append(
                e.TenantSettingsChanged(
                    **self.random.choice((self.decided("acme"), self.asked("ChangeTenantSettings", "acme"))),
                    settings=TenantSettings(
                        name=self.any_text(),
                        queues=self.random.choice((None, (), ("default", "gpu"))),
                        time_zone=self.random.choice((None, "Asia/Shanghai")),
                        max_waiting_instances=self.random.choice((None, 10)),
                        max_concurrency=self.random.choice((None, 3)),
                        queue_limits=self.random.choice(({}, {"gpu": 1, "default": 7})),
                        starts_per_second=self.random.choice((None, 50)),
                        weight=self.random.choice((1, 4)),
                    ),
                )
            )
        elif which == 2:
            self.append(
                e.CommandRejected(
                    **self.asked("UpdateDefinition"), code="version-mismatch", detail=self.any_text(), current_version=3
                )
            )
        elif which == 3:
            self.append(e.LateResultIgnored(**self.decided("acme"), entry="1-1", worker="w1", kind="ended"))
        elif which == 4:
            self.append(e.LogLossDetected(**self.decided(""), from_position=1, to_position=2, what="test"))
        elif which == 5:
            since = self.now - self.random.randrange(60_000)
            self.append(e.AlarmRaised(**self.decided(""), kind="CLOCK", since=since, detail=self.any_text()))
            self.append(e.AlarmCleared(**self.decided(""), kind="CLOCK", since=since))
        else:
            raw = f'{{"type":"InventedLater","ts":{self.now},"at":{self.now},"tenant_id":"acme","new":[1]}}'
            self.append_raw(raw.encode(), last=True)
