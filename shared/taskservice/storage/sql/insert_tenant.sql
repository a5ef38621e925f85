-- A tenant that is there already stays as it is.
INSERT INTO tenants (id, name, queues, time_zone, created_at)
VALUES (%(id)s, %(name)s, %(queues)s, %(time_zone)s, UTC_TIMESTAMP(3))
ON DUPLICATE KEY UPDATE id = id
