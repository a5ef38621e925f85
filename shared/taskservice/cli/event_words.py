"""Events in words: what each says beyond its type and what it is about."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from taskservice.cli.cells import SHOWN_OF_IDS
from taskservice.client.values import Event

Data = Mapping[str, Any]
LONGEST: Final = 160
"""Characters of a message that somebody else wrote."""


def event_words(event: Event) -> str:
    """Reasons, instants, workers, blockers; empty for a type that says it all, and for one of a later version."""
    words = WORDS.get(event.name)
    return "" if words is None or event.data is None else words(event.data)


def _text(data: Data, name: str) -> str:
    value = data.get(name)
    return "" if value is None else " ".join(str(value).split())


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _joined(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def _skipped(data: Data) -> str:
    first, last, blocker = _text(data, "fireTime"), _text(data, "until"), _text(data, "blockedBy")
    many = int(data.get("count") or 1) > 1
    instants = f"{first} to {last} ({data['count']} instants)" if many else first
    return _joined(f"{_text(data, 'reason')} of {instants}", f"blocked by {blocker[:SHOWN_OF_IDS]}" if blocker else "")


def _scheduled(data: Data) -> str:
    later = _text(data, "notBeforeAt")
    waits = "" if data.get("dispatched") else "waits"
    return _joined(f"{_text(data, 'origin')} of {_text(data, 'fireTime')}", f"not before {later}" if later else waits)


def _attempt(data: Data) -> str:
    worker = _text(data, "executionNode")
    number = data.get("attempt")
    return " ".join(filter(None, ("" if number is None else f"attempt {number}", f"on {worker}" if worker else "")))


def _failed(data: Data) -> str:
    kind = _text(data, "errorType") or _text(data, "failureReason") or _text(data, "reason")
    message = _short(_text(data, "errorMessage"))
    again = "is tried again" if data.get("final") is False else ""
    return _joined(_attempt(data), ": ".join(filter(None, (kind, message))), again)


def _rejected(data: Data) -> str:
    return f"{_text(data, 'commandType')}: {_text(data, 'code')}: {_short(_text(data, 'detail'))}"


def _versioned(data: Data) -> str:
    version = data.get("definitionVersion")
    state = "disabled" if data.get("enabled") is False else ""
    return _joined("" if version is None else f"version {version}", state, _short(_text(data, "note")))


def _asked(data: Data) -> str:
    return _joined(_attempt(data), _text(data, "mode"), _text(data, "kind"), _short(_text(data, "reason")))


def _taken_over(data: Data) -> str:
    recovering = "after a loss" if data.get("recovering") else ""
    return _joined(f"{_text(data, 'leader')} leads, epoch {data.get('epoch')}", recovering)


WORDS: Final[Mapping[str, Callable[[Data], str]]] = {
    "EpochStarted": _taken_over,
    "LogLossDetected": lambda data: f"{_text(data, 'what')}, {data.get('fromPosition')} to {data.get('toPosition')}",
    "CommandAccepted": lambda data: _text(data, "commandType"),
    "CommandRejected": _rejected,
    "DefinitionCreated": _versioned,
    "DefinitionUpdated": _versioned,
    "DefinitionEnabled": _versioned,
    "DefinitionDisabled": _versioned,
    "DefinitionDeleted": lambda data: "and what runs is cancelled" if data.get("cancelRunning") else "",
    "FireSkipped": _skipped,
    "InstanceScheduled": _scheduled,
    "InstanceDispatched": _attempt,
    "DispatchWithdrawn": _asked,
    "RevocationRequested": _asked,
    "AttemptStarted": _attempt,
    "AttemptSucceeded": _attempt,
    "AttemptFailed": _failed,
    "AttemptTimedOut": _failed,
    "AttemptLost": _failed,
    "RetryScheduled": lambda data: _joined(_attempt(data), f"not before {_text(data, 'notBeforeAt')}"),
    "InstanceFailed": _failed,
    "CancelRequested": _asked,
    "TimeoutReached": _asked,
    "InstanceCancelled": lambda data: _joined(_attempt(data), _short(_text(data, "errorMessage"))),
    "InstanceRetried": _versioned,
    "LateResultIgnored": lambda data: _joined(_text(data, "kind"), _attempt(data)),
    "AlarmRaised": lambda data: _joined(f"{_text(data, 'kind')} since {_text(data, 'sinceAt')}", _text(data, "detail")),
    "AlarmCleared": lambda data: f"{_text(data, 'kind')} since {_text(data, 'sinceAt')} is over",
    "WorkerLost": lambda data: _joined(_text(data, "executionNode"), f"{data.get('attempts')} attempts asked back"),
}
"""By the type without its prefix."""
