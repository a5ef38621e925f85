-- Takes no epoch: what a process saw, before a person decides what to do.
UPDATE scheduler_leases SET witnessed = GREATEST(witnessed, %(witnessed)s) WHERE `partition` = %(partition)s
