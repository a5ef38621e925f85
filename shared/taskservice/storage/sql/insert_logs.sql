-- A line that was sent again is the line that is there.
INSERT INTO task_logs (id, tenant_id, task_instance_id, log_level, log_message, log_time, attempt, sequence,
  execution_node)
VALUES :rows
ON DUPLICATE KEY UPDATE id = task_logs.id
