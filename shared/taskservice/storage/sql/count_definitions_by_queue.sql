SELECT queue, COUNT(*) FROM task_definitions
WHERE tenant_id = %(tenant_id)s AND deleted_at IS NULL
GROUP BY queue ORDER BY queue
