-- What is open of a backfill, and how much of it is dispatched.
SELECT COUNT(*), COALESCE(SUM(entry_position > 0), 0) FROM task_instances FORCE INDEX (ix_instances_tenant_status)
WHERE tenant_id = %(tenant_id)s AND status IN ('PENDING', 'RUNNING')
  AND command_id = %(command_id)s AND origin = 'BACKFILL'
