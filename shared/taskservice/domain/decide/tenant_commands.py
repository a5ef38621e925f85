"""Commands about a tenant's settings.

Decisions know a tenant from the log alone, so that replay needs nothing else; the row that the api caches is written
beside it, by the same command line.
"""

import msgspec

from taskservice.domain import commands as c
from taskservice.domain import events as e
from taskservice.domain.decide.context import Context
from taskservice.domain.definition.spec import DefinitionSpec
from taskservice.domain.tenants import DEPLOYMENT


def resource_of_tenant(tenant_id: str) -> str:
    """How outcomes name a tenant."""
    return f"tenants/{tenant_id}"


def change_settings(context: Context, command: c.ChangeTenantSettings) -> None:
    """The command names all of them; what it has no member for stays as it is.

    No definition is touched: a withdrawn queue is refused when one is made or changed (`allows_queue`).
    """
    now = context.state.tenants.get(command.tenant_id, DEPLOYMENT)
    wanted = msgspec.structs.replace(command.settings, max_waiting_instances=now.max_waiting_instances)
    if now == wanted:
        context.accept(resource_of_tenant(command.tenant_id))
        return
    context.draft.begin_item()
    context.draft.emit(
        e.TenantSettingsChanged(
            settings=wanted, **context.stamp(command.tenant_id), **context.asked(), **context.outcome()
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
