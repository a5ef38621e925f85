INSERT INTO tenant_limits (tenant_id, max_concurrency, queue_limits, starts_per_second, weight)
VALUES (%(id)s, %(max_concurrency)s, %(queue_limits)s, %(starts_per_second)s, %(weight)s)
ON DUPLICATE KEY UPDATE max_concurrency = VALUES(max_concurrency), queue_limits = VALUES(queue_limits),
  starts_per_second = VALUES(starts_per_second), weight = VALUES(weight)
