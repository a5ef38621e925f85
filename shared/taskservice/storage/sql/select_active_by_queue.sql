-- How many attempts of a tenant are dispatched, by queue. Open instances are few, so their index is read.
SELECT v.queue, COUNT(*)
FROM task_instances i FORCE INDEX (ix_instances_tenant_status)
JOIN task_definition_versions v ON v.definition_id = i.task_definition_id AND v.version = i.definition_version
WHERE i.tenant_id = %(tenant_id)s AND i.status IN ('PENDING', 'RUNNING') AND i.entry_position > 0
GROUP BY v.queue
