"""The command line's registry: every sub-command is listed, found, and imported only when called."""

import importlib
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from taskservice.cli.main import COMMANDS, main

LOADED = (
    "import sys; from taskservice.cli.main import main; main(['--help'], standalone_mode=False); print(*sys.modules)"
)


def test_help_lists_every_command_with_its_purpose() -> None:
    shown = CliRunner().invoke(main, ["--help"])

    assert shown.exit_code == 0
    assert [
        name for name, entry in COMMANDS.items() if name not in shown.output or entry.help not in shown.output
    ] == []


def test_help_imports_no_command() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)

    modules = set(done.stdout.split())
    assert "taskservice.cli.main" in modules
    assert {entry.target.partition(":")[0] for entry in COMMANDS.values()} & modules == set()


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_is_there_and_has_help(name: str) -> None:
    module, _, attribute = COMMANDS[name].target.partition(":")
    command = getattr(importlib.import_module(module), attribute)

    assert isinstance(command, click.Command)
    assert CliRunner().invoke(main, [name, "--help"]).exit_code == 0


def test_an_unknown_command_is_refused() -> None:
    refused = CliRunner().invoke(main, ["workr"])

    assert refused.exit_code == 2
    assert "workr" in refused.output


def test_wrong_settings_end_a_command_with_every_problem() -> None:
    refused = CliRunner().invoke(main, ["up", "--set", "app.task.worker.ttl=soon", "--set", "mysql.port=0"])

    assert refused.exit_code == 2
    assert "app.task.worker.ttl" in refused.output
    assert "mysql.port" in refused.output


def test_an_assignment_without_a_value_is_refused() -> None:
    refused = CliRunner().invoke(main, ["up", "--set", "app.task.worker.ttl"])

    assert refused.exit_code == 2
    assert "KEY=VALUE" in refused.output
