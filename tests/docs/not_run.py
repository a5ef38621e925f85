"""The commands of the documentation that the tests don't run, and why. Keep it short: what is not run goes stale."""

NOT_RUN: dict[tuple[str, str], str] = {}
"""(page, first line of the block) → the reason. A test refuses an entry that names no block."""
