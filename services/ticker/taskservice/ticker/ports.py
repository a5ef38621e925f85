"""What a ticker needs of MySQL; `main.py` hands it in. The election's part is `taskservice.lease.epochs`."""

from typing import Protocol

from taskservice.domain.state import State


class StateLoader(Protocol):
    """Rows and checkpoint of the read model, in one consistent snapshot."""

    async def __call__(self) -> State:
        """The state that the log folds to, up to the checkpoint. Raises what the storage raises."""
        ...


class UtcSource(Protocol):
    """A clock of another host."""

    async def __call__(self) -> int | None:
        """Its time in ms since the Unix epoch; None when it does not answer."""
        ...
