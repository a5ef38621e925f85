"""Backfills as the contract shows them."""

from collections.abc import Sequence

import msgspec

from taskservice.domain.instant_text import rfc3339

SHOWN_FIRES = 20


class BackfillFireView(msgspec.Struct, kw_only=True, rename="camel"):
    """An instant that is run, and the version in force at it."""

    fire_time: str
    definition_version: int


class BackfillVersionView(msgspec.Struct, kw_only=True, rename="camel"):
    """What is run under one version."""

    definition_version: int
    count: int
    first_fire_time: str
    last_fire_time: str


class BackfillView(msgspec.Struct, kw_only=True, rename="camel"):
    """What a backfill starts, or would start with `dryRun`."""

    command_id: str | None
    task_definition_id: str
    dry_run: bool
    max_concurrency: int | None
    count: int
    ran_before: int
    first_fire_time: str | None
    last_fire_time: str | None
    versions: list[BackfillVersionView]
    samples: list[BackfillFireView]


class CancelledBackfillView(msgspec.Struct, kw_only=True, rename="camel"):
    """A backfill that was cancelled: `open` runs of it have not ended yet."""

    command_id: str
    task_definition_id: str
    open: int


def backfill_view(
    definition_id: str,
    fires: Sequence[tuple[int, int]],
    *,
    command_id: str | None,
    instants: int,
    max_concurrency: int | None,
) -> BackfillView:
    """The view.

    :param fires: (instant, version), ascending. :param instants: how many instants the range has.
    """
    versions: dict[int, list[int]] = {}
    for instant, version in fires:
        versions.setdefault(version, []).append(instant)
    return BackfillView(
        command_id=command_id,
        task_definition_id=definition_id,
        dry_run=command_id is None,
        max_concurrency=max_concurrency,
        count=len(fires),
        ran_before=max(instants - len(fires), 0),
        first_fire_time=rfc3339(fires[0][0]) if fires else None,
        last_fire_time=rfc3339(fires[-1][0]) if fires else None,
        versions=[
            BackfillVersionView(
                definition_version=version,
                count=len(found),
                first_fire_time=rfc3339(found[0]),
                last_fire_time=rfc3339(found[-1]),
            )
            for version, found in sorted(versions.items())
        ],
        samples=[
            BackfillFireView(fire_time=rfc3339(instant), definition_version=version)
            for instant, version in fires[:SHOWN_FIRES]
        ],
    )
