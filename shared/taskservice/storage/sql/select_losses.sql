-- The latest: a partition that lost something a hundred times has told the older ones.
SELECT epoch, from_position, to_position, what FROM scheduler_losses
WHERE `partition` = %(partition)s ORDER BY epoch DESC, number LIMIT 100
