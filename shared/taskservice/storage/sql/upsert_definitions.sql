-- Deleted ones go first, in a statement of their own: they give their key free for the others.
INSERT INTO task_definitions (id, tenant_id, task_name, task_handler, cron_expression, schedule_type, task_params, status,
  created_at, updated_at, version, definition_key, queue, owner, labels, time_zone, created_by, updated_by, effective_at,
  grid_start, decided_until, last_decided, last_fire_at, armed_at, delay_instance, last_instance_id, position, deleted_at,
  spec)
VALUES :rows
ON DUPLICATE KEY UPDATE task_name = VALUES(task_name), task_handler = VALUES(task_handler),
  cron_expression = VALUES(cron_expression), schedule_type = VALUES(schedule_type), task_params = VALUES(task_params),
  status = VALUES(status), updated_at = VALUES(updated_at), version = VALUES(version),
  definition_key = VALUES(definition_key), queue = VALUES(queue), owner = VALUES(owner), labels = VALUES(labels),
  time_zone = VALUES(time_zone), updated_by = VALUES(updated_by), effective_at = VALUES(effective_at),
  grid_start = VALUES(grid_start), decided_until = VALUES(decided_until), last_decided = VALUES(last_decided),
  last_fire_at = VALUES(last_fire_at), armed_at = VALUES(armed_at), delay_instance = VALUES(delay_instance),
  last_instance_id = VALUES(last_instance_id), position = VALUES(position), deleted_at = VALUES(deleted_at),
  spec = VALUES(spec)
