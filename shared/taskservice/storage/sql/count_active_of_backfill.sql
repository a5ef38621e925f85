SELECT COUNT(*) FROM task_instances FORCE INDEX (ix_instances_tenant_status)
WHERE tenant_id = %(tenant_id)s AND status IN ('PENDING', 'RUNNING') AND entry_position > 0
  AND command_id = %(command_id)s AND origin = 'BACKFILL'
