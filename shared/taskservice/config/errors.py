"""What stops a start: all faults of the settings at once."""

from collections.abc import Sequence


class SettingsError(Exception):
    """The settings can't be used.

    :ivar problems: one sentence each, naming the key, where it was set, and what is allowed; never a secret's value.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))
