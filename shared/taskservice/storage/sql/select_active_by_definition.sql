-- Open instances are few: their index is read, not the definition's whole history.
SELECT i.task_definition_id, COUNT(*)
FROM task_definitions d
JOIN task_instances i FORCE INDEX (ix_instances_tenant_status)
  ON i.tenant_id = d.tenant_id AND i.status IN ('PENDING', 'RUNNING')
  AND i.task_definition_id = d.id AND i.entry_position > 0
WHERE d.id IN %(ids)s
GROUP BY i.task_definition_id
