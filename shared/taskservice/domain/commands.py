"""Requests to change something, as the api puts them into the inbox.

The api has authenticated, authorised and validated them; the leader judges only what needs the state.
The time of a command is the millisecond of its inbox id.
"""

from typing import Annotated, Final, Literal, TypeAlias

import msgspec

from taskservice.domain.definition.spec import DefinitionSpec
from taskservice.domain.events import Actor, InstanceSnapshot
from taskservice.domain.tenants import TenantSettings

Role: TypeAlias = Literal["VIEWER", "OPERATOR", "ADMIN"]
MOST_LOST: Final = 100
"""Commands that one `DeclareLostCommands` names: their outcomes are appended together."""


class Command(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag=True, gc=False):
    """Common members: `id` UUIDv7, the tenant it belongs to, who asked and with which role."""

    id: str
    tenant_id: str
    actor: Actor
    role: Role = "ADMIN"
    traceparent: str | None = None
    source: str = ""
    """Address that the request came from; '' when none is known."""


class CreateDefinition(Command, frozen=True, kw_only=True, tag=True, gc=False):
    """Make a definition with the id that the api chose."""

    definition_id: str
    spec: DefinitionSpec
    enabled: bool = True


class UpdateDefinition(Command, frozen=True, kw_only=True, tag=True, gc=False):
    """PUT and PATCH: the whole new version. `enabled` null = as it is; `key` of the spec is ignored (immutable)."""

    definition_id: str
    spec: DefinitionSpec
    enabled: bool | None = None
    expected_version: int | None = None


class DeleteDefinition(Command, frozen=True, kw_only=True, tag=True, gc=False):
    """No more instants; what is PENDING is cancelled, what runs too with `cancel_running`."""

    definition_id: str
    cancel_running: bool = False
    expected_version: int | None = None


class EnableDefinition(Command, frozen=True, kw_only=True, tag=True, gc=False):
    """Fires again, strictly later."""

    definition_id: str
    note: str = ""


class DisableDefinition(Command, frozen=True, kw_only=True, tag=True, gc=False):
    """No due instants until it is enabled again."""

    definition_id: str
    note: str = ""


class TriggerDefinition(Command, frozen=True, kw_only=True, tag=True, gc=False):
    """Run now, once for each item of `params` (JSON text, or null for the definition's own): 1–1,000 items."""

    definition_id: str
    params: tuple[str | None, ...] = (None,)
    batch: bool = False
    note: str = ""


class BackfillDefinition(Command, frozen=True, kw_only=True, tag=True, gc=False):
    """Run past instants: `fires` are 1–1,000 (instant, version in force then), oldest first.

    `backfill_id`: of the first command of this backfill. `specs`: of each version that is not the current one.
    `max_concurrency`: of the backfill's instances that may be dispatched at once; null = no limit of its own.
    """

    definition_id: str
    backfill_id: str
    fires: tuple[tuple[int, int], ...]
    specs: dict[int, DefinitionSpec] = {}
    max_concurrency: int | None = None
    note: str = ""


class CancelBackfill(Command, frozen=True, kw_only=True, tag=True, gc=False):
    """End what is open of a backfill."""

    definition_id: str
    backfill_id: str


class CancelInstance(Command, frozen=True, kw_only=True, tag=True, gc=False):
    """`known_status`/`known_position`: the row as the api read it, for instances that the leader no longer holds."""

    instance_id: str
    reason: str = ""
    known_status: str | None = None
    known_position: int = 0
    known_definition_id: str = ""


class RetryInstance(Command, frozen=True, kw_only=True, tag=True, gc=False):
    """`snapshot`, `known_status`, `known_position`: the row as the api read it and the position it was read at."""

    instance_id: str
    snapshot: InstanceSnapshot
    known_status: str
    known_position: int


class ChangeTenantSettings(Command, frozen=True, kw_only=True, tag=True, gc=False):
    """All that the tenant has of its own from here on; `max_waiting_instances` stays as it is."""

    settings: TenantSettings


class StopScheduler(Command, frozen=True, kw_only=True, tag=True, gc=False):
    """Nothing new starts, for any tenant."""


class StartScheduler(Command, frozen=True, kw_only=True, tag=True, gc=False):
    """It runs again."""


class RestartScheduler(Command, frozen=True, kw_only=True, tag=True, gc=False):
    """The leader resigns; accepted by the first epoch that started after the command."""


class LostCommand(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A command that Redis took, at `at` (ms), and does not have any more; `type` and the other members are its own."""

    id: str
    tenant_id: str
    type: str
    at: int
    actor: Actor
    source: str = ""


class DeclareLostCommands(Command, frozen=True, kw_only=True, tag=True, gc=False):
    """An api's testimony: Redis acknowledged these, 1 to `MOST_LOST`, and lost them before they were decided."""

    lost: Annotated[tuple[LostCommand, ...], msgspec.Meta(min_length=1, max_length=MOST_LOST)]


AnyCommand: TypeAlias = (
    CreateDefinition
    | UpdateDefinition
    | DeleteDefinition
    | EnableDefinition
    | DisableDefinition
    | TriggerDefinition
    | BackfillDefinition
    | CancelBackfill
    | CancelInstance
    | RetryInstance
    | ChangeTenantSettings
    | StopScheduler
    | StartScheduler
    | RestartScheduler
    | DeclareLostCommands
)

encode_command = msgspec.json.Encoder().encode
_decoder: msgspec.json.Decoder[AnyCommand] = msgspec.json.Decoder(AnyCommand)
decode_command = _decoder.decode
