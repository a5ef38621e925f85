"""Importing the modules that hold the users' handlers."""

import importlib
import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path
from traceback import extract_tb
from types import ModuleType

from taskservice.worker.declaring import Declaration, DeclarationError, collecting, declarations_in
from taskservice.worker.frames_of_users import is_library


class ImportFailedError(Exception):
    """A module of `--import` can't be imported, or declares nothing; the message says why."""


def import_handlers(names: Iterable[str]) -> list[Declaration]:
    """Import modules and answer what they, and what they import, declare.

    :param names: dotted module names (looked up in the current folder too), or paths that end in `.py`.
    :raises ImportFailedError: when one can't be imported or nothing in it is decorated.
    """
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)  # as `python -m` does; a console script would not find the user's package
    found: list[Declaration] = []
    for name in names:
        with collecting() as declared:
            module = _import(name)
        declared.extend(declarations_in(vars(module)))  # of modules that were imported before, too
        if not declared:
            raise ImportFailedError(f"{name} declares no handler: decorate one with @task or @task_handler")
        found.extend(declared)
    return found


def _import(name: str) -> ModuleType:
    is_file = name.endswith(".py")
    if not is_file and not all(part.isidentifier() for part in name.split(".")):
        raise ImportFailedError(f"can't import {name}: neither a dotted module name nor a path that ends in .py")
    try:
        return _import_file(Path(name)) if is_file else importlib.import_module(name)
    except ImportError as error:
        raise ImportFailedError(f"can't import {name}: {error}") from error
    except OSError as error:
        raise ImportFailedError(f"can't read {name}: {error}") from error
    except Exception as error:  # whatever a user's module does while it is imported
        at_fault = "" if isinstance(error, SyntaxError) else _where(error)
        kind = "" if isinstance(error, DeclarationError) else f"{type(error).__name__}: "
        raise ImportFailedError(f"can't import {name}: {kind}{error}{at_fault}") from error


def _where(error: Exception) -> str:
    """The innermost line of the users' own code, since the mistake is rarely in a library that it called."""
    frames = extract_tb(error.__traceback__)
    own = [frame for frame in frames if not is_library(frame.filename)] or frames
    return "".join(f" ({at.filename}, line {at.lineno})" for at in own[-1:])


def _import_file(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[path.stem]
        raise
    return module
