"""Applying a file of definitions: read it, plan all of it, carry the plan out, show what was done."""

import json
import sys
from pathlib import Path
from typing import Any, assert_never

import msgspec

from taskservice.cli.asking import failure_of
from taskservice.cli.exit_codes import CommandFailed, ExitCode
from taskservice.cli.output import Output
from taskservice.cli.plan import Change, Create, Faulty, Step, Unchanged, keys_given_twice, may_match, plan_entry
from taskservice.cli.progress import progress
from taskservice.cli.schedule_told import in_words, next_there
from taskservice.client import Client, ClientError, Definition

MOST_SHOWN = 120
ACTIONS = {Create: "create", Change: "change", Unchanged: "unchanged", Faulty: "faulty"}


def read_entries(file: Path) -> list[Any]:
    """The definitions of a file; `-` = of standard input.

    :raises CommandFailed: it can't be read, or holds something else.
    """
    try:
        text = sys.stdin.buffer.read() if file == Path("-") else file.read_bytes()
        document = json.loads(text, parse_constant=_refuse_constant)
    except OSError as error:
        raise CommandFailed(f"{file}: {error.strerror}", ExitCode.USAGE) from None
    except (ValueError, RecursionError) as error:
        raise CommandFailed(f"{file} is not JSON: {error}", ExitCode.USAGE) from None
    entries = document.get("definitions") if isinstance(document, dict) else document
    if not isinstance(entries, list):
        detail = f'{file}: must hold an array of definitions, or {{"definitions": [...]}}'
        raise CommandFailed(detail, ExitCode.USAGE)
    return entries


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is none of its values")


async def apply_entries(
    client: Client, out: Output, entries: list[Any], *, zone: str, now_ms: int, dry_run: bool, literal: bool = False
) -> list[Step]:
    """Plan all entries, then carry the plan out and show it; with a fault anywhere, or `dry_run`, only show it.

    :param zone: of definitions that name none. :param now_ms: what `${NOW}` is. :param literal: it is nothing.
    :raises ClientError: the service can't be asked.
    :raises CommandFailed: it refuses something; what was shown before is done.
    """
    steps = await _planned(client, entries, zone=zone, now_ms=now_ms, literal=literal)
    faulty = any(isinstance(step, Faulty) for step in steps)
    acts = not dry_run and not faulty
    for step in steps:
        try:
            made = await _carry_out(client, step) if acts else None
        except ClientError as error:
            message = f"entry {step.entry}, {_name(entries[step.entry])}: {error}\nwhat stands above was done"
            raise CommandFailed(message, ExitCode(failure_of(error).exit_code)) from None
        _show(out, step, entries[step.entry], made)
    if not faulty:
        summary = _summary(steps, dry_run=dry_run)
        (out.remark if out.mode == "json" else out.line)(summary)
    return steps


async def _planned(client: Client, entries: list[Any], *, zone: str, now_ms: int, literal: bool) -> list[Step]:
    steps: list[Step] = []
    taken: set[str] = set()
    twice = keys_given_twice(entries)
    with progress("comparing", len(entries)) as tell:
        for number, entry in enumerate(entries):
            tell(number)
            if number in twice:
                problem = f"#/key: entry {twice[number]} has this key already"
                steps.append(Faulty(entry=number, problems=(problem,)))
                continue
            candidates = [one for one in await _candidates(client, entry) if one.id not in taken]
            step = plan_entry(number, entry, candidates, url=client.url, now_ms=now_ms, zone=zone, literal=literal)
            if isinstance(step, Change | Unchanged):
                taken.add(step.existing.id)
            steps.append(step)
    return steps


async def _candidates(client: Client, entry: Any) -> list[Definition]:
    if not isinstance(entry, dict):
        return []
    filters: dict[str, Any] = {**may_match(entry)}
    return [one async for one in client.all_definitions(**filters)]


async def _carry_out(client: Client, step: Step) -> Definition | None:
    match step:
        case Create():
            return await client.create_definition(step.body)
        case Change():
            return await client.replace_definition(step.existing.id, step.body, version=step.existing.version)
        case Unchanged():
            return step.existing
        case Faulty():
            return None
        case _:
            assert_never(step)


def _show(out: Output, step: Step, entry: Any, made: Definition | None) -> None:
    action = ACTIONS[type(step)]
    if out.mode == "json":
        out.json(_record(step, entry, made, action))
        return
    place = f" (entry {step.entry})" if isinstance(step, Faulty) else ""
    out.line(f"{action:<9}  {_name(entry)}{place}")
    for line in (*_remarks(step), *_promised(step, made)):
        out.line(f"             {line}")


def _record(step: Step, entry: Any, made: Definition | None, action: str) -> dict[str, Any]:
    members = entry if isinstance(entry, dict) else {}
    existing = step.existing.id if isinstance(step, Change | Unchanged) else None
    record = {
        "entry": step.entry,
        "action": action,
        "key": members.get("key"),
        "taskName": members.get("taskName"),
        "id": existing if made is None else made.id,
    }
    if made is not None and made.warnings:
        record["warnings"] = made.warnings
    if isinstance(step, Change):
        record["differences"] = {name: {"from": old, "to": new} for name, (old, new) in step.differences.items()}
    if isinstance(step, Faulty):
        record["problems"] = step.problems
    return record


def _remarks(step: Step) -> list[str]:
    match step:
        case Change():
            found = step.differences.items()
            return [f"{member or 'all'}: {_short(old)} -> {_short(new)}" for member, (old, new) in found]
        case Faulty():
            return list(step.problems)
        case Create() | Unchanged():
            return []
        case _:
            assert_never(step)


def _promised(step: Step, made: Definition | None) -> list[str]:
    """Of what was made or changed: what its schedule means, when it comes due, what may surprise."""
    if made is None or isinstance(step, Unchanged):
        return []
    words = in_words(made)
    coming = next_there(made) if made.enabled else None
    return [
        *([] if words is None else [words]),
        *([] if coming is None else [f"next {coming}"]),
        *(f"warning {one.code}: {one.detail}" for one in made.warnings),
    ]


def _summary(steps: list[Step], *, dry_run: bool) -> str:
    would = "would be " if dry_run else ""
    counted = {kind: sum(isinstance(step, kind) for step in steps) for kind in (Create, Change, Unchanged)}
    return f"{counted[Create]} {would}created, {counted[Change]} {would}changed, {counted[Unchanged]} unchanged"


def _name(entry: Any) -> str:
    if not isinstance(entry, dict):
        return "?"
    key = entry.get("key")
    return f"{entry.get('taskName', '?')}" + (f" (key {key})" if key is not None else "")


def _short(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= MOST_SHOWN else text[:MOST_SHOWN] + "…"
