SELECT id, status FROM task_instances WHERE tenant_id = %(tenant_id)s AND id IN %(ids)s
