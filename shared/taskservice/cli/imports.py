"""`taskservice import`: definitions of other schedulers. Over HTTP."""

import sys
from pathlib import Path
from typing import Any, assert_never

import click
import msgspec

from taskservice.cli.apply import apply_entries
from taskservice.cli.asking import Asking, asks_service
from taskservice.cli.crontab.entries import Wanted, definitions_of
from taskservice.cli.crontab.lines import CrontabEntry, CrontabRemark, RefusedLine, read_crontab
from taskservice.cli.examples import examples
from taskservice.cli.exit_codes import CommandFailed, ExitCode
from taskservice.cli.plan import Faulty, faults_of
from taskservice.domain.schedule.zones import is_zone

MOST_BYTES = 1_048_576


class _Outcome(msgspec.Struct, frozen=True):
    """What became of a line."""

    file: str
    line: int
    text: str
    key: str | None = None
    refused: str | None = None
    remark: str | None = None


@click.group("import")
def command() -> None:
    """Make definitions of what other schedulers run."""


def _zone(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    del ctx
    if value is not None and not is_zone(value):
        raise click.BadParameter(f"{value!r} is no IANA time zone such as Europe/Berlin", param=param)
    return value


@command.command(
    "crontab",
    epilog=examples(
        "taskservice import crontab /etc/crontab /etc/cron.d/* --dry-run",
        "crontab -l | taskservice import crontab - --user alice --zone Europe/Berlin --queue batch",
    ),
)
@click.argument(
    "files", metavar="FILE…", nargs=-1, required=True, type=click.Path(dir_okay=False, allow_dash=True, path_type=Path)
)
@click.option("--user", help="the files are this user's own crontabs: their lines name no user")
@click.option("--zone", callback=_zone, help="IANA zone that the times are in; default: the service's")
@click.option("--queue", default="default", show_default=True, help="queue of the definitions")
@click.option("--user-label", metavar="LABEL", help="run a line only on workers whose LABEL is its user")
@click.option("--disabled", is_flag=True, help="make them disabled, to look at them first")
@click.option("--dry-run", is_flag=True, help="show what would change and change nothing")
@asks_service
async def import_crontab(
    ask: Asking,
    files: tuple[Path, ...],
    *,
    user: str | None,
    zone: str | None,
    queue: str,
    user_label: str | None,
    disabled: bool,
    dry_run: bool,
) -> None:
    """Make `shell` definitions of the lines of crontabs.

    FILEs are system crontabs, /etc/crontab and those of /etc/cron.d, whose lines name a user; with --user they are a
    user's own (- = standard input). A definition is known by the key crontab/FILE/HASH, so that an import may be
    repeated. Settings above a line become its environment, what follows a % its standard input. Runs overlap and are not made up for,
    as under cron; they run as the user of the worker that takes them, which must allow the handler `shell`.

    Lines that can't be taken are shown with their number and the reason, and the status is then 1; the others are taken
    all the same. A line that has gone from its file stays as a definition: delete or disable it.
    """
    wanted = Wanted(queue=queue, zone=zone, user_label=user_label, disabled=disabled)
    definitions: list[dict[str, Any]] = []
    outcomes: list[_Outcome] = []
    taken: set[str] = set()
    for file in files:
        made, told = _of_file(ask, file, user, wanted, taken)
        definitions += made
        outcomes += told
    for outcome in outcomes:
        _tell(ask, outcome)
    deployment_zone = ask.settings.scheduler.time_zone
    steps = await apply_entries(
        ask.client, ask.out, definitions, zone=deployment_zone, now_ms=ask.now_ms, dry_run=dry_run, literal=True
    )
    if any(isinstance(step, Faulty) for step in steps):
        raise CommandFailed("nothing was changed: see the faults above", ExitCode.FAILED)
    refused = sum(outcome.refused is not None for outcome in outcomes)
    if refused:
        noun = "line was" if refused == 1 else "lines were"
        raise CommandFailed(f"{refused} {noun} not taken: see above", ExitCode.FAILED)


def _of_file(
    ask: Asking, file: Path, user: str | None, wanted: Wanted, taken: set[str]
) -> tuple[list[dict[str, Any]], list[_Outcome]]:
    """The definitions of a file, and what became of its lines."""
    name = "stdin" if file == Path("-") else file.name
    definitions: list[dict[str, Any]] = []
    outcomes: list[_Outcome] = []
    for line in read_crontab(_text(file), user=user):
        match line:
            case RefusedLine():
                outcomes.append(_Outcome(str(file), line.line, line.text, refused=line.reason))
            case CrontabRemark():
                outcomes.append(_Outcome(str(file), line.line, line.text, remark=line.remark))
            case CrontabEntry():
                (made,) = definitions_of(name, [line], wanted, taken)
                faults = faults_of(made, zone=ask.settings.scheduler.time_zone, now_ms=ask.now_ms)
                if faults:
                    outcomes.append(_Outcome(str(file), line.line, line.text, refused="; ".join(faults)))
                else:
                    definitions.append(made)
                    outcomes.append(_Outcome(str(file), line.line, line.text, key=made["key"]))
            case _:
                assert_never(line)
    return definitions, outcomes


def _text(file: Path) -> str:
    """:raises CommandFailed: it can't be read, is no text, or is too long to be a crontab."""
    try:
        content = sys.stdin.buffer.read(MOST_BYTES + 1) if file == Path("-") else file.read_bytes()
        if len(content) > MOST_BYTES:
            raise CommandFailed(f"{file}: has more than {MOST_BYTES:,} bytes", ExitCode.USAGE)
        return content.decode()
    except OSError as error:
        raise CommandFailed(f"{file}: {error.strerror}", ExitCode.USAGE) from None
    except UnicodeDecodeError as error:
        raise CommandFailed(f"{file}: is not UTF-8: {error.reason} at byte {error.start}", ExitCode.USAGE) from None


def _tell(ask: Asking, outcome: _Outcome) -> None:
    if ask.out.mode == "json":
        ask.out.json(outcome)
        return
    where = f"{outcome.file}:{outcome.line}"
    if outcome.refused is not None:
        ask.out.line(f"not taken  {where}: {outcome.refused}")
        ask.out.line(f"             {outcome.text}")
    elif outcome.remark is not None:
        ask.out.line(f"note       {where}: {outcome.remark}")
    else:
        ask.out.line(f"taken      {where}: {outcome.text}")
