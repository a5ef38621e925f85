"""Retired forms of events that logs still hold, brought into today's form.

An event type whose members change in a way that today's struct can't read gets a function here, and keeps it for ever:
archives are never rewritten. `tests/histories/golden_logs` holds logs in each form.
"""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from taskservice.domain.tenants import TenantSettings

Members: TypeAlias = dict[str, object]
"""An event's members as its JSON has them."""


def _settings_in_a_value_of_their_own(members: Members) -> Members:
    """TenantSettingsChanged had the tenant's settings among its own members."""
    settings = {name: members.pop(name) for name in TenantSettings.__struct_fields__ if name in members}
    return {"settings": settings, **members}


UPCASTERS: Final[Mapping[str, Callable[[Members], Members]]] = {
    "TenantSettingsChanged": _settings_in_a_value_of_their_own,
}
"""Event type → from its retired form to today's; asked only for what today's struct can't read."""
