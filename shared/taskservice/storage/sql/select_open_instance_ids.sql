SELECT id FROM task_instances FORCE INDEX (ix_instances_tenant_status)
WHERE tenant_id IN %(tenants)s AND status IN ('PENDING', 'RUNNING')
