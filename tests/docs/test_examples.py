"""The examples that commands give of themselves, and the metrics that queries name, exist.

An example of the reference is parsed by the command that it calls, and not run: every option and value in it is one
that the command takes. What other pages tell to do is run (test_pages_run.py).
"""

import re
import shlex
from pathlib import Path

import click
import pytest
from tests.docs.pages import all_blocks, blocks
from tests.tidy.tree import ROOT

from taskservice.cli.main import main

SYNOPSIS = re.compile(r"\[OPTIONS\]|COMMAND \[ARGS\]")
METRIC = re.compile(r"\b(?:task_[a-z_]+|taskservice_[a-z_]+|scheduler_health_status)\b")
TOLD_BY_METRIC = re.compile(r"_(?:bucket|sum|count)$")
FILE = re.compile(r"[\w./-]+\.(?:json|yaml)\b")
STOPS_AT = {"|", "<", ">", "&&", ";"}


def examples() -> list[str]:
    """Each `taskservice …` line of the reference that is no synopsis."""
    lines = (line.strip() for block in blocks("docs/reference/cli.md") for line in block.text.splitlines())
    return sorted({line for line in lines if line.startswith("taskservice ") and not SYNOPSIS.search(line)})


def test_there_are_examples() -> None:
    assert len(examples()) > 20


@pytest.mark.parametrize("line", examples())
def test_an_example_is_what_its_command_takes(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = shlex.split(line, comments=True)
    for name in FILE.findall(line):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("[]")
    end = next((number for number, word in enumerate(words) if word in STOPS_AT), len(words))

    context: click.Context = main.make_context("taskservice", words[1:end])
    while isinstance(context.command, click.Group):
        name, command, rest = context.command.resolve_command(context, [*context._protected_args, *context.args])
        assert command is not None
        context = command.make_context(name, rest, parent=context)


def test_the_metrics_that_queries_name_are_documented() -> None:
    reference = set(METRIC.findall((ROOT / "docs/reference/metrics.md").read_text(encoding="utf-8")))
    unknown = {
        f"{block.where} {name}"
        for block in all_blocks()
        if block.kind == "promql"
        for name in METRIC.findall(block.text)
        if name not in reference and TOLD_BY_METRIC.sub("", name) not in reference
    }

    assert unknown == set()
