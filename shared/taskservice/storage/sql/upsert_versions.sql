INSERT INTO task_definition_versions (definition_id, version, tenant_id, task_name, task_handler, queue, priority,
  task_params, body, enabled, effective_at, created_at, actor_type, actor_id, position)
VALUES :rows
ON DUPLICATE KEY UPDATE task_name = VALUES(task_name), task_handler = VALUES(task_handler), queue = VALUES(queue),
  priority = VALUES(priority), task_params = VALUES(task_params), body = VALUES(body), enabled = VALUES(enabled),
  effective_at = VALUES(effective_at), created_at = VALUES(created_at), actor_type = VALUES(actor_type),
  actor_id = VALUES(actor_id), position = VALUES(position)
