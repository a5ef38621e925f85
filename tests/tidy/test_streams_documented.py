"""The scripts and keys of Redis: headers equal their wrappers, and each key is in docs/streams.md with its life."""

import importlib
import pkgutil
import re

import pytest
from tests.tidy.tree import ROOT

import taskservice.streams
from taskservice.streams import scripts
from taskservice.streams.keys import KEY_TABLE

PAGE = ROOT / "docs" / "streams.md"
CELL = re.compile(r"`([^`]+)`")


def _import_wrappers() -> None:
    for module in pkgutil.walk_packages(taskservice.streams.__path__, "taskservice.streams."):
        importlib.import_module(module.name)


def test_every_script_has_a_wrapper_that_agrees_with_its_header() -> None:
    """The comparison itself happens at import, in `scripts.load`; a script that nobody loads would escape it."""
    _import_wrappers()

    assert sorted(scripts.LOADED) == sorted(scripts.script_names())


def test_a_header_that_lies_is_refused() -> None:
    name = scripts.script_names()[0]
    header = scripts.LOADED[name].header if name in scripts.LOADED else None
    keys = header.keys if header else ()

    with pytest.raises(scripts.ScriptMismatch, match=name):
        scripts.load(name, keys=(*keys, "one_more"), argv=())


def test_every_key_is_documented_with_its_life() -> None:
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `task:")]
    documented = {found[1]: line for line in rows if (found := CELL.search(line))}

    assert set(documented) == {row.pattern for row in KEY_TABLE}
    for row in KEY_TABLE:
        line = documented[row.pattern]
        assert row.lifetime in line, f"{row.pattern} is {row.lifetime}"
        assert row.bounded_by in line, f"{row.pattern} is bounded by: {row.bounded_by}"
