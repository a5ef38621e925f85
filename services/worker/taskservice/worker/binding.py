"""From a run's parameters to the arguments of a function, by its signature. Made once a handler, pure."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from taskservice.worker.context import TaskContext
from taskservice.worker.declaring import DeclarationError

CONTEXT_NAMES: Final = frozenset({"ctx", "context"})


@dataclass(frozen=True, slots=True)
class BadArguments:
    """The parameters do not fit the function; `message` says how."""

    message: str


@dataclass(frozen=True, slots=True)
class Binding:
    """How a function wants to be called.

    :ivar takes_context: its first parameter is the context.
    :ivar accepted: names of the arguments that it takes.
    :ivar required: those without default, in their order.
    :ivar takes_any: it has `**kwargs`.
    :ivar reserved: the name under which the context could be given twice; None = no argument can meet it.
    """

    takes_context: bool
    accepted: frozenset[str]
    required: tuple[str, ...]
    takes_any: bool
    reserved: str | None = None

    @property
    def reads_context_only(self) -> bool:
        """It takes the context and nothing else, and looks at `ctx.params` itself."""
        return self.takes_context and not self.accepted and not self.takes_any

    def arguments(self, params: object) -> dict[str, object] | BadArguments:
        """The keyword arguments for these parameters: a JSON object's members; any other value gives none."""
        if self.reads_context_only:
            return {}
        given: dict[str, object] = params if isinstance(params, dict) else {}
        if self.takes_any and self.reserved in given:
            return BadArguments(f"{self.reserved!r} is the handler's context, no argument may have its name")
        if not self.takes_any:
            unknown = sorted(given.keys() - self.accepted)
            if unknown:
                return BadArguments(f"unknown argument {_names(unknown)}; {self._allowed()}")
        missing = [name for name in self.required if name not in given]
        if missing:
            hint = "" if isinstance(params, dict) else "; taskParams must be a JSON object to become arguments"
            return BadArguments(f"missing argument {_names(missing)}{hint}")
        return given

    def _allowed(self) -> str:
        return f"the handler takes {_names(sorted(self.accepted))}" if self.accepted else "the handler takes none"


def bind(function: Callable[..., object]) -> Binding:
    """Read the signature of `function`.

    The context is its first parameter if that is named `ctx` or `context`, or annotated with `TaskContext`.

    :raises DeclarationError: for parameters that nothing could ever be given for.
    """
    parameters = list(inspect.signature(function).parameters.values())
    takes_context = bool(parameters) and _is_context(parameters[0])
    named_context = takes_context and parameters[0].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    reserved = parameters[0].name if named_context else None
    accepted: list[str] = []
    required: list[str] = []
    takes_any = False
    for parameter in parameters[1:] if takes_context else parameters:
        match parameter.kind:
            case inspect.Parameter.POSITIONAL_ONLY:
                raise DeclarationError(
                    f"{function.__qualname__}: {parameter.name!r} is positional-only, but arguments come by name"
                )
            case inspect.Parameter.VAR_POSITIONAL:
                continue
            case inspect.Parameter.VAR_KEYWORD:
                takes_any = True
            case _:
                accepted.append(parameter.name)
                if parameter.default is inspect.Parameter.empty:
                    required.append(parameter.name)
    return Binding(takes_context, frozenset(accepted), tuple(required), takes_any, reserved)


def _is_context(parameter: inspect.Parameter) -> bool:
    if parameter.kind in {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}:
        return False
    if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
        return False
    annotation = parameter.annotation
    text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")
    return parameter.name in CONTEXT_NAMES or annotation is TaskContext or text.rpartition(".")[2] == "TaskContext"


def _names(names: list[str]) -> str:
    return ", ".join(repr(name) for name in names)
