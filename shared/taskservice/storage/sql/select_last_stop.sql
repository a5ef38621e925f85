-- Who of a tenant stopped the scheduler last before a time. Ids lie in the order of time: the newest are read first.
SELECT actor_type, actor_id, submitted_at FROM task_commands FORCE INDEX (ix_commands_tenant_status)
WHERE tenant_id = %(tenant_id)s AND status = 'ACCEPTED' AND id < %(beyond)s
  AND command_type = 'StopScheduler' AND submitted_at <= %(instant)s
ORDER BY id DESC LIMIT 1
