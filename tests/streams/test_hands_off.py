"""What nobody may say to Redis, and what only some may: read from the sources themselves."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [*(ROOT / "shared").rglob("*.lua"), *(ROOT / "shared").rglob("*.py"), *(ROOT / "services").rglob("*.py")]
COMMAND = r"""["']{name}["']"""


def say(command: str) -> set[str]:
    """The files in which this command is spoken, as a string of its own; comments and docstrings hold none."""
    spoken = re.compile(COMMAND.format(name=command), re.IGNORECASE)
    return {path.name for path in SOURCES if spoken.search(path.read_text(encoding="utf-8"))}


@pytest.mark.fault("F38", invariants="I12")
@pytest.mark.parametrize("command", ["XCLAIM", "XAUTOCLAIM"])
def test_nobody_takes_over_what_was_delivered_to_somebody_else(command: str) -> None:
    assert say(command) == set()


@pytest.mark.fault("F23", invariants="I11")
def test_groups_are_made_by_the_leaders_scripts_alone() -> None:
    assert say("XGROUP") == {"append.lua", "regroup.lua"}


@pytest.mark.fault("F39", invariants="I11")
def test_consumers_are_removed_by_the_append_that_looks_what_is_pending_alone() -> None:
    assert say("DELCONSUMER") == {"append.lua"}


def test_the_search_finds_what_is_spoken() -> None:
    assert {"append.lua", "finish.lua"} <= say("XACK")
    assert "dispatch.py" in say("XREADGROUP")
