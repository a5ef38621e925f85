"""A handler as it must not be: nothing ends it."""

import threading

from taskservice.worker import task


@task("stuck")
def stuck() -> None:
    """Waits for what never comes."""
    threading.Event().wait()
