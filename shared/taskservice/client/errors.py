"""What can go wrong with a request.

::

    ClientError
    ├── UnreachableError     no answer, or none that this client understands
    ├── ApiError             the service refused it, and says why
    └── StillPendingError    accepted, and its outcome can't be read yet
"""

from taskservice.client.values import Problem


class ClientError(Exception):
    """Any of them."""


class UnreachableError(ClientError):
    """No answer came, or one that is not of this API. Whether the request was taken is not known."""


class ApiError(ClientError):
    """The service refused the request.

    :ivar problem: why.
    """

    def __init__(self, problem: Problem) -> None:
        faults = "".join(f"\n  {one.place}: {one.detail}" for one in problem.errors)
        super().__init__(f"{problem.status} {problem.code}: {problem.detail}{faults}")
        self.problem = problem

    @property
    def code(self) -> str:
        """The problem's code, such as `not-found`: what a program decides by."""
        return self.problem.code


class StillPendingError(ClientError):
    """The command is accepted and will be decided; it was not within the client's patience.

    :ivar command_id: what to ask for under `/commands/`.
    """

    def __init__(self, command_id: str) -> None:
        super().__init__(f"accepted, not yet decided: command {command_id}")
        self.command_id = command_id
