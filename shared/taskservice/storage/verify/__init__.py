"""The proof that the tables equal the log: a second, independent way from the archived events to every row.

It shares with the projector the fold (`evolve`) and the reading of segments, and nothing else: which rows an event
makes and how a row is spelled is said here once more, in other words, so that a mistake in one of the two shows.

::

    chain      segments follow each other without gaps, and their hashes hold
    replay     events and log lines into the State, and what rows they make
    expected   rows as columns and values
    compare    against the tables, in one consistent snapshot, in both directions
    run        all of it, for every partition

Open instances and what was not compared yet is all that is held of instances, commands and log lines; definitions,
their versions and the hourly counts are held whole.
"""

from taskservice.storage.verify.report import Difference, Report
from taskservice.storage.verify.run import verify

__all__ = ["Difference", "Report", "verify"]
