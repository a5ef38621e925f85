"""`taskservice health`: ask a service on this machine whether it is ready; what the image's health check runs."""

import sys
from http.client import HTTPConnection, HTTPException
from typing import Final

import click

from taskservice.cli.examples import examples
from taskservice.cli.exit_codes import ExitCode
from taskservice.config import Settings, settings_options

TIMEOUT_S: Final = 3.0
LARGEST_ANSWER_BYTES: Final = 65_536
_ANY_ADDRESS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (read, not bound)


@click.command("health", epilog=examples("taskservice health", "taskservice health --port 8085 --live"))
@click.option("--port", type=click.IntRange(1, 65_535), help="default: setting app.task.api.port")
@click.option("--live", is_flag=True, help="ask only whether it runs")
@settings_options
def command(settings: Settings, *, port: int | None, live: bool) -> None:
    """Ask the api here, or the service at --port, whether it is ready. Status 0 if it is, 1 if not."""
    host = settings.api.host if port is None else settings.health.host
    status, answer = ask(reached_at(host), port or settings.api.port, "live" if live else "ready")
    click.echo(answer)
    sys.exit(status)


def reached_at(host: str) -> str:
    """Where a service on this machine that listens on `host` is asked; a listener on any address is, on loopback."""
    return _ANY_ADDRESS.get(host, host)


def ask(host: str, port: int, what: str) -> tuple[ExitCode, str]:
    """The status to end with, and the words for it.

    :param what: `live` or `ready`.
    """
    connection = HTTPConnection(host, port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", f"/health/{what}")
        answer = connection.getresponse()
        text = answer.read(LARGEST_ANSWER_BYTES).decode("utf-8", "replace").strip()
    except (OSError, HTTPException) as error:
        return ExitCode.FAILED, f"{host}:{port} does not answer: {error}"
    finally:
        connection.close()
    return ExitCode.OK if answer.status == 200 else ExitCode.FAILED, text
