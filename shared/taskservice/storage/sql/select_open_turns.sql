-- What is open of one definition, in the order in which it was opened, or opened again by a retry: so the leader holds it.
-- Open instances are few, so their index is read.
SELECT id, entry_position > 0 FROM task_instances FORCE INDEX (ix_instances_tenant_status)
WHERE tenant_id = %(tenant_id)s AND status IN ('PENDING', 'RUNNING') AND task_definition_id = %(definition_id)s
ORDER BY COALESCE(retried_at, created_at), fire_time, id LIMIT %(most)s
