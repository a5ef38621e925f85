"""`Accept`: whether a client takes what we have."""


def accepts(header: str | None, offered: tuple[str, ...]) -> bool:
    """Whether one of the offered media types is acceptable (RFC 9110 §12.5.1); no header means anything is."""
    return preferred(header, offered) is not None


def preferred(header: str | None, offered: tuple[str, ...]) -> str | None:
    """The offered media type that is wanted most, the first of equals; None when none is acceptable."""
    wanted = _wanted(header)
    best = max(offered, key=lambda one: _quality(wanted, one))
    return best if _quality(wanted, best) > 0 else None


def _wanted(header: str | None) -> dict[str, float]:
    """Quality by media range."""
    if header is None or not header.strip():
        return {"*/*": 1.0}
    wanted: dict[str, float] = {}
    for part in header.split(","):
        name, *parameters = [piece.strip().lower() for piece in part.split(";")]
        quality = next((text[2:] for text in parameters if text.startswith("q=")), "1")
        try:
            wanted[name] = float(quality)
        except ValueError:
            wanted[name] = 0.0
    return wanted


def _quality(wanted: dict[str, float], media_type: str) -> float:
    for pattern in (media_type, media_type.partition("/")[0] + "/*", "*/*"):
        if pattern in wanted:
            return wanted[pattern]
    return 0.0
