-- The election's compare-and-set waits for this transaction; both servers take this form.
SELECT epoch FROM scheduler_leases WHERE `partition` = %(partition)s LOCK IN SHARE MODE
