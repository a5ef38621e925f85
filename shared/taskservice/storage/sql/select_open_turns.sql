-- What is open of one definition, the oldest first: open instances are few, so their index is read.
SELECT id, entry_position > 0 FROM task_instances FORCE INDEX (ix_instances_tenant_status)
WHERE tenant_id = %(tenant_id)s AND status IN ('PENDING', 'RUNNING') AND task_definition_id = %(definition_id)s
ORDER BY created_at, id LIMIT %(most)s
