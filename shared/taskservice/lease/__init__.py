"""The election: who leads a partition, under which epoch, and for how long a leader may trust that it does.

::

                acquire: held by another, or any failure
                   ┌──────┐
                   ▼      │
    start ──▶ follower ───┘── acquire ▸ take_epoch ▸ compare heads ▸ [restore ▸ regroup] ▸ takeover ──▶ leader
                   ▲                                                                                  │
                   └── lock lost · renewal failed · trust over · another Redis · log refused · resigned ──┘

*Gaining* leadership takes Redis (the lock, then the log's own last id) and MySQL (the epoch, never reused); *keeping*
it takes Redis alone. The lock only saves wasted work: what makes two leaders harmless is that the epoch is the major
half of every id in the log, and each append names the last id it expects. So any doubt means to step down, at once and
without harm; whoever is next finds everything it needs in the log.

`trust.py` the arithmetic of a lease, pure · `heads.py` what the ends of log and archive say about each other, pure ·
`comparing.py` reads them · `epochs.py` what is asked of MySQL · `candidacy.py` the way from follower to leader, step by
step · `elector.py` the two states · `recovery.py` what a person asks for when nobody may lead by himself ·
`outcomes.py` what they answer.
"""

from taskservice.lease.candidacy import Candidate
from taskservice.lease.elector import Elector
from taskservice.lease.epochs import ArchivedRow, ArchiveHead, EpochGrant, EpochStore
from taskservice.lease.outcomes import (
    ElectionSettings,
    EpochPlan,
    Loss,
    Step,
    StepDownReason,
    Term,
    Witness,
)
from taskservice.lease.trust import Lease

__all__ = [
    "ArchiveHead",
    "ArchivedRow",
    "Candidate",
    "ElectionSettings",
    "Elector",
    "EpochGrant",
    "EpochPlan",
    "EpochStore",
    "Lease",
    "Loss",
    "Step",
    "StepDownReason",
    "Term",
    "Witness",
]
