"""Commands about a tenant's settings.

Decisions know a tenant from the log alone, so that replay needs nothing else; the row that the api caches is written
beside it, by the same command line.
"""

from taskservice.domain import commands as c
from taskservice.domain import events as e
from taskservice.domain.decide.context import Context
from taskservice.domain.definition.spec import DefinitionSpec
from taskservice.domain.tenants import DEPLOYMENT

_CHANGEABLE = ("name", "queues", "time_zone", "max_concurrency", "queue_limits", "starts_per_second", "weight")


def resource_of_tenant(tenant_id: str) -> str:
    """How outcomes name a tenant."""
    return f"tenants/{tenant_id}"


def change_settings(context: Context, command: c.ChangeTenantSettings) -> None:
    """The command names all of them; what it has no member for stays as it is.

    No definition is touched: a withdrawn queue is refused when one is made or changed (`allows_queue`).
    """
    now = context.state.tenants.get(command.tenant_id, DEPLOYMENT)
    if all(getattr(now, member) == getattr(command, member) for member in _CHANGEABLE):
        context.accept(resource_of_tenant(command.tenant_id))
        return
    context.draft.begin_item()
    context.draft.emit(
        e.TenantSettingsChanged(
            name=command.name,
            queues=command.queues,
            time_zone=command.time_zone,
            max_waiting_instances=now.max_waiting_instances,
            max_concurrency=command.max_concurrency,
            queue_limits=command.queue_limits,
            starts_per_second=command.starts_per_second,
            weight=command.weight,
            **context.stamp(command.tenant_id),
            **context.asked(),
            **context.outcome(),
        )
    )


def allows_queue(context: Context, tenant_id: str, spec: DefinitionSpec, resource: str) -> bool:
    """Whether the tenant may name the queue of this spec; False = the command is rejected.

    The api judged by a row that may be some seconds old; here it is judged in the order of the log.
    """
    settings = context.state.tenants.get(tenant_id, DEPLOYMENT)
    if settings.allows_queue(spec.queue):
        return True
    allowed = ", ".join(settings.queues or ()) or "none"
    context.reject("validation-failed", f"#/queue: {spec.queue!r} is not a queue of this tenant: {allowed}", resource)
    return False
