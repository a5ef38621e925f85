"""I22: what is in one tenant's definitions, and nowhere else, is never read by another."""

from collections.abc import Iterator

from taskservice.testing.checkers.evidence import Evidence, Utterance
from taskservice.testing.checkers.violation import Violation


def leaks(evidence: Evidence) -> list[Violation]:
    """Each text in which another tenant's canary stands; metrics, which are of nobody, may hold none."""
    found = []
    for utterance in _read(evidence):
        for tenant, canary in evidence.canaries.items():
            if tenant != utterance.tenant and canary in utterance.text:
                reader = utterance.tenant or "everybody"
                found.append(Violation("I22", 0, f"{utterance.where} shows {reader} what is {tenant}'s"))
    return found


def _read(evidence: Evidence) -> Iterator[Utterance]:
    yield from evidence.utterances
    for call in evidence.calls:
        if call.answer:
            yield Utterance(call.tenant, f"the answer to {call.kind}", call.answer)
