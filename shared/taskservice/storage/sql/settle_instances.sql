-- Instances whose row exists and of which the batch knows nothing but that they succeeded. What has no default and is
-- not told stands there as an empty text or a zero, for rows that are never inserted.
INSERT INTO task_instances (id, status, execution_node, start_time, end_time, execution_duration, updated_at, result,
  position, tenant_id, task_definition_id, created_at, definition_version, origin, fire_time, ready_at)
VALUES :rows
ON DUPLICATE KEY UPDATE status = VALUES(status), execution_node = VALUES(execution_node),
  start_time = VALUES(start_time), end_time = VALUES(end_time), execution_duration = VALUES(execution_duration),
  updated_at = VALUES(updated_at), result = VALUES(result), position = VALUES(position), entry_epoch = 0,
  entry_position = 0, not_before = NULL, revoking = NULL, revoke_asked_at = NULL, failure_reason = NULL,
  error_type = NULL, error_message = NULL
