"""`Accept`: whether a client takes what we have."""


def accepts(header: str | None, offered: tuple[str, ...]) -> bool:
    """Whether one of the offered media types is acceptable (RFC 9110 §12.5.1); no header means anything is."""
    if header is None or not header.strip():
        return True
    wanted: dict[str, float] = {}
    for part in header.split(","):
        name, *parameters = [piece.strip().lower() for piece in part.split(";")]
        quality = next((text[2:] for text in parameters if text.startswith("q=")), "1")
        try:
            wanted[name] = float(quality)
        except ValueError:
            wanted[name] = 0.0
    return any(_quality(wanted, media_type) > 0 for media_type in offered)


def _quality(wanted: dict[str, float], media_type: str) -> float:
    for pattern in (media_type, media_type.partition("/")[0] + "/*", "*/*"):
        if pattern in wanted:
            return wanted[pattern]
    return 0.0
