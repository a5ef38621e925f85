SELECT t.id, t.name, t.queues, t.time_zone, l.max_concurrency, l.queue_limits, l.starts_per_second, l.weight
FROM tenants t LEFT JOIN tenant_limits l ON l.tenant_id = t.id
ORDER BY t.id
