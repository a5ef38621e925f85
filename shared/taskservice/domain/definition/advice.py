"""What is worth telling about a definition that is valid."""

from collections.abc import Collection
from typing import Literal, TypeAlias

from taskservice.domain.definition.spec import DefinitionSpec
from taskservice.domain.schedule.of_spec import schedule_of

WarningCode: TypeAlias = Literal["NO_HANDLER", "NEVER_AGAIN"]


def warnings(spec: DefinitionSpec, *, known_handlers: Collection[str], now_ms: int) -> list[tuple[WarningCode, str]]:
    """Pairs of code and detail.

    :param known_handlers: the handlers of all live workers that serve the tenant.
    """
    found: list[tuple[WarningCode, str]] = []
    if spec.task_handler not in known_handlers:
        found.append(("NO_HANDLER", f"no live worker knows the handler {spec.task_handler}: its runs will wait"))
    if _never_again(spec, now_ms):
        found.append(("NEVER_AGAIN", "its schedule names no instant from now on"))
    return found


def _never_again(spec: DefinitionSpec, now_ms: int) -> bool:
    if spec.schedule_type == "ONCE":  # one in the past fires at once, so only the window can silence it
        return schedule_of(spec, now_ms, "").next_after(-1) is None
    if spec.schedule_type == "FIXED_DELAY":  # armed by the end of each run: as long as there is time left
        return spec.end_at is not None and spec.end_at <= now_ms
    return schedule_of(spec, now_ms, "").next_after(now_ms) is None
