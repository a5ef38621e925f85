"""Examples under a command's help."""


def examples(*lines: str) -> str:
    """The epilog of a command that shows these command lines, as they are typed."""
    title = "Example" if len(lines) == 1 else "Examples"
    # The backspace on a line of its own tells click to leave the lines of this paragraph as they are.
    return "\n".join(("\b", f"{title}:", *(f"  {line}" for line in lines)))
