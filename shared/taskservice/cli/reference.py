"""The reference page of the command line, from the commands themselves.

Run `python -m taskservice.cli.reference > docs/reference/cli.md` after a change of them.
"""

import inspect
import re
from collections.abc import Iterator

import click

from taskservice.cli.exit_codes import MEANINGS
from taskservice.cli.main import COMMANDS, main

INTRODUCTION = """\
# Command line

`taskservice COMMAND --help` says all of this at the terminal. This page is made from the commands
(`python -m taskservice.cli.reference`).

## What all have in common

- **Where the service is.** Commands that ask the service take its address and API key from the settings
  `taskservice.api.url` and `taskservice.api.key` (`TASKSERVICE_API_URL`, `TASKSERVICE_API_KEY`, `--url`, `--set`,
  `--config`); in the folder of a running local stack they are found by themselves, and its key goes to its address
  alone. A key is no option of its own: every process of a machine can read the others' command lines.
  `keys`, `tenants`, `migrate`, `verify`, `check` and `recover` work on the database (and Redis) themselves.
- **Names.** A definition is named by its id, the beginning of its id (8 digits at least), its key, or `key:KEY`; an
  instance by its id or the beginning of it. A beginning that fits more than one thing is refused.
- **Times** are RFC 3339, or how long ago: `90s`, `15m`, `2h`, `3d`.
- **Who reads.** On a terminal: colours (not with `NO_COLOR`), distances such as `in 5 min`, lines as wide as it is,
  beginnings of ids, progress bars. In a pipe, or with `TERM=dumb`: a line of headings and aligned columns, whole ids,
  RFC 3339, nothing cut. What only people need, remarks, questions and bars, goes to stderr.
- **`--json`** is for programs, and a contract: one JSON object on a line for each thing, with the members of the HTTP
  API. A list is as many lines, none when it is empty; what follows (`logs -f`, `events tail`) tells each thing as it
  comes. `jq -s .` makes an array of it.
- **Destructive commands** ask first. Where nobody can answer they refuse, unless `--yes` says so.
- **Completion**: `taskservice completion bash|zsh|fish`, of commands, options and keys of definitions.

## Exit status

| status | meaning |
|---|---|
"""


def reference() -> str:
    """The page."""
    rows = "".join(f"| {int(code)} | {meaning} |\n" for code, meaning in MEANINGS.items())
    parts = [INTRODUCTION + rows]
    root = click.Context(main, info_name="taskservice", max_content_width=100, terminal_width=100)
    for name in COMMANDS:
        command = main.get_command(root, name)
        if command is not None:
            parts += _sections(command, click.Context(command, parent=root, info_name=name))
    return "\n".join(parts)


def _sections(command: click.Command, context: click.Context) -> Iterator[str]:
    level = "##" if context.parent is not None and context.parent.parent is None else "###"
    lines = [f"{level} `{context.command_path}`", "", _prose(command.help)]
    if not isinstance(command, click.Group):
        lines += ["", "```text", _usage(command, context), "```"]
    if command.epilog:
        lines += ["", "```text", *(line.strip() for line in command.epilog.splitlines()[2:]), "```"]
    yield "\n".join(lines) + "\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            if found is not None and not found.hidden:
                yield from _sections(found, click.Context(found, parent=context, info_name=name))


def _prose(text: str | None) -> str:
    """A docstring as Markdown: what looks like a tag must not be one."""
    prose = inspect.cleandoc(text or "").replace("\b\n", "")
    return re.sub(r"(?<!`)<([^>`\s]+)>", r"`<\1>`", prose)


def _usage(command: click.Command, context: click.Context) -> str:
    formatter = click.HelpFormatter(width=100, max_width=100)
    pieces = command.collect_usage_pieces(context)
    formatter.write_text(f"{context.command_path} {' '.join(pieces)}")
    records = [
        record
        for parameter in command.get_params(context)
        if (record := parameter.get_help_record(context)) is not None
    ]
    if records:
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_dl([record for record in records if "--help" not in record[0]])
    return formatter.getvalue().rstrip()


if __name__ == "__main__":
    click.echo(reference(), nl=False)
