"""The reference page is the commands, and every command says what it is for and how it is used."""

from collections.abc import Iterator

import click
import pytest
from tests.tidy.tree import ROOT

from taskservice.cli.exit_codes import ExitCode
from taskservice.cli.main import COMMANDS, main
from taskservice.cli.reference import reference

SERVICES = {"up", "all", "api", "ticker", "worker", "projector"}
"""Their pages are the how-tos."""


def commands(group: click.Group, context: click.Context) -> Iterator[tuple[str, click.Command]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        inner = click.Context(command, parent=context, info_name=name)
        if isinstance(command, click.Group):
            yield from commands(command, inner)
        else:
            yield inner.command_path, command


ALL = dict(commands(main, click.Context(main, info_name="taskservice")))


def test_the_page_is_up_to_date() -> None:
    page = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")

    assert page == reference(), "run: .venv/bin/python -m taskservice.cli.reference > docs/reference/cli.md"


def test_the_page_has_every_command_and_every_status() -> None:
    page = reference()

    assert [path for path in ALL if f"`{path}`" not in page] == []
    assert [f"| {int(code)} |" for code in ExitCode if f"\n| {int(code)} |" not in page] == []


@pytest.mark.parametrize("path", sorted(ALL))
def test_every_command_and_every_option_says_what_it_is(path: str) -> None:
    command = ALL[path]

    assert command.help
    silent = [one.name for one in command.params if isinstance(one, click.Option) and not one.help and not choices(one)]
    assert silent == []


def choices(option: click.Option) -> bool:
    return isinstance(option.type, click.Choice)


def test_examples_are_commands_that_exist() -> None:
    """The first words of each are a command, and its options are the command's."""
    lines = [line.strip() for one in ALL.values() for line in (one.epilog or "").splitlines() if "taskservice" in line]
    known = sorted(ALL, key=len, reverse=True)
    strange = []
    for line in lines:
        part = line[line.index("taskservice") :].split(" | ")[0]
        path = next((path for path in known if part.startswith(path)), None)
        if path is None:
            strange.append(line)
            continue
        options = {name for one in ALL[path].params for name in one.opts}
        strange += [line for word in part.split() if word.startswith("--") and word not in options]

    assert strange == []
    assert len(lines) >= len(COMMANDS) - len(SERVICES)
