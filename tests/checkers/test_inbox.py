"""Outcomes against the inbox: what was asked, in which order, and what it made."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from tests.checkers.building import (
    ACTOR,
    DEFINITION,
    SPEC,
    TENANT,
    Step,
    T,
    asked,
    by_clock,
    exactly_what_is_broken_is_named,
    followed_by,
    succeeded,
)
from tests.checkers.good import BY_HAND, LOG, STEPS, judged

from taskservice.domain import commands as c
from taskservice.domain import events as e
from taskservice.domain.decide import InboxItem
from taskservice.domain.ids import instance_id_of_trigger
from taskservice.testing.checkers import broken_invariants
from taskservice.testing.checkers.evidence import Call, Evidence, LogRecord

WHO: dict[str, Any] = {"tenant_id": TENANT, "actor": ACTOR}


def item(at: int, command: c.AnyCommand) -> InboxItem:
    return InboxItem(entry_id=f"{at}-0", at=at, command=command)


CREATE = item(T + 100, c.CreateDefinition(id="c1", definition_id=DEFINITION, spec=SPEC, **WHO))
DISABLE = item(T + 3_000, c.DisableDefinition(id="c2", definition_id=DEFINITION, **WHO))
TRIGGER = item(T + 4_000, c.TriggerDefinition(id="c3", definition_id=DEFINITION, **WHO))
CANCEL = item(T + 8_000, c.CancelInstance(id="c4", instance_id=BY_HAND, **WHO))
STOP = item(T + 9_000, c.StopScheduler(id="c5", **WHO))
TRIGGER_TWO = item(T + 4_000, c.TriggerDefinition(id="c3", definition_id=DEFINITION, params=(None, None), **WHO))
INBOX = (CREATE, DISABLE, TRIGGER, CANCEL)


def with_inbox(*items: InboxItem, steps: list[Step] | None = None) -> Evidence:
    return replace(judged(STEPS if steps is None else steps), inbox=items)


def again(command_id: str, ts: int) -> Step:
    """A second outcome of a command, under another entry of the inbox."""
    return Step("again", e.CommandAccepted(**asked(ts, command_id, "DisableDefinition")), epoch=2)


def another_run(command_id: str, number: int, ts: int) -> list[Step]:
    """A run by hand that is no outcome, and its end."""
    instance_id = instance_id_of_trigger(command_id, number, T + 4_000)
    event = e.InstanceScheduled(
        instance_id=instance_id,
        definition_id=DEFINITION,
        definition_version=2,
        origin="MANUAL",
        fire_time=T + 4_000,
        dispatched=True,
        command_id=command_id,
        **by_clock(ts, T + 4_000) | {"cause": f"{T + 4_000}-0#{number}"},
    )
    return [Step("another", event), succeeded("another ended", instance_id, ts + 10)]


def rewritten(position: int, *, cursor: str | None, **members: object) -> Evidence:
    """The good log with one entry of another cursor and other members."""
    old = LOG[position - 1]
    event = msgspec.structs.replace(old.event, **members)
    new = LogRecord(old.epoch, old.position, event, old.decided_at, old.batch, old.raw, cursor)
    return replace(judged(STEPS), log=(*LOG[: position - 1], new, *LOG[position:]))


CASES: dict[str, tuple[str, Evidence]] = {
    "a command without outcome": ("I5", with_inbox(*INBOX, STOP)),
    "a command with two outcomes far from each other": (
        "I5",
        with_inbox(*INBOX, steps=[*STEPS, again("c2", T + 9_000)]),
    ),
    "a call whose command has two outcomes": (
        "I5",
        replace(
            judged([*STEPS, again("c2", T + 9_000)]),
            calls=(Call(tenant=TENANT, kind="DisableDefinition", begun_ms=T + 2_990, command_id="c2"),),
        ),
    ),
    "outcomes in another order": ("I6", with_inbox(DISABLE, CREATE, TRIGGER, CANCEL)),
    "an outcome of what nobody asked": ("I6", with_inbox(CREATE, DISABLE, TRIGGER)),
    "a trigger of two that made one": ("I9", with_inbox(CREATE, DISABLE, TRIGGER_TWO, CANCEL)),
    "a run of a command that is no trigger": (
        "I9",
        with_inbox(CREATE, DISABLE, item(T + 4_000, c.StartScheduler(id="c3", **WHO)), CANCEL),
    ),
    "a trigger of one that made two": ("I9", judged(followed_by(STEPS, "by hand", *another_run("c3", 1, T + 4_010)))),
    "a run by hand without a command": ("I9", judged(followed_by(STEPS, "by hand", *another_run("c9", 0, T + 4_010)))),
    "a report that was answered by an append before": (
        "I4",
        rewritten(9, cursor=f"{T + 2_200}-0", cause=f"{T + 1_150}-0#0"),
    ),
    "a cursor that goes back": ("I4", rewritten(8, cursor=f"{T + 1_150}-0")),
    "a cursor that is none": ("I4", rewritten(8, cursor="nowhere")),
    "an epoch under another number": ("I1", rewritten(13, cursor=LOG[12].cursor, epoch=3)),
}


@pytest.mark.parametrize("what", CASES)
def test_exactly_what_is_broken_is_named(what: str) -> None:
    exactly_what_is_broken_is_named(*CASES[what])


def test_the_whole_inbox_of_the_good_history_is_answered() -> None:
    assert broken_invariants(with_inbox(*INBOX)) == []
