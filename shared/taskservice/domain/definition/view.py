"""A spec in the contract's words, and back by way of a patch."""

from taskservice.domain.definition.members import BY_NAME, ENABLED, INSTANTS, MEMBERS, READ_ONLY
from taskservice.domain.definition.patch import merge_patch
from taskservice.domain.definition.spec import DefinitionSpec
from taskservice.domain.instant_text import rfc3339

_KNOWN = frozenset({*BY_NAME, ENABLED, *READ_ONLY})


def to_members(spec: DefinitionSpec) -> dict[str, object]:
    """Every member that a client may set (but `enabled`), as responses show it: times RFC 3339, `taskParams` a string.

    `parse_definition` makes the same spec of it.
    """
    return {member.name: _shown(member.field, getattr(spec, member.field)) for member in MEMBERS}


def patched(spec: DefinitionSpec, patch: object) -> object:
    """The body that PATCH asks for: `patch` (RFC 7396) on what the definition is, to be parsed in mode "replace".

    The stored dialect follows from the expression unless the client chose it; a patch that brings another expression
    or schedule type, and says nothing of the dialect, leaves it to be worked out anew. A name that nobody knows stays, so
    that it is refused, although to take it away would change nothing.
    """
    members = to_members(spec)
    if isinstance(patch, dict) and "cronDialect" not in patch and patch.keys() & {"cronExpression", "scheduleType"}:
        del members["cronDialect"]
    merged = merge_patch(members, patch)
    if isinstance(patch, dict) and isinstance(merged, dict):
        # To take away what nobody knows would be silence about a misspelt name.
        merged |= {name: None for name in patch if name not in merged and name not in _KNOWN}
    return merged


def _shown(field: str, value: object) -> object:
    if field in INSTANTS and isinstance(value, int):
        return rfc3339(value)
    if isinstance(value, tuple):
        return list(value)
    return dict(value) if isinstance(value, dict) else value
