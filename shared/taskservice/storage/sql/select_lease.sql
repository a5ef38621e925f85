SELECT epoch, recovering, witnessed FROM scheduler_leases WHERE `partition` = %(partition)s
