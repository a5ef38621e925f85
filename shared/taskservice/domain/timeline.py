"""Which version of a definition governed which instants: its versions in order, as the log made them.

A version governs the instants after its `effective_at`, up to and including the next one's. A version that is disabled
has no due instants. An edit that leaves the schedule alone moves no instant: the grid of a FIXED_RATE goes on.
"""

from collections.abc import Iterator, Sequence

import msgspec

from taskservice.domain.definition.spec import DefinitionSpec, same_schedule
from taskservice.domain.events import Actor
from taskservice.domain.schedule.of_spec import schedule_of


class DefinitionVersion(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One version, and when it came into force.

    :ivar enabled: whether its instants were due. :ivar effective_at: it governs the instants after this.
    :ivar created_at: when it was decided. :ivar actor: who made it.
    """

    version: int
    spec: DefinitionSpec
    enabled: bool
    effective_at: int
    created_at: int
    actor: Actor | None = None


class DueInstant(msgspec.Struct, frozen=True, gc=False):
    """A nominal instant and the version that governed it."""

    instant: int
    version: DefinitionVersion


class DisabledSpan(msgspec.Struct, frozen=True, gc=False):
    """No instant was due in (`after`, `until`]; `until` null = it still lasts. `actor` disabled it."""

    after: int
    until: int | None
    actor: Actor | None


class _Term(msgspec.Struct, frozen=True, gc=False):
    """The term of one version: instants in (`after`, `until`]."""

    version: DefinitionVersion
    after: int
    until: int | None
    grid_start: int
    moved: bool
    """Its schedule is another one than that of the version before."""


class Timeline:
    """The versions of one definition.

    :param versions: all of them, in any order. :param deleted_at: when it was deleted; null = it was not.
    """

    def __init__(
        self, definition_id: str, versions: Sequence[DefinitionVersion], deleted_at: int | None = None
    ) -> None:
        self._definition_id = definition_id
        self._terms = list(_terms(sorted(versions, key=lambda one: one.version), deleted_at))

    def instants(self, first: int, end: int) -> Iterator[DueInstant]:
        """The due instants in [first, end), ascending. A FIXED_DELAY names none: its runs' ends do."""
        latest = first - 1
        for term in self._terms:
            for instant in self._of_term(term, latest, end):
                latest = instant
                yield DueInstant(instant, term.version)

    def decided_from(self, instant: int) -> int | None:
        """A time before which no instant after `instant` can have been decided; null = there is no such instant.

        An instant is decided when it has come, one that lay in the past when it was asked for (ONCE) when it was.
        """
        for term in self._terms:
            if not term.version.enabled or (term.until is not None and term.until <= instant):
                continue
            found = self._first_of_term(term, instant)
            if found is not None:
                return found
        return None

    def disabled_spans(self, first: int, end: int) -> list[DisabledSpan]:
        """The spans that meet [first, end), ascending."""
        spans: list[DisabledSpan] = []
        for term in self._terms:
            if term.version.enabled:
                continue
            if spans and spans[-1].until == term.after:
                spans[-1] = DisabledSpan(spans[-1].after, term.until, spans[-1].actor)
            elif term.until is None or term.until > term.after:
                spans.append(DisabledSpan(term.after, term.until, term.version.actor))
        return [span for span in spans if span.after + 1 < end and (span.until is None or span.until >= first)]

    def grid_start_of(self, version: int) -> int:
        """Where the grid of a FIXED_RATE began under this version.

        :raises KeyError: there is no such version.
        """
        return {term.version.version: term.grid_start for term in self._terms}[version]

    def named_delay(self, first: int, end: int) -> bool:
        """Whether a FIXED_DELAY governed a part of [first, end)."""
        return any(
            term.version.spec.schedule_type == "FIXED_DELAY"
            and term.after + 1 < end
            and (term.until is None or term.until >= first)
            for term in self._terms
        )

    def _of_term(self, term: _Term, latest: int, end: int) -> Iterator[int]:
        spec = term.version.spec
        if not term.version.enabled or spec.schedule_type == "FIXED_DELAY":
            return
        if spec.schedule_type == "ONCE" and spec.run_at is not None and spec.run_at <= term.after:
            if term.moved and latest < spec.run_at < end:
                yield spec.run_at  # it lay in the past when it was asked for: it fires at once
            return
        schedule = schedule_of(spec, term.grid_start, self._definition_id)
        instant = schedule.next_after(max(latest, term.after))
        while instant is not None and instant < end and (term.until is None or instant <= term.until):
            yield instant
            instant = schedule.next_after(instant)

    def _first_of_term(self, term: _Term, instant: int) -> int | None:
        spec = term.version.spec
        begin = max(instant, term.after)
        if spec.schedule_type == "FIXED_DELAY":
            found: int | None = begin + (spec.interval_ms or 0) if begin > term.after else begin
        elif spec.schedule_type == "ONCE" and spec.run_at is not None and spec.run_at <= term.after:
            return term.after if term.moved and instant < spec.run_at else None
        else:
            found = schedule_of(spec, term.grid_start, self._definition_id).next_after(begin)
        if found is None or (term.until is not None and found > term.until):
            return None
        return found


def _terms(versions: Sequence[DefinitionVersion], deleted_at: int | None) -> Iterator[_Term]:
    grid_start = 0
    before: DefinitionVersion | None = None
    for index, version in enumerate(versions):
        following = versions[index + 1].effective_at if index + 1 < len(versions) else deleted_at
        moved = before is None or not same_schedule(before.spec, version.spec)
        if moved:
            grid_start = version.effective_at if version.spec.start_at is None else version.spec.start_at
        yield _Term(version, version.effective_at, following, grid_start, moved)
        before = version
