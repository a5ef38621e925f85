"""The handlers of a worker by name."""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import cast

from taskservice.domain.definition.spec import Isolation
from taskservice.domain.workers import HandlerInfo
from taskservice.worker.binding import Binding, bind
from taskservice.worker.context import TaskContext
from taskservice.worker.declaring import Declaration, DeclarationError, TaskHandler

MAX_NAME = 200


@dataclass(frozen=True, slots=True)
class Handler:
    """A handler ready to be called.

    :ivar isolation: where it runs if the definition has no wish of its own.
    :ivar others: where it can run as well.
    :ivar starts_program: see `Declaration`.
    :ivar call: takes the context first, if the binding says so, and the arguments by name.
    """

    name: str
    isolation: Isolation
    others: tuple[Isolation, ...]
    is_async: bool
    binding: Binding
    call: Callable[..., object]
    source: str
    starts_program: bool = False

    def runs_as(self, kind: Isolation) -> bool:
        """Whether it can take a slot of this kind."""
        return kind == self.isolation or kind in self.others

    def invoke(self, context: TaskContext, arguments: dict[str, object]) -> object:
        """Call it: the value of a `def`, an awaitable of an `async def`."""
        return self.call(context, **arguments) if self.binding.takes_context else self.call(**arguments)

    def invoke_async(self, context: TaskContext, arguments: dict[str, object]) -> Awaitable[object]:
        """Call an `async def`."""
        return cast("Awaitable[object]", self.invoke(context, arguments))


class Registry:
    """Name → Handler; a name has one handler."""

    def __init__(self, declarations: Iterable[Declaration] = ()) -> None:
        self._handlers: dict[str, Handler] = {}
        for declaration in declarations:
            self.add(declaration)

    def add(self, declaration: Declaration) -> None:
        """Take a declaration; the same one again is no duplicate.

        :raises DeclarationError: when the name is taken or malformed, or the code can't be called.
        """
        name = declaration.name
        if not 1 <= len(name) <= MAX_NAME or not all(c.isascii() and (c.isalnum() or c in "_.:-") for c in name):
            raise DeclarationError(f"handler name {name!r}: 1 to {MAX_NAME} of A-Z a-z 0-9 _ . : -{declaration.place}")
        known = self._handlers.get(name)
        if known is not None and known.source != declaration.source:
            raise DeclarationError(
                f"handler {name!r} is declared twice: by {known.source} and by {declaration.source}{declaration.place}"
            )
        if known is None:
            self._handlers[name] = _handler(declaration)

    def get(self, name: str) -> Handler | None:
        """The handler of that name."""
        return self._handlers.get(name)

    def infos(self) -> tuple[HandlerInfo, ...]:
        """What a beat says about them."""
        return tuple(
            HandlerInfo(name=handler.name, isolation=handler.isolation, others=handler.others) for handler in self
        )

    def __iter__(self) -> Iterator[Handler]:
        return iter(self._handlers.values())

    def __len__(self) -> int:
        return len(self._handlers)


def _handler(declaration: Declaration) -> Handler:
    target = declaration.target
    call: Callable[..., object] = target
    if isinstance(target, type) and issubclass(target, TaskHandler):
        try:
            call = target().execute
        except TypeError as error:
            raise DeclarationError(
                f"handler {declaration.name!r}: can't make a {target.__qualname__}(): {error}{declaration.place}"
            ) from error
        binding = Binding(takes_context=True, accepted=frozenset(), required=(), takes_any=False)
    else:
        try:
            binding = bind(target)
        except DeclarationError as error:
            raise DeclarationError(f"{error}{declaration.place}") from error
    return Handler(
        name=declaration.name,
        isolation=declaration.isolation,
        others=_others(declaration, call),
        is_async=inspect.iscoroutinefunction(call),
        binding=binding,
        call=call,
        source=declaration.source,
        starts_program=declaration.starts_program,
    )


def _others(declaration: Declaration, call: Callable[..., object]) -> tuple[Isolation, ...]:
    if declaration.only_there:
        return ()
    kinds: tuple[Isolation, ...] = ("THREAD", "PROCESS")
    if inspect.iscoroutinefunction(call):
        kinds = ("ASYNC", *kinds)
    return tuple(kind for kind in kinds if kind != declaration.isolation)
