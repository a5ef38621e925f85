"""Write `docs/time.md` anew: `make docs-time`, about two and a half minutes."""

import sys
import tempfile
from pathlib import Path

from tests.time_page.outage import observe, stack_for
from tests.time_page.page import INTERVAL_S, PAGE, render


def main() -> int:
    """The command line."""
    with tempfile.TemporaryDirectory() as folder, stack_for(Path(folder), INTERVAL_S * 1_000) as stack:
        page = render(observe(stack, INTERVAL_S * 1_000))
    changed = not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page
    PAGE.write_text(page, encoding="utf-8")
    sys.stdout.write(f"{PAGE.name}: {'changed' if changed else 'as it was'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
