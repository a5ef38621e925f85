-- One step: above every epoch ever given and above the log's. Waits for a projector's COMMIT under way, which holds the
-- row in share mode. `epoch` is assigned first and `witnessed` does not read it: both servers agree on the result.
INSERT INTO scheduler_leases (`partition`, epoch, owner, witnessed, recovering, taken_at)
VALUES (%(partition)s, %(log_epoch)s + 1, %(owner)s, %(witnessed)s, 0, UTC_TIMESTAMP(3))
ON DUPLICATE KEY UPDATE epoch = GREATEST(epoch, %(log_epoch)s) + 1,
  witnessed = GREATEST(witnessed, %(witnessed)s), owner = VALUES(owner), taken_at = VALUES(taken_at)
