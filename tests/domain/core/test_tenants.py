"""What the leader decides about tenants' settings, and because of them."""

from typing import Any

import pytest
from tests.domain.core.world import ACTOR, SECOND, TENANT, World, fold, spec

from taskservice.domain import commands as c
from taskservice.domain import events as e
from taskservice.domain.event_codec import encode_event
from taskservice.domain.tenants import TenantSettings


def change(world: World, tenant: str = TENANT, **members: Any) -> list[Any]:
    settings = TenantSettings(**members)
    return world.submit(c.ChangeTenantSettings(id="change", tenant_id=tenant, actor=ACTOR, settings=settings))


def update(world: World, **members: Any) -> list[Any]:
    return world.submit(
        c.UpdateDefinition(id="u", tenant_id=TENANT, actor=ACTOR, definition_id="d1", spec=spec(**members))
    )


def test_a_change_is_one_event_with_all_settings() -> None:
    world = World()

    (changed,) = change(world, name="Default", queues=("default", "gpu"), time_zone="Asia/Shanghai")

    assert isinstance(changed, e.TenantSettingsChanged)
    assert (changed.tenant_id, changed.outcome, changed.command_id) == (TENANT, True, "change")
    assert changed.actor == ACTOR
    kept = {TENANT: TenantSettings(name="Default", queues=("default", "gpu"), time_zone="Asia/Shanghai")}
    assert world.state.tenants == fold(world.log).tenants == kept


def test_what_is_so_already_is_accepted_and_changes_nothing() -> None:
    world = World()
    change(world, queues=("default",))

    (accepted,) = change(world, queues=("default",))

    assert isinstance(accepted, e.CommandAccepted)
    assert accepted.resource == "tenants/default"


def test_back_to_the_deployments_settings_leaves_nothing() -> None:
    world = World()
    change(world, name="n", queues=("a",))

    change(world)

    assert world.state.tenants == {}


def test_a_limit_that_the_command_does_not_name_stays() -> None:
    world = World()
    limits = TenantSettings(max_waiting_instances=3)
    limited = e.TenantSettingsChanged(ts=world.now, at=world.now, tenant_id=TENANT, settings=limits)
    world.log.append((world.state.epoch, world.state.position + 1, encode_event(limited)))
    world.take_over()

    change(world, name="n")

    assert world.state.tenants[TENANT] == TenantSettings(name="n", max_waiting_instances=3)
    assert world.state.most_open_of(TENANT) == 3
    assert world.state.most_open_of("other") == world.settings.max_waiting_instances


def test_a_queue_that_is_not_the_tenants_is_refused_to_new_definitions() -> None:
    world = World()
    change(world, queues=("default",))

    (refused,) = world.create(queue="gpu")

    assert isinstance(refused, e.CommandRejected)
    assert (refused.code, refused.detail) == (
        "validation-failed",
        "#/queue: 'gpu' is not a queue of this tenant: default",
    )
    assert world.state.definitions == {}


def test_a_withdrawn_queue_goes_on_firing_until_the_definition_is_changed() -> None:
    world = World()
    world.create(queue="gpu", overlap_policy="ALLOW")
    change(world, queues=("default",))

    world.advance(25 * SECOND)
    fired = world.events(e.InstanceScheduled)
    (refused,) = update(world, queue="gpu", description="new")
    (moved,) = update(world, queue="default")

    assert len(fired) == 2
    assert isinstance(refused, e.CommandRejected)
    assert refused.resource == "definitions/d1"
    assert isinstance(moved, e.DefinitionUpdated)


@pytest.mark.parametrize("queues", [None, ("gpu",)])
def test_a_queue_of_the_tenant_or_of_a_tenant_without_a_list_is_taken(queues: tuple[str, ...] | None) -> None:
    world = World()
    change(world, queues=queues, name="n")

    (made, *_) = world.create(queue="gpu")

    assert isinstance(made, e.DefinitionCreated)


def test_other_tenants_are_not_concerned() -> None:
    world = World()
    change(world, tenant="other", queues=())

    assert isinstance(world.create(queue="gpu")[0], e.DefinitionCreated)
