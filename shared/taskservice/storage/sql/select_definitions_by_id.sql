-- In the order of definition_rows.COLUMNS.
SELECT id, tenant_id, version, spec, status, created_at, updated_at, created_by, updated_by, effective_at, grid_start,
  decided_until, last_decided, last_fire_at, armed_at, delay_instance, last_instance_id, deleted_at, position
FROM task_definitions WHERE id IN %(ids)s
