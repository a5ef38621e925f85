"""How users declare handlers: `@task`, and `@task_handler` with a `TaskHandler` class.

A decorator marks what it decorates and, while the worker imports a module, notes it in the open collection. So nothing
is registered by an import that nobody asked for, and there is no global list.
"""

import contextvars
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, TypeVar, get_args

from taskservice.domain.definition.spec import Isolation
from taskservice.worker.context import TaskContext

MARK: Final = "__taskservice_handler__"
"""Attribute of a decorated function or class: its Declaration."""


class DeclarationError(Exception):
    """A handler was declared in a way that can't work; the message says which and what to change."""


class TaskHandler(ABC):
    """A handler as a class. One object serves all attempts of a worker, several at the same time."""

    @abstractmethod
    def execute(self, context: TaskContext) -> object:
        """Run one attempt; may also be `async def`. Answer a `TaskResult`, or a value (success), or raise (failure)."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """A name, and the code behind it.

    :ivar isolation: where it runs; ASYNC for `async def`, THREAD for `def`.
    :ivar only_there: a definition's own isolation can't move it: it can run nowhere else.
    :ivar starts_program: it answers the program that its attempt is, and does nothing itself.
    """

    name: str
    target: Callable[..., object] | type[TaskHandler]
    isolation: Isolation
    only_there: bool = False
    starts_program: bool = False

    @property
    def source(self) -> str:
        """`module.name` of the code, for messages."""
        return f"{self.target.__module__}.{self.target.__qualname__}"

    @property
    def place(self) -> str:
        """` (file, line n)` of the code, for messages; empty when there is none to name."""
        target = self.target if inspect.isfunction(self.target) else getattr(self.target, "execute", None)
        code = getattr(target, "__code__", None)
        return "" if code is None else f" ({code.co_filename}, line {code.co_firstlineno})"


F = TypeVar("F", bound=Callable[..., object])
H = TypeVar("H", bound=TaskHandler)

_collection: Final[contextvars.ContextVar[list[Declaration] | None]] = contextvars.ContextVar(
    "taskservice_collection", default=None
)


def task(name: str, *, isolation: Isolation | None = None) -> Callable[[F], F]:
    """Declare a function as the handler `name`.

    :param name: the definition's `taskHandler`.
    :param isolation: where it runs; None = ASYNC for `async def`, THREAD for `def`; PROCESS for both.
    :raises DeclarationError: when the isolation does not fit the function.
    """
    _check_named("task", name)

    def mark(function: F) -> F:
        if not inspect.isfunction(function):
            raise DeclarationError(f"@task({name!r}) decorates a function; for a class use @task_handler")
        is_async = inspect.iscoroutinefunction(function)
        _declare(Declaration(name, function, _isolation(name, isolation, is_async=is_async)))
        return function

    return mark


def task_handler(name: str, *, isolation: Isolation | None = None) -> Callable[[type[H]], type[H]]:
    """Declare a `TaskHandler` class as the handler `name`; its constructor takes no arguments.

    :param name: the definition's `taskHandler`.
    :param isolation: where it runs; None = ASYNC for an `async def execute`, THREAD for a `def execute`; PROCESS for both.
    :raises DeclarationError: when the class is none, or the isolation does not fit.
    """
    _check_named("task_handler", name)

    def mark(cls: type[H]) -> type[H]:
        given: object = cls  # users may decorate anything
        if not isinstance(given, type) or not issubclass(given, TaskHandler):
            raise DeclarationError(f"@task_handler({name!r}) decorates a class derived from TaskHandler")
        is_async = inspect.iscoroutinefunction(cls.execute)
        _declare(Declaration(name, cls, _isolation(name, isolation, is_async=is_async)))
        return cls

    return mark


@contextmanager
def collecting() -> Iterator[list[Declaration]]:
    """Note every declaration that is made while this context is open."""
    found: list[Declaration] = []
    token = _collection.set(found)
    try:
        yield found
    finally:
        _collection.reset(token)


def declarations_in(namespace: dict[str, object]) -> list[Declaration]:
    """What the decorated members of a module declare, in their order."""
    marks = (vars(member).get(MARK) for member in namespace.values() if hasattr(member, "__dict__"))
    return [mark for mark in marks if isinstance(mark, Declaration)]


def _declare(declaration: Declaration) -> None:
    setattr(declaration.target, MARK, declaration)
    found = _collection.get()
    if found is not None:
        found.append(declaration)


def _check_named(decorator: str, name: object) -> None:
    """A decorator without parentheses is handed what it decorates instead of a name."""
    if not isinstance(name, str):
        raise DeclarationError(f'@{decorator} needs a name: @{decorator}("orders.sweep")')


def _isolation(name: str, wished: Isolation | None, *, is_async: bool) -> Isolation:
    if wished == "ASYNC" and not is_async:
        raise DeclarationError(
            f"handler {name!r}: isolation ASYNC needs an async def: a def would block every other run"
        )
    if wished is not None and wished not in get_args(Isolation):
        meant = str(wished).upper()
        hint = f"; {meant} is meant?" if meant in get_args(Isolation) else ""
        raise DeclarationError(
            f"handler {name!r}: isolation is {' or '.join(get_args(Isolation))}, not {wished!r}{hint}"
        )
    return wished or ("ASYNC" if is_async else "THREAD")
