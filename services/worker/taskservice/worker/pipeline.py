"""One attempt from work order to outcome, as named steps. Each step answers what the next needs, or a Failure.

resolve the handler → fit its isolation → parse the parameters → bind the arguments → call → judge what came back
"""

import asyncio
from dataclasses import dataclass
from typing import TypeAlias

import msgspec

from taskservice.domain.definition.spec import Isolation
from taskservice.domain.dispatch import WorkOrder
from taskservice.worker.binding import BadArguments
from taskservice.worker.context import TaskContext
from taskservice.worker.frames_of_users import traceback_of
from taskservice.worker.outcome import Failure, Success, failure, failure_of, success_of
from taskservice.worker.registry import Handler, Registry


@dataclass(frozen=True, slots=True)
class Prepared:
    """A call that can be made."""

    handler: Handler
    arguments: dict[str, object]


@dataclass(frozen=True, slots=True)
class CannotRun:
    """Nothing is wrong with the work: this worker can't do it, and hands it back."""

    why: str


Preparation: TypeAlias = Prepared | Failure | CannotRun


def prepare(order: WorkOrder, context: TaskContext, registry: Registry, kind: Isolation) -> Preparation:
    """All steps before the call; what fails here fails in every try, so none is asked for."""
    handler = registry.get(order.handler)
    if handler is None:
        return CannotRun(f"this worker has no handler {order.handler!r}")
    if not handler.runs_as(kind):
        return CannotRun(f"{order.handler!r} can't run as {kind} here")
    try:
        params = context.params
    except msgspec.DecodeError as error:
        return failure("InvalidParams", f"taskParams is no JSON: {error}", retry=False)
    arguments = handler.binding.arguments(params)
    if isinstance(arguments, BadArguments):
        return failure("BadArguments", arguments.message, retry=False)
    return Prepared(handler, arguments)


async def call_on_loop(prepared: Prepared, context: TaskContext) -> Success | Failure:
    """Call an `async def` and judge its end.

    :raises asyncio.CancelledError: when the attempt was asked to end.
    """
    try:
        return success_of(await prepared.handler.invoke_async(context, prepared.arguments))
    except asyncio.CancelledError:
        if context.cancelled:
            raise
        return failure("CancelledError", "the handler cancelled itself")
    except BaseException as error:  # noqa: BLE001 (whatever a handler raises is its failure; SystemExit too)
        return _raised(error, context)


def call_in_thread(prepared: Prepared, context: TaskContext) -> Success | Failure:
    """Call a `def`, or an `async def` on a loop of its own, and judge its end."""
    try:
        value = prepared.handler.invoke(context, prepared.arguments)
        if prepared.handler.is_async:
            value = asyncio.run(_awaited(value))
        return success_of(value)
    except BaseException as error:  # noqa: BLE001 (likewise)
        return _raised(error, context)


def _raised(error: BaseException, context: TaskContext) -> Failure:
    context.log.error(traceback_of(error))
    return failure_of(error)


async def _awaited(value: object) -> object:
    return await value  # type: ignore[misc] # an `async def` was called
