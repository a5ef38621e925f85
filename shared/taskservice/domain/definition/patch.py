"""JSON Merge Patch (RFC 7396)."""


def merge_patch(target: object, patch: object) -> object:
    """`target` after `patch`: null takes a member away, an object merges, anything else replaces. Neither is changed."""
    if not isinstance(patch, dict):
        return patch
    merged: dict[str, object] = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged
