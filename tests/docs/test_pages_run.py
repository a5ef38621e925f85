"""Every command of the documentation is run, on a service that lives.

A page is run as a reader would: from its first block to its last, in one shell, in a folder that looks like a clone
beside which `make up` runs. `tests/docs/not_run.py` lists the commands that are not run, and why.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.docs.looks import alike
from tests.docs.not_run import NOT_RUN
from tests.docs.pages import Block, all_blocks, blocks, pages
from tests.docs.shell import clone_of, reader_env, run_page, script_of

from taskservice.testing.running_stack import RunningStack, running_stack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
RUNNABLE = {"sh", "sh background", "console"}


def to_run(page: str) -> list[Block]:
    """The blocks of a page that are run; with them the files that its Python blocks stand for."""
    return [
        block
        for block in blocks(page)
        if (block.kind in RUNNABLE and (page, block.first_command) not in NOT_RUN) or block.file_name
    ]


def pages_with_commands() -> list[str]:
    """The Chinese README is left out: a test of the blocks says that its commands are those of the English one."""
    found = [page for page in pages() if any(block.kind in RUNNABLE for block in to_run(page))]
    return [page for page in found if page != "README.zh-CN.md"]


def named_by(script: str, stack: RunningStack) -> dict[str, str]:
    """Address and key of the stack, for a page that takes them from the environment."""
    given = {"TASKSERVICE_API_URL": stack.url, "TASKSERVICE_API_KEY": str(stack.facts["apiKey"])}
    return {name: value for name, value in given.items() if f"${name}" in script}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """What `make up` starts, examples included, once for all pages."""
    with running_stack(tmp_path_factory.mktemp("docs")) as running:
        yield running


@pytest.mark.parametrize("page", pages_with_commands())
def test_the_commands_of_a_page_work(page: str, stack: RunningStack, tmp_path: Path) -> None:
    folder = clone_of(tmp_path / "clone", stack.directory / ".local")
    script, commands = script_of(to_run(page), folder)

    outcome = run_page(script, folder, {**reader_env(folder), **named_by(script, stack)})

    assert outcome.status == 0, f"status {outcome.status} in {outcome.last}\n{outcome.output[-6000:]}"
    for command in commands:
        printed = command.printed.read_text(encoding="utf-8")
        assert alike(command.expected, printed), f"{command.where}: $ {command.text}\nprinted:\n{printed}"


@pytest.mark.parametrize(
    "block", [block for block in all_blocks() if block.kind == "json definition"], ids=lambda block: block.where
)
def test_a_definition_that_is_shown_is_taken(block: Block, stack: RunningStack) -> None:
    shown = json.loads(block.text)
    key = f"{shown.get('key', 'none')}/shown"  # the page may have made one under its own key
    with stack.client() as client:
        made = client.post("/definitions", json={**shown, "enabled": False, "key": key})

        assert made.status_code == 201, made.text
        assert {name: made.json()[name] for name in shown if name not in {"taskParams", "enabled", "key"}} == {
            name: value for name, value in shown.items() if name not in {"taskParams", "enabled", "key"}
        }
        assert client.delete(f"/definitions/{made.json()['id']}").status_code == 204
