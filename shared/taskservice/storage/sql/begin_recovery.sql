UPDATE scheduler_leases SET recovering = GREATEST(recovering, %(epoch)s) WHERE `partition` = %(partition)s
