"""What `taskservice up` tells the person at the terminal: one line a fact."""

import sys
from datetime import datetime
from typing import TextIO

from taskservice.clock import Clock
from taskservice.localstack.supervisor import BecameReady, BecameUnready, Died, Happening, Started, Supervised


class Console:
    """Lines with the time of day, in local time, since a person reads them."""

    def __init__(self, clock: Clock, out: TextIO | None = None) -> None:
        self._clock = clock
        self._out = sys.stdout if out is None else out

    def say(self, text: str = "") -> None:
        """A line, with the time unless it is empty."""
        moment = datetime.fromtimestamp(self._clock.now_ms() / 1_000).astimezone()
        self._out.write(f"{moment:%H:%M:%S}  {text}\n" if text else "\n")
        self._out.flush()

    def plain(self, text: str) -> None:
        """A line as it is."""
        self._out.write(f"{text}\n")
        self._out.flush()

    def tell(self, happening: Happening) -> None:
        """What the supervisor noticed, if it is news to a person."""
        match happening:
            case Started(name, pid, restarts) if restarts:
                self.say(f"{name}: started again, pid {pid} (restart {restarts})")
            case BecameReady(name, after_ms):
                self.say(f"{name}: ready after {after_ms / 1_000:.1f} s")
            case BecameUnready(name):
                self.say(f"{name}: runs, but is not ready any more")
            case Died(name, _, delay_ms, output):
                when = "at once" if not delay_ms else f"in {delay_ms / 1_000:.1f} s"
                self.say(f"{name}: died ({happening.words}), is started again {when}")
                for line in output.splitlines():
                    self.plain(f"            {name} | {line}")
            case Started():
                pass  # its BecameReady says it better

    def table(self, processes: list[Supervised], versions: dict[str, str]) -> None:
        """One readable line a process."""
        self.plain("")
        for one in processes:
            where = one.spec.url
            what = where or versions.get(one.spec.role, "")
            state = "ready" if one.ready else "starting"
            self.plain(f"  {one.spec.name:<11} {state:<9} pid {one.pid or '-':<8} {what}")
        self.plain("")
