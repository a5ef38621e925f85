-- The first outcome of a command is its outcome.
INSERT INTO task_commands (id, tenant_id, command_type, status, submitted_at, decided_at, position, actor_type, actor_id,
  source, resource, problem)
VALUES :rows
ON DUPLICATE KEY UPDATE id = task_commands.id
