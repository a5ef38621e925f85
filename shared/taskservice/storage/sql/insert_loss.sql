-- Numbers are given under the lock of the lease row.
INSERT INTO scheduler_losses (`partition`, epoch, number, from_position, to_position, what, found_at)
VALUES (%(partition)s, %(epoch)s, %(number)s, %(from_position)s, %(to_position)s, %(what)s, UTC_TIMESTAMP(3))
