"""Cancels and retries by hand that race everything which may end a run: 500 random interleavings of them.

Each history ends one run, in whatever order the draw puts deliveries, reports, cancels, lost workers and takeovers. The
expected answers follow from the log alone: what an answer says must be what the log shows at that place.
"""

from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest
from tests.domain.core.test_runs import cancel
from tests.domain.core.world import SECOND, Entry, World

from taskservice.domain import events as e
from taskservice.domain import reports as r

HISTORIES = 500
HISTORIES_A_TEST = 50
STEPS = 14
END_WITHIN_MS = 120 * SECOND
"""More than a grace, the patience after it, and all retries."""


@dataclass
class Race:
    """One run, and what was asked of it."""

    seed: int
    world: World = field(default_factory=World)
    held: list[Entry] = field(default_factory=list)
    gone: list[Entry] = field(default_factory=list)
    """Revoked or reported: a zombie may still report them."""
    cancels: int = 0

    def __post_init__(self) -> None:
        self.chance = Random(self.seed)
        self.world.create(
            enabled=False,
            max_retries=self.chance.choice((0, 1, 2)),
            retry_delay_ms=self.chance.choice((0, 400)),
            retry_jitter=0.0,
            cancel_grace_ms=self.chance.choice((0, 1_000)),
            on_worker_loss=self.chance.choice(("RETRY", "FAIL")),
            max_worker_losses=1,
        )
        (scheduled, *_) = self.world.trigger()
        self.instance_id = scheduled.instance_id

    def run(self) -> None:
        """Draw the steps, then let everything that is under way come to its end."""
        for _ in range(STEPS):
            self.chance.choice(
                (self.take, self.take, self.report, self.report, self.cancel, self.zombie, self.lose, self.pass_time)
            )()
        ends_at = self.world.now + END_WITHIN_MS
        while self.world.state.instances and self.world.now < ends_at:
            self.take()
            for entry in self.running():
                self.end(entry, r.Succeeded(entry.position, self.world.now, self.world.now))
            self.world.advance(SECOND)

    def take(self) -> None:
        self.held += self.world.take()

    def running(self) -> list[Entry]:
        """What is still pending to a worker; the rest was revoked."""
        self.gone += [entry for entry in self.held if entry.entry_id not in self.world.entries]
        self.held = [entry for entry in self.held if entry.entry_id in self.world.entries]
        return list(self.held)

    def report(self) -> None:
        """The worker says how its attempt ended, or that it began: by itself, or as a signal asked."""
        for entry in self.running():
            at, position = self.world.now, entry.position
            self.end(
                entry,
                self.chance.choice(
                    (
                        r.Started(position, at),
                        r.Succeeded(position, at, at),
                        r.Failed(position, at, at, "ValueError", "no"),
                        r.TimedOut(position, at, at),
                        r.Stopped(position, at, at),
                        r.Returned(position),
                        r.Interrupted(position, at, at),
                    )
                ),
            )

    def end(self, entry: Entry, report: Any) -> None:
        self.world.report(report)
        if not isinstance(report, r.Started):
            self.gone.append(entry)

    def zombie(self) -> None:
        """A report about an entry that is not open any more: no worker's, since Redis answers NOTOWNER; all the same."""
        self.running()
        if self.gone:
            entry = self.chance.choice(self.gone)
            self.world.report(r.Succeeded(entry.position, self.world.now, self.world.now))

    def cancel(self) -> None:
        self.cancels += 1
        cancel(self.world, self.instance_id, f"cancel-{self.cancels}")

    def lose(self) -> None:
        """The worker of what runs is lost, or nobody leads for a moment."""
        running = self.running()
        if running and self.chance.random() < 0.5:
            self.world.arbiter.lose_worker("w1", [(entry.suffix, entry.entry_id) for entry in running], self.world.now)
            self.world.tick()
        else:
            self.world.leaderless(self.chance.choice((0, 300)))

    def pass_time(self) -> None:
        self.world.advance(self.chance.choice((100, 700, 6_500)))


ENDS = (e.AttemptSucceeded, e.AttemptFailed, e.AttemptTimedOut, e.AttemptLost, e.InstanceFailed, e.InstanceCancelled)


def status_of(event: Any) -> str | None:
    """The terminal status that this event gives its run; None: it ends nothing."""
    match event:
        case e.AttemptSucceeded():
            return "SUCCESS"
        case e.InstanceCancelled():
            return "CANCELLED"
        case e.InstanceFailed():
            return "FAILED"
        case e.AttemptFailed(final=True) | e.AttemptTimedOut(final=True) | e.AttemptLost(final=True):
            return "FAILED"
        case _:
            return None


def assert_answers_follow_the_log(race: Race) -> None:
    """Every cancel has one answer, and it is true where it stands in the log."""
    status: str | None = None
    answered: list[str] = []
    asked = False
    for event in race.world.events():
        ended_as = status_of(event)
        if ended_as is not None:
            assert status is None, f"{type(event).__name__} after {status}"
            status = ended_as
        match event:
            case e.CancelRequested():
                assert status is None
                asked = True
            case e.CommandRejected(command_id=str(command)) if command.startswith("cancel"):
                assert (event.code, event.current_status) == ("state-conflict", status)
                assert status in {"SUCCESS", "FAILED"}
            case e.CommandAccepted(command_id=str(command)) if command.startswith("cancel"):
                assert asked or status == "CANCELLED"
            case _:
                pass
        command = getattr(event, "command_id", "")
        if getattr(event, "outcome", False) and command.startswith("cancel"):
            answered.append(command)
    assert status is not None, "it has ended"
    if asked:
        assert status in {"CANCELLED", "SUCCESS"}, "what was to be cancelled neither fails nor is tried again"
    assert answered == [f"cancel-{number}" for number in range(1, race.cancels + 1)]


@pytest.mark.fault("F25", invariants="I11 I16")
def test_a_run_whose_entry_was_deleted_can_be_cancelled() -> None:
    world = World()
    world.create(enabled=False)
    (scheduled,) = world.trigger()
    world.entries.clear()

    cancel(world, scheduled.instance_id)

    assert [status_of(event) for event in world.events() if status_of(event)] == ["CANCELLED"]


@pytest.mark.fault("F47", invariants="I5 I6 I10 I12 I16")
@pytest.mark.parametrize("first", range(0, HISTORIES, HISTORIES_A_TEST))
def test_a_cancel_has_one_answer_and_the_run_one_end_whatever_races_it(first: int) -> None:
    races = [Race(seed) for seed in range(first, first + HISTORIES_A_TEST)]
    for race in races:
        race.run()
        try:
            assert_answers_follow_the_log(race)
            assert race.world.entries == {}
        except AssertionError as error:
            raise AssertionError(f"seed {race.seed}: {error}") from error
    assert sum(race.cancels for race in races) >= HISTORIES_A_TEST, "the draw cancels"
