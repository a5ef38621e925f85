"""Whether a process lives, as the kernel tells."""

from pathlib import Path


def runs(pid: int) -> bool:
    """Whether a process of that id runs; a zombie does not."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return text.rpartition(")")[2].split()[0] != "Z"
